//! Gossip: who is alive, and which version of the routing table somebody has. It only hints: what is decided is
//! decided by the store, and all works without it, slower.
//!
//! [`Gossip`] is foca (SWIM with suspicion) inside sealed datagrams ([`seal`]). It has no socket, no clock and no
//! randomness: it is given datagrams, the time and a seed, and answers with [`GossipOutput`]s. What foca lacks is here:
//! - It never comes back from an empty view by itself, so the members of the routing table are announced to, as long
//!   as they are missing from the view.
//! - Many that join at once take minutes to all know each other, so every few seconds the whole view is swapped with
//!   one other member, over the link.
//! - A datagram is taken once ([`replay`]), and from nobody who has left the table.
//!
//! A datagram's plaintext: its number (8 bytes) | the sender's version of the table (8) | foca's message, which begins
//! with the sender's identity.

mod foca_runtime;
mod identity;
mod replay;
mod seal;
mod swap;

use bytes::{Buf, Bytes};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use core::net::SocketAddr;
use core::time::Duration;
use foca::{Foca, NoCustomBroadcast, State};
use std::collections::{BTreeMap, BTreeSet};
use stentor_engine::{MemberId, Table};

use crate::limits::{
    GOSSIP_ANNOUNCE_ALONE, GOSSIP_ANNOUNCE_MISSING, GOSSIP_ANNOUNCE_MISSING_MAX, GOSSIP_SWAP,
};
use crate::{Hint, PeerMessage};
use foca_runtime::{Timers, config};
use identity::{Codec, Identity, read_identity};
use replay::Replay;
pub use seal::{GossipKeys, GossipSeal};
use swap::Swap;

/// Bytes of a plaintext before foca's message.
const PREFIX_BYTES: usize = 16;

/// What a member tells gossip of itself.
#[derive(Debug)]
pub struct GossipConfig {
    /// Its id: one [`Gossip`] per incarnation.
    pub member: MemberId,
    /// Where it takes datagrams.
    pub address: SocketAddr,
    /// The cluster's id.
    pub cluster: Box<str>,
    /// The cluster's keys.
    pub keys: GossipKeys,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GossipOutput {
    /// A datagram.
    Send {
        /// To where.
        to: SocketAddr,
        /// The bytes, at most [`crate::limits::GOSSIP_DATAGRAM_BYTES_MAX`].
        datagram: Vec<u8>,
    },
    /// A message to a member, over the link. If there is no link, it is dropped: another follows in seconds.
    Tell(MemberId, PeerMessage),
    /// What was learnt.
    Event(GossipEvent),
}

/// What gossip learns. All of it may be wrong, or late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GossipEvent {
    /// The member is alive, after it was not known, down or suspected.
    Up(MemberId),
    /// The member did not answer; it is down if nobody hears of it for three seconds.
    Suspected(MemberId),
    /// The member is down, or has left.
    Down(MemberId),
    /// The member has a later version of the table than this one. Told with each datagram that says so.
    Newer {
        /// Who.
        member: MemberId,
        /// Which version.
        version: u64,
    },
}

impl GossipEvent {
    /// What the steward is to hear of it, if anything. Who is up, or down for good, shows in the leases as well.
    pub fn hint(self) -> Option<Hint> {
        match self {
            Self::Suspected(member) => Some(Hint::Suspected(member)),
            Self::Newer { version, .. } => Some(Hint::Version(version)),
            Self::Up(_) | Self::Down(_) => None,
        }
    }
}

/// Why a datagram or a swap was not taken. Nothing was changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It is too short or too long, or its message cannot be read.
    Malformed,
    /// Of another version of the format.
    Version,
    /// Sealed with a key that is not among ours.
    Key,
    /// The seal is broken, or was made for another cluster.
    Forged,
    /// It was taken before.
    Replayed,
    /// From who has left, or from more senders than a cluster has.
    Stranger,
    /// foca had no use for it.
    Unexpected,
}

/// See the module.
pub struct Gossip {
    foca: Foca<Identity, Codec, ChaCha20Rng, NoCustomBroadcast>,
    timers: Timers,
    seal: GossipSeal,
    chance: ChaCha20Rng,
    replay: Replay,
    /// The last number given to a datagram.
    number: u64,
    version: u64,
    /// The other members of the table, and where they take gossip.
    known: BTreeMap<MemberId, SocketAddr>,
    /// The highest id in the table: whoever is below and not in the table has left.
    highest: MemberId,
    /// Who is alive, and whether suspected, as told by events.
    view: BTreeMap<MemberId, bool>,
    announce_at: Duration,
    swap_at: Duration,
    refusals: BTreeMap<Refusal, u64>,
}

