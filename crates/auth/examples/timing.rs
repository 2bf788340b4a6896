//! Reports whether an account that does not exist can be told by time from one that does: 10,000 exchanges of each,
//! in turns, up to their failure (`./scripts/timing`). Welch's t beyond some 5 says that they can be told apart; the difference of the
//! medians says by how much.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a program for the developer")]

use std::time::Instant;

use stentor_auth::{
    ChannelBindings, Credential, Exchange, Found, Iterations, Offer, Salts, Security, ServerNonce,
    ServerSecret, Settings, Step,
};

const EXCHANGES: usize = 10_000;

fn main() {
    let credential =
        Credential::derive("pencil", &Salts::from_random([[1; 16]; 3]), Iterations::default()).unwrap();
    let stored = credential.to_json();
    let security = Security::Tls { bindings: ChannelBindings::default(), client: None };
    let offer = Offer::new(&Settings::default(), "example.org", security);
    let secret = ServerSecret::new([1; 32]);
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        // [does not exist, exists], nanoseconds of reading what the store has, until the challenge, until the failure.
        let mut read = [const { Vec::new() }; 2];
        let mut first = [const { Vec::new() }; 2];
        let mut last = [const { Vec::new() }; 2];
        for turn in 0..2 * EXCHANGES {
            let exists = turn % 2;
            let began = Instant::now();
            let found = match exists {
                0 => Found::nobody(),
                _ => Found::Account(Credential::from_json(&stored).unwrap()),
            };
            read[exists].push(began.elapsed().as_nanos() as f64);
            let nonce = ServerNonce::from_random([2; 18]);
            let mut exchange = Exchange::start(&offer, mechanism, nonce, &secret).unwrap();
            exchange.response(b"n,,n=user,r=abc");
            let began = Instant::now();
            let challenge = exchange.credentials(Ok(found));
            first[exists].push(began.elapsed().as_nanos() as f64);
            assert!(matches!(challenge, Step::Challenge(_)));
            let began = Instant::now();
            let failure = exchange.response(b"c=biws,r=abcAgICAgICAgICAgICAgICAgIC,p=AAAA");
            last[exists].push(began.elapsed().as_nanos() as f64);
            assert!(matches!(failure, Step::Failure(_)));
        }
        report(mechanism, "reading", read);
        report(mechanism, "challenge", first);
        report(mechanism, "failure", last);
    }
}

fn report(mechanism: &str, step: &str, [mut unknown, mut known]: [Vec<f64>; 2]) {
    let (a, b) = (summary(&mut unknown), summary(&mut known));
    let t = (b.mean - a.mean) / ((a.variance + b.variance) / a.count).sqrt();
    println!(
        "{mechanism:13} {step:9}  unknown {:6.0} ns  known {:6.0} ns  difference of medians {:4.0} ns  t {t:6.1}",
        a.median,
        b.median,
        b.median - a.median,
    );
}

struct Summary {
    count: f64,
    median: f64,
    mean: f64,
    variance: f64,
}

/// Without the slowest tenth, in which the machine was doing something else.
fn summary(times: &mut Vec<f64>) -> Summary {
    times.sort_by(f64::total_cmp);
    times.truncate(times.len() * 9 / 10);
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / count;
    Summary { count, median: times[times.len() / 2], mean, variance }
}
