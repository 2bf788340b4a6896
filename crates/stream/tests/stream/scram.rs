//! The client half of the `sasl` crate logs in through a stream, from its header to its resource.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sasl::client::Mechanism;
use sasl::client::mechanisms::Scram;
use sasl::common::ChannelBinding;
use sasl::common::scram::{ScramProvider, Sha1, Sha256};

use crate::harness::{Event, Given, HEADER, Session};

/// The character data of the last element of this name that was sent.
fn received(session: &Session, name: &str) -> Option<Vec<u8>> {
    let sent = session.events.iter().rev().find_map(|event| match event {
        Event::Sent(text) => Some(text),
        _ => None,
    });
    let (_, rest) = sent?.split_once(&format!("<{name} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"))?;
    let (text, _) = rest.split_once("</")?;
    Some(STANDARD.decode(text).expect("base64"))
}

fn log_in<S: ScramProvider>(password: &str, bound: ChannelBinding) -> bool {
    let mut session = Session::begin(Given::Tls);
    session.feed(HEADER.as_bytes());
    let mut client = Scram::<S>::new("juliet", password.to_owned(), bound).expect("a client");
    let mechanism = client.name().to_owned();
    assert!(session.written.contains(&format!("<mechanism>{mechanism}</mechanism>")), "{mechanism}");
    let initial = STANDARD.encode(client.initial());
    session.feed(
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{initial}</auth>")
            .as_bytes(),
    );
    let asked = Event::Asked("NeedCredentials juliet@im.example.com".to_owned());
    if session.events.last() == Some(&asked) {
        session.answer("credentials");
    }
    let Some(challenge) = received(&session, "challenge") else { return false };
    let response = STANDARD.encode(client.response(&challenge).expect("a challenge for it"));
    session
        .feed(format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{response}</response>").as_bytes());
    let Some(data) = received(&session, "success") else {
        let account = Some("AuthenticationFailed juliet@im.example.com not-authorized".to_owned());
        assert_eq!(session.events.last().cloned(), account.map(Event::Asked));
        return false;
    };
    client.success(&data).expect("the server knows the password, too");
    session.feed(HEADER.as_bytes());
    session.feed(b"<iq id='b' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    session.answer("bound");
    assert_eq!(session.stream.jid().map(|jid| jid.bare()), Some("juliet@im.example.com"));
    true
}

fn check<S: ScramProvider>() {
    let password = "r0m30myr0m30";
    assert!(log_in::<S>(password, ChannelBinding::None));
    assert!(log_in::<S>(password, ChannelBinding::TlsExporter(vec![7; 32])));
    assert!(!log_in::<S>("wrong", ChannelBinding::None));
    // S058: somebody between, with two TLS connections, has two exporters.
    assert!(!log_in::<S>(password, ChannelBinding::TlsExporter(vec![8; 32])));
    // S055: `y` although the variant with channel binding was offered.
    assert!(!log_in::<S>(password, ChannelBinding::Unsupported));
}

#[test]
fn sha_1() {
    check::<Sha1>();
}

#[test]
fn sha_256() {
    check::<Sha256>();
}
