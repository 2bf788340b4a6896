//! The checkers catch bugs that are switched on.

use stentor_engine::Planted;
use stentor_sim::{Options, run};

const SEEDS: u64 = 200;

/// Expected: what is said of one of the failures.
fn check(members: usize, planted: Planted, expected: &str) {
    let options = Options { members, planted, ..Options::default() };
    let mut failures = Vec::new();
    for seed in 0..SEEDS {
        let Err(failure) = run(seed, options) else { continue };
        if failure.what.contains(expected) {
            return;
        }
        failures.push(failure);
    }
    panic!("{planted:?} was not caught for {expected:?}: {failures:?}");
}

#[test]
fn acknowledged_before_the_commit() {
    check(1, Planted::ACKNOWLEDGE_BEFORE_COMMIT, "was acknowledged and is nowhere");
}

#[test]
fn taken_again() {
    check(1, Planted::SKIP_THE_DEDUPE, "twice in stream");
}

#[test]
fn forgotten_when_the_stream_is_gone() {
    check(1, Planted::FORGET_ON_DISCONNECT, "was acknowledged and is nowhere");
}

#[test]
fn written_by_an_owner_of_before() {
    check(3, Planted::IGNORE_THE_EPOCH, "was written in");
}

#[test]
fn dropped_for_want_of_room() {
    check(3, Planted::DROP_WHEN_FULL, "was acknowledged and is nowhere");
}

#[test]
fn resumed_without_what_was_not_acknowledged() {
    check(3, Planted::RESUME_WITHOUT_RESENDING, "was acknowledged and is nowhere");
}

#[test]
fn forwarded_without_the_one_before() {
    check(3, Planted::FORWARD_WITHOUT_PREDECESSOR, "was acknowledged and is nowhere");
}

#[test]
fn served_after_the_lease() {
    check(3, Planted::SERVE_AFTER_THE_LEASE, "serves");
}
