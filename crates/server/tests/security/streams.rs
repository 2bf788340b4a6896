//! Streams over sockets: XEP-0198 1.6.3, order, floods, the end.

use std::io::Read;

use socket2::SockRef;

use crate::Row;
use crate::client::Client;
use crate::server::{Server, address, many};

pub(crate) const ROWS: &[Row] = &[
    ("XEP-0198 4: acknowledged", acknowledged),
    ("XEP-0198 4: asked along with a message", asked_along_with_a_message),
    ("XEP-0198 5: resumed", resumed),
    ("XEP-0198 5: resumed while attached", resumed_while_attached),
    ("XEP-0198 5: refused once too often", refused_once_too_often),
    ("S043 a thousand stanzas in one write", thousand_in_one_write),
    ("S043 more answers than are written at once", more_than_is_written_at_once),
    ("S043 tiny stanzas of a client that does not read", tiny_stanzas),
    ("S044 floods of <r/> and of whitespace", request_flood),
    ("RFC 6120 4.4: closed both ways", closed_both_ways),
];

const SM: &str = "urn:xmpp:sm:3";

fn message(to: &str, body: &str) -> String {
    format!("<message to='{to}' type='chat'><body>{body}</body></message>")
}

fn acknowledged(server: &Server) {
    let from = address("acknowledged");
    server.account("ack@example.org");
    let mut client = Client::online(server, from, "ack@example.org/a");
    client.enable();
    let mut burst = format!("<r xmlns='{SM}'/>");
    for n in 0..100 {
        burst += &message("ack@example.org/nowhere", &n.to_string());
    }
    burst += &format!("<r xmlns='{SM}'/>");
    client.send(&burst);
    client.until("h='100'");
    // What came behind an `<r/>` under way is answered, too.
    for n in 101..=120 {
        let text = message("ack@example.org/nowhere", "x");
        client.send(&format!("<r xmlns='{SM}'/>{text}<r xmlns='{SM}'/>"));
        client.until(&format!("h='{n}'"));
    }
}

/// Whoever goes right after has been asked, so that what it took need not come again.
fn asked_along_with_a_message(server: &Server) {
    let from = address("asked");
    server.account("asked@example.org");
    let mut client = Client::online(server, from, "asked@example.org/a");
    client.enable();
    client.send(&message("asked@example.org/a", "once"));
    client.until("<body>once</body>");
    let behind = client.settle();
    assert_eq!(behind.matches("<r ").count(), 1, "{behind}");
    client.send(&format!("<a xmlns='{SM}' h='2'/></stream:stream>"));
    client.rest();
    let mut again = Client::online(server, from, "asked@example.org/a");
    again.send(&message("asked@example.org/a", "then"));
    let before = again.until("<body>then");
    assert!(!before.contains("<body>once"), "{before}");
}

fn resumed(server: &Server) {
    let from = address("resumed");
    server.account("resume@example.org");
    let mut client = Client::online(server, from, "resume@example.org/a");
    let id = client.enable();
    client.send(&message("resume@example.org/a", "before"));
    client.until("before");
    client.send(&message("resume@example.org/a", "while cut"));
    client.cut();
    let mut again = Client::authenticated(server, from, "resume@example.org");
    again.send(&format!("<resume xmlns='{SM}' previd='{id}' h='1'/>"));
    let resumed = again.until("<resumed") + &again.until(">");
    assert!(resumed.contains("h='1'") || resumed.contains("h='2'"), "{resumed}");
    if resumed.contains("h='1'") {
        // The last one was lost with its connection: the client sends it again.
        again.send(&message("resume@example.org/a", "while cut"));
    }
    let before = again.until("while cut");
    assert!(!before.contains("<body>before"), "acknowledged by h, and sent again: {before}");
    again.settle();
}

fn resumed_while_attached(server: &Server) {
    let from = address("attached");
    server.account("attached@example.org");
    let mut old = Client::online(server, from, "attached@example.org/a");
    let id = old.enable();
    old.settle();
    let mut new = Client::authenticated(server, from, "attached@example.org");
    new.send(&format!("<resume xmlns='{SM}' previd='{id}' h='1'/>"));
    new.until("<resumed");
    let end = old.rest();
    assert!(end.contains("<conflict"), "{end}");
    assert!(end.ends_with("</stream:stream>"), "{end}");
    new.send(&message("attached@example.org/a", "still here"));
    new.until("still here");
}

