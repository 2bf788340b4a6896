//! Runs of the simulator, one seed after the other: `stentor-sim [--members N] [--calm] [--seeds N] [--from N] [--seed N] [--trace]`.

use std::process::ExitCode;
use stentor_sim::{Coverage, Options, run};

fn main() -> ExitCode {
    let (mut from, mut count, mut options) = (0, 200, Options::default());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
        let taken = match argument.as_str() {
            "--trace" => {
                options.traces = true;
                Some(())
            }
            "--calm" => {
                options.is_calm = true;
                Some(())
            }
            "--members" => {
                number(arguments.next()).map(|number| options.members = number.clamp(1, 16) as usize)
            }
            "--seeds" => number(arguments.next()).map(|number| count = number),
            "--from" => number(arguments.next()).map(|number| from = number),
            "--seed" => number(arguments.next()).map(|number| (from, count) = (number, 1)),
            _ => None,
        };
        if taken.is_none() {
            eprintln!(
                "usage: stentor-sim [--members N] [--calm] [--seeds N] [--from N] [--seed N] [--trace]"
            );
            return ExitCode::from(2);
        }
    }
    let (mut coverage, mut failures) = (Coverage::default(), 0);
    for seed in from..from.saturating_add(count) {
        match run(seed, options) {
            Ok(covered) => coverage.add(&covered),
            Err(failure) => {
                println!("{failure}");
                failures += 1;
            }
        }
    }
    println!("{count} seeds, {failures} failed\n{coverage}");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