/// Whom it knows; keys are not shown.
impl core::fmt::Debug for Gossip {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Gossip")
            .field("version", &self.version)
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

impl Gossip {
    /// A member that knows nobody yet. `now` is on a clock that goes on while the system sleeps and over restarts of
    /// the program; `seed` is real randomness, used once.
    pub fn new(config: GossipConfig, seed: [u8; 32], now: Duration) -> Self {
        let mut chance = ChaCha20Rng::from_seed(seed);
        let mut choices = [0; 32];
        chance.fill_bytes(&mut choices);
        let identity = Identity::new(config.member, config.address);
        let foca = Foca::new(identity, foca_runtime::config(1), ChaCha20Rng::from_seed(choices), Codec);
        // Members that start together do not swap together.
        let phase = GOSSIP_SWAP * (chance.next_u32() >> 16) / (1 << 16);
        Self {
            foca,
            timers: Timers::default(),
            seal: GossipSeal::new(&config.cluster, config.keys),
            chance,
            replay: Replay::default(),
            // So a program that goes on with its incarnation goes on with higher numbers.
            number: u64::try_from(now.as_micros()).unwrap_or(0),
            version: 0,
            known: BTreeMap::new(),
            highest: MemberId(0),
            view: BTreeMap::new(),
            announce_at: now,
            swap_at: now + phase,
            refusals: BTreeMap::new(),
        }
    }

    /// The table as installed: whom to announce to, and who has left.
    pub fn table(&mut self, table: &Table, now: Duration) {
        let ours = self.foca.identity().member;
        self.version = table.version();
        let others = table.members().iter().filter(|(id, _)| **id != ours);
        self.known = others.map(|(id, member)| (*id, member.info.gossip)).collect();
        self.highest = table.members().keys().next_back().copied().unwrap_or(MemberId(0));
        let (known, highest) = (&self.known, self.highest);
        self.replay.retain(|sender| known.contains_key(&sender) || sender > highest);
        // It can be refused only if what must stay as it was is not: see `config`.
        let _ = self.foca.set_config(config(table.members().len()));
        self.announce_at = self.announce_at.min(now);
    }

    /// Other keys from now on.
    pub fn set_keys(&mut self, keys: GossipKeys) {
        self.seal.set_keys(keys);
    }

    /// When [`Gossip::time`] is to be called next.
    pub fn due(&self) -> Duration {
        self.timers.due().into_iter().chain([self.announce_at, self.swap_at]).min().unwrap_or(self.swap_at)
    }

    /// Members that are thought alive, those under suspicion among them.
    pub fn alive(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.view.keys().copied()
    }

    /// How many datagrams and swaps were refused, by reason.
    pub fn refusals(&self) -> &BTreeMap<Refusal, u64> {
        &self.refusals
    }

    /// Does what is due.
    pub fn time(&mut self, now: Duration, out: &mut Vec<GossipOutput>) {
        while let Some(timer) = self.timers.take(now) {
            // What fails here is tried again by the next timer.
            self.with_foca(now, out, |foca, runtime| foca.handle_timer(timer, runtime)).ok();
        }
        if self.announce_at <= now {
            self.announce(now, out);
        }
        if self.swap_at <= now {
            self.swap_at = now + GOSSIP_SWAP;
            if let Some(peer) = self.any_alive() {
                out.push(GossipOutput::Tell(peer, self.membership_message(true)));
            }
        }
        self.tell_changes(out);
    }

    /// Takes a datagram, wherever it came from.
    pub fn datagram(&mut self, now: Duration, datagram: &[u8], out: &mut Vec<GossipOutput>) {
        let result = self.take(now, datagram, out);
        self.count(result);
        self.tell_changes(out);
    }

    /// Takes what [`PeerMessage::Membership`] of another member says.
    pub fn membership(&mut self, now: Duration, from: MemberId, bytes: &[u8], out: &mut Vec<GossipOutput>) {
        let result = Swap::read(bytes).and_then(|swap| {
            if swap.wants_answer {
                out.push(GossipOutput::Tell(from, self.membership_message(false)));
            }
            let gone = |id| self.has_left(id);
            let members: Vec<_> =
                swap.members.into_iter().filter(|member| !gone(member.id().member)).collect();
            self.with_foca(now, out, |foca, runtime| foca.apply_many(members.into_iter(), true, runtime))
        });
        self.count(result);
        self.tell_changes(out);
    }

    /// Tells some others that this member leaves. What comes afterwards is of no use.
    pub fn leave(&mut self, now: Duration, out: &mut Vec<GossipOutput>) {
        self.with_foca(now, out, |foca, runtime| foca.leave_cluster(runtime)).ok();
    }

