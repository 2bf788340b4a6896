//! S046: whatever is logged, no password, token or body is; and what holds secrets is its owner's alone.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::process::Signal;

use crate::client::Client;
use crate::scram::{self, Binding};
use crate::server::{PASSWORD, Server, address, wait_for};

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const NEW: &str = "crayon-51d7e2";
const BODY: &str = "meet-me-at-nine";

/// In all the ways in which one becomes known here: by the command line, by PLAIN, in a registration, and by a change.
#[test]
fn s046_secrets_are_not_logged() {
    let mut server = Server::start(&[("STENTOR__LOG__FILTER", "trace")]);
    let from = address("S046 log");
    server.account("secret@example.org");
    let (mut plain, _) = Client::starttls(&server, from, "example.org");
    let right = BASE64.encode(format!("\0secret\0{PASSWORD}"));
    let wrong = BASE64.encode(format!("\0secret\0{NEW}"));
    plain.send(&format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{wrong}</auth>"));
    scram::answer(&mut plain).unwrap_err();
    plain.send(&format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{right}</auth>"));
    scram::answer(&mut plain).unwrap();

    let (mut stranger, _) = Client::starttls(&server, from, "example.net");
    stranger.send(&format!(
        "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>secret</username>\
         <password>{PASSWORD}</password></query></iq>"
    ));
    stranger.until("type='result'");
    stranger.until(">");
    stranger.log_in("SCRAM-SHA-256", "secret", PASSWORD, &Binding::None).unwrap();
    stranger.bind("a");
    stranger.send(&format!(
        "<iq type='set' id='change'><query xmlns='jabber:iq:register'><username>secret</username>\
         <password>{NEW}</password></query></iq>"
    ));
    stranger.until("id='change'");

    let (mut first, _) = Client::starttls(&server, from, "example.org");
    let challenge = scram::begin(&mut first, "SCRAM-SHA-256", "secret", &Binding::None).unwrap();
    let message = scram::finish(&challenge, "secret", PASSWORD, &Binding::None);
    scram::respond(&mut first, &message).unwrap();
    let proof = message.rsplit(",p=").next().unwrap().to_owned();

    let mut client = Client::online(&server, from, "secret@example.org/a");
    let id = client.enable();
    client.send(&format!("<message to='secret@example.org' type='chat'><body>{BODY}</body></message>"));
    client.until(BODY);
    client.send(&format!("<message to='secret@example.org/gone' type='chat'><body>{BODY}</body></message>"));
    client.send(&format!("<body>{BODY}</wrong>"));
    client.rest();
    let mut again = Client::authenticated(&server, from, "secret@example.org");
    again.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    again.until("<");
    again.until(">");
    assert!(server.command(&["user", "passwd", "secret@example.org", "--password", NEW]).status.success());
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));

    let log = server.log();
    assert!(log.iter().any(|line| line.contains("\"TRACE\"")), "{} lines", log.len());
    for secret in [PASSWORD, NEW, BODY, &right, &wrong, &id, &proof, &BASE64.encode(&message)] {
        let found: Vec<_> = log.iter().filter(|line| line.contains(secret)).collect();
        assert!(found.is_empty(), "{secret:?} is logged: {found:#?}");
    }
}

/// Nobody else may read what the server writes, or ask it for anything.
#[test]
fn s046_what_the_server_writes_is_its_owners() {
    let server = Server::start(&[]);
    server.account("files@example.org");
    let export = server.folder().join("export");
    assert!(server.command(&["backup", export.to_str().unwrap()]).status.success());
    wait_for("the backup", || export.exists());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&export) & 0o077, 0, "a backup: {:o}", mode(&export));
    let data = server.folder().join("data");
    assert!(data.exists());
    let mut left = vec![data];
    while let Some(path) = left.pop() {
        // What stands in a folder that others cannot enter is as good as closed.
        if mode(&path) & 0o077 == 0 {
            continue;
        }
        assert!(path.is_dir(), "{}: {:o}", path.display(), mode(&path));
        left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
    }
}
