//! The promises hold in 200 runs, and these come across everything that is worth checking.

use stentor_sim::{Coverage, Options, run};

const SEEDS: u64 = 200;

#[test]
fn the_promises_hold() {
    let mut coverage = Coverage::default();
    for seed in 0..SEEDS {
        match run(seed, Options::default()) {
            Ok(covered) => coverage.add(&covered),
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{SEEDS} seeds\n{coverage}");
    assert_eq!(coverage.missing(1), Vec::<&str>::new(), "never came about");
}

#[test]
fn a_seed_replays() {
    for seed in 0..4 {
        assert_eq!(run(seed, Options::default()), run(seed, Options::default()), "seed {seed}");
    }
}
