//! One run: the members, their clients, and what happens to them, one thing after the other.

mod fate;

use crate::client::{Client, account};
use crate::coverage::Coverage;
use crate::faults::Fate;
use crate::member::Died;
use crate::process::Process;
use crate::random::Random;
use crate::stage::{Happening, Place, Stage, ToMember, ToProcess};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::fmt;
use stentor_cluster::wire::Source;
use stentor_engine::{Ask, Command, Event, Key, Planted};

/// What a run is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many members there are; one has a disk of its own, several share a store.
    pub members: usize,
    /// Nothing goes wrong with members, what lies between them, and the store; members leave by plan and come back.
    pub is_calm: bool,
    /// Bugs that are switched on.
    pub planted: Planted,
    /// Whether each thing that happens is written to standard error.
    pub traces: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { members: 1, is_calm: false, planted: Planted::default(), traces: false }
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of the run.
    pub seed: u64,
    /// How it was run.
    pub options: Options,
    /// Milliseconds since it began.
    pub at: u64,
    /// Which promise.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, options: Options { members, is_calm, .. }, at, what } = self;
        let calm = if *is_calm { " --calm" } else { "" };
        let again = format!("./scripts/sim --members {members} --seed {seed}{calm} --trace");
        write!(f, "seed {seed} with {members} members, after {at} ms: {what}\nagain: {again}")
    }
}

/// Before anything goes wrong, accounts are made.
const SET_UP: u64 = 2_000;
/// How long it takes until all is quiet, after faults and load are over: until connections of which nobody knows
/// that they are lost are given up, and their streams after them.
const QUIET_AFTER: u64 = 420_000;
/// More than any run needs; beyond, something goes round in circles.
const STEPS_MAX: u64 = 3_000_000;

