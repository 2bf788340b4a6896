//! The checks can fail: each is shown what it is there to find.

use super::{Delivery, History};
use crate::client::account;
use crate::coverage::Coverage;
use crate::presence::Presence;
use crate::stage::Id;

const SENDER: usize = 0;
const RECEIVER: usize = 1;

/// The last of what happens, by the numbers of messages that one client sent to another account.
enum Seen {
    Got(u64),
    GotLate(u64),
    Error(u64),
}

/// What is said of that.
fn check(seen: &[Seen]) -> Option<String> {
    let (mut history, mut coverage) = (History::new(true), Coverage::default());
    for n in 1..=3 {
        let to = account(1).to_jid();
        history.send(Id { client: SENDER, n }, 1, account(0), to, Vec::new());
    }
    for seen in seen {
        let delivery = |client, n, is_delayed| {
            let id = Id { client: SENDER, n };
            Delivery { id, client, stream: 1, is_delayed }
        };
        match seen {
            Seen::Got(n) => history.receive(delivery(RECEIVER, *n, false), &mut coverage),
            Seen::GotLate(n) => history.receive(delivery(RECEIVER, *n, true), &mut coverage),
            Seen::Error(n) => history.error(delivery(SENDER, *n, false), &mut coverage),
        }
    }
    history.violation().map(str::to_owned)
}

#[test]
fn what_comes_in_another_order_is_found() {
    use Seen::{Got, GotLate};
    assert_eq!(check(&[Got(1), Got(2), Got(3)]), None);
    assert_eq!(check(&[Got(1), Got(3), Got(2)]).as_deref(), Some("client 1 got m:0:2: after 3"));
    // What was given back, or waited for another client, may.
    assert_eq!(check(&[Got(1), Got(3), GotLate(2)]), None);
}

#[test]
fn what_comes_twice_or_beside_its_error_is_found() {
    use Seen::{Error, Got};
    assert_eq!(check(&[Got(1), Got(1)]).as_deref(), Some("client 1 got m:0:1: twice in stream 1"));
    assert_eq!(check(&[Error(1), Got(2)]), None);
    let both = check(&[Error(1), Got(1)]);
    assert_eq!(both.as_deref(), Some("client 1 got m:0:1:, and its sender got an error"));
    let both = check(&[Got(1), Error(1)]);
    assert_eq!(both.as_deref(), Some("m:0:1: has an error though somebody got it"));
    assert!(check(&[Error(1), Error(1)]).is_some_and(|what| what.contains("a second error")));
    assert!(check(&[Got(4)]).is_some_and(|what| what.contains("was never sent")));
}

#[test]
fn who_is_said_to_be_gone_and_is_not_is_found() {
    let (mut presence, mut coverage) = (Presence::default(), Coverage::default());
    let stay = presence.begins(SENDER, 0);
    presence.told(7, (RECEIVER, 1), stay, &mut coverage);
    assert_eq!(presence.holds(SENDER, 7), None, "its stream may have ended just then");
    assert!(presence.holds(SENDER, 8).is_some());
    presence.ends(SENDER);
    presence.told(9, (RECEIVER, 1), stay, &mut coverage);
    assert_eq!(presence.conclude(), None, "it has gone");
}
