//! Routing state grows with members, never with users.

#[path = "../support/counting.rs"]
mod counting;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use counting::counted;
use std::sync::Arc;
use stentor_cluster::link::{Link, LinkSettings};
use stentor_cluster::{Admission, Slots};
use stentor_engine::{Ask, Command, Event, Key, MemberId, MemberInfo, Slot, Table, TableChange};
use stentor_xmpp::BareJid;

const USERS: usize = 100_000;
/// What is held beside for one event on its way.
const PASSING_BYTES_MAX: usize = 4 * 1024;
const MEMBER_BYTES_MAX: usize = 512 * 1024;

fn info(number: u64) -> MemberInfo {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    let name = format!("m{number}").into();
    MemberInfo { name, link: address, gossip: address, weight: 4, wire: (1, 1), settings: 7 }
}

/// What one of so many members has to know where users are: the table, an arbiter's slots, and links.
fn member(members: u64) -> (Slots, Vec<Link>) {
    let mut table = Table::empty();
    (1..=members).for_each(|number| table.join(MemberId(number), info(number)));
    let owner = |slot: Slot| MemberId(u64::from(slot.number()) % members + 1);
    let moves = Slot::all().map(|slot| (slot, owner(slot))).collect();
    let change = TableChange { base: table.version(), moves, ..TableChange::default() };
    table.apply(&change).expect("it was made from this version");
    let me = MemberId(1);
    let links = (2..=members).map(|peer| {
        let settings = LinkSettings { cluster: 7, me, name: "m1".into(), peer: MemberId(peer) };
        Link::new(0, settings, table.version())
    });
    let links = links.collect();
    (Slots::new(me, Arc::new(table)), links)
}

#[test]
fn a_hundred_thousand_users_take_no_routing_state() {
    for members in [1, 3, 10] {
        let ((mut slots, links), _, state_bytes) = counted(|| member(members));
        let (elsewhere, _, users_bytes) = counted(|| {
            let mut elsewhere = 0;
            for user in 0..USERS {
                let jid = BareJid::parse(&format!("user{user}@example.org")).expect("an address");
                let event = Event::Command(Ask(0), Command::Describe);
                match slots.admit(&Key::User(jid), event) {
                    Admission::There(..) => elsewhere += 1,
                    Admission::Here(..) => {}
                    admission => panic!("{admission:?}"),
                }
            }
            elsewhere
        });
        println!(
            "{members} members: {state_bytes} bytes of routing state, and {users_bytes} at most for {USERS} users, \
             {elsewhere} of them elsewhere"
        );
        assert_eq!(links.len() as u64, members - 1);
        assert_eq!(elsewhere > 0, members > 1);
        assert!(state_bytes < MEMBER_BYTES_MAX, "{members} members: {state_bytes} bytes");
        assert!(users_bytes < PASSING_BYTES_MAX, "{members} members: {users_bytes} bytes for users");
    }
}
