//! Unmodified third-party clients talk to one another through the server.
//!
//!     cargo test --package stentor-cluster-tests --test third_party -- [--against SERVER] [CLIENT]
//!
//! installs the clients, then leads pairs of them through one story; `CLIENT` leaves only the pairs with that one.
//! `SERVER` is `stentor`, `members` or `killed` (all are tried without it), or `prosody`, the oracle of the stories themselves.
//! A client that cannot be had here is skipped with the reason, and counted.

use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;
use stentor_cluster_tests::driver::Program;
use stentor_cluster_tests::install::{CLIENTS, Client, Missing};
use stentor_cluster_tests::killed;
use stentor_cluster_tests::process;
use stentor_cluster_tests::scenario::{self, Outcome};
use stentor_cluster_tests::server::{self, Cluster, Mechanisms, NoCluster, Server};

/// Each client with each other kind of conduct: all pairs of the libraries, and the programs with two of those.
const PAIRS: &[(&str, &str)] = &[
    ("slixmpp", "xmpp-js"),
    ("xmpp-js", "tokio-xmpp"),
    ("tokio-xmpp", "slixmpp"),
    ("profanity", "slixmpp"),
    ("profanity", "tokio-xmpp"),
    ("go-sendxmpp", "slixmpp"),
    ("go-sendxmpp", "profanity"),
];

/// The servers that the stories are told against: one process, and a cluster with the two clients of each pair at different
/// members, where who has lost its connection goes on at a third; and a cluster of which members are killed.
const SERVERS: &[&str] = &["stentor", MEMBERS, KILLED];

const MEMBERS: &str = "members";
const KILLED: &str = "killed";

struct Arguments {
    against: Option<String>,
    client: Option<String>,
}

fn main() -> ExitCode {
    let arguments = arguments(std::env::args().skip(1));
    let wanted =
        |(a, b): &(&str, &str)| arguments.client.as_deref().is_none_or(|name| name == *a || name == *b);
    let pairs: Vec<_> = PAIRS.iter().copied().filter(wanted).collect();
    let programs = install(&pairs);
    let names = arguments.against.as_deref().map_or(SERVERS.to_vec(), |name| vec![name]);
    let outcomes: Vec<Outcome> = names.iter().flat_map(|name| against(name, &programs, &pairs)).collect();
    let count = |kind: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| kind(outcome)).count();
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    println!("{} passed, {failed} failed, {skipped} skipped", outcomes.len() - failed - skipped);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Leads all pairs at once through the story, at the server of that name.
fn against(name: &str, programs: &Programs, pairs: &[(&'static str, &'static str)]) -> Vec<Outcome> {
    println!("against {name}:");
    if name == KILLED {
        return while_members_die(programs, pairs);
    }
    let servers = match start(name) {
        Ok(servers) => servers,
        Err(outcome) => {
            println!("{name}: {outcome}");
            return vec![outcome];
        }
    };
    let server = |(a, b): (&str, &str)| match [a, b].iter().any(|client| needs_plain(client, name)) {
        true => servers.last(),
        false => servers.first(),
    };
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let tell = |pair| {
            let server = server(pair).expect("one was started");
            scope.spawn(move || tell(server.as_ref(), programs, pair))
        };
        let told: Vec<_> = pairs.iter().copied().map(tell).collect();
        let broken = |_| vec![Outcome::Failed("the test itself panicked".to_owned())];
        told.into_iter().flat_map(|pair| pair.join().unwrap_or_else(broken)).collect()
    });
    if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))) {
        for server in &servers {
            let log = std::fs::read(server.log()).unwrap_or_default();
            println!("--- log of the server:\n{}", process::last_lines(&String::from_utf8_lossy(&log), 80));
        }
    }
    outcomes
}

/// The server for those who know SCRAM, and that for all others; or the cluster, which takes both.
fn start(name: &str) -> Result<Vec<Box<dyn Server>>, Outcome> {
    if name == MEMBERS {
        return Ok(vec![Box::new(cluster()?)]);
    }
    let start = |offered| server::start(name, offered).map_err(Outcome::Failed);
    [Mechanisms::ScramOnly, Mechanisms::PlainToo].into_iter().map(start).collect()
}

fn cluster() -> Result<Cluster, Outcome> {
    let mut cluster = Cluster::new(&killed::MEMBERS).map_err(|error| match error {
        NoCluster::Absent(reason) => Outcome::Skipped(reason),
        NoCluster::Broken(reason) => Outcome::Failed(reason),
    })?;
    cluster.start(&killed::MEMBERS).map_err(Outcome::Failed)?;
    Ok(cluster)
}

