//! What a seed makes of a run: who takes part, how long, what goes wrong and how often.

use crate::random::Random;
use stentor_cluster::link::LinkLimits;

/// Faults and shape of one run. Chances are per mille, times in milliseconds of the simulated clock.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub members: usize,
    pub accounts: u64,
    pub clients: u64,
    pub arbiters: u16,
    /// Whether the host keeps messages.
    pub keeps: bool,
    /// How long faults and load go on.
    pub length: u64,
    /// Mean time between crashes; none without.
    pub crash_every: Option<u64>,
    /// Longest time that a commit takes.
    pub commit_most: u64,
    /// Commits whose failure ends the process.
    pub commit_fails: u64,
    /// Batches in which an owner is refused.
    pub commit_refused: u64,
    /// Forwards that a full gate refuses.
    pub forward_refused: u64,
    /// In-process messages that are held up, and for how long at most.
    pub held_up: u64,
    pub held_up_most: u64,
    /// Longest way between a client and its session.
    pub network_most: u64,
    /// Connections lost, of a client's actions.
    pub connection_lost: u64,
    /// Whether the wall clock stands still or jumps.
    pub clock_is_wrong: bool,
    pub resume_seconds: u32,
    pub offline_messages_max: usize,
    pub outbox_max: usize,
    pub errors_max: usize,
    /// Time between a client's actions, at most.
    pub pause_most: u64,
    /// Actions that are a burst of many messages.
    pub burst: u64,
    /// How long an entity with nothing to do stays loaded.
    pub idle: u64,
    /// Longest way between two members.
    pub link_most: u64,
    /// Datagrams between members that are lost, and that come twice.
    pub datagrams_lost: u64,
    pub datagrams_doubled: u64,
    pub link_limits: LinkLimits,
    /// Faults of members, links and the store; one member's death beside them.
    pub faults: u64,
    /// Times that a member leaves by plan amid them, if it can.
    pub drains: u64,
}

/// Time in which members join a new cluster, and accounts are made.
const SET_UP_CLUSTER: u64 = 30_000;

/// Often enough not, and else so often at most.
fn few(random: &mut Random, often: u64, most: u64) -> u64 {
    if random.chance(often) { random.between(1, most) } else { 0 }
}

impl Plan {
    pub(crate) fn new(random: &mut Random, members: usize) -> Self {
        if members == 1 { Self::alone(random) } else { Self::cluster(random, members) }
    }

    fn alone(random: &mut Random) -> Self {
        let accounts = random.between(2, 4);
        let keeps = random.chance(900);
        let is_small = random.below(8);
        Self {
            members: 1,
            accounts,
            clients: accounts + random.between(0, 4),
            arbiters: random.between(1, 3) as u16,
            keeps,
            length: random.between(20_000, 150_000),
            crash_every: (keeps && random.chance(650)).then(|| random.between(4_000, 60_000)),
            commit_most: *random.pick(&[2, 20, 300, 3_000]).unwrap_or(&2),
            commit_fails: if keeps { few(random, 200, 5) } else { 0 },
            commit_refused: if keeps { few(random, 400, 30) } else { 0 },
            forward_refused: few(random, 400, 300),
            held_up: few(random, 500, 200),
            held_up_most: random.between(5, 2_000),
            network_most: *random.pick(&[2, 50, 1_000]).unwrap_or(&2),
            connection_lost: few(random, 800, 150),
            clock_is_wrong: random.chance(300),
            resume_seconds: random.between(5, 90) as u32,
            offline_messages_max: if matches!(is_small, 0 | 2) {
                random.between(3, 20) as usize
            } else {
                1_000
            },
            outbox_max: if matches!(is_small, 1 | 2) { random.between(2, 20) as usize } else { 1_000 },
            errors_max: if is_small == 2 { random.below(20) as usize } else { 1_024 },
            pause_most: *random.pick(&[300, 2_000, 8_000]).unwrap_or(&300),
            burst: if is_small > 1 && random.chance(150) { 20 } else { 0 },
            idle: random.between(2_000, 60_000),
            link_most: 0,
            datagrams_lost: 0,
            datagrams_doubled: 0,
            link_limits: LinkLimits::default(),
            faults: 0,
            drains: 0,
        }
    }

    fn cluster(random: &mut Random, members: usize) -> Self {
        let small = LinkLimits {
            events_max: 24,
            bytes_max: 64 * 1024,
            credit_events: 8,
            credit_bytes: 8 * 1024,
            ..LinkLimits::default()
        };
        Self {
            members,
            accounts: 30,
            clients: 30 + random.between(0, 6),
            arbiters: random.between(1, 3) as u16,
            keeps: true,
            length: SET_UP_CLUSTER + random.between(30_000, 60_000),
            crash_every: None,
            commit_most: *random.pick(&[2, 10, 60]).unwrap_or(&2),
            commit_fails: 0,
            commit_refused: few(random, 200, 10),
            forward_refused: few(random, 300, 100),
            held_up: few(random, 300, 100),
            held_up_most: random.between(5, 1_000),
            network_most: *random.pick(&[2, 50, 300]).unwrap_or(&2),
            connection_lost: few(random, 800, 100),
            clock_is_wrong: random.chance(300),
            resume_seconds: random.between(20, 90) as u32,
            offline_messages_max: 1_000,
            outbox_max: 1_000,
            errors_max: 1_024,
            pause_most: *random.pick(&[1_000, 2_000]).unwrap_or(&1_000),
            burst: 0,
            idle: random.between(2_000, 60_000),
            link_most: *random.pick(&[1, 10, 100]).unwrap_or(&1),
            datagrams_lost: few(random, 500, 300),
            datagrams_doubled: few(random, 500, 100),
            link_limits: if random.chance(300) { small } else { LinkLimits::default() },
            faults: random.between(6, 10),
            drains: random.below(3),
        }
    }

    /// For a crowd: nothing goes wrong, and nothing takes long. There are no accounts that whoever gathers a slot would
    /// have to look through: no slot moves once there is a crowd.
    pub(crate) fn crowd(members: usize) -> Self {
        Self {
            members,
            accounts: 0,
            clients: 0,
            arbiters: 4,
            keeps: true,
            length: 0,
            crash_every: None,
            commit_most: 2,
            commit_fails: 0,
            commit_refused: 0,
            forward_refused: 0,
            held_up: 0,
            held_up_most: 0,
            network_most: 2,
            connection_lost: 0,
            clock_is_wrong: false,
            resume_seconds: 300,
            offline_messages_max: 1_000,
            outbox_max: 1_000,
            errors_max: 1_024,
            pause_most: 0,
            burst: 0,
            idle: 600_000,
            link_most: 2,
            datagrams_lost: 0,
            datagrams_doubled: 0,
            link_limits: LinkLimits::default(),
            faults: 0,
            drains: 0,
        }
    }

    /// How long it takes until all members are, and have their slots and accounts.
    pub(crate) fn set_up(&self) -> u64 {
        if self.members == 1 { 2_000 } else { SET_UP_CLUSTER }
    }

    /// What goes wrong stops; what is under way comes to its end.
    pub(crate) fn heal(&mut self) {
        self.crash_every = None;
        self.commit_most = self.commit_most.min(20);
        self.commit_fails = 0;
        self.commit_refused = 0;
        self.forward_refused = 0;
        self.held_up = 0;
        self.network_most = self.network_most.min(50);
        self.connection_lost = 0;
        self.datagrams_lost = 0;
        self.datagrams_doubled = 0;
    }
}
