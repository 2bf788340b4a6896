//! What foca asks for: messages to send and timers. And what it is set to.

use core::cmp::Reverse;
use core::net::SocketAddr;
use core::num::{NonZeroU8, NonZeroUsize};
use core::time::Duration;
use foca::{Notification, PeriodicParams, Runtime, Timer};
use std::collections::BinaryHeap;

use super::identity::Identity;
use super::{PREFIX_BYTES, seal};
use crate::limits::{GOSSIP_DATAGRAM_BYTES_MAX, GOSSIP_PROBE, GOSSIP_PROBE_ANSWER, GOSSIP_SUSPICION};

const MESSAGE_BYTES_MAX: NonZeroUsize =
    NonZeroUsize::new(GOSSIP_DATAGRAM_BYTES_MAX - seal::OVERHEAD_BYTES - PREFIX_BYTES).unwrap();

/// How long a member that is down is remembered: as long as somebody may still tell of it.
const REMEMBER_DOWN: Duration = Duration::from_secs(3_600);

/// foca's settings for so many members. Only the number of times that news are passed on depends on it.
pub(super) fn config(members: usize) -> foca::Config {
    // Each round doubles who knows; foca's own formula is 4 * log10(n + 1), not less than here.
    let rounds = usize::BITS - members.leading_zeros() + 4;
    foca::Config {
        probe_period: GOSSIP_PROBE,
        probe_rtt: GOSSIP_PROBE_ANSWER,
        suspect_to_down_after: GOSSIP_SUSPICION,
        max_transmissions: u8::try_from(rounds).ok().and_then(NonZeroU8::new).unwrap_or(NonZeroU8::MAX),
        remove_down_after: Some(REMEMBER_DOWN),
        max_packet_size: MESSAGE_BYTES_MAX,
        notify_down_members: true,
        // `Gossip` announces to whom the table has.
        periodic_announce: None,
        periodic_announce_to_down_members: None,
        periodic_gossip: Some(PeriodicParams {
            frequency: Duration::from_millis(200),
            num_members: const { NonZeroUsize::new(3).unwrap() },
        }),
        ..foca::Config::simple()
    }
}

/// foca's timers, those that are due first before others; at the same time, in foca's own order.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Duration, Timer<Identity>)>>,
}

impl Timers {
    pub(super) fn due(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// One that is due.
    pub(super) fn take(&mut self, now: Duration) -> Option<Timer<Identity>> {
        self.due().filter(|due| *due <= now)?;
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }
}

/// Takes what foca asks for during one call.
pub(super) struct Collect<'a> {
    pub(super) now: Duration,
    pub(super) timers: &'a mut Timers,
    pub(super) sends: Vec<(SocketAddr, Vec<u8>)>,
}

impl Runtime<Identity> for Collect<'_> {
    /// The view is compared as a whole instead.
    fn notify(&mut self, _: Notification<'_, Identity>) {}

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        self.sends.push((to.address, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Identity>, after: Duration) {
        self.timers.heap.push(Reverse((self.now + after, event)));
    }
}
