//! Runs the files in `transcripts/`. A line begins with
//!
//! - `=` a test and its name,
//! - `given:` where it begins (see [`Given`]),
//! - `C:` what the client sends, as one read,
//! - `do:` an answer of the caller (see [`Session::answer`]),
//! - `S:` what the stream writes, `A:` an action, `end` the end, all since the last `C:` or `do:`, in order,
//! - white space: the line before goes on, with a space unless it goes on with a tag,
//! - `#` a comment.
//!
//! Each test runs several times, with the client's bytes cut in different ways.

use crate::harness::{Event, Given, Session};

struct Test {
    name: String,
    given: Given,
    steps: Vec<Step>,
}

struct Step {
    line: usize,
    stimulus: Stimulus,
    expected: Vec<Event>,
}

enum Stimulus {
    Client(String),
    Caller(String),
}

/// How the client's bytes are cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Every(usize),
    /// By a seeded generator.
    Random(u64),
}

fn parse(file: &str, text: &str) -> Vec<Test> {
    let mut tests: Vec<Test> = Vec::new();
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match line.strip_prefix([' ', '\t']) {
            Some(_) => {
                let before = &mut lines.last_mut().expect("a line before").1;
                let rest = line.trim_start();
                if !rest.starts_with('<') {
                    before.push(' ');
                }
                before.push_str(rest);
            }
            None if line.is_empty() || line.starts_with('#') => {}
            None => lines.push((number + 1, line.to_owned())),
        }
    }
    for (number, line) in lines {
        let (kind, rest) = line.split_once(' ').unwrap_or((&line, ""));
        if kind == "=" {
            tests.push(Test { name: format!("{file}: {rest}"), given: Given::Clear, steps: Vec::new() });
            continue;
        }
        let test = tests.last_mut().expect("a test begins with '='");
        let stimulus = match kind {
            "given:" => {
                test.given = Given::named(rest);
                continue;
            }
            "C:" => Some(Stimulus::Client(unescape(rest))),
            "do:" => Some(Stimulus::Caller(rest.to_owned())),
            _ => None,
        };
        if let Some(stimulus) = stimulus {
            test.steps.push(Step { line: number, stimulus, expected: Vec::new() });
            continue;
        }
        let event = match kind {
            "S:" => Event::Sent(rest.to_owned()),
            "A:" => Event::Asked(rest.to_owned()),
            "end" => Event::Ended,
            _ => panic!("{file}:{number}: {line}"),
        };
        test.steps.last_mut().expect("a stimulus before").expected.push(event);
    }
    tests
}

/// `\n` is a line end, `\0` a NUL byte.
fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\0", "\0")
}

fn run(test: &Test, cut: Cut) {
    let mut session = Session::begin(test.given);
    let mut seed = if let Cut::Random(seed) = cut { seed } else { 1 };
    for step in &test.steps {
        session.events.clear();
        match &step.stimulus {
            Stimulus::Caller(answer) => session.answer(answer),
            Stimulus::Client(text) => {
                let mut rest = text.as_bytes();
                while !rest.is_empty() {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let length = match cut {
                        Cut::Whole => rest.len(),
                        Cut::Every(length) => length,
                        Cut::Random(_) => usize::try_from(seed >> 59).expect("five bits") + 1,
                    };
                    let (piece, left) = rest.split_at(length.min(rest.len()));
                    session.feed(piece);
                    rest = left;
                }
            }
        }
        assert_eq!(
            session.events, step.expected,
            "\n{} (line {}), cut {cut:?}\nread: {:#?}",
            test.name, step.line, session.events
        );
    }
}

/// The files, and how many tests are in each.
const FILES: [(&str, &str, usize); 8] = [
    ("session", include_str!("transcripts/session.txt"), 1),
    ("headers", include_str!("transcripts/headers.txt"), 15),
    ("tls", include_str!("transcripts/tls.txt"), 8),
    ("sasl", include_str!("transcripts/sasl.txt"), 21),
    ("bind", include_str!("transcripts/bind.txt"), 10),
    ("bound", include_str!("transcripts/bound.txt"), 13),
    ("management", include_str!("transcripts/management.txt"), 14),
    ("closing", include_str!("transcripts/closing.txt"), 9),
];

/// All that clients send in the transcripts.
pub(crate) fn client_lines() -> Vec<Vec<u8>> {
    let tests = FILES.iter().flat_map(|(file, text, _)| parse(file, text));
    let steps = tests.flat_map(|test| test.steps);
    steps
        .filter_map(|step| match step.stimulus {
            Stimulus::Client(text) => Some(text.into_bytes()),
            Stimulus::Caller(_) => None,
        })
        .collect()
}

fn check(file: &str) {
    let (_, text, count) = FILES.iter().find(|(name, ..)| *name == file).expect("a file");
    let tests = parse(file, text);
    assert_eq!(tests.len(), *count, "tests in {file}");
    for test in &tests {
        let cuts = [Cut::Whole, Cut::Every(1), Cut::Every(7)];
        for cut in cuts.into_iter().chain((0..8).map(Cut::Random)) {
            run(test, cut);
        }
    }
}

#[test]
fn session() {
    check("session");
}

#[test]
fn headers() {
    check("headers");
}

#[test]
fn tls() {
    check("tls");
}

#[test]
fn sasl() {
    check("sasl");
}

#[test]
fn bind() {
    check("bind");
}

#[test]
fn bound() {
    check("bound");
}

#[test]
fn management() {
    check("management");
}

#[test]
fn closing() {
    check("closing");
}
