//! The tables of RFC 6121 appendix A, row by row, and what section 3 says beside them.

use super::SubscriptionType::{Subscribe, Subscribed, Unsubscribe, Unsubscribed};
use super::*;
use Direction::{Inbound, Outbound};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Direction {
    Outbound,
    Inbound,
}

type Row = (&'static str, &'static str, &'static str);

/// Section, table; existing state, "ROUTE?" or "DELIVER?" with the note's number, new state.
#[rustfmt::skip]
const TABLES: [(&str, &str, Direction, SubscriptionType, [Row; 9]); 8] = [
    ("A.2.1", "Table 2", Outbound, Subscribe, [
        ("None", "MUST [1]", "None + Pending Out"),
        ("None + Pending Out", "MUST", "no state change"),
        ("None + Pending In", "MUST [1]", "None + Pending Out+In"),
        ("None + Pending Out+In", "MUST", "no state change"),
        ("To", "MUST", "no state change"),
        ("To + Pending In", "MUST", "no state change"),
        ("From", "MUST [1]", "From + Pending Out"),
        ("From + Pending Out", "MUST", "no state change"),
        ("Both", "MUST", "no state change"),
    ]),
    ("A.2.2", "Table 3", Outbound, Unsubscribe, [
        ("None", "MUST", "no state change"),
        ("None + Pending Out", "MUST", "None"),
        ("None + Pending In", "MUST", "no state change"),
        ("None + Pending Out+In", "MUST", "None + Pending In"),
        ("To", "MUST", "None"),
        ("To + Pending In", "MUST", "None + Pending In"),
        ("From", "MUST", "no state change"),
        ("From + Pending Out", "MUST", "From"),
        ("Both", "MUST", "From"),
    ]),
    ("A.2.3", "Table 4", Outbound, Subscribed, [
        ("None", "M.N.", "pre-approval [1]"),
        ("None + Pending Out", "M.N.", "pre-approval [1]"),
        ("None + Pending In", "MUST", "From"),
        ("None + Pending Out+In", "MUST", "From + Pending Out"),
        ("To", "M.N.", "pre-approval [1]"),
        ("To + Pending In", "MUST", "Both"),
        ("From", "M.N.", "no state change"),
        ("From + Pending Out", "M.N.", "no state change"),
        ("Both", "M.N.", "no state change"),
    ]),
    ("A.2.4", "Table 5", Outbound, Unsubscribed, [
        ("None", "S.N.", "no state change [1]"),
        ("None + Pending Out", "S.N.", "no state change [1]"),
        ("None + Pending In", "MUST", "None"),
        ("None + Pending Out+In", "MUST", "None + Pending Out"),
        ("To", "S.N.", "no state change [1]"),
        ("To + Pending In", "MUST", "To"),
        ("From", "MUST", "None"),
        ("From + Pending Out", "MUST", "None + Pending Out"),
        ("Both", "MUST", "To"),
    ]),
    ("A.3.1", "Table 6", Inbound, Subscribe, [
        ("None", "MUST [1]", "None + Pending In"),
        ("None + Pending Out", "MUST", "None + Pending Out+In"),
        ("None + Pending In", "S.N.", "no state change"),
        ("None + Pending Out+In", "S.N.", "no state change"),
        ("To", "MUST", "To + Pending In"),
        ("To + Pending In", "S.N.", "no state change"),
        ("From", "S.N. [2]", "no state change"),
        ("From + Pending Out", "S.N. [2]", "no state change"),
        ("Both", "S.N. [2]", "no state change"),
    ]),
    ("A.3.2", "Table 7", Inbound, Unsubscribe, [
        ("None", "S.N.", "no state change"),
        ("None + Pending Out", "S.N.", "no state change"),
        ("None + Pending In", "MUST [1]", "None"),
        ("None + Pending Out+In", "MUST [1]", "None + Pending Out"),
        ("To", "S.N.", "no state change"),
        ("To + Pending In", "MUST [1]", "To"),
        ("From", "MUST [1]", "None"),
        ("From + Pending Out", "MUST [1]", "None + Pending Out"),
        ("Both", "MUST [1]", "To"),
    ]),
    ("A.3.3", "Table 8", Inbound, Subscribed, [
        ("None", "S.N.", "no state change"),
        ("None + Pending Out", "MUST", "To"),
        ("None + Pending In", "S.N.", "no state change"),
        ("None + Pending Out+In", "MUST", "To + Pending In"),
        ("To", "S.N.", "no state change"),
        ("To + Pending In", "S.N.", "no state change"),
        ("From", "S.N.", "no state change"),
        ("From + Pending Out", "MUST", "Both"),
        ("Both", "S.N.", "no state change"),
    ]),
    ("A.3.4", "Table 9", Inbound, Unsubscribed, [
        ("None", "S.N.", "no state change"),
        ("None + Pending Out", "MUST", "None"),
        ("None + Pending In", "S.N.", "no state change"),
        ("None + Pending Out+In", "MUST", "None + Pending In"),
        ("To", "MUST", "None"),
        ("To + Pending In", "MUST", "None + Pending In"),
        ("From", "S.N.", "no state change"),
        ("From + Pending Out", "MUST", "From"),
        ("Both", "MUST", "From"),
    ]),
];

fn state(name: &str) -> State {
    let names = [
        "None",
        "None + Pending Out",
        "None + Pending In",
        "None + Pending Out+In",
        "To",
        "To + Pending In",
        "From",
        "From + Pending Out",
        "Both",
    ];
    State::ALL[names.iter().position(|n| *n == name).unwrap()]
}

#[test]
fn appendix_a() {
    let mut rows = 0;
    for (section, table, direction, stanza, table_rows) in TABLES {
        for (existing, passes, new) in table_rows {
            let row = format!("RFC 6121 {section}, {table}, row {existing:?}");
            let before = Subscription { state: state(existing), approved: false };
            let (mark, note) = passes.split_once(' ').unwrap_or((passes, ""));
            let expected = match new {
                "no state change" => before,
                "pre-approval [1]" => Subscription { approved: true, ..before },
                "no state change [1]" => before,
                name => Subscription { state: state(name), approved: false },
            };
            let (after, does_pass, reply) = match direction {
                Outbound => {
                    let outcome = before.outbound(stanza);
                    (outcome.subscription, outcome.route, None)
                }
                Inbound => {
                    let outcome = before.inbound(stanza);
                    (outcome.subscription, outcome.deliver, outcome.reply)
                }
            };
            assert_eq!(after, expected, "{row}: new state");
            assert_eq!(does_pass, mark == "MUST", "{row}: {passes}");
            let expected_reply = match (direction, stanza, note) {
                (Inbound, Subscribe, "[2]") => Some(Subscribed),
                (Inbound, Unsubscribe, "[1]") => Some(Unsubscribed),
                _ => None,
            };
            assert_eq!(reply, expected_reply, "{row}: auto-reply");
            rows += 1;
        }
    }
    assert_eq!(rows, 72, "nine rows in each of tables 2 to 9");
}

fn with(state: State, approved: bool) -> Subscription {
    Subscription { state, approved }
}

#[test]
fn pre_approval() {
    let approved = |state| with(state, true);
    for from in [State::None, State::NonePendingOut, State::To] {
        // 3.4.2, 3 and 4: noted, pushed, not routed; an item is there or is made.
        let outcome = with(from, false).outbound(Subscribed);
        assert_eq!(
            (outcome.subscription, outcome.route, outcome.push),
            (approved(from), false, true),
            "3.4.2: {from:?}"
        );
        assert!(outcome.subscription.needs_item(), "3.4.2: {from:?}");
        // Once more changes nothing.
        let outcome = approved(from).outbound(Subscribed);
        assert_eq!((outcome.subscription, outcome.route, outcome.push), (approved(from), false, false));
        // 3.2.2, 2: taken back without a word to the contact.
        let outcome = approved(from).outbound(Unsubscribed);
        assert_eq!(
            (outcome.subscription, outcome.route, outcome.push),
            (with(from, false), false, true),
            "3.2.2: {from:?}"
        );
        assert_eq!(outcome.notify, None, "3.2.2: {from:?}");
    }
    // 3.4.2: the request is answered, not delivered.
    for (before, after) in
        [(State::None, State::From), (State::NonePendingOut, State::FromPendingOut), (State::To, State::Both)]
    {
        let expected = super::Inbound {
            subscription: with(after, false),
            deliver: false,
            push: true,
            reply: Some(Subscribed),
            notify: Some(Notify::Available),
        };
        assert_eq!(approved(before).inbound(Subscribe), expected, "3.4.2: {before:?}");
    }
    // It outlives what the user does about the other direction.
    assert_eq!(approved(State::None).outbound(Subscribe).subscription, approved(State::NonePendingOut));
    assert_eq!(approved(State::NonePendingOut).inbound(Subscribed).subscription, approved(State::To));
    assert_eq!(approved(State::To).inbound(Unsubscribed).subscription, approved(State::None));
}

#[test]
fn pushes() {
    use State as S;
    #[rustfmt::skip]
    let rows = [
        // Section, existing state, stanza, pushed.
        ("3.1.2", S::None, Outbound, Subscribe, true),
        ("3.1.2", S::NonePendingIn, Outbound, Subscribe, true),
        ("3.1.3", S::None, Inbound, Subscribe, false),
        ("3.1.3", S::To, Inbound, Subscribe, false),
        ("3.1.5", S::NonePendingIn, Outbound, Subscribed, true),
        ("3.1.6", S::NonePendingOut, Inbound, Subscribed, true),
        ("3.1.6", S::None, Inbound, Subscribed, false),
        ("3.2.2", S::From, Outbound, Unsubscribed, true),
        ("3.2.2", S::NonePendingIn, Outbound, Unsubscribed, true),
        ("3.2.2", S::None, Outbound, Unsubscribed, false),
        ("3.2.3", S::Both, Inbound, Unsubscribed, true),
        ("3.2.3", S::From, Inbound, Unsubscribed, false),
        ("3.3.2", S::To, Outbound, Unsubscribe, true),
        ("3.3.2", S::None, Outbound, Unsubscribe, false),
        ("3.3.3", S::Both, Inbound, Unsubscribe, true),
        ("3.3.3", S::NonePendingIn, Inbound, Unsubscribe, false),
        ("3.4.2", S::Both, Outbound, Subscribed, false),
    ];
    for (section, before, direction, stanza, expected) in rows {
        let pushed = match direction {
            Outbound => with(before, false).outbound(stanza).push,
            Inbound => with(before, false).inbound(stanza).push,
        };
        assert_eq!(pushed, expected, "RFC 6121 {section}: {direction:?} {stanza:?} in {before:?}");
    }
}

/// Whoever is subscribed is told of presence, and is told once more when that ends; nobody else is.
#[test]
fn presence_follows_the_subscription() {
    for before in State::ALL {
        for stanza in [Subscribe, Unsubscribe, Subscribed, Unsubscribed] {
            let sent = with(before, false).outbound(stanza);
            let received = with(before, false).inbound(stanza);
            for (what, after, notify) in [
                ("sent", sent.subscription.state, sent.notify),
                ("received", received.subscription.state, received.notify),
            ] {
                let expected = match (before.is_from(), after.is_from()) {
                    (false, true) => Some(Notify::Available),
                    (true, false) => Some(Notify::Unavailable),
                    // Its server asks because it does not know.
                    (true, true) if what == "received" && stanza == Subscribe => Some(Notify::Available),
                    _ => None,
                };
                assert_eq!(notify, expected, "RFC 6121 3.1.5, 3.2.2, 3.3.3: {stanza:?} {what} in {before:?}");
            }
        }
    }
}

/// Both sides of a relation, with every stanza arriving: neither ends believing in a subscription that the other
/// does not know of, and no two servers answer each other for ever.
#[test]
fn two_sides_agree() {
    /// Delivers a stanza to the other side, and the replies that it causes.
    fn deliver(sides: &mut [Subscription; 2], to: usize, stanza: SubscriptionType, depth: usize) {
        assert!(depth < 4, "a loop of replies");
        let outcome = sides[to].inbound(stanza);
        sides[to] = outcome.subscription;
        if let Some(reply) = outcome.reply {
            deliver(sides, 1 - to, reply, depth + 1);
        }
    }
    let stanzas = [Subscribe, Unsubscribe, Subscribed, Unsubscribed];
    let steps = 5;
    for script in 0..8_usize.pow(steps) {
        let mut sides = [Subscription::default(); 2];
        for step in 0..steps {
            let choice = script / 8_usize.pow(step) % 8;
            let (from, stanza) = (choice / 4, stanzas[choice % 4]);
            let outcome = sides[from].outbound(stanza);
            sides[from] = outcome.subscription;
            if outcome.route {
                deliver(&mut sides, 1 - from, stanza, 0);
            }
        }
        let [a, b] = sides.map(|side| side.state);
        assert_eq!((a.is_to(), a.is_from()), (b.is_from(), b.is_to()), "script {script:o}: {sides:?}");
        assert_eq!(a.is_pending_out(), b.is_pending_in(), "script {script:o}: {sides:?}");
    }
}

#[test]
fn storage() {
    for state in State::ALL {
        for approved in [false, true] {
            let kept = with(state, approved);
            let read =
                Subscription::from_stored(kept.attribute(), kept.asks(), approved, state.is_pending_in());
            assert_eq!(read, Some(kept), "RFC 6121 A.1: {state:?}");
        }
    }
    assert_eq!(Subscription::from_stored("remove", false, false, false), None);
    assert_eq!(Subscription::from_stored("both", true, false, true), Some(with(State::Both, false)));
}

#[test]
fn removal() {
    let check = |state, expected: &[SubscriptionType]| {
        assert_eq!(with(state, false).removal().collect::<Vec<_>>(), expected, "RFC 6121 2.5.2: {state:?}");
    };
    check(State::None, &[]);
    check(State::To, &[Unsubscribe]);
    check(State::From, &[Unsubscribed]);
    check(State::Both, &[Unsubscribe, Unsubscribed]);
    check(State::NonePendingOut, &[Unsubscribe]);
    check(State::NonePendingIn, &[Unsubscribed]);
    check(State::NonePendingOutIn, &[Unsubscribe, Unsubscribed]);
}
