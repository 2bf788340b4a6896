//! Every commit ends in an `fdatasync`, and one that fails is believed: seen from outside, by strace.

use crate::engines::*;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use stentor_engine::{Batch, Query, Rows};
use stentor_store::{Config, Engine, open_backend};

const DIRECTORY: &str = "STENTOR_STORE_SYNC_DIRECTORY";
const ENGINE: &str = "STENTOR_STORE_SYNC_ENGINE";
const COMMITS: u64 = 12;

/// Not a test of its own: the process that is watched. Does nothing unless it was started by [`traced`].
#[test]
fn child() {
    let (Ok(directory), Ok(engine)) = (env::var(DIRECTORY), env::var(ENGINE)) else { return };
    let engine = if engine == "sled" { Engine::Sled } else { Engine::Fjall };
    let mut backend = open_backend(&Config::new(engine, directory)).unwrap();
    // The test's own name stands on this line.
    println!();
    for id in 1..=COMMITS {
        let sets = vec![set(&user(&format!("u{id}@example.org")), vec![append(1, "x")])];
        let refused = backend.commit(&Batch { number: id, sets });
        println!("commit {id} {}", refused.is_empty());
    }
}

/// Which commits were acknowledged, and how often `fdatasync` was called; none if there is no strace.
fn traced(engine: Engine, directory: &Path, inject: &str) -> Option<(Vec<u64>, usize)> {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        println!("skipped: strace is missing or may not trace");
        return None;
    }
    let trace = directory.with_extension("trace");
    let output = Command::new("strace")
        .args(["-f", "-e", "trace=fdatasync", "-e", inject, "-o"])
        .arg(&trace)
        .arg(env::current_exe().unwrap())
        .args(["--exact", "sync::child", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(ENGINE, engine.name())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let commits: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("commit ")).collect();
    assert_eq!(commits.len() as u64, COMMITS, "{text}");
    let kept = commits.iter().filter_map(|line| line.strip_suffix(" true")?.parse().ok()).collect();
    let trace = fs::read_to_string(trace).unwrap();
    Some((kept, trace.lines().filter(|line| line.contains("fdatasync(")).count()))
}

#[test]
fn every_commit_is_synced() {
    for engine in [Engine::Fjall, Engine::Sled] {
        let parent = tempfile::tempdir().unwrap();
        let watch = "inject=fdatasync:delay_enter=0";
        let Some((kept, syncs)) = traced(engine, &parent.path().join("store"), watch) else { return };
        assert_eq!(kept, (1..=COMMITS).collect::<Vec<_>>());
        assert!(syncs as u64 >= COMMITS, "{}: {syncs} for {COMMITS} commits", engine.name());
    }
}

#[test]
fn a_sync_that_fails_once_is_the_end() {
    for engine in [Engine::Fjall, Engine::Sled] {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("store");
        let Some((kept, _)) = traced(engine, &directory, "inject=fdatasync:error=EIO:when=5") else { return };
        assert_eq!(kept, [1, 2, 3, 4], "{}", engine.name());
        // The disk is well again: what was acknowledged is there, and the store takes more.
        let mut backend = open_backend(&Config::new(engine, &directory)).unwrap();
        for id in 1..=4 {
            let rows = backend.reader().query(&user(&format!("u{id}@example.org")), &[Query::Tail]);
            assert_eq!(rows, [Rows::Tail(stentor_engine::LogId(1))], "{}: {id}", engine.name());
        }
        let sets = vec![set(&user("u99@example.org"), vec![append(1, "x")])];
        assert_eq!(backend.commit(&Batch { number: 1, sets }), []);
    }
}
