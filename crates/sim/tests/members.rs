//! The promises hold with several members that share a store.

use stentor_sim::{Coverage, Options, run};

/// Runs these seeds on two threads; what they came across.
fn check(seeds: u64, options: Options) -> Coverage {
    let half = |part: u64| {
        std::thread::spawn(move || {
            let mut coverage = Coverage::default();
            for seed in (0..seeds).filter(|seed| seed % 2 == part) {
                match run(seed, options) {
                    Ok(covered) => coverage.add(&covered),
                    Err(failure) => panic!("{failure}"),
                }
            }
            coverage
        })
    };
    let mut coverage = Coverage::default();
    for thread in [half(0), half(1)] {
        coverage.add(&thread.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure)));
    }
    println!("{seeds} seeds\n{coverage}");
    coverage
}

#[test]
fn clients_of_three_members_come_and_go() {
    let coverage = check(20, Options { members: 3, is_calm: true, ..Options::default() });
    assert!(coverage.moved > 0 && coverage.resumes > 0, "{coverage}");
}

/// Each with 30 users, some 1,000 things that clients do, a member's death, five other faults or more, and healing.
#[test]
fn the_promises_hold_with_three_members() {
    let coverage = check(200, Options { members: 3, ..Options::default() });
    assert_eq!(coverage.missing(3), Vec::<&str>::new(), "never came about");
}

#[test]
fn a_seed_replays() {
    for seed in 0..2 {
        let options = Options { members: 3, ..Options::default() };
        assert_eq!(run(seed, options), run(seed, options), "seed {seed}");
    }
}
