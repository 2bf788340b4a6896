//! S112: counts of stream management that cannot be.

use crate::Row;
use crate::client::Client;
use crate::server::{Server, address};

pub(crate) const ROWS: &[Row] = &[
    ("S112 counts that cannot be", impossible_counts),
    ("S112 a storm of acknowledgements", storm),
    ("S112 resumption with a count that cannot be", resumed_with_impossible_counts),
];

const SM: &str = "xmlns='urn:xmpp:sm:3'";

/// The end that XEP-0198 6 has for it, with both counts.
fn assert_too_high(end: &str, h: u32, sent: u32) {
    let expected = format!("<handled-count-too-high {SM} h='{h}' send-count='{sent}'/>");
    assert!(end.contains("<undefined-condition") && end.contains(&expected), "{end}");
    assert!(end.ends_with("</stream:stream>"), "{end}");
}

/// With stream management, and one stanza sent to it since.
fn managed(server: &Server) -> (Client, String) {
    server.account("s112@example.org");
    let mut client = Client::online(server, address("S112"), "s112@example.org/a");
    let id = client.enable();
    client.send("<message to='s112@example.org/a' type='headline'><body>1</body></message>");
    client.until("</message>");
    (client, id)
}

fn impossible_counts(server: &Server) {
    // Beyond what was sent, by one and by as many as there are.
    for h in [2, u32::MAX] {
        let (mut client, _) = managed(server);
        client.send(&format!("<a {SM} h='{h}'/>"));
        assert_too_high(&client.rest(), h, 1);
    }
    // Back to what was acknowledged before, which is 2^32 - 1 ahead.
    let (mut client, _) = managed(server);
    client.send(&format!("<a {SM} h='1'/><a {SM} h='0'/>"));
    assert_too_high(&client.rest(), 0, 1);
    // What is no such count.
    for malformed in [" h='4294967296'", " h='-1'", " h='one'", " h=''", ""] {
        let (mut client, _) = managed(server);
        client.send(&format!("<a {SM}{malformed}/>"));
        let end = client.rest();
        assert!(end.contains("<stream:error") && end.ends_with("</stream:stream>"), "{malformed}: {end}");
    }
    // Twice.
    let (mut client, _) = managed(server);
    client.send(&format!("<enable {SM} resume='true'/>"));
    client.until("<failed");
    let failed = client.until("</failed>");
    assert!(failed.contains("<unexpected-request"), "{failed}");
    client.settle();
}

/// The same said again and again is nothing new, and leaves nothing behind.
fn storm(server: &Server) {
    let (mut client, _) = managed(server);
    let burst = format!("<a {SM} h='1'/>").repeat(1_000);
    let mut round = |count: usize| {
        (0..count).for_each(|_| client.send(&burst));
        // Which is one stanza more that was sent; the next round speaks of before it all the same.
        client.send(&format!("<r {SM}/>"));
        client.until("<a ");
        client.until(">");
    };
    round(10);
    let before = server.resident();
    round(100);
    let grown = server.resident().saturating_sub(before);
    println!("S112: {grown} bytes for 100,000 acknowledgements");
    assert!(grown < 1_024 * 1_024, "{grown} bytes");
}

/// The client may be right, where a server has lost what it sent and nobody was to keep: so it is refused, as XEP-0198 5
/// has it for streams that are not known, and can bind.
fn resumed_with_impossible_counts(server: &Server) {
    for h in ["77", "4294967295"] {
        let (client, id) = managed(server);
        client.cut();
        let mut again = Client::authenticated(server, address("S112"), "s112@example.org");
        again.send(&format!("<resume {SM} previd='{id}' h='{h}'/>"));
        again.until("<failed");
        let failed = again.until("</failed>");
        assert!(failed.contains("<item-not-found") && failed.contains(" h='1'"), "{failed}");
        // The stream is where it was.
        again.send(&format!("<resume {SM} previd='{id}' h='1'/>"));
        again.until("<resumed");
        again.settle();
    }
}
