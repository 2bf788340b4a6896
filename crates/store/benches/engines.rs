//! The engines beside each other, on what a chat server writes: an archived message is one append of 1,000 bytes
//! to one of 1,000 users; then the newest 50 entries of a user are read.
//!
//! `cargo bench -p stentor-store --bench engines` prints the table of docs/decisions/0002-embedded-store.md. Each
//! line is a process of its own, on a new directory below the system's temporary one (`TMPDIR`). CPU and bytes are
//! of the whole process, background threads included; they hold on a busy machine, rates do not.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use stentor_engine::{Append, Batch, Epoch, Key, LogId, Query, Rows, Write, WriteSet};
use stentor_store::{Backend, Config, Engine, open_backend};
use stentor_xmpp::BareJid;

const USERS: usize = 1_000;
const VALUE_BYTES: usize = 1_000;
const RECORDS_MAX: u64 = 60_000;
const TIME_MAX: Duration = Duration::from_secs(8);
const READS: u64 = 2_000;
const CHILD: &str = "STENTOR_STORE_BENCH";

fn main() -> Result<(), Box<dyn Error>> {
    if let Ok(child) = std::env::var(CHILD) {
        let (engine, batch) = child.split_once(' ').ok_or("engine and batch size")?;
        let engine = if engine == "sled" { Engine::Sled } else { Engine::Fjall };
        return run(engine, batch.parse()?);
    }
    println!(
        "| engine | batch | records/s | CPU us/record | bytes written/record | disk/live | RSS MiB | last-50 us |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for engine in ["fjall", "sled"] {
        for batch in [1, 16, 64, 256] {
            let mut line = Command::new(std::env::current_exe()?);
            line.env(CHILD, format!("{engine} {batch}")).status()?;
        }
    }
    Ok(())
}

fn run(engine: Engine, batch: usize) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let mut backend = open_backend(&Config::new(engine, directory.path()))?;
    let owners: Vec<Key> = (0..USERS)
        .map(|n| BareJid::parse(&format!("user{n}@example.org")).map(Key::User))
        .collect::<Result<_, _>>()?;
    let mut load = Load { owners, tails: vec![0; USERS], random: 0x9e37_79b9_7f4a_7c15, batches: 0 };
    // The first writes of an engine create files.
    for _ in 0..20 {
        load.commit(&mut *backend, batch)?;
    }
    let (cpu, written, begun, before) = (cpu()?, written()?, Instant::now(), load.records());
    while load.records() < RECORDS_MAX && begun.elapsed() < TIME_MAX {
        load.commit(&mut *backend, batch)?;
    }
    let (elapsed, records) = (begun.elapsed().as_secs_f64(), (load.records() - before) as f64);
    let (cpu, written) = (self::cpu()? - cpu, self::written()? - written);
    let read = load.read(&*backend)?;
    let live = load.records() as f64 * VALUE_BYTES as f64;
    println!(
        "| {} | {batch} | {:.0} | {:.1} | {:.0} | {:.2} | {:.0} | {:.0} |",
        engine.name(),
        records / elapsed,
        cpu * 1e6 / records,
        written / records,
        disk(directory.path())? as f64 / live,
        resident()?,
        read.as_micros() as f64 / READS as f64,
    );
    Ok(())
}

struct Load {
    owners: Vec<Key>,
    tails: Vec<u64>,
    random: u64,
    batches: u64,
}

impl Load {
    /// xorshift: the same users in every run.
    fn any(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % USERS as u64) as usize
    }

    fn records(&self) -> u64 {
        self.tails.iter().sum()
    }

    fn commit(&mut self, backend: &mut dyn Backend, sets: usize) -> Result<(), Box<dyn Error>> {
        self.batches += 1;
        let sets = (0..sets).filter_map(|_| self.message()).collect();
        let refused = backend.commit(&Batch { number: self.batches, sets });
        if refused.is_empty() { Ok(()) } else { Err(format!("{refused:?}").into()) }
    }

    fn message(&mut self) -> Option<WriteSet> {
        let at = self.any();
        let (owner, tail) = (self.owners.get(at)?.clone(), self.tails.get_mut(at)?);
        *tail += 1;
        let id = *tail;
        let value = format!("{id:0VALUE_BYTES$}").into();
        let append = Append { id: LogId(id), value };
        Some(WriteSet { owner, epoch: Epoch(1), ticket: id, writes: vec![Write::Append(append)] })
    }

    fn read(&mut self, backend: &dyn Backend) -> Result<Duration, Box<dyn Error>> {
        let reader = backend.reader();
        let begun = Instant::now();
        for _ in 0..READS {
            let at = self.any();
            let owner = self.owners.get(at).ok_or("an owner")?;
            match reader.query(owner, &[Query::LogBefore { before: None, limit: 50 }]).as_slice() {
                [Rows::Log(_)] => {}
                rows => return Err(format!("{rows:?}").into()),
            }
        }
        Ok(begun.elapsed())
    }
}

/// Seconds of CPU of this process and its threads; the kernel counts them in hundredths.
fn cpu() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field may have blanks and ends with the last parenthesis.
    let fields = stat.rsplit_once(')').ok_or("stat")?.1;
    let ticks: f64 =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().unwrap_or(0.0)).sum();
    Ok(ticks / 100.0)
}

/// Bytes handed to the disk so far.
fn written() -> Result<f64, Box<dyn Error>> {
    number("/proc/self/io", "write_bytes:")
}

/// MiB.
fn resident() -> Result<f64, Box<dyn Error>> {
    Ok(number("/proc/self/status", "VmRSS:")? / 1024.0)
}

fn number(file: &str, name: &str) -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("a line that is missing")?;
    Ok(line.split_whitespace().next().ok_or("a number")?.parse()?)
}

/// Bytes that the files take, not those that they claim: engines make them longer ahead of use.
fn disk(path: &Path) -> Result<u64, Box<dyn Error>> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.blocks() * 512);
    }
    let mut bytes = 0;
    for file in fs::read_dir(path)? {
        bytes += disk(&file?.path())?;
    }
    Ok(bytes)
}
