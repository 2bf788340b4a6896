//! Accounts that come and go.

use bytes::Bytes;
use std::sync::Arc;
use stentor_engine::{
    Ask, Command, Effects, Entity, Epoch, Event, FromSession, Key, LogId, MemberId, Now, Rows, Sent,
    SessionKey, ToSession, Write,
};
use stentor_entities::{Host, Hosts, User, UserLimits};
use stentor_xmpp::{BareJid, Stanza};

const SESSION: SessionKey = SessionKey { member: MemberId(1), arbiter: 0, serial: 1 };

/// As it is loaded where the store has nothing of it: never made, or removed.
fn new_user(now: Now) -> User {
    let host = Host { domain: "example.org".into(), keep: true, contacts: Vec::new(), registration: false };
    let hosts = Arc::new(Hosts::new(vec![host], UserLimits::default(), "1", 0));
    let key = Key::User(BareJid::parse("a@example.org").expect("an address"));
    let (mut user, _) = User::new(key, Epoch(1), &hosts);
    let nothing = || Rows::Records(Vec::new());
    let log = Rows::Log(Vec::new());
    let rows = vec![
        Rows::Record(None),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        Rows::Tail(LogId(0)),
        log,
    ];
    user.loaded(now, rows, &mut Effects::new());
    user
}

fn command(user: &mut User, now: Now, command: Command) {
    user.handle(now, Event::Command(Ask(1), command), &mut Effects::new());
}

/// Logs in, and gives the ids under which so many messages to another account go into the log.
fn send(user: &mut User, now: Now, messages: u64) -> Vec<u64> {
    let mut effects = Effects::new();
    let bind = FromSession::Bind { resource: format!("{:032x}", now.unix).into(), peer: None };
    user.handle(now, Event::Session(SESSION, bind), &mut effects);
    let bound = effects.sent().iter().find_map(|sent| match sent {
        Sent::Session(_, ToSession::Bound { attachment, .. }) => Some(*attachment),
        _ => None,
    });
    let text = "<message xmlns='jabber:client' to='b@example.org'><body>x</body></message>";
    let stanzas = (0..messages).map(|_| Stanza::parse(text).expect("a stanza")).collect();
    let inbound = FromSession::Inbound { attachment: bound.expect("it is bound"), first: 1, stanzas };
    let mut effects = Effects::new();
    user.handle(now, Event::Session(SESSION, inbound), &mut effects);
    let appended = effects.writes().iter().filter_map(|write| match write {
        Write::Append(append) => Some(append.id.0),
        _ => None,
    });
    appended.collect()
}

#[test]
fn an_account_made_again_does_not_repeat_ids() {
    let at = |unix| Now { monotonic: unix, unix };
    let create = || Command::CreateAccount(Bytes::from_static(b"{}"));
    let mut user = new_user(at(1_000));
    command(&mut user, at(1_000), create());
    let first = send(&mut user, at(1_000), 20);
    assert_eq!(first.len(), 20);
    assert!(first.is_sorted());

    command(&mut user, at(1_001), Command::RemoveAccount);
    command(&mut user, at(1_001), create());
    let second = send(&mut user, at(1_001), 1);
    assert!(second.first() > first.last(), "made again at once: {second:?} after {first:?}");

    let third = send(
        &mut {
            let mut user = new_user(at(1_002));
            command(&mut user, at(1_002), create());
            user
        },
        at(1_002),
        1,
    );
    assert!(third.first() > second.first(), "made again after it was dropped: {third:?} after {second:?}");
}