    fn take(&mut self, now: Duration, datagram: &[u8], out: &mut Vec<GossipOutput>) -> Result<(), Refusal> {
        let plaintext = self.seal.open(datagram)?;
        let mut rest = plaintext.as_slice();
        let number = rest.try_get_u64().map_err(|_| Refusal::Malformed)?;
        let version = rest.try_get_u64().map_err(|_| Refusal::Malformed)?;
        let sender = read_identity(&mut &*rest).map_err(|_| Refusal::Malformed)?.member;
        if self.has_left(sender) {
            return Err(Refusal::Stranger);
        }
        self.replay.take(sender, number)?;
        self.with_foca(now, out, |foca, runtime| foca.handle_data(rest, runtime))?;
        if version > self.version {
            out.push(GossipOutput::Event(GossipEvent::Newer { member: sender, version }));
        }
        Ok(())
    }

    /// Ids only grow; if ours is the older table, the sender is taken for gone until the next renewal of the lease
    /// has told of the newer one.
    fn has_left(&self, member: MemberId) -> bool {
        let ours = self.foca.identity().member;
        member < self.highest && member != ours && !self.known.contains_key(&member)
    }

    fn announce(&mut self, now: Duration, out: &mut Vec<GossipOutput>) {
        let missing = self.known.iter().filter(|(id, _)| !self.view.contains_key(id));
        let mut missing: Vec<_> = missing.map(|(id, address)| Identity::new(*id, *address)).collect();
        // Some at random, not all: the one that answers tells of the others.
        for _ in 0..GOSSIP_ANNOUNCE_MISSING_MAX.min(missing.len()) {
            let chosen = self.chance.next_u32() as usize % missing.len();
            let identity = missing.swap_remove(chosen);
            self.with_foca(now, out, |foca, runtime| foca.announce(identity, runtime)).ok();
        }
        let wait = if self.view.is_empty() { GOSSIP_ANNOUNCE_ALONE } else { GOSSIP_ANNOUNCE_MISSING };
        self.announce_at = now + wait;
    }

    fn any_alive(&mut self) -> Option<MemberId> {
        let chosen = (self.chance.next_u32() as usize).checked_rem(self.view.len())?;
        self.view.keys().nth(chosen).copied()
    }

    fn membership_message(&self, wants_answer: bool) -> PeerMessage {
        // foca does not have itself among the members.
        let ours = foca::Member::alive(self.foca.identity().clone());
        let members = self.foca.iter_membership_state().chain([&ours]);
        PeerMessage::Membership(Bytes::from(swap::write(wants_answer, members)))
    }

    /// Seals what foca sends, and keeps its timers.
    fn with_foca(
        &mut self,
        now: Duration,
        out: &mut Vec<GossipOutput>,
        run: impl FnOnce(
            &mut Foca<Identity, Codec, ChaCha20Rng, NoCustomBroadcast>,
            &mut foca_runtime::Collect<'_>,
        ) -> Result<(), foca::Error>,
    ) -> Result<(), Refusal> {
        let mut collect = foca_runtime::Collect { now, timers: &mut self.timers, sends: Vec::new() };
        let result = run(&mut self.foca, &mut collect);
        for (to, message) in collect.sends {
            self.number = self.number.saturating_add(1);
            let mut plaintext = Vec::with_capacity(PREFIX_BYTES + message.len());
            plaintext.extend_from_slice(&self.number.to_be_bytes());
            plaintext.extend_from_slice(&self.version.to_be_bytes());
            plaintext.extend_from_slice(&message);
            let datagram = self.seal.seal(&plaintext, &mut self.chance);
            out.extend(datagram.map(|datagram| GossipOutput::Send { to, datagram }));
        }
        result.map_err(|error| match error {
            foca::Error::Decode(_) | foca::Error::MalformedPacket | foca::Error::DataTooBig => {
                Refusal::Malformed
            }
            _ => Refusal::Unexpected,
        })
    }

    fn count(&mut self, result: Result<(), Refusal>) {
        if let Err(refusal) = result {
            *self.refusals.entry(refusal).or_default() += 1;
        }
    }

    /// Tells what differs between foca's view and the one told of last.
    fn tell_changes(&mut self, out: &mut Vec<GossipOutput>) {
        let mut gone: BTreeSet<_> = self.view.keys().copied().collect();
        for member in self.foca.iter_members() {
            let id = member.id().member;
            let is_suspected = member.state() == State::Suspect;
            gone.remove(&id);
            if self.view.insert(id, is_suspected) != Some(is_suspected) {
                let event = if is_suspected { GossipEvent::Suspected(id) } else { GossipEvent::Up(id) };
                out.push(GossipOutput::Event(event));
            }
        }
        for id in gone {
            self.view.remove(&id);
            out.push(GossipOutput::Event(GossipEvent::Down(id)));
        }
        if self.view.is_empty() && !self.known.is_empty() {
            // foca does nothing by itself any more.
            self.announce_at = self.announce_at.min(self.swap_at);
        }
    }
}
