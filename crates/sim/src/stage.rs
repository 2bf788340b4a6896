//! What everybody in a run shares: the queue of things to happen, chance, the store, the books.

use crate::client::account;
use crate::coverage::Coverage;
use crate::faults::{Fate, Faults};
use crate::history::History;
use crate::network::Network;
use crate::plan::Plan;
use crate::presence::Presence;
use crate::queue::{End, Queue};
use crate::random::Random;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use stentor_cluster::wire::Source;
use stentor_cluster::{EndReason, Question};
use stentor_engine::{
    Attachment, Epoch, Event, Key, LogId, MemberId, Now, RegisterReply, Slot, StreamId, ToSession,
};
use stentor_store::Unsynced;
use stentor_xmpp::{BareJid, Counter, FullJid, Stanza};

pub(crate) use crate::mail::{SessionTimer, ToMember};
pub(crate) use crate::shared_store::ToStore;

/// Milliseconds between 1970 and the beginning of a run.
const BEGIN: u64 = 1_700_000_000_000;

/// A process, in one incarnation: which of them, and how often it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub at: usize,
    pub incarnation: u32,
}

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Happening {
    /// In a process; nothing, once that incarnation is over.
    Process(Place, ToProcess),
    /// Something comes to the store, from a process.
    Store(Place, ToStore),
    /// A client reads what the server wrote to a connection.
    Client(usize, u64, FromServer),
    /// A client learns that a connection is gone.
    Lost(usize, u64),
    /// A client does something.
    Wake(usize),
    /// A fault, the end of one, or what else befalls a process.
    Fate(Fate),
    /// The accounts are made.
    SetUp,
    /// Things go wrong from now on.
    Trouble(Box<Plan>),
    /// Faults and load stop.
    Heal,
}

/// To a process.
#[derive(Debug)]
pub(crate) enum ToProcess {
    /// To what serves.
    Member(ToMember),
    /// The register answers.
    Answered(Question, RegisterReply),
    /// Something may be due.
    Tick,
    /// The connection that was to be opened to a member is there, or cannot be.
    Connected(MemberId, Option<u64>),
    /// Read from a connection between members.
    Bytes(u64, Bytes),
    /// A connection between members is closed.
    Closed(u64),
    /// A datagram, and the process that sent it.
    Datagram(usize, Vec<u8>),
    /// It is to give its slots away.
    Drain,
    /// It is to leave.
    Leave,
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

/// The clocks of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// When it was started.
    pub boot: u64,
    /// How fast it goes, in thousandths.
    pub rate: u64,
    /// What the wall clock showed in the beginning of the run.
    pub unix: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stage {
    pub queue: Queue<Happening>,
    pub random: Random,
    pub plan: Plan,
    pub disk: Unsynced,
    pub network: Network,
    pub history: History,
    pub presence: Presence,
    pub coverage: Coverage,
    pub faults: Faults,
    /// The process in which something happens, and its clock.
    pub here: Place,
    pub clock: Clock,
    /// Whether effects may leave it.
    pub may_release: bool,
    /// What a session has just said, to whom.
    pub said: Vec<(Key, Event)>,
    /// It ended then: its user, what it had, and why.
    pub ended: Option<(Key, Attachment, EndReason)>,
    /// Processes that serve.
    pub serving: Vec<Place>,
    /// What has ever been a member.
    pub members: BTreeMap<MemberId, Place>,
    /// The process that leaves by plan, if one does.
    pub draining: Option<Place>,
    /// Load and faults are over.
    pub is_ending: bool,
    /// Nothing goes wrong but with clients and their connections.
    pub is_calm: bool,
    pub connections: u64,
    traces: bool,
}

impl Stage {
    pub(crate) fn new(mut random: Random, members: usize, traces: bool) -> Self {
        let plan = Plan::new(&mut random, members);
        Self::planned(random, plan, traces)
    }

    /// By a plan of the caller's.
    pub(crate) fn planned(random: Random, plan: Plan, traces: bool) -> Self {
        Self {
            queue: Queue::new(),
            history: History::new(plan.keeps),
            presence: Presence::default(),
            random,
            plan,
            disk: Unsynced::new(),
            network: Network::default(),
            coverage: Coverage::default(),
            faults: Faults::default(),
            here: Place { at: 0, incarnation: 0 },
            clock: Clock { boot: 0, rate: 1_000, unix: BEGIN },
            may_release: true,
            said: Vec::new(),
            ended: None,
            serving: Vec::new(),
            members: BTreeMap::new(),
            draining: None,
            is_ending: false,
            is_calm: false,
            connections: 0,
            traces,
        }
    }

