//! Clients connect by IPv6 as by IPv4.

use crate::process::{Server, initialised, stentor};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

#[test]
fn clients_connect_by_ipv6() {
    if let Err(error) = TcpListener::bind("[::1]:0") {
        println!("skipped: this machine has no IPv6: {error}");
        return;
    }
    let folder = initialised();
    let mut command = stentor(folder.path(), &["serve"]);
    command.env("STENTOR__LISTEN__C2S", r#"["127.0.0.1:0", "[::1]:0"]"#);
    let mut server = Server::of(&mut command);
    let mut families = Vec::new();
    for _ in 0..2 {
        let listening = server.wait_for("listening");
        let address = listening["address"].as_str().expect("an address").to_owned();
        let mut client = TcpStream::connect(&address).expect("it listens");
        client.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        let header = "<stream:stream to='example.org' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";
        client.write_all(header.as_bytes()).expect("sent");
        let (mut got, mut piece) = (String::new(), [0; 1_024]);
        while !got.contains("<starttls") {
            let read = client.read(&mut piece).expect("an answer");
            assert!(read > 0, "{got}");
            got.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        families.push(address.starts_with('['));
    }
    assert_eq!(families, [false, true]);
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
}
