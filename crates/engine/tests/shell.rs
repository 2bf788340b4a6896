//! The shell's rule, over an entity that does what the test says.

use bytes::Bytes;
use proptest::prelude::*;
use stentor_engine::{
    Ask, Collection, Effects, Entity, Epoch, Event, FromSession, Key, MemberId, Now, Output, Query, Reply,
    Rows, Sent, SessionKey, Shell, ToSession, Write,
};
use stentor_xmpp::{BareJid, StreamCondition};

/// Writes and sends by what the event's token says: bit 0, whether it writes; the rest, how many sends.
struct Scripted {
    events: u64,
}

impl Entity for Scripted {
    type Context = ();

    fn new(_: Key, _: Epoch, (): &()) -> (Self, Vec<Query>) {
        (Self { events: 0 }, vec![Query::Tail])
    }

    fn loaded(&mut self, _: Now, _: Vec<Rows>, _: &mut Effects) {}

    fn handle(&mut self, _: Now, event: Event, effects: &mut Effects) {
        let script = match event {
            Event::Timer(script) => script,
            Event::Session(session, FromSession::Gone) => {
                effects.put(Collection("c"), "k", Bytes::new());
                effects.session(session, ToSession::Confirmed { attachment: 1, inbound: 1 });
                return effects.session(session, ToSession::Confirmed { attachment: 1, inbound: 2 });
            }
            Event::Session(session, _) => {
                return effects.session(session, ToSession::End(StreamCondition::Conflict.into()));
            }
            _ => return,
        };
        self.events += 1;
        if script & 1 == 1 {
            effects.put(Collection("c"), "k", Bytes::new());
        }
        for _ in 0..script >> 1 {
            effects.reply(Ask(self.events), Reply::Done);
        }
    }

    fn abandon(self, _: &mut Effects) {}

    fn hand_over(self, effects: &mut Effects) -> Vec<Event> {
        effects.session(session(9), ToSession::Reattach);
        vec![Event::Timer(2)]
    }

    fn retire(&mut self, _: Now, effects: &mut Effects) {
        effects.put(Collection("c"), "retired", Bytes::new());
    }

    fn is_idle(&self) -> bool {
        true
    }
}

fn shell(outputs: &mut Vec<Output>) -> Shell<Scripted> {
    Shell::new(Key::User(BareJid::parse("a@example.org").expect("an address")), Epoch(1), &(), outputs)
}

fn session(serial: u64) -> SessionKey {
    SessionKey { member: MemberId(1), arbiter: 0, serial }
}

fn told(outputs: &[Output]) -> Vec<(u64, bool)> {
    let told = |output: &Output| match output {
        Output::Sent(Sent::Session(session, ToSession::Reattach)) => Some((session.serial, true)),
        Output::Sent(Sent::Session(session, ToSession::End(_))) => Some((session.serial, false)),
        _ => None,
    };
    outputs.iter().filter_map(told).collect()
}

fn asks(outputs: &[Output]) -> Vec<u64> {
    let ask = |output: &Output| match output {
        Output::Sent(Sent::Reply(ask, _)) => Some(ask.0),
        _ => None,
    };
    outputs.iter().filter_map(ask).collect()
}

#[test]
fn events_wait_until_the_entity_is_loaded() {
    let mut outputs = Vec::new();
    let mut shell = shell(&mut outputs);
    assert!(matches!(outputs.as_slice(), [Output::Load(_)]));
    outputs.clear();
    shell.handle(Now::default(), Event::Timer(2), &mut outputs);
    shell.handle(Now::default(), Event::Timer(2), &mut outputs);
    assert!(outputs.is_empty() && !shell.may_stop());
    shell.loaded(Now::default(), vec![], &mut outputs);
    assert_eq!(asks(&outputs), [1, 2]);
    assert!(shell.may_stop());
}

#[test]
fn later_sends_wait_behind_earlier_ones() {
    let mut outputs = Vec::new();
    let mut shell = shell(&mut outputs);
    shell.loaded(Now::default(), vec![], &mut outputs);
    for script in [3, 2, 3] {
        shell.handle(Now::default(), Event::Timer(script), &mut outputs);
    }
    assert_eq!(asks(&outputs), [] as [u64; 0]);
    assert!(!shell.may_stop());
    shell.committed(1, &mut outputs);
    // The second wrote nothing, and had only to wait for the first.
    assert_eq!(asks(&outputs), [1, 2]);
    shell.committed(2, &mut outputs);
    assert_eq!(asks(&outputs), [1, 2, 3]);
}

