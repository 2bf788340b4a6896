//! Unmodified third-party clients at the members of a cluster, of which one after the other is killed.

use std::path::Path;
use std::thread;
use stentor_cluster_tests::driver::Program;
use stentor_cluster_tests::install::{CLIENTS, Client, Missing};
use stentor_cluster_tests::members;
use stentor_cluster_tests::server::{Cluster, NoCluster};

/// Each client that resumes streams is once at the member that dies.
const PAIRS: &[(&str, &str)] = &[
    ("slixmpp", "xmpp-js"),
    ("xmpp-js", "tokio-xmpp"),
    ("tokio-xmpp", "profanity"),
    ("profanity", "slixmpp"),
    ("go-sendxmpp", "slixmpp"),
];

#[test]
fn they_go_on_while_members_die() -> Result<(), String> {
    let mut cluster = match Cluster::new(members::NAMES) {
        Ok(cluster) => cluster,
        Err(NoCluster::Broken(reason)) => return Err(reason),
        Err(NoCluster::Absent(reason)) => {
            println!("skipped: {reason}");
            return Ok(());
        }
    };
    let programs = install()?;
    let program = |wanted: &str| {
        programs.iter().find(|(name, _)| *name == wanted).map(|(name, program)| (*name, program))
    };
    let pairs: Vec<_> =
        PAIRS.iter().filter_map(|(first, second)| Some((program(first)?, program(second)?))).collect();
    members::play(&mut cluster, &pairs)
}

/// The programs of the clients that can be had here; of others, the reason is printed.
fn install() -> Result<Vec<(&'static str, Program)>, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target folder")?;
    let installed: Vec<_> = thread::scope(|scope| {
        let install = |client: &'static Client| scope.spawn(move || (client.name, client.install(target)));
        let installing: Vec<_> = CLIENTS.iter().map(install).collect();
        installing.into_iter().map(|client| client.join().expect("installing does not panic")).collect()
    });
    let mut programs = Vec::new();
    for (name, program) in installed {
        match program {
            Ok(program) => programs.push((name, program)),
            Err(Missing::Absent(reason)) => println!("skipped: {name}: {reason}"),
            Err(Missing::Broken(reason)) => return Err(format!("{name}: {reason}")),
        }
    }
    Ok(programs)
}
