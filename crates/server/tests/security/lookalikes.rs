//! S091: names that look like others.

use crate::client::Client;
use crate::healthy::Healthy;
use crate::server::{PASSWORD, Server, address};

fn register(server: &Server, username: &str) -> String {
    // Each from an address of its own, for there are only so many registrations in an hour.
    let (mut client, _) = Client::starttls(server, address(&format!("S091 {username}")), "example.net");
    client.send(&format!(
        "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>{username}</username>\
         <password>{PASSWORD}</password></query></iq>"
    ));
    let tag = client.until(">");
    if tag.contains("type='result'") { tag } else { tag + &client.until("</iq>") }
}

#[test]
fn s091_a_name_that_looks_like_another_is_refused() {
    let server = Server::start(&[("STENTOR__HOST__1__REFUSE_LOOKALIKES", "true")]);
    let _healthy = Healthy::start(&server);
    // Made by the administrator, who may do so, and on the other host.
    server.account("paypal@example.net");
    server.account("juliet@example.org");
    for (username, expected) in [
        ("paypa1", "<conflict"),
        ("PAYPA1", "<conflict"),
        ("p\u{430}yp\u{430}l", "<conflict"),
        ("paypal", "<conflict"),
        ("paypals", "type='result'"),
        ("ju1iet", "type='result'"),
        ("juliet", "<conflict"),
        ("marnie", "type='result'"),
        ("mamie", "<conflict"),
    ] {
        let answer = register(&server, username);
        assert!(answer.contains(expected), "{username}: {answer}");
    }
    server.account("ju1iet@example.org");
    // Who is removed takes up no name.
    assert!(server.command(&["user", "remove", "paypal@example.net"]).status.success());
    assert!(register(&server, "paypa1").contains("type='result'"));
    // Without the setting, as in most other servers.
    let server = Server::start(&[]);
    server.account("paypal@example.net");
    assert!(register(&server, "paypa1").contains("type='result'"));
}