    /// The clocks of a process that starts.
    pub(crate) fn boot(&mut self) -> Clock {
        let unix = if self.plan.clock_is_wrong { BEGIN + self.random.below(100_000) - 50_000 } else { BEGIN };
        let rate = if self.plan.members == 1 { 1_000 } else { self.random.between(985, 1_015) };
        Clock { boot: self.queue.now(), rate, unix }
    }

    /// The clocks of the process in which something happens.
    pub(crate) fn time(&self) -> Now {
        let now = self.queue.now();
        // A wrong clock may stand still for a while.
        let passed = if self.plan.clock_is_wrong { now - now % 30_000 } else { now };
        let Clock { boot, rate, unix } = self.clock;
        Now { monotonic: (now - boot) * rate / 1_000, unix: unix + passed }
    }

    /// Whether the store is shared by several members.
    pub(crate) fn is_shared(&self) -> bool {
        self.plan.members > 1
    }

    pub(crate) fn arbiter_of(&self, key: &Key) -> u16 {
        key.slot().number() % self.plan.arbiters
    }

    /// A way within the process.
    pub(crate) fn send(&mut self, from: End, to: End, what: ToMember) {
        let is_held_up = self.random.chance(self.plan.held_up);
        let most = if is_held_up { self.plan.held_up_most } else { 1 };
        let delay = self.random.below(most + 1);
        let what = Happening::Process(self.here, ToProcess::Member(what));
        self.queue.send(self.here.at, from, to, delay, what);
    }

    /// Within the process, after a time by its clock, in no order with others.
    pub(crate) fn after(&mut self, delay: u64, what: ToMember) {
        self.later(delay, ToProcess::Member(what));
    }

    /// The same for what is not for those that serve.
    pub(crate) fn later(&mut self, delay: u64, what: ToProcess) {
        let delay = (delay * 1_000).div_ceil(self.clock.rate);
        self.queue.after(delay, Happening::Process(self.here, what));
    }

    /// To a session, from an entity in this slot and epoch.
    pub(crate) fn tell(&mut self, from: End, source: Source, session: u64, message: ToSession) {
        self.send(from, End::Session(session), ToMember::Session(session, source, message));
    }

    /// Over a connection, to the session.
    pub(crate) fn wire(&mut self, to: Place, connection: u64, what: FromClient) {
        let delay = self.random.below(self.plan.network_most + 1);
        let what = Happening::Process(to, ToProcess::Member(ToMember::Wire(connection, what)));
        self.queue.send(to.at, End::Client(connection), End::Session(connection), delay, what);
    }

    /// To the session of a connection, from what is no client.
    pub(crate) fn about(&mut self, to: Place, delay: u64, what: ToMember) {
        self.queue.after(delay, Happening::Process(to, ToProcess::Member(what)));
    }

    /// An entity lets something go: only who owns its slot may.
    pub(crate) fn released(&mut self, owner: &Key, member: MemberId, epoch: Epoch) {
        if self.is_shared() {
            let owns = self.disk.applied().table().owner(owner.slot());
            if (owns.member, owns.epoch) != (Some(member), epoch) {
                let what = format!("{member:?} serves {} in {epoch:?}, and it is of {owns:?}", owner.jid());
                self.history.violate(what);
            }
        }
    }

    /// The owner of these slots does not wait longer for members whose sessions may live.
    pub(crate) fn parted(&mut self, slots: &[Slot]) {
        let slots: BTreeSet<Slot> = slots.iter().copied().collect();
        let is_concerned = |user: BareJid| slots.contains(&Key::User(user).slot());
        self.presence.parted(|number| is_concerned(account(number)));
        self.history.parted(|user| is_concerned(user.clone()));
    }

    /// A user that was loaded in the place of a lost one takes streams of that for gone which may be resumed: nobody but
    /// the lost one knew that they wait, or their sessions were not reached.
    pub(crate) fn taken_for_gone(&mut self, user: &Key) {
        self.presence.parted(|number| account(number) == *user.jid());
    }

    /// The user of a client had its resource at this time or later.
    pub(crate) fn holds(&mut self, client: usize, at: u64) {
        if let Some(wrong) = self.presence.holds(client, at) {
            self.history.violate(wrong);
        }
    }

    /// Says what happens, if that is wanted.
    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if self.traces {
            eprintln!("{:>9} {}: {}", self.queue.now(), self.here.at, what());
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
pub(crate) type Position = (Key, LogId);
