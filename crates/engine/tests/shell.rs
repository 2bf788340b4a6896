//! The shell's rule, over an entity that does what the test says.

use bytes::Bytes;
use proptest::prelude::*;
use stentor_engine::{
    Ask, Collection, Effects, Entity, Epoch, Event, Key, Now, Output, Query, Reply, Rows, Sent, Shell,
};
use stentor_xmpp::BareJid;

/// Writes and sends by what the event's token says: bit 0, whether it writes; the rest, how many sends.
struct Scripted {
    events: u64,
}

impl Entity for Scripted {
    type Context = ();

    fn new(_: Key, (): &()) -> (Self, Vec<Query>) {
        (Self { events: 0 }, vec![Query::Tail])
    }

    fn loaded(&mut self, _: Now, _: Vec<Rows>, _: &mut Effects) {}

    fn handle(&mut self, _: Now, event: Event, effects: &mut Effects) {
        let Event::Timer(script) = event else { return };
        self.events += 1;
        if script & 1 == 1 {
            effects.put(Collection("c"), "k", Bytes::new());
        }
        for _ in 0..script >> 1 {
            effects.reply(Ask(self.events), Reply::Done);
        }
    }

    fn abandon(self, _: &mut Effects) {}

    fn is_idle(&self) -> bool {
        true
    }
}

fn shell(outputs: &mut Vec<Output>) -> Shell<Scripted> {
    Shell::new(Key::User(BareJid::parse("a@example.org").expect("an address")), Epoch(1), &(), outputs)
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
