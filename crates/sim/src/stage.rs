//! What everybody in a run shares: the queue of things to happen, chance, the disk, the books.

use crate::coverage::Coverage;
use crate::history::History;
use crate::plan::Plan;
use crate::queue::{End, Queue};
use crate::random::Random;
use bytes::Bytes;
use std::fmt;
use stentor_engine::{CommitError, Event, Key, LogId, Now, Query, Rows, StreamId, ToSession, WriteSet};
use stentor_store::Unsynced;
use stentor_xmpp::{Counter, FullJid, Stanza};

/// Milliseconds between 1970 and the beginning of a run.
const BEGIN: u64 = 1_700_000_000_000;

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Happening {
    /// In the member's incarnation with this number; nothing, once that is over.
    Member(u32, ToMember),
    /// A client reads what the server wrote to a connection.
    Client(usize, u64, FromServer),
    /// A client learns that a connection is gone.
    Lost(usize, u64),
    /// A client does something.
    Wake(usize),
    /// The member of this incarnation dies.
    Crash(u32),
    /// A member starts.
    Start,
    /// Things go wrong from now on.
    Trouble(Box<Plan>),
    /// Faults and load stop.
    Heal,
}

/// To the member, its store and its sessions.
#[derive(Debug)]
pub(crate) enum ToMember {
    /// To the registry, for an entity.
    Event(Key, Event),
    /// Into the mailbox of the actor with this number.
    Mail(Key, u64, Mail),
    /// To the lane.
    Set(WriteSet),
    /// To a reader; without a token it is to load the entity.
    Question(Key, Option<u64>, Vec<Query>),
    /// The reader's answer.
    Rows(Key, Option<u64>, Vec<Rows>),
    /// The batch under way is over; or the disk has failed for good.
    Committed { fails: bool },
    /// A timer of an entity.
    Timer(Key, u64),
    /// An entity has had nothing to do for a while.
    Idle(Key),
    /// To a session, from its user.
    Session(u64, ToSession),
    /// To a session, from its client.
    Wire(u64, FromClient),
    /// The kernel took what a session wrote up to this number.
    Flushed(u64, u64),
    /// A session learns that its connection is gone.
    Cut(u64),
    /// A timer of a session.
    SessionTimer(u64, SessionTimer),
}

/// What an entity's actor handles.
#[derive(Debug)]
pub(crate) enum Mail {
    /// An event, and whether the gate counted it.
    Deliver(Event, bool),
    Loaded(Vec<Rows>),
    Committed(u64, Result<(), CommitError>),
    StopIfIdle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionTimer {
    /// Ask the client to acknowledge.
    Request,
    /// It should have answered by now.
    Answer,
    /// Has anything been heard of it?
    Idle,
    /// The user to which it attaches should have answered by now, to the attempt with this number.
    Attach(u64),
}

/// What a client writes.
#[derive(Debug)]
pub(crate) enum FromClient {
    /// Connects, and authenticates as this account; how slow it reads, and whether it takes messages on a stream
    /// that is not managed, or not yet.
    Open {
        client: usize,
        slow: u64,
        is_unmanaged: bool,
        user: Key,
    },
    Bind(Option<Box<str>>),
    Resume(StreamId, Counter),
    Enable(bool),
    Stanza(Stanza),
    Request,
    Acknowledge(Counter),
    Close,
}

/// What a session writes.
#[derive(Debug)]
pub(crate) enum FromServer {
    Bound(FullJid),
    BindRefused,
    Resumed(Counter),
    Failed(Option<Counter>),
    Enabled(Option<StreamId>),
    /// With its number since the attachment; zero if it was sent on an earlier one.
    Stanza(Bytes, u64),
    Request,
    Acknowledge(Counter),
    /// The stream was closed, or ended with an error.
    Closed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stage {
    pub queue: Queue<Happening>,
    pub random: Random,
    pub plan: Plan,
    pub disk: Unsynced,
    pub history: History,
    pub coverage: Coverage,
    /// The member that runs, or ran last.
    pub incarnation: u32,
    pub is_up: bool,
    /// Load and faults are over.
    pub is_ending: bool,
    pub connections: u64,
    boot: u64,
    clock: u64,
    traces: bool,
}

impl Stage {
    pub(crate) fn new(mut random: Random, traces: bool) -> Self {
        let plan = Plan::new(&mut random);
        Self {
            queue: Queue::new(),
            history: History::new(plan.keeps),
            random,
            plan,
            disk: Unsynced::new(),
            coverage: Coverage::default(),
            incarnation: 0,
            is_up: false,
            is_ending: false,
            connections: 0,
            boot: 0,
            clock: BEGIN,
            traces,
        }
    }

    /// A member starts, its clock where it likes.
    pub(crate) fn boot(&mut self) {
        self.incarnation += 1;
        self.is_up = true;
        self.boot = self.queue.now();
        if self.plan.clock_is_wrong {
            self.clock = BEGIN + self.random.below(100_000) - 50_000;
        }
    }

    /// The member's clocks.
    pub(crate) fn time(&self) -> Now {
        let now = self.queue.now();
        // A wrong clock may stand still for a while.
        let passed = if self.plan.clock_is_wrong { now - now % 30_000 } else { now };
        Now { monotonic: now - self.boot, unix: self.clock + passed }
    }

    /// A way within the member's process.
    pub(crate) fn send(&mut self, from: End, to: End, what: ToMember) {
        let is_held_up = self.random.chance(self.plan.held_up);
        let most = if is_held_up { self.plan.held_up_most } else { 1 };
        let delay = self.random.below(most + 1);
        self.queue.send(from, to, delay, Happening::Member(self.incarnation, what));
    }

    /// Within the member's process, after a time that is known, in no order with others.
    pub(crate) fn after(&mut self, delay: u64, what: ToMember) {
        self.queue.after(delay, Happening::Member(self.incarnation, what));
    }

    /// Over a connection, to the session.
    pub(crate) fn wire(&mut self, connection: u64, what: FromClient) {
        let delay = self.random.below(self.plan.network_most + 1);
        let what = Happening::Member(self.incarnation, ToMember::Wire(connection, what));
        self.queue.send(End::Client(connection), End::Session(connection), delay, what);
    }

    /// Says what happens, if that is wanted.
    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if self.traces {
            eprintln!("{:>9} {}", self.queue.now(), what());
        }
    }
}

/// The name of a message: the client that sent it, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    pub client: usize,
    pub n: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m:{}:{}:", self.client, self.n)
    }
}

impl Id {
    /// The name in the body of a message, whatever stands around it.
    pub(crate) fn find(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        // An error has the name of what it is about.
        let (_, body) = text.split_once("<body>m:").or_else(|| text.split_once(" id='m:"))?;
        let mut parts = body.split(':');
        let client = parts.next()?.parse().ok()?;
        Some(Self { client, n: parts.next()?.parse().ok()? })
    }
}

/// A position in somebody's log.
pub(crate) type Place = (Key, LogId);
