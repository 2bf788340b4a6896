//! S003: XML that the store has is read as strictly as XML from a socket, wherever it came from.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::healthy::Healthy;
use crate::server::{Server, address};

/// What is put in the place of a body in an export.
const HOSTILE: &[&str] = &[
    "<!DOCTYPE a [<!ENTITY e 'laugh'>]><body>&e;&e;</body>",
    "<body>&laugh;</body>",
    "<body a='&laugh;'>x</body>",
    "<!-- laugh --><body>x</body>",
    "<?laugh x?><body>x</body>",
    "<laugh:body>x</laugh:body>",
    "</message><message><body>laugh</body>",
    "<body>laugh",
];

#[test]
fn s003_what_is_restored_is_read_strictly() {
    let server = Server::start(&[]);
    let from = address("S003");
    for local in ["writer", "away", "other"] {
        server.account(&format!("{local}@example.org"));
    }
    let mut writer = Client::online(&server, from, "writer@example.org/a");
    writer.enable();
    for n in 0..HOSTILE.len() {
        writer.send(&format!("<message to='away@example.org' type='chat'><body>body {n}</body></message>"));
    }
    writer.send(
        "<message to='away@example.org' type='chat'><body>good</body></message><r xmlns='urn:xmpp:sm:3'/>",
    );
    writer.until("<a ");
    writer.until(&format!("h='{}'", HOSTILE.len() + 1));
    // The outbox is empty once all is confirmed; what stays is in the log of who is away.
    let path = server.folder().join("export");
    assert!(server.command(&["backup", path.to_str().unwrap()]).status.success());
    let mut export = std::fs::read_to_string(&path).unwrap();
    let (rows, end) = export.split_at(export.trim_end().rfind('\n').unwrap() + 1);
    let mut rows = rows.to_owned();
    for (n, hostile) in HOSTILE.iter().enumerate() {
        let body = format!("<body>body {n}</body>");
        assert!(rows.contains(&body), "{n}");
        rows = rows.replace(&body, hostile);
    }
    let mut hash = String::new();
    Sha256::digest(&rows).iter().for_each(|byte| write!(hash, "{byte:02x}").unwrap());
    let before = end.split("\"sha256\":\"").nth(1).unwrap().split('"').next().unwrap();
    export = rows.clone() + &end.replace(before, &hash);
    std::fs::write(&path, export).unwrap();

    let server = server.kill_and_restore(&path);
    let _healthy = Healthy::start(&server);
    let mut other = Client::online(&server, from, "other@example.org/a");
    let mut away = Client::bound(&server, from, "away@example.org/a");
    away.send("<presence/>");
    let got = away.until("<body>good</body>") + &away.settle();
    assert!(!got.contains("laugh") && !got.contains("DOCTYPE"), "{got}");
    assert_eq!(got.matches("<body").count(), 1, "{got}");
    // Nobody else notices, and the account goes on.
    other.send("<message to='away@example.org/a' type='chat'><body>next</body></message>");
    away.until("<body>next</body>");
}