#[test]
fn what_was_held_is_asked_again_of_the_one_that_is_loaded_in_its_place() {
    let mut outputs = Vec::new();
    let mut lost = shell(&mut outputs);
    lost.loaded(Now::default(), vec![], &mut outputs);
    lost.handle(Now::default(), Event::Session(session(1), FromSession::Gone), &mut outputs);
    lost.handle(Now::default(), Event::Session(session(2), FromSession::Gone), &mut outputs);
    lost.handle(
        Now::default(),
        Event::Session(session(2), FromSession::Request { attachment: 1 }),
        &mut outputs,
    );
    lost.handle(Now::default(), Event::Timer(2), &mut outputs);
    outputs.clear();
    lost.reload(&(), &mut outputs);
    // Once each; and one that was to end does.
    assert_eq!(told(&outputs), [(2, false), (1, true), (9, true)]);
    assert!(matches!(
        outputs.iter().find(|o| matches!(o, Output::Sent(Sent::Reply(..)))),
        Some(Output::Sent(Sent::Reply(_, Reply::Failed)))
    ));
    outputs.clear();
    lost.loaded(Now::default(), vec![], &mut outputs);
    assert_eq!(asks(&outputs), [1], "what the lost one left is handled first");
}

/// What waited for it may leave something to be done before another member has it.
#[test]
fn an_entity_that_is_being_loaded_retires_once_it_is() {
    let retires = |write: &Write| matches!(write, Write::Put { key, .. } if &**key == "retired");
    let is_retired = |output: &Output| matches!(output, Output::Write(set) if set.writes.iter().any(retires));
    let retired = |outputs: &[Output]| outputs.iter().map(is_retired).collect::<Vec<_>>();
    let mut outputs = Vec::new();
    let mut shell = shell(&mut outputs);
    shell.handle(Now::default(), Event::Timer(2), &mut outputs);
    outputs.clear();
    shell.retire(Now::default(), &mut outputs);
    assert!(outputs.is_empty());
    shell.loaded(Now::default(), vec![], &mut outputs);
    assert_eq!(retired(&outputs), [false, true], "after what waited");
    outputs.clear();
    shell.handle(Now::default(), Event::Timer(0), &mut outputs);
    assert_eq!(retired(&outputs), [true], "what comes then is settled too");
    shell.reload(&(), &mut outputs);
    outputs.clear();
    shell.loaded(Now::default(), vec![], &mut outputs);
    assert_eq!(retired(&outputs), [false, true], "so does the one in its place");
}

#[test]
fn nobody_waits_for_an_entity_that_is_gone_for_good() {
    let mut outputs = Vec::new();
    let mut shell = shell(&mut outputs);
    shell.handle(Now::default(), Event::Session(session(1), FromSession::Gone), &mut outputs);
    outputs.clear();
    shell.abandon(&mut outputs);
    assert_eq!(told(&outputs), [(1, false)]);
}

proptest! {
    /// Whatever the order of events and commits: sends leave in order, and none before its writes.
    #[test]
    fn nothing_leaves_before_what_it_depends_on(steps in prop::collection::vec((0_u64..8, any::<bool>()), 1..60)) {
        let mut outputs = Vec::new();
        let mut shell = shell(&mut outputs);
        shell.loaded(Now::default(), vec![], &mut outputs);
        let (mut event, mut issued, mut durable) = (0, 0, 0);
        // The ticket on which each event's sends depend, and how many there are.
        let mut depends = Vec::new();
        for (script, is_commit) in steps {
            let before = outputs.len();
            if is_commit && durable < issued {
                durable += 1;
                shell.committed(durable, &mut outputs);
            } else {
                event += 1;
                issued += script & 1;
                depends.push((issued, script >> 1));
                shell.handle(Now::default(), Event::Timer(script), &mut outputs);
            }
            for ask in asks(&outputs[before..]) {
                prop_assert!(depends[ask as usize - 1].0 <= durable, "event {ask} left too early");
            }
        }
        shell.committed(issued, &mut outputs);
        let sent = asks(&outputs);
        prop_assert!(sent.is_sorted());
        prop_assert_eq!(sent.len() as u64, depends.iter().map(|(_, sends)| sends).sum::<u64>());
        prop_assert_eq!(shell.issued(), issued);
        prop_assert_eq!(event as usize, depends.len());
        prop_assert!(shell.may_stop());
    }
}
