//! What a link makes of a server's bytes.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;

/// A link, and the server's end of its connection.
async fn pair() -> (Link, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (Link::new(Io::Plain(client)), listener.accept().await.unwrap().0)
}

/// What the link makes of what the server sends before it closes: the elements for the caller, how it ended,
/// and what it answered.
async fn check(prepare: impl FnOnce(&mut Link), sent: &str, elements: &[&str], end: &str, answers: &str) {
    let (mut link, mut server) = pair().await;
    prepare(&mut link);
    server.write_all(sent.as_bytes()).await.unwrap();
    server.shutdown().await.unwrap();
    let (mut text, mut found) = (String::new(), Vec::new());
    let ended = loop {
        match link.element(&mut text).await {
            Ok(()) => found.push(text.clone()),
            Err(error) => break error.to_string(),
        }
    };
    drop(link);
    let mut answered = String::new();
    server.read_to_string(&mut answered).await.unwrap();
    assert_eq!((found, ended.as_str()), (elements.iter().map(|e| (*e).to_owned()).collect(), end), "{sent}");
    assert_eq!(answered, answers, "answers to {sent}");
}

const CLOSED: &str = "the server closed the connection";

#[tokio::test]
async fn common_questions_are_answered() {
    check(
        |_| {},
        "<s><iq type='get' id='1' from='x'><ping xmlns='urn:xmpp:ping'/></iq><message/>",
        &["<message/>"],
        CLOSED,
        "<iq type='result' id='1' to='x'></iq>",
    )
    .await;
    check(
        |_| {},
        "<s><iq type='set' id='2'><query xmlns='jabber:iq:roster'/></iq>",
        &["<iq type='set' id='2'><query xmlns='jabber:iq:roster'/></iq>"],
        CLOSED,
        "<iq type='result' id='2'></iq>",
    )
    .await;
}

#[tokio::test]
async fn received_stanzas_are_counted() {
    check(
        |link| link.enable_stream_management(1),
        "<s><message/><presence/><r/><other/><iq type='result' id='9'/><r/>",
        &["<message/>", "<presence/>", "<other/>", "<iq type='result' id='9'/>"],
        CLOSED,
        "<a xmlns='urn:xmpp:sm:3' h='2'/><a xmlns='urn:xmpp:sm:3' h='3'/>",
    )
    .await;
}

#[tokio::test]
async fn stream_errors_are_told() {
    let error = "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    check(|_| {}, &format!("<s><stream:error>{error}"), &[], &format!("stream error: {error}"), "").await;
    check(|_| {}, "<s><!-- -->", &[], &LinkError::Malformed.to_string(), "").await;
    check(|_| {}, "<s><message/></s>", &["<message/>"], CLOSED, "").await;
}
