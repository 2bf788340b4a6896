//! Unmodified third-party clients at the members of a cluster, of which one after the other is killed.

use std::path::Path;
use stentor_cluster_tests::driver::Program;
use stentor_cluster_tests::install::{CLIENTS, Missing};
use stentor_cluster_tests::members::{self, MEMBERS};
use stentor_cluster_tests::server::{Cluster, NoCluster};

/// A client's program; none, with the reason printed, if it cannot be had here.
fn client(name: &'static str) -> Result<Option<Program>, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target folder")?;
    let client = CLIENTS.iter().find(|client| client.name == name).ok_or("it is not in clients/")?;
    match client.install(target) {
        Ok(program) => Ok(Some(program)),
        Err(Missing::Absent(reason)) => {
            println!("skipped: {name}: {reason}");
            Ok(None)
        }
        Err(Missing::Broken(reason)) => Err(reason),
    }
}

fn play(first: &'static str, second: &'static str) -> Result<(), String> {
    let (Some(one), Some(other)) = (client(first)?, client(second)?) else { return Ok(()) };
    match Cluster::new(&MEMBERS) {
        Ok(mut cluster) => members::play(&mut cluster, (first, &one), (second, &other)),
        Err(NoCluster::Absent(reason)) => {
            println!("skipped: {reason}");
            Ok(())
        }
        Err(NoCluster::Broken(reason)) => Err(reason),
    }
}

#[test]
fn slixmpp_and_xmpp_js() -> Result<(), String> {
    play("slixmpp", "xmpp-js")
}

#[test]
fn xmpp_js_and_slixmpp() -> Result<(), String> {
    play("xmpp-js", "slixmpp")
}
