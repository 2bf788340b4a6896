//! What this server does not offer: asked for all the same, it changes nothing.

use crate::Row;
use crate::client::{Client, TlsSetup, header};
use crate::scram::Binding;
use crate::server::{PASSWORD, Server, address};

pub(crate) const ROWS: &[Row] = &[
    ("S023 no compression", compression),
    ("S064 S065 no SASL2, bind2 or FAST", sasl2),
    ("S064 features are the same for all", same_features),
];

/// Namespaces of what is not there; a later release that has one of them takes up its rows.
const ABSENT: &[&str] = &[
    "http://jabber.org/protocol/compress",
    "http://jabber.org/features/compress",
    "urn:xmpp:sasl:2",
    "urn:xmpp:bind:0",
    "urn:xmpp:fast:0",
    "urn:xmpp:sasl:upgrade",
];

fn assert_absent(features: &str) {
    for namespace in ABSENT {
        assert!(!features.contains(namespace), "{namespace}: {features}");
    }
}

fn compression(server: &Server) {
    server.account("s023@example.org");
    let compress = "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>";
    let from = address("S023");
    // In clear it is in `nothing_before_tls`. Here before and after authentication, and once a resource is bound.
    let (stranger, features) = Client::starttls(server, from, "example.org");
    assert_absent(&features);
    let authenticated = Client::authenticated(server, from, "s023@example.org");
    let bound = Client::online(server, from, "s023@example.org/a");
    for (stage, mut client) in [("stranger", stranger), ("authenticated", authenticated), ("bound", bound)] {
        client.send(compress);
        // XEP-0138 3: the stream goes on as it was.
        let failure = client.until("</failure>");
        assert!(failure.contains("<unsupported-method"), "{stage}: {failure}");
        client.send("</stream:stream>");
        assert!(client.rest().ends_with("</stream:stream>"), "{stage}");
    }
}

/// All that XEP-0388, 0386 and 0484 would do within one element: log in, bind, enable, be given a token.
fn sasl2(server: &Server) {
    server.account("s064@example.org");
    let mut watching = Client::online(server, address("S064"), "s064@example.org/watching");
    let inline = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>x</software></user-agent>\
        <bind xmlns='urn:xmpp:bind:0'><tag>x</tag><enable xmlns='urn:xmpp:sm:3'/></bind>\
        <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>";
    let password = "AHMwNjQAcGVuY2lsLThmM2ExYw==";
    let asked = |mechanism: &str, more: &str| {
        format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>\
             <initial-response>{password}</initial-response>{inline}{more}</authenticate>"
        )
    };
    for (n, sent) in [
        asked("PLAIN", ""),
        asked("SCRAM-SHA-256", ""),
        asked("HT-SHA-256-NONE", "<fast xmlns='urn:xmpp:fast:0' count='1'/>"),
        asked("HT-SHA-256-EXPR", "<fast xmlns='urn:xmpp:fast:0' count='1' invalidate='true'/>"),
        "<response xmlns='urn:xmpp:sasl:2'>AA==</response>".to_owned(),
        "<abort xmlns='urn:xmpp:sasl:2'/>".to_owned(),
        "<bind xmlns='urn:xmpp:bind:0'/>".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let from = address(&format!("S064 {n}"));
        let mut clear = Client::clear(server, from);
        clear.open();
        assert_absent(&clear.until("</stream:features>"));
        let (stranger, features) = Client::starttls(server, from, "example.org");
        assert_absent(&features);
        for (stage, mut client) in [("clear", clear), ("TLS", stranger)] {
            client.send(&sent);
            let end = client.rest();
            assert!(
                end.contains("<unsupported-stanza-type") && end.ends_with("</stream:stream>"),
                "{stage}: {end}"
            );
            assert!(!end.contains("<success") && !end.contains("token"), "{stage}: {end}");
        }
        // Who is logged in gains nothing, either.
        let mut bound = Client::online(server, from, "s064@example.org/other");
        bound.send(&sent);
        let end = bound.rest();
        assert!(end.contains("<unsupported-stanza-type"), "{end}");
    }
    // Of the account's other streams, only those that were bound as ever were seen.
    let seen = watching.settle();
    assert!(!seen.contains("from='s064@example.org/x"), "{seen}");
}

/// Nothing that a client says of itself before it has proved it changes what it is offered.
fn same_features(server: &Server) {
    server.account("s064@example.org");
    let features = |from: &str| {
        let setup = TlsSetup::new("example.org");
        let mut client = Client::direct(server, address("S064 same"), &setup).unwrap();
        client.send(&header("example.org").replace("<stream:stream ", &format!("<stream:stream {from} ")));
        let all = client.until("</stream:features>");
        let features = all.split_once("<stream:features>").unwrap().1.to_owned();
        // A failed attempt leaves them as they were, too.
        client.log_in("SCRAM-SHA-256", "s064", "wrong", &Binding::None).unwrap_err();
        client.log_in("SCRAM-SHA-256", "s064", PASSWORD, &Binding::None).unwrap();
        features
    };
    let nobody = features("");
    assert_eq!(nobody, features("from='s064@example.org'"));
    assert_eq!(nobody, features("from='nobody64@example.org'"));
    assert_eq!(nobody, features("from='s064@example.net'"));
}
