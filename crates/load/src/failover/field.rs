//! What the clients of a failover tell each other, and what the report needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::link::LinkError;
use crate::resume::{H, Return};

/// Longer times count as this long.
const MICROSECONDS_MAX: u64 = 3_600_000_000;
/// Different error texts kept; more are counted together.
const ERROR_TEXTS_MAX: usize = 20;

/// What clients do when they lose their connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// So many of those that lose it first stay away.
    pub(crate) stay_away: usize,
    /// For so long.
    pub(crate) away: Duration,
    /// One attempt to come back may take so long.
    pub(crate) attempt: Duration,
    /// After so long without success a client gives up.
    pub(crate) give_up: Duration,
    /// With an acknowledgement asked for and nothing read for so long, a connection is lost.
    pub(crate) silence: Duration,
}

/// What all clients of a run share.
pub(crate) struct Field {
    pub(crate) plan: Plan,
    state: Mutex<State>,
}

/// What happened so far.
pub(super) struct State {
    /// The contacts of each client, all by bare JID.
    pub(super) contacts: BTreeMap<String, BTreeSet<String>>,
    pub(super) first_lost: Option<Instant>,
    pub(super) connections_lost: u64,
    /// Clients that lost one.
    pub(super) affected: BTreeSet<String>,
    pub(super) away: BTreeSet<String>,
    /// Those whose stream another one took the place of.
    pub(super) afresh: BTreeSet<String>,
    pub(super) resumed: u64,
    pub(super) failed_with_h: u64,
    pub(super) failed_without_h: u64,
    pub(super) impossible_h: u64,
    pub(super) sent_again: u64,
    pub(super) repeated: u64,
    /// In microseconds, from the loss of its own connection until a client's stream stands again, and until all it had
    /// sent is acknowledged.
    pub(super) back: Histogram<u64>,
    pub(super) settled: Histogram<u64>,
    /// From asking for an acknowledgement until it came on the same connection, in microseconds, since the first loss.
    pub(super) acknowledged: Histogram<u64>,
    /// From the first connection lost until the first and the last such success of any client.
    pub(super) first_success: Option<Duration>,
    pub(super) last_success: Option<Duration>,
    /// How often a contact (second) was told that a client (first) is unavailable.
    pub(super) unavailable: BTreeMap<(String, String), u64>,
    /// Why connections were lost and attempts failed, with how often.
    pub(super) losses: BTreeMap<String, u64>,
    pub(super) failed_attempts: BTreeMap<String, u64>,
}

impl Field {
    pub(crate) fn new(plan: Plan) -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1, MICROSECONDS_MAX, 3)
                .expect("1 to 3.6e9 at 3 digits are bounds that a histogram takes")
        };
        let state = State {
            contacts: BTreeMap::new(),
            first_lost: None,
            connections_lost: 0,
            affected: BTreeSet::new(),
            away: BTreeSet::new(),
            afresh: BTreeSet::new(),
            resumed: 0,
            failed_with_h: 0,
            failed_without_h: 0,
            impossible_h: 0,
            sent_again: 0,
            repeated: 0,
            back: histogram(),
            settled: histogram(),
            acknowledged: histogram(),
            first_success: None,
            last_success: None,
            unavailable: BTreeMap::new(),
            losses: BTreeMap::new(),
            failed_attempts: BTreeMap::new(),
        };
        Self { plan, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client with its contacts.
    pub(super) fn knows(&self, jid: &str, contacts: &[String]) {
        self.state().contacts.insert(bare(jid), contacts.iter().cloned().collect());
    }

    /// A client lost its connection. Whether it is to stay away.
    pub(super) fn lost(&self, jid: &str, error: &LinkError, now: Instant) -> bool {
        let mut state = self.state();
        state.first_lost.get_or_insert(now);
        state.connections_lost += 1;
        count(&mut state.losses, error);
        let is_first_time = state.affected.insert(bare(jid));
        let stays_away = is_first_time && state.away.len() < self.plan.stay_away;
        if stays_away {
            state.away.insert(bare(jid));
        }
        stays_away
    }

    pub(super) fn attempt_failed(&self, error: &LinkError) {
        count(&mut self.state().failed_attempts, error);
    }

    /// A client has a stream again.
    pub(super) fn returned(&self, jid: &str, lost: Instant, how: &Return, stayed_away: bool) {
        let mut state = self.state();
        if !stayed_away {
            state.back.saturating_record(microseconds(lost.elapsed()));
        }
        match how {
            Return::Resumed => state.resumed += 1,
            Return::Refused { h, unsent } => {
                match h {
                    Some(H::Possible) => state.failed_with_h += 1,
                    Some(H::Impossible) => state.impossible_h += 1,
                    None => state.failed_without_h += 1,
                }
                state.sent_again += u64::try_from(unsent.len()).unwrap_or(u64::MAX);
                state.afresh.insert(bare(jid));
            }
        }
    }

    /// All that a client had sent when it lost its connection then is acknowledged.
    pub(super) fn settled(&self, lost: Instant) {
        let mut state = self.state();
        state.settled.saturating_record(microseconds(lost.elapsed()));
        let since_first = state.first_lost.map(|first| first.elapsed());
        state.first_success = state.first_success.or(since_first);
        state.last_success = since_first;
    }

    /// An acknowledgement came on the connection on which it was asked for.
    pub(super) fn acknowledged(&self, asked: Instant) {
        let mut state = self.state();
        if state.first_lost.is_some() {
            state.acknowledged.saturating_record(microseconds(asked.elapsed()));
        }
    }

    /// A message arrived again on a stream that took the place of the one where it arrived first.
    pub(super) fn repeated(&self) {
        self.state().repeated += 1;
    }

    /// `to` was told that `from` is unavailable. Before the first loss, that is of no interest.
    pub(super) fn unavailable(&self, from: &str, to: &str) {
        let mut state = self.state();
        if state.first_lost.is_some() {
            *state.unavailable.entry((bare(from), bare(to))).or_default() += 1;
        }
    }
}

fn bare(jid: &str) -> String {
    jid.split('/').next().unwrap_or_default().to_owned()
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

fn count(texts: &mut BTreeMap<String, u64>, error: &LinkError) {
    let text = error.to_string();
    let is_known = texts.len() < ERROR_TEXTS_MAX || texts.contains_key(&text);
    *texts.entry(if is_known { text } else { "other errors".to_owned() }).or_default() += 1;
}
