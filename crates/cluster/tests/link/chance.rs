//! Whatever is done in whatever order.

use crate::pair::Pair;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use stentor_cluster::limits::{CREDIT_BYTES, CREDIT_EVENTS};
use stentor_cluster::wire::Class;

#[derive(Clone, Debug)]
enum Step {
    Send(usize, Class, usize, usize),
    Read(usize, usize),
    Take(usize),
    HandOn(usize),
    Drive,
    Cut,
    Open(bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let class = prop_oneof![3 => Just(Class::Event), 1 => Just(Class::Answer), 1 => Just(Class::Behind)];
    let bytes = prop_oneof![4 => 0_usize..300, 1 => Just(CREDIT_BYTES as usize / 12)];
    let end = || 0_usize..2;
    prop_oneof![
        6 => (end(), class, bytes, 1_usize..30).prop_map(|(end, class, bytes, times)| {
            Step::Send(end, class, bytes, times)
        }),
        6 => (end(), prop_oneof![1_usize..40, Just(usize::MAX)]).prop_map(|(end, bytes)| Step::Read(end, bytes)),
        4 => end().prop_map(Step::Take),
        2 => end().prop_map(Step::HandOn),
        8 => Just(Step::Drive),
        1 => Just(Step::Cut),
        1 => any::<bool>().prop_map(Step::Open),
        3 => prop_oneof![0_u64..30, 1_000_u64..8_000].prop_map(Step::Wait),
    ]
}

fn carry_out(pair: &mut Pair, step: &Step) {
    match *step {
        Step::Send(end, class, bytes, times) => {
            for _ in 0..times {
                let had_room = pair.ends[end].link.has_room();
                let sent = pair.send(end, class, bytes);
                assert_eq!(sent.is_ok(), class != Class::Event || had_room);
            }
        }
        Step::Read(end, bytes) => pair.read(end, bytes),
        Step::Take(end) => pair.take(end),
        Step::HandOn(end) => pair.hand_on(end),
        Step::Drive => pair.drive(),
        Step::Cut => pair.cut(),
        Step::Open(is_open) => pair.is_open = is_open,
        Step::Wait(ms) => pair.now += ms,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400, failure_persistence: None, rng_seed: RngSeed::Fixed(15), ..ProptestConfig::default()
    })]

    #[test]
    fn exactly_once_in_order_and_never_stuck(steps in vec(step(), 1..150)) {
        let mut pair = Pair::new();
        for step in &steps {
            carry_out(&mut pair, step);
            pair.check();
            for end in &pair.ends {
                // What is not handed on is bounded by credit, up to the one event that crosses it.
                let held = end.held.iter().filter(|weight| **weight != Default::default()).count();
                prop_assert!(held <= CREDIT_EVENTS as usize);
            }
        }
        // Both are healthy again: everything arrives, for no credit was lost.
        pair.is_open = true;
        for index in 0..2 {
            pair.hand_on(index);
        }
        pair.run(20_000);
        prop_assert!(pair.all_arrived());
    }
}