struct World {
    stage: Stage,
    processes: Vec<Option<Process>>,
    incarnations: Vec<u32>,
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
        let (at, what) = (stage.queue.now(), what.to_owned());
        return Err(Failure { seed, options, at, what });
    }
    let mut coverage = stage.coverage;
    stage.history.count(&mut coverage);
    Ok(coverage)
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut stage = Stage::new(Random::new(seed), options.members, options.traces);
        stage.trace(|| format!("{:?}", stage.plan));
        stage.disk.plant(options.planted);
        stage.plan.link_limits.planted = options.planted;
        let (length, set_up) = (stage.plan.length, stage.plan.set_up());
        let mut quiet = stage.plan.clone();
        quiet.heal();
        let plan = std::mem::replace(&mut stage.plan, quiet);
        stage.queue.after(set_up, Happening::Trouble(Box::new(plan.clone())));
        stage.queue.after(set_up.saturating_sub(SET_UP), Happening::SetUp);
        stage.queue.after(length, Happening::Heal);
        match options.members {
            1 => {}
            _ if options.is_calm => stage.plan_drains(set_up, length),
            _ => stage.plan_faults(set_up, length),
        }
        let mut clients = Vec::new();
        for index in 0..stage.plan.clients {
            // Every account has a client.
            let account =
                if index < stage.plan.accounts { index } else { stage.random.below(stage.plan.accounts) };
            clients.push(Client::new(index as usize, account, &mut stage));
            let delay = set_up + stage.random.below(5_000);
            stage.queue.after(delay, Happening::Wake(index as usize));
        }
        let (processes, incarnations) =
            ((0..options.members).map(|_| None).collect(), vec![0; options.members]);
        let mut world =
            Self { stage, processes, incarnations, clients, planted: options.planted, crashes: 0 };
        world.stage.plan.crash_every = plan.crash_every;
        (0..options.members).for_each(|at| world.start(at));
        world
    }

    /// Some are on each other's rosters.
    fn make_accounts(&mut self) {
        let Some(place) = self.stage.serving.first().copied() else { return };
        if self.stage.serving.len() < self.processes.len() {
            self.stage.history.violate("not all processes serve after so long".to_owned());
        }
        let command = |key: &Key, command| {
            ToMember::Event(0, Source::Member, key.clone(), Event::Command(Ask(0), command))
        };
        let accounts = self.stage.plan.accounts;
        for number in 0..accounts {
            let key = Key::User(account(number));
            let create = Command::CreateAccount(Bytes::from_static(b"{}"));
            self.stage.about(place, 0, command(&key, create));
            for other in (0..accounts).filter(|other| (other + number) % 2 == 1) {
                let contact = Command::AddContact { jid: account(other), name: "a contact".to_owned() };
                self.stage.about(place, 1, command(&key, contact));
            }
        }
    }

    /// A process starts.
    fn start(&mut self, at: usize) {
        let (Some(incarnation), Some(process)) = (self.incarnations.get_mut(at), self.processes.get_mut(at))
        else {
            return;
        };
        if process.is_some() {
            return;
        }
        *incarnation += 1;
        self.stage.here = Place { at, incarnation: *incarnation };
        *process = Some(Process::start(&mut self.stage, self.planted));
        if let Some(every) = self.stage.plan.crash_every {
            let delay = 3_000 + self.stage.random.below(every * 2);
            self.stage.queue.after(delay, Happening::Fate(Fate::Crash(self.stage.here)));
        }
    }

    fn process(&mut self, place: Place) -> Option<&mut Process> {
        let process = self.processes.get_mut(place.at)?.as_mut()?;
        (process.place == place).then_some(process)
    }

    fn step(&mut self, what: Happening) {
        let stage = &mut self.stage;
        stage.coverage.steps += 1;
        match what {
            Happening::Process(place, what) => self.happen(place, what),
            Happening::Store(place, what) => {
                stage.here = place;
                stage.store(place, what);
            }
            Happening::Client(index, connection, what) => {
                if let Some(client) = self.clients.get_mut(index) {
                    client.read(connection, what, stage);
                }
            }
            Happening::Lost(index, connection) => {
                if let Some(client) = self.clients.get_mut(index) {
                    client.gone(connection, stage);
                }
            }
            Happening::Wake(index) => {
                let clients = self.clients.iter().enumerate();
                let clients = clients.filter(|(at, _)| !stage.presence.is_doubtful(*at));
                let ready: Vec<_> =
                    clients.filter_map(|(at, c)| Some((at, c.ready()?, c.account()))).collect();
                if let Some(client) = self.clients.get_mut(index) {
                    client.wake(&ready, stage);
                }
            }
            Happening::Fate(fate) => self.befall(fate),
            Happening::SetUp => self.make_accounts(),
            Happening::Trouble(plan) => stage.plan = *plan,
            Happening::Heal => {
                stage.is_ending = true;
                stage.plan.heal();
                stage.faults.clear();
                let arrives = stage.mend();
                arrives.into_iter().for_each(|(place, what)| self.happen(place, what));
                let places: Vec<_> = self.processes.iter().flatten().map(|process| process.place).collect();
                places.into_iter().for_each(|place| self.go_on(place));
            }
        }
    }

    fn happen(&mut self, place: Place, what: ToProcess) {
        if self.stage.arrives(place, &what) {
            self.take(place, what);
        }
    }

    /// What has arrived is handled; by a process that stands still, once it goes on, whatever it reaches by then.
    fn take(&mut self, place: Place, what: ToProcess) {
        let Some(process) = self.processes.get_mut(place.at).and_then(Option::as_mut) else { return };
        if process.place != place {
            return;
        }
        if let Some(waiting) = &mut process.paused {
            return waiting.push_back(what);
        }
        (self.stage.here, self.stage.clock) = (place, process.clock);
        if process.handle(what, &mut self.stage) == Err(Died) {
            self.die(place.at);
        }
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
        if stage.serving.len() < self.processes.len() {
            stage.history.violate(format!("only {:?} serve in the end", stage.serving));
        }
        let may_lose_unmanaged = stage.coverage.taken_over > 0;
        stage.history.conclude(may_lose, |client, period| {
            let client = clients.get(client).filter(|client| client.is_managed() || !may_lose_unmanaged);
            client.and_then(Client::ready) == Some(period)
        });
        if let Some(wrong) = self.stage.presence.conclude() {
            self.stage.history.violate(wrong);
        }
        self.check_presence();
        self.stage.coverage.members += self.stage.serving.len() as u64;
        let users: BTreeSet<_> =
            self.clients.iter().filter(|c| c.available().is_some()).map(Client::account).collect();
        self.stage.coverage.users += users.len() as u64;
        for member in self.processes.iter().flatten().filter_map(Process::member) {
            self.stage.trace(|| format!("in the end: {member:?}"));
        }
    }

    /// Everyone sees those that are there, and nobody else.
    fn check_presence(&mut self) {
        // What contacts missed before they were contacts no more they are not told again.
        let coverage = &self.stage.coverage;
        let may_be_lost = coverage.taken_over + coverage.full > 0;
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
                same.all(|contact| {
                    (sees(watcher, contact) || !may_be_lost)
                        && agree(watcher, contact)
                        && agree(contact, watcher)
                })
            };
            let expected: BTreeSet<&str> = expected.into_iter().filter(is_judged).collect();
            let seen: BTreeSet<&str> = watcher.view().filter(is_judged).collect();
            if seen != expected {
                let more: Vec<_> = seen.difference(&expected).collect();
                let less: Vec<_> = expected.difference(&seen).collect();
                self.stage
                    .history
                    .violate(format!("client {index} sees {more:?} that are gone, and not {less:?}"));
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
