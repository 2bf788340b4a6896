//! How a failover went, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Field;
use super::field::{EXAMPLES_MAX, State};
use crate::report::Latency;

/// How the clients came back.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// Clients that lost their connection, and how often that happened.
    affected: usize,
    connections_lost: u64,
    resumed: u64,
    /// Resumption failed, and the server told what it had handled; `impossible_h` is less than it had acknowledged, or
    /// more than was sent.
    failed_with_h: u64,
    failed_without_h: u64,
    impossible_h: u64,
    /// Messages that were sent again after a failed resumption.
    sent_again: u64,
    /// Messages that arrived again after a failed resumption, marked as delayed (XEP-0203): the first stream had got
    /// them, and could not say so.
    repeated: u64,
    /// From the loss of its connection until a client's stream stood again.
    back_milliseconds: Option<Latency>,
    /// From there until all that it had sent was acknowledged as well.
    settled_milliseconds: Option<Latency>,
    /// Since the first loss, from asking for an acknowledgement until it came on the same connection: here wait those who
    /// kept their connection, while what they are connected to was taken away behind it.
    acknowledged_milliseconds: Option<Latency>,
    /// From the first loss of all until the first client had come back so, and the last.
    first_success_milliseconds: Option<f64>,
    last_success_milliseconds: Option<f64>,
    unavailable: Unavailable,
    /// How each client that lost its connection came back, each time.
    returns: BTreeMap<String, Vec<&'static str>>,
    losses: BTreeMap<String, u64>,
    failed_attempts: BTreeMap<String, u64>,
    /// Some of the messages that did not arrive: who sent it to whom, as which one.
    missed: Vec<String>,
}

/// What contacts were told of clients that lost their connection.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Unavailable {
    /// Of clients that stayed away.
    away: Told,
    /// Of others whose stream was not resumed.
    afresh: Told,
    /// Told of clients that resumed their stream, who were never gone.
    of_resumed: u64,
    /// Told of clients that never lost their connection.
    of_others: u64,
    /// The last that a contact was told of a client that came back, or never went.
    last: usize,
    /// Some of what nobody, or somebody else, should have been told, or once only.
    examples: Vec<String>,
}

/// How often contacts were told that clients are unavailable.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Told {
    clients: usize,
    /// Pairs of these and their contacts that stayed, or resumed: each should be told once.
    expected: usize,
    once: usize,
    never: usize,
    /// Twice or more.
    repeatedly: usize,
}

impl Outcome {
    pub(crate) fn new(field: &Field) -> Self {
        let state = field.state();
        let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        let percentiles = |times: &Histogram<u64>| Latency::new(times);
        Self {
            affected: state.affected.len(),
            connections_lost: state.connections_lost,
            resumed: state.resumed,
            failed_with_h: state.failed_with_h,
            failed_without_h: state.failed_without_h,
            impossible_h: state.impossible_h,
            sent_again: state.sent_again,
            repeated: state.repeated,
            back_milliseconds: percentiles(&state.back),
            settled_milliseconds: percentiles(&state.settled),
            acknowledged_milliseconds: percentiles(&state.acknowledged),
            first_success_milliseconds: state.first_success.map(milliseconds),
            last_success_milliseconds: state.last_success.map(milliseconds),
            unavailable: Unavailable::new(&state),
            returns: state.returns.clone(),
            losses: state.losses.clone(),
            failed_attempts: state.failed_attempts.clone(),
            missed: state.missed.clone(),
        }
    }

    /// Whether the servers said nothing that cannot be.
    pub(crate) fn is_clean(&self) -> bool {
        self.impossible_h == 0
    }
}

impl Unavailable {
    fn new(state: &State) -> Self {
        let is_afresh = |who: &&String| !state.away.contains(*who);
        // Who comes back on another stream may be told of each contact that it is not there, before that it is.
        let is_kept = |to: &str| !state.away.contains(to) && !state.afresh.contains(to);
        let told = || state.unavailable.iter().filter(|((_, to), _)| is_kept(to));
        let count = |is_one: &dyn Fn(&str) -> bool| {
            told().filter(|((from, _), _)| is_one(from)).map(|(_, count)| count).sum()
        };
        let is_wrong =
            |from: &str, count: u64| count > 1 || !state.away.contains(from) && !state.afresh.contains(from);
        let wrong = told().filter(|((from, _), count)| is_wrong(from, **count));
        let examples = wrong.map(|((from, to), count)| format!("{count} x {from} to {to}"));
        let is_resumed = |who: &str| {
            state.affected.contains(who) && !state.away.contains(who) && !state.afresh.contains(who)
        };
        let is_there = |who: &str| !state.away.contains(who) || state.returns.contains_key(who);
        Self {
            away: Told::new(state, state.away.iter()),
            afresh: Told::new(state, state.afresh.iter().filter(is_afresh)),
            of_resumed: count(&is_resumed),
            of_others: count(&|who| !state.affected.contains(who)),
            examples: examples.take(EXAMPLES_MAX).collect(),
            last: state.gone.iter().filter(|(from, _)| is_there(from)).count(),
        }
    }
}

