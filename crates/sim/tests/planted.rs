//! The checkers catch bugs that are switched on.

use stentor_engine::Planted;
use stentor_sim::{Options, run};

const SEEDS: u64 = 200;

/// Expected: what is said of one of the failures.
fn check(planted: Planted, expected: &str) {
    let options = Options { planted, ..Options::default() };
    let failures: Vec<_> = (0..SEEDS).filter_map(|seed| run(seed, options).err()).take(5).collect();
    let found = failures.iter().any(|failure| failure.what.contains(expected));
    assert!(found, "{planted:?} was not caught for {expected:?}: {failures:?}");
}

#[test]
fn acknowledged_before_the_commit() {
    check(Planted::ACKNOWLEDGE_BEFORE_COMMIT, "was acknowledged and is nowhere");
}

#[test]
fn taken_again() {
    check(Planted::SKIP_THE_DEDUPE, "twice in stream");
}

#[test]
fn forgotten_when_the_stream_is_gone() {
    check(Planted::FORGET_ON_DISCONNECT, "was acknowledged and is nowhere");
}
