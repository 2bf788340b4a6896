//! Many connections: that come and go, and that each hold what they may. With `STENTOR_FULL=1` as many as the catalogue
//! asks for.

use std::io::Write as _;

use crate::Row;
use crate::client::{Client, TlsSetup, connect};
use crate::scram;
use crate::server::{Server, address, many, wait_for};

pub(crate) const ROWS: &[Row] = &[
    ("S020 connections that come and go", come_and_go),
    ("S022 many connections with partial stanzas", partial_stanzas),
];

/// Connections that end at each stage there is, in turns.
fn come_and_go(server: &Server) {
    const STAGES: usize = 8;
    server.account("s020@example.org");
    let base = server.descriptors();
    let mut hello = Vec::new();
    TlsSetup::new("example.org").connection().write_tls(&mut hello).unwrap();
    let mut number = 0;
    let mut stage = |n: usize| {
        // More of one address that go without having logged in would be refused.
        number += 1;
        let from = address(&format!("S020 {}", number / 200));
        let begun = || {
            let mut client = Client::clear(server, from);
            client.open();
            client.until("</stream:features>");
            client
        };
        match n % STAGES {
            0 => drop(Client::clear(server, from)),
            1 => drop(begun()),
            2 => {
                let mut client = begun();
                client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
                client.until("<proceed");
                client.cut();
            }
            3 => {
                let mut socket = connect(server.direct, from);
                socket.write_all(&hello[..hello.len() / 2]).unwrap();
            }
            4 => Client::direct(server, from, &TlsSetup::new("example.org")).unwrap().cut(),
            5 => drop(Client::starttls(server, from, "example.org")),
            6 => {
                let (mut client, _) = Client::starttls(server, from, "example.org");
                scram::begin(&mut client, "SCRAM-SHA-256", "s020", &scram::Binding::None).unwrap();
            }
            _ => Client::bound(server, from, "s020@example.org/a").cut(),
        }
    };
    // What a second crowd leaves behind that is as large as the first: nothing. What a process has for as many at once,
    // it has by then; three times, for others come and go as well.
    let count = many(100, 3_125) * STAGES;
    let mut round = || {
        let before = server.resident();
        (0..count).for_each(&mut stage);
        wait_for("descriptors are closed", || server.descriptors() <= base);
        server.resident().saturating_sub(before)
    };
    let first = round();
    let later = [round(), round(), round()];
    println!("S020: {first} bytes for {count} connections, and then {later:?} for as many");
    // Less than the smallest thing that could be forgotten with each of them, and a few pages.
    let least = later.into_iter().min().unwrap_or_default();
    assert!(least < 32 * 1_024 + 40 * count as u64, "{later:?} bytes for {count} connections that are gone");
}

/// Each may hold its one stanza, which is not whole, and little beside it. What a first crowd took serves a second one: it
/// takes nothing more, so nothing is forgotten, though the allocator gives not all of it back to the system.
fn partial_stanzas(server: &Server) {
    const BYTES: usize = 262_000;
    const RESOURCES: usize = 20;
    let accounts = many(2, 50);
    let base = server.descriptors();
    let crowd = || {
        let before = server.resident();
        let mut held = Vec::new();
        for account in 0..accounts {
            server.account(&format!("s022-{account}@example.org"));
            let from = address(&format!("S022 {account}"));
            for n in 0..RESOURCES {
                let mut client = Client::bound(server, from, &format!("s022-{account}@example.org/{n}"));
                client.send("<message><body>");
                client.send(&"x".repeat(BYTES - 100));
                held.push(client);
            }
        }
        // Strangers have a smaller limit, and nine of them may be there from one address.
        for n in 0..accounts * RESOURCES {
            let from = address(&format!("S022 stranger {}", n / 9));
            let mut client = Client::clear(server, from);
            client.open();
            client.until("</stream:features>");
            client.send(&format!("<auth>{}", "x".repeat(8_000)));
            held.push(client);
        }
        let grown = server.resident().saturating_sub(before);
        drop(held);
        wait_for("descriptors are closed", || server.descriptors() <= base);
        grown
    };
    let users = (accounts * RESOURCES) as u64;
    let (first, second) = (crowd(), crowd());
    println!(
        "S022: {first} bytes for {users} users and as many strangers with a stanza that is not whole, and then {second}"
    );
    // The stanzas, a session of some 20 kB for each, and a quarter for how memory is cut.
    let budget = users * (BYTES as u64 + 8_000 + 2 * 20_000) * 5 / 4;
    assert!(first < budget, "{first} bytes, {budget} are allowed");
    assert!(second < budget / 4, "{second} bytes more for as many again");
}
