//! The fuzz bodies of the configuration and of the control socket, over a hundred thousand seeded inputs each.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, reason = "of the documents, only the generator and the damage are of use here")]
#[path = "../../xml/tests/support/mod.rs"]
mod support;

use std::panic::catch_unwind;

use stentor_server::fuzz;
use support::{Random, damage};

const INPUTS: u64 = 100_000;

/// Lines that configurations are put together from, right and wrong.
const LINES: &[&str] = &[
    "data = 'x'",
    "[[host]]\ndomain = 'example.org'\ncertificate = 'a.crt'\nkey = 'a.key'",
    "domain = \"b\u{fc}cher.example\"",
    "client_crls = ['a', 'b', 'a']",
    "keep = false",
    "registration = 'open'",
    "[host.contact]\nabuse = ['mailto:a@b', 'x']",
    "[listen]\nc2s = ['127.0.0.1:5222', '[::]:5222', ':0']",
    "[tls]\nversion_min = \"1.3\"",
    "[auth]\nmechanisms = ['PLAIN', 'SCRAM-SHA-1']\nscram_iterations = 9_999",
    "attempts_max = 0x7fffffffffffffff",
    "[store]\nengine = 'memory'\ncache_bytes = -1",
    "[limits]\ndepth_max = 64\nstanza_bytes_max = 1e9",
    "idle_seconds = 1979-05-27",
    "[stream_management]\nresume_seconds_max = 600",
    "[log]\nfilter = 'warn,stentor=info'\nformat = '''auto'''",
    "[control]\nsocket = \"\\u0000\"",
    "a.b.c = {d = [1, {e = inf}], \"f\" = nan} # \u{e9}",
    "[[host",
];

const VARIABLES: &[&str] = &[
    "",
    "LISTEN__C2S=[\"127.0.0.1:15222\"]",
    "HOST__0__KEEP=false",
    "HOST__9__KEEP=x",
    "LIMITS__DEPTH_MAX=99999999999999999999",
    "LOG__FILTER==",
    "DATA",
    "__=_",
];

const REQUESTS: &[&str] = &[
    r#"{"version":1,"request":{"user-add":{"jid":"a@b","password":"c"}}}"#,
    r#"{"version":1,"request":{"user-passwd":{"jid":"a@b","password":"\u00e9"}}}"#,
    r#"{"version":1,"request":{"user-list":{"host":null,"after":null}}}"#,
    r#"{"version":1,"request":"status"}"#,
    r#"{"version":1,"request":{"session-kick":{"jid":"a@b/c"}}}"#,
    r#"{"version":2,"request":"reload","more":[[[[[[[[]]]]]]]]}"#,
    r#"{"version":1,"response":{"ok":{"status":{"sessions":1e400}}}}"#,
    r#"{"error":{"kind":"fault","message":"x"}}"#,
];

fn check(seed: u64, body: fn(&[u8]), bytes: &[u8]) {
    assert!(catch_unwind(|| body(bytes)).is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(bytes));
}

#[test]
fn configurations() {
    for seed in 0..INPUTS {
        let mut random = Random::new(seed);
        let mut text = random.pick(VARIABLES).to_owned();
        for _ in 0..1 + random.below(4) {
            text.push('\n');
            text.push_str(random.pick(LINES));
        }
        let mut bytes = text.into_bytes();
        if seed % 4 != 0 {
            damage(&mut random, &mut bytes);
        }
        check(seed, fuzz::config, &bytes);
    }
}

#[test]
fn control() {
    for seed in 0..INPUTS {
        let mut random = Random::new(seed);
        let mut bytes = random.pick(REQUESTS).as_bytes().to_vec();
        if seed % 16 != 0 {
            damage(&mut random, &mut bytes);
        }
        check(seed, fuzz::control, &bytes);
    }
}