/// Leads all pairs whose programs are there through the death of two members.
fn while_members_die(programs: &Programs, pairs: &[(&'static str, &'static str)]) -> Vec<Outcome> {
    let start = Instant::now();
    let mut outcomes = Vec::new();
    let mut say = |who: &str, step: &str, outcome: Outcome| {
        println!("{who}: {step}: {outcome}");
        outcomes.push(outcome);
    };
    let mut there = Vec::new();
    for &(a, b) in pairs {
        match (program(programs, a), program(programs, b)) {
            (Ok(first), Ok(second)) => there.push(((a, first), (b, second))),
            (Err(outcome), _) | (_, Err(outcome)) => say(&format!("{a} + {b}"), "install", outcome),
        }
    }
    match cluster() {
        Ok(mut cluster) => {
            match killed::play(&mut cluster, &there) {
                Ok(told) => {
                    for (((a, _), (b, _)), steps) in there.iter().zip(told) {
                        steps
                            .into_iter()
                            .for_each(|(step, outcome)| say(&format!("{a} + {b}"), step, outcome));
                    }
                }
                Err(reason) => say(KILLED, "play", Outcome::Failed(reason)),
            }
            if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))) {
                killed::MEMBERS
                    .iter()
                    .for_each(|name| println!("--- log of {name}:\n{}", cluster.log_of(name)));
            }
        }
        Err(outcome) => say(KILLED, "start", outcome),
    }
    println!("{KILLED}: {:.1} s", start.elapsed().as_secs_f64());
    outcomes
}

/// Whether the client shares no SCRAM mechanism with the server.
fn needs_plain(client: &str, server: &str) -> bool {
    match client {
        // Debian's version knows PLAIN and DIGEST-MD5 alone.
        "go-sendxmpp" => true,
        // Over TLS 1.3 it takes SCRAM-PLUS by tls-exporter or PLAIN; Debian's Prosody cannot do tls-exporter.
        "tokio-xmpp" => server == "prosody",
        _ => false,
    }
}

/// Options of the ordinary test harness are taken without effect.
fn arguments(mut given: impl Iterator<Item = String>) -> Arguments {
    let mut arguments = Arguments { against: None, client: None };
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--against" => arguments.against = given.next(),
            option if option.starts_with('-') => {}
            name => arguments.client = Some(name.to_owned()),
        }
    }
    arguments
}

type Programs = Vec<(&'static str, Result<Program, Missing>)>;

/// Installs the clients of the pairs, all at once.
fn install(pairs: &[(&str, &str)]) -> Programs {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the temporary folder is in the target folder");
    let clients =
        CLIENTS.iter().filter(|client| pairs.iter().any(|(a, b)| client.name == *a || client.name == *b));
    thread::scope(|scope| {
        let install = |client: &'static Client| {
            scope.spawn(move || {
                let start = Instant::now();
                let program = client.install(target);
                println!("install {}: {:.1} s", client.name, start.elapsed().as_secs_f64());
                (client.name, program)
            })
        };
        let installing: Vec<_> = clients.map(install).collect();
        installing.into_iter().map(|client| client.join().expect("installing does not panic")).collect()
    })
}

/// The program of that client, or what becomes of a step that takes it.
fn program<'a>(programs: &'a Programs, name: &str) -> Result<&'a Program, Outcome> {
    match programs.iter().find(|(client, _)| *client == name) {
        Some((_, Ok(program))) => Ok(program),
        Some((_, Err(Missing::Absent(reason)))) => Err(Outcome::Skipped(format!("{name}: {reason}"))),
        Some((_, Err(Missing::Broken(reason)))) => Err(Outcome::Failed(format!("{name}: {reason}"))),
        None => Err(Outcome::Failed(format!("{name} is not in clients/"))),
    }
}

fn tell(server: &dyn Server, programs: &Programs, (a, b): (&'static str, &'static str)) -> Vec<Outcome> {
    let start = Instant::now();
    let told = match (program(programs, a), program(programs, b)) {
        (Ok(first), Ok(second)) => scenario::play(server, (a, first), (b, second)),
        (Err(outcome), _) | (_, Err(outcome)) => vec![("install", outcome)],
    };
    let lines: Vec<_> =
        told.iter().map(|(step, outcome)| format!("{a} + {b}: {step}: {outcome}\n")).collect();
    println!("{}{a} + {b}: {:.1} s", lines.concat(), start.elapsed().as_secs_f64());
    told.into_iter().map(|(_, outcome)| outcome).collect()
}