impl Told {
    fn new<'a>(state: &State, clients: impl Iterator<Item = &'a String>) -> Self {
        let mut told = Self::default();
        for from in clients {
            told.clients += 1;
            for to in state.to_be_told(from) {
                told.expected += 1;
                match state.unavailable.get(&(from.clone(), to.to_owned())) {
                    None => told.never += 1,
                    Some(1) => told.once += 1,
                    Some(_) => told.repeatedly += 1,
                }
            }
        }
        told
    }
}

impl fmt::Display for Told {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, expected, once, never, repeatedly } = self;
        write!(out, "{clients}: {expected} to be told, {once} once, {repeatedly} repeatedly, {never} never")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            affected, connections_lost, resumed, failed_with_h, failed_without_h, impossible_h, ..
        } = self;
        writeln!(out, "  affected         {affected} clients, {connections_lost} connections lost")?;
        writeln!(
            out,
            "  came back        {resumed} resumed, {failed_with_h} failed with h, {failed_without_h} without, \
             {impossible_h} with one that cannot be"
        )?;
        writeln!(out, "  again            {} sent, {} received", self.sent_again, self.repeated)?;
        let times = [
            ("stream, ms", &self.back_milliseconds),
            ("settled, ms", &self.settled_milliseconds),
            ("acknowledged, ms", &self.acknowledged_milliseconds),
        ];
        for (title, times) in times {
            if let Some(Latency { p50, p90, p99, max, .. }) = times {
                writeln!(out, "  {title:<16} p50 {p50:.0}  p90 {p90:.0}  p99 {p99:.0}  max {max:.0}")?;
            }
        }
        if let (Some(first), Some(last)) = (self.first_success_milliseconds, self.last_success_milliseconds) {
            writeln!(
                out,
                "  success, ms      first {first:.0}, last {last:.0}, since the first loss of all"
            )?;
        }
        let Unavailable { away, afresh, of_resumed, of_others, last, examples } = &self.unavailable;
        writeln!(out, "  unavailable      stayed away {away}")?;
        writeln!(out, "                   came back afresh {afresh}")?;
        writeln!(
            out,
            "                   {of_resumed} of clients that resumed, {of_others} of others, {last} for good"
        )?;
        examples.iter().try_for_each(|example| writeln!(out, "                   {example}"))?;
        self.missed.iter().try_for_each(|missed| writeln!(out, "  missed           {missed}"))?;
        for (title, texts) in [("loss", &self.losses), ("attempt", &self.failed_attempts)] {
            for (text, count) in texts {
                writeln!(out, "  {title:<16} {count} x {text}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::Plan;
    use super::*;
    use crate::link::LinkError;
    use crate::resume::Return;
    use crate::target::Resumption;

    /// Of four contacts of one another, the first two lose their connections and the first stays away.
    #[test]
    fn contacts_are_told_once() {
        let no = Duration::ZERO;
        let resumption = Resumption { seconds: 1, stay_away: 10, away_seconds: 1 };
        let plan = Plan { resumption, away: no, attempt: no, give_up: no, silence: no };
        let field = Field::new(plan);
        let all = ["a@x", "b@x", "c@x", "d@x"];
        for own in all {
            let others: Vec<_> = all.iter().filter(|jid| **jid != own).map(|jid| (*jid).to_owned()).collect();
            field.knows(&format!("{own}/load"), &others);
        }
        let now = Instant::now();
        assert!(field.lost("a@x/load", 10, &LinkError::Closed, now));
        assert!(!field.lost("b@x/load", 11, &LinkError::Closed, now));
        field.returned("b@x/load", now, &Return::Resumed, false);
        field.settled(now);
        let tell = |from: &str, to: &str, is_available| {
            let kind = if is_available { "" } else { " type='unavailable'" };
            field.reads(&format!("{to}@x/load"), &format!("<presence from='{from}@x/load'{kind}/>"));
        };
        tell("a", "b", false);
        let names = ["a", "b", "c", "d"];
        for (from, to) in names.into_iter().flat_map(|from| names.map(|to| (from, to))) {
            tell(from, to, true);
        }
        for (from, to) in [("a", "b"), ("a", "c"), ("a", "c"), ("b", "c"), ("c", "d")] {
            assert!(!field.is_told("a@x/load"));
            tell(from, to, false);
        }
        tell("b", "c", true);
        let away = Told { clients: 1, expected: 3, once: 1, never: 1, repeatedly: 1 };
        let examples =
            vec!["2 x a@x to c@x".to_owned(), "1 x b@x to c@x".to_owned(), "1 x c@x to d@x".to_owned()];
        let none = Unavailable::default();
        let expected = Unavailable { away, of_resumed: 1, of_others: 1, last: 1, examples, ..none };
        let outcome = Outcome::new(&field);
        assert_eq!(outcome.unavailable, expected);
        tell("a", "d", false);
        assert!(field.is_told("a@x/load"));
        assert_eq!((outcome.affected, outcome.connections_lost, outcome.resumed), (2, 2, 1));
        assert!(outcome.first_success_milliseconds.is_some() && outcome.is_clean());
        field.returned("a@x/load", now, &Return::Refused { h: None, unsent: vec![Vec::new()] }, true);
        let outcome = Outcome::new(&field);
        assert_eq!((outcome.failed_without_h, outcome.sent_again), (1, 1));
        assert_eq!(outcome.unavailable.last, 4);
    }
}
