//! What a member keeps in PostgreSQL, beside rows inserted one by one in the same run: a kept message is one append of
//! 1,000 bytes, to one of 1,000 users, through a member's lane.
//!
//! `cargo bench -p stentor-store --bench postgres` prints the table of docs/decisions/0012-postgresql.md, on a private
//! database below the system's temporary directory (`TMPDIR`), with fsync. CPU is that of the process and of the
//! database's, each; on a busy machine it holds better than rates do, and ratios better than either.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use stentor_engine::{
    Append, Batch, Epoch, Key, LogId, MemberId, MemberInfo, RegisterReply, RegisterRequest, Slot,
    TableChange, Write, WriteSet,
};
use stentor_store::postgres::{Postgres, PostgresConfig};
use stentor_store::{Backend, LaneId, Register, Shared};
use stentor_xmpp::BareJid;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

const USERS: usize = 1_000;
const VALUE_BYTES: usize = 1_000;
const TIME: Duration = Duration::from_secs(5);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/lib/postgres.sh");

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let directory = tempfile::tempdir()?.keep();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
    let (url, mut child) = start(&directory)?;
    let measured = measure(&url);
    drop(child.stdin.take());
    child.wait()?;
    measured
}

fn start(directory: &std::path::Path) -> Outcome<(String, Child)> {
    let mut child = Command::new(SCRIPT)
        .arg("start")
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut url = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut url)?;
    Ok((url.trim_end().to_owned(), child))
}

fn measure(url: &str) -> Outcome<()> {
    let mut raw = Raw::open(url)?;
    let mut load = Load::open(url)?;
    println!(
        "| what | rows/s | to raw | batches/s | CPU us/batch here | CPU us/batch database | CPU us/row both |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let unit = raw.run("one row, one insert")?;
    for sets in [1, 16, 64] {
        // The first ones make files and plans.
        for _ in 0..20 {
            load.commit(sets)?;
        }
        let figures = Figures::of(&raw, sets, || load.commit(sets))?;
        figures.print(&format!("batch of {sets}"), unit);
    }
    raw.run("one row, one insert, again")?;
    Ok(())
}

struct Figures {
    rows: f64,
    batches: f64,
    seconds: f64,
    here: f64,
    there: f64,
}

impl Figures {
    fn of(raw: &Raw, rows: usize, mut batch: impl FnMut() -> Outcome<()>) -> Outcome<Self> {
        let (here, there, begun) = (seconds_of("self")?, raw.database()?, Instant::now());
        let mut batches = 0.0;
        while begun.elapsed() < TIME {
            batch()?;
            batches += 1.0;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let (here, there) = (seconds_of("self")? - here, raw.database()? - there);
        Ok(Self { rows: batches * rows as f64, batches, seconds, here, there })
    }

    fn rate(&self) -> f64 {
        self.rows / self.seconds
    }

    fn print(&self, name: &str, unit: f64) {
        println!(
            "| {name} | {:.0} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} |",
            self.rate(),
            self.rate() / unit,
            self.batches / self.seconds,
            self.here * 1e6 / self.batches,
            self.there * 1e6 / self.batches,
            (self.here + self.there) * 1e6 / self.rows,
        );
    }
}

/// A connection of its own, and what it is compared with.
struct Raw {
    runtime: Runtime,
    client: Client,
    id: i64,
}

impl Raw {
    fn open(url: &str) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute("CREATE TABLE raw (id bigint PRIMARY KEY, value bytea NOT NULL)").await?;
            Ok::<_, tokio_postgres::Error>(client)
        })?;
        Ok(Self { runtime, client, id: 0 })
    }

    /// Rows each second.
    fn run(&mut self, name: &str) -> Outcome<f64> {
        let sql = "INSERT INTO raw (id, value) VALUES ($1, $2)";
        let insert = self.runtime.block_on(self.client.prepare(sql))?;
        let value = vec![b'x'; VALUE_BYTES];
        let mut id = self.id;
        let figures = Figures::of(self, 1, || {
            id += 1;
            self.runtime.block_on(self.client.execute(&insert, &[&id, &value]))?;
            Ok(())
        })?;
        self.id = id;
        figures.print(name, figures.rate());
        Ok(figures.rate())
    }

    /// Seconds of CPU of the database's processes.
    fn database(&self) -> Outcome<f64> {
        let sql = "SELECT pid FROM pg_stat_activity";
        let mut seconds = 0.0;
        for row in self.runtime.block_on(self.client.query(sql, &[]))? {
            // One that has just ended counts no more.
            seconds += seconds_of(&row.get::<_, i32>(0).to_string()).unwrap_or_default();
        }
        Ok(seconds)
    }
}

struct Load {
    lane: Box<dyn Backend>,
    owners: Vec<Key>,
    tails: Vec<u64>,
    random: u64,
    batches: u64,
}

impl Load {
    fn open(url: &str) -> Outcome<Self> {
        let mut postgres = Postgres::open(&PostgresConfig::new(url))?;
        let info = MemberInfo {
            name: "one".into(),
            link: "127.0.0.1:1".parse()?,
            gossip: "127.0.0.1:1".parse()?,
            weight: 1,
            wire: (1, 1),
            settings: 0,
        };
        let member = match postgres.ask(&RegisterRequest::Join(info)) {
            RegisterReply::Joined { member, .. } => member,
            reply => return Err(format!("{reply:?}").into()),
        };
        let moves = Slot::all().map(|slot| (slot, member)).collect();
        let change = TableChange { base: 1, moves, ..TableChange::default() };
        postgres.ask(&RegisterRequest::Change(change));
        let lane = postgres.backend(LaneId { member: MemberId(member.0), lane: 0 })?;
        let owners = (0..USERS)
            .map(|n| BareJid::parse(&format!("user{n}@example.org")).map(Key::User))
            .collect::<Result<_, _>>()?;
        Ok(Self { lane, owners, tails: vec![0; USERS], random: 0x9e37_79b9_7f4a_7c15, batches: 0 })
    }

    fn commit(&mut self, sets: usize) -> Outcome<()> {
        self.batches += 1;
        let sets = (0..sets).filter_map(|_| self.message()).collect();
        let refused = self.lane.commit(&Batch { number: self.batches, sets });
        if refused.is_empty() { Ok(()) } else { Err(format!("{refused:?}").into()) }
    }

    fn message(&mut self) -> Option<WriteSet> {
        // xorshift: the same users in every run.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let at = (self.random % USERS as u64) as usize;
        let (owner, tail) = (self.owners.get(at)?.clone(), self.tails.get_mut(at)?);
        *tail += 1;
        let id = *tail;
        let value = format!("{id:0VALUE_BYTES$}").into();
        let append = Append { id: LogId(id), value };
        Some(WriteSet { owner, epoch: Epoch(1), ticket: id, writes: vec![Write::Append(append)] })
    }
}

/// Seconds of CPU of a process and its threads; the kernel counts them in hundredths.
fn seconds_of(process: &str) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field may have blanks and ends with the last parenthesis.
    let fields = stat.rsplit_once(')').ok_or("stat")?.1;
    let ticks: f64 =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().unwrap_or(0.0)).sum();
    Ok(ticks / 100.0)
}
