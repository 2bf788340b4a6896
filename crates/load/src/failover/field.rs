//! What the clients of a failover tell each other, and what the report needs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::element;
use crate::link::LinkError;
use crate::resume::{H, Return};
use crate::target::Resumption;

/// Longer times count as this long.
const MICROSECONDS_MAX: u64 = 3_600_000_000;
/// Different error texts kept; more are counted together.
const ERROR_TEXTS_MAX: usize = 20;
/// Examples kept of one kind of mistake.
pub(super) const EXAMPLES_MAX: usize = 20;

/// What clients do when they lose their connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Who stays away.
    pub(crate) resumption: Resumption,
    /// For so long at most.
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
    is_over: Arc<AtomicBool>,
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
    /// How those that lost it came back, each time.
    pub(super) returns: BTreeMap<String, Vec<&'static str>>,
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
    /// Who (first) was seen to be available by which contact (second).
    pub(super) seen: BTreeSet<(String, String)>,
    /// How often a contact (second) was told that a client (first) is unavailable.
    pub(super) unavailable: BTreeMap<(String, String), u64>,
    /// Those of these pairs in which that was the last that it was told.
    pub(super) gone: BTreeSet<(String, String)>,
    /// Clients that have yet to send or to get something.
    busy: BTreeSet<String>,
    /// All are done: what they hear from now on is that others leave.
    is_settled: bool,
    /// Messages that did not arrive, some of them.
    pub(super) missed: Vec<String>,
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
            returns: BTreeMap::new(),
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
            seen: BTreeSet::new(),
            unavailable: BTreeMap::new(),
            gone: BTreeSet::new(),
            busy: BTreeSet::new(),
            is_settled: false,
            missed: Vec::new(),
            losses: BTreeMap::new(),
            failed_attempts: BTreeMap::new(),
        };
        Self { plan, is_over: Arc::default(), state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clients send nothing more once this ends, whatever is read until then.
    pub(crate) fn end_with(&self, mut input: impl Read + Send + 'static) {
        let is_over = self.is_over.clone();
        // Nobody waits for this thread: the process ends with its runs.
        thread::spawn(move || {
            let _ = std::io::copy(&mut input, &mut std::io::sink());
            is_over.store(true, Ordering::Relaxed);
        });
    }

    /// Whether nothing more is to be sent.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// A client with its contacts.
    pub(super) fn knows(&self, jid: &str, contacts: &[String]) {
        let mut state = self.state();
        state.contacts.insert(bare(jid), contacts.iter().cloned().collect());
        state.busy.insert(bare(jid));
    }

    /// A client lost its connection. Whether it is to stay away.
    pub(super) fn lost(&self, jid: &str, account: u32, error: &LinkError, now: Instant) -> bool {
        let mut state = self.state();
        state.first_lost.get_or_insert(now);
        state.connections_lost += 1;
        count(&mut state.losses, error);
        let is_first_time = state.affected.insert(bare(jid));
        let stays_away = is_first_time && self.plan.resumption.stays_away(account);
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
        let word = match how {
            Return::Resumed => {
                state.resumed += 1;
                "resumed"
            }
            Return::Refused { h, unsent } => {
                state.sent_again += u64::try_from(unsent.len()).unwrap_or(u64::MAX);
                state.afresh.insert(bare(jid));
                match h {
                    Some(H::Possible) => {
                        state.failed_with_h += 1;
                        "failed with h"
                    }
                    Some(H::Impossible) => {
                        state.impossible_h += 1;
                        "failed with an impossible h"
                    }
                    None => {
                        state.failed_without_h += 1;
                        "failed without h"
                    }
                }
            }
        };
        state.returns.entry(bare(jid)).or_default().push(word);
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

    /// Of one client's messages to another, these did not arrive, or came back as errors.
    pub(super) fn missed(&self, from: &str, to: &str, numbers: impl Iterator<Item = u64>) {
        let mut state = self.state();
        let room = EXAMPLES_MAX.saturating_sub(state.missed.len());
        state.missed.extend(numbers.take(room).map(|number| format!("{from} to {to}: {number}")));
    }

    /// A client reads a stanza: of interest is whether a contact is there. That one is not, who never was, is no news.
    pub(super) fn reads(&self, jid: &str, text: &str) {
        let is_available = match (element::name(text), element::attribute(text, "type")) {
            ("presence", None) => true,
            ("presence", Some("unavailable")) => false,
            _ => return,
        };
        let pair = (bare(element::attribute(text, "from").unwrap_or_default()), bare(jid));
        let mut state = self.state();
        if state.is_settled {
            return;
        }
        if is_available {
            state.gone.remove(&pair);
            state.seen.insert(pair);
        } else if state.seen.contains(&pair) {
            state.gone.insert(pair.clone());
            *state.unavailable.entry(pair).or_default() += 1;
        }
    }

    /// Whether all are done, as this one says of itself, have come back and know that of each other: whoever left before
    /// would be gone for those that have yet to hear.
    pub(super) fn are_all_done(&self, jid: &str, is_done: bool) -> bool {
        let (mut state, jid) = (self.state(), bare(jid));
        if !is_done {
            state.busy.insert(jid);
            return false;
        }
        state.busy.remove(&jid);
        let returns: usize = state.returns.values().map(Vec::len).sum();
        state.is_settled |=
            state.busy.is_empty() && state.gone.is_empty() && returns as u64 >= state.connections_lost;
        state.is_settled
    }

    /// Whether all contacts were told that this one is unavailable.
    pub(super) fn is_told(&self, jid: &str) -> bool {
        let (state, from) = (self.state(), bare(jid));
        state.to_be_told(&from).all(|to| state.unavailable.contains_key(&(from.clone(), to.to_owned())))
    }
}

impl State {
    /// The contacts of that client who should be told that it is unavailable: those that saw it and stayed, or resumed. Who came back afresh is told who is there, not who is not.
    pub(super) fn to_be_told(&self, jid: &str) -> impl Iterator<Item = &str> {
        let contacts = self.contacts.get(jid).into_iter().flatten();
        contacts.map(String::as_str).filter(|contact| {
            self.seen.contains(&(jid.to_owned(), (*contact).to_owned()))
                && !self.away.contains(*contact)
                && !self.afresh.contains(*contact)
        })
    }
}

fn bare(jid: &str) -> String {
    jid.split('/').next().unwrap_or_default().to_owned()
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

fn count(texts: &mut BTreeMap<String, u64>, error: &LinkError) {
    let text = error.in_common();
    let is_known = texts.len() < ERROR_TEXTS_MAX || texts.contains_key(&text);
    *texts.entry(if is_known { text } else { "other errors".to_owned() }).or_default() += 1;
}
