//! One run: the member, its clients, and what happens to them, one thing after the other.

use crate::client::{Client, account};
use crate::coverage::Coverage;
use crate::member::{Died, Member};
use crate::random::Random;
use crate::stage::{Happening, Stage, ToMember};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::fmt;
use stentor_engine::{Ask, Command, Event, Key, Planted};

/// What a run is to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Bugs that are switched on.
    pub planted: Planted,
    /// Whether each thing that happens is written to standard error.
    pub traces: bool,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of the run.
    pub seed: u64,
    /// Milliseconds since it began.
    pub at: u64,
    /// Which promise.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, what } = self;
        write!(f, "seed {seed}, after {at} ms: {what}\nagain: ./scripts/sim --seed {seed} --trace")
    }
}

/// Time in which accounts are made, before anything goes wrong.
const SET_UP: u64 = 2_000;
/// How long it takes until all is quiet, after faults and load are over: until connections of which nobody knows
/// that they are lost are given up, and their streams after them.
const QUIET_AFTER: u64 = 420_000;
/// More than any run needs; beyond, something goes round in circles.
const STEPS_MAX: u64 = 3_000_000;

struct World {
    stage: Stage,
    member: Option<Member>,
    clients: Vec<Client>,
    planted: Planted,
    crashes: u64,
}