/// Its stream ends, and its connection, though it does nothing more.
fn refused_once_too_often(server: &Server) {
    let from = address("refused");
    server.account("refused@example.org");
    let mut client = Client::online(server, from, "refused@example.org/a");
    let unknown = client.enable().replace(|digit| digit != '7', "7");
    let mut client = Client::authenticated(server, from, "refused@example.org");
    for _ in 0..10 {
        client.send(&format!("<resume xmlns='{SM}' previd='{unknown}' h='0'/>"));
        client.until("</failed>");
    }
    let end = client.until("</stream:stream>");
    assert!(end.contains("<policy-violation"), "{end}");
    assert_eq!(client.tls().read(&mut [0]).ok(), Some(0), "the connection is closed");
}

fn thousand_in_one_write(server: &Server) {
    let from = address("thousand");
    server.account("thousand@example.org");
    let mut client = Client::online(server, from, "thousand@example.org/a");
    client.enable();
    let mut burst = String::new();
    for n in 0..1_000 {
        burst += &message("thousand@example.org/a", &format!("n{n}."));
    }
    client.send(&burst);
    for n in 0..1_000 {
        let text = client.until("</body>");
        assert!(text.contains(&format!("<body>n{n}.</body>")), "{n}: {text}");
    }
}

/// Who has as much to read as is kept for it is not read from, and goes on once that is written, though nothing more
/// comes from it.
fn more_than_is_written_at_once(server: &Server) {
    let from = address("answers");
    server.account("answers@example.org");
    let mut client = Client::online(server, from, "answers@example.org/a");
    let body = "x".repeat(2_000);
    let mut burst = String::new();
    for n in 0..300 {
        burst += &format!(
            "<message to='answers@example.org/a' type='headline'><body>n{n}.{body}</body></message>"
        );
    }
    for _ in 0..10 {
        client.send(&burst);
        for n in 0..300 {
            let text = client.until("</body>");
            assert!(text.contains(&format!("<body>n{n}.")), "{n}: {text}");
        }
    }
}

/// From a client that does not read what comes of them: it is not read any more, and that is all. Then it reads.
fn tiny_stanzas(server: &Server) {
    let count = many(100_000, 1_000_000);
    let from = address("S043");
    server.account("s043@example.org");
    let mut client = Client::online(server, from, "s043@example.org/a");
    // Little of it waits in the system.
    let socket = SockRef::from(client.socket());
    socket.set_recv_buffer_size(64 * 1_024).unwrap();
    socket.set_send_buffer_size(64 * 1_024).unwrap();
    let before = server.resident();
    let (mut sent, mut received, mut turns) = (0, 0, 0);
    let (mut out, mut read) = (Vec::new(), String::new());
    while received < count {
        while sent < count && out.len() < 1_024 * 1_024 {
            let text =
                format!("<message to='s043@example.org/a' type='headline'><body>{sent}</body></message>");
            out.extend_from_slice(text.as_bytes());
            sent += 1;
        }
        let taken = client.send_some(&out);
        let is_held = taken < out.len();
        out.drain(..taken);
        if is_held || sent == count {
            turns += usize::from(is_held);
            let grown = server.resident().saturating_sub(before);
            assert!(grown < 8 * 1_024 * 1_024, "{grown} bytes for a client that does not read");
            read += &client.available();
            let whole = read.rfind("</body>").map_or(0, |at| at + "</body>".len());
            for message in read.get(..whole).unwrap().split_terminator("</body>") {
                assert!(message.ends_with(&format!("<body>{received}")), "{received}: {message}");
                received += 1;
            }
            read.drain(..whole);
        }
    }
    println!("S043: of {count} stanzas, the client was held {turns} times");
    assert!(turns > 0, "it was read on");
    client.settle();
}

fn request_flood(server: &Server) {
    let from = address("flood");
    server.account("flood@example.org");
    let mut client = Client::online(server, from, "flood@example.org/a");
    client.enable();
    let flood = format!("<r xmlns='{SM}'/>").repeat(400);
    client.send(&flood);
    client.until("<a ");
    let rest = client.settle();
    // 400 of 25 bytes are one read, or two where the kernel splits them.
    assert!(rest.matches("<a ").count() <= 3, "{rest}");
    client.send(&" ".repeat(100_000));
    client.settle();
}

fn closed_both_ways(server: &Server) {
    let from = address("closed");
    server.account("closed@example.org");
    let mut client = Client::online(server, from, "closed@example.org/a");
    client.enable();
    client.send(&(message("closed@example.org/nowhere", "last") + "</stream:stream>"));
    let end = client.rest();
    assert!(end.contains("h='1'"), "{end}");
    assert!(end.ends_with("</stream:stream>"), "{end}");
}