/// Runs one seed.
///
/// # Errors
/// The first promise that was broken.
pub fn run(seed: u64, options: Options) -> Result<Coverage, Failure> {
    let mut world = World::new(seed, options);
    loop {
        let Some(what) = world.stage.queue.next() else { break };
        if world.stage.is_ending && world.stage.queue.now() > world.stage.plan.length + QUIET_AFTER {
            world.conclude();
            break;
        }
        world.step(what);
        world.stage.history.check();
        if world.stage.coverage.steps > STEPS_MAX {
            world.stage.history.violate("it does not come to rest".to_owned());
        }
        if world.stage.history.violation().is_some() {
            break;
        }
    }
    let stage = world.stage;
    if let Some(what) = stage.history.violation() {
        return Err(Failure { seed, at: stage.queue.now(), what: what.to_owned() });
    }
    let mut coverage = stage.coverage;
    stage.history.count(&mut coverage);
    Ok(coverage)
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut stage = Stage::new(Random::new(seed), options.traces);
        stage.trace(|| format!("{:?}", stage.plan));
        let mut quiet = stage.plan.clone();
        quiet.heal();
        let plan = std::mem::replace(&mut stage.plan, quiet);
        stage.queue.after(SET_UP, Happening::Trouble(Box::new(plan.clone())));
        let member = Member::start(&mut stage, options.planted);
        let mut clients = Vec::new();
        for index in 0..stage.plan.clients {
            // Every account has a client.
            let account =
                if index < stage.plan.accounts { index } else { stage.random.below(stage.plan.accounts) };
            clients.push(Client::new(index as usize, account, &mut stage));
            let delay = SET_UP + stage.random.below(5_000);
            stage.queue.after(delay, Happening::Wake(index as usize));
        }
        let mut world = Self { stage, member: Some(member), clients, planted: options.planted, crashes: 0 };
        world.make_accounts();
        let length = world.stage.plan.length;
        world.stage.queue.after(length, Happening::Heal);
        world.stage.plan.crash_every = plan.crash_every;
        world.plan_crash();
        world
    }

    /// Some are on each other's rosters.
    fn make_accounts(&mut self) {
        let accounts = self.stage.plan.accounts;
        for number in 0..accounts {
            let key = Key::User(account(number));
            let create = Command::CreateAccount(Bytes::from_static(b"{}"));
            self.stage.after(0, ToMember::Event(key.clone(), Event::Command(Ask(0), create)));
            for other in (0..accounts).filter(|other| (other + number) % 2 == 1) {
                let contact = Command::AddContact { jid: account(other), name: "a contact".to_owned() };
                self.stage.after(1, ToMember::Event(key.clone(), Event::Command(Ask(0), contact)));
            }
        }
    }

    fn plan_crash(&mut self) {
        if let Some(every) = self.stage.plan.crash_every {
            let delay = 3_000 + self.stage.random.below(every * 2);
            let incarnation = self.stage.incarnation;
            self.stage.queue.after(delay, Happening::Crash(incarnation));
        }
    }

    fn step(&mut self, what: Happening) {
        let stage = &mut self.stage;
        stage.coverage.steps += 1;
        match what {
            Happening::Member(incarnation, what) if incarnation == stage.incarnation => {
                if let Some(member) = &mut self.member
                    && member.handle(what, stage) == Err(Died)
                {
                    self.crash();
                }
            }
            Happening::Member(..) => {}
            Happening::Client(index, connection, what) => {
                if let Some(client) = self.clients.get_mut(index) {
                    client.read(connection, what, stage);
                }
            }
            Happening::Lost(index, connection) => {
                if let Some(client) = self.clients.get_mut(index) {
                    client.gone(connection);
                }
            }
            Happening::Wake(index) => {
                let clients = self.clients.iter().enumerate();
                let ready: Vec<_> =
                    clients.filter_map(|(at, c)| Some((at, c.ready()?, c.account()))).collect();
                if let Some(client) = self.clients.get_mut(index) {
                    client.wake(&ready, stage);
                }
            }
            Happening::Crash(incarnation)
                if incarnation == stage.incarnation && stage.is_up && !stage.is_ending =>
            {
                self.crash();
            }
            Happening::Crash(_) => {}
            Happening::Start => {
                self.member = Some(Member::start(stage, self.planted));
                self.plan_crash();
            }
            Happening::Trouble(plan) => stage.plan = *plan,
            Happening::Heal => {
                stage.is_ending = true;
                stage.plan.heal();
            }
        }
    }

    /// Everything in memory is gone, and what was not synced may be.
    fn crash(&mut self) {
        let stage = &mut self.stage;
        let pending = stage.disk.pending();
        let kept = stage.random.below(pending as u64 + 1) as usize;
        stage.trace(|| format!("a crash: {kept} of {pending} batches survive"));
        stage.coverage.crashes += 1;
        stage.coverage.kept_batches += kept as u64;
        stage.coverage.lost_batches += (pending - kept) as u64;
        if let Some(batch) = self.member.as_ref().and_then(Member::batch).filter(|_| kept > 0) {
            stage.history.durable(batch);
        }
        stage.disk.crash(kept);
        stage.history.recover(stage.disk.durable());
        self.member = None;
        stage.is_up = false;
        self.crashes += 1;
        for (index, client) in self.clients.iter().enumerate() {
            if let Some(connection) = client.connection() {
                let delay = stage.random.below(5_000);
                stage.queue.after(delay, Happening::Lost(index, connection));
            }
        }
        let delay = stage.random.between(10, 5_000);
        stage.queue.after(delay, Happening::Start);
    }

    /// All is quiet: nothing may be missing, nothing left over.
    fn conclude(&mut self) {
        let clients = &self.clients;
        let stage = &mut self.stage;
        for (index, client) in clients.iter().enumerate() {
            if let Some(why) = client.unrest() {
                stage.history.violate(format!("client {index} {why}"));
            }
        }
        // What only memory has goes with it.
        let may_lose = !stage.plan.keeps && self.crashes > 0;
        stage
            .history
            .conclude(may_lose, |client, period| clients.get(client).and_then(Client::ready) == Some(period));
        self.check_presence();
        if let Some(member) = &self.member {
            self.stage.trace(|| format!("in the end: {member:?}"));
        }
    }

    /// Everyone sees those that are there, and nobody else.
    fn check_presence(&mut self) {
        for (index, watcher) in self.clients.iter().enumerate() {
            let expected: BTreeSet<&str> = self
                .clients
                .iter()
                .enumerate()
                .filter(|(other, client)| *other != index && sees(watcher, client))
                .filter_map(|(_, client)| client.available().map(|jid| jid.as_str()))
                .collect();
            let is_judged = |jid: &&str| {
                let contacts = self.clients.iter().filter(|client| client.available().is_some());
                let mut same = contacts.filter(|client| jid.starts_with(account(client.account()).as_str()));
                same.all(|contact| agree(watcher, contact) && agree(contact, watcher))
            };
            let expected: BTreeSet<&str> = expected.into_iter().filter(is_judged).collect();
            let seen: BTreeSet<&str> = watcher.view().filter(is_judged).collect();
            if seen != expected {
                self.stage
                    .history
                    .violate(format!("client {index} sees {seen:?}, and there are {expected:?}"));
            }
        }
    }
}

/// Whether both sides of a subscription have it alike. They need not: a request that crosses a cancellation is
/// granted by one side and forgotten by the other, as the tables of RFC 6121, appendix A, have it.
fn agree(one: &Client, other: &Client) -> bool {
    let has = |client: &Client, contact: &Client, way: &str| {
        let state = client.roster().get(account(contact.account()).as_str());
        state.is_some_and(|state| &**state == "both" || &**state == way)
    };
    has(one, other, "to") == has(other, one, "from")
}

/// Whether presence of `client` is for `watcher`.
fn sees(watcher: &Client, client: &Client) -> bool {
    let contact = account(client.account());
    watcher.account() == client.account()
        || watcher.roster().get(contact.as_str()).is_some_and(|state| matches!(&**state, "both" | "to"))
}
