//! Messages that a client sends again on a new stream, since it never learned that they were accepted: recognised by
//! recipient, origin-id (XEP-0359) and payload, for a day.
//!
//! Each is marked by a hash. As long as the message stands in the log, the log has the mark; the write that removes it
//! puts the mark on record (`docs/decisions/0015-marks-of-sent-messages.md`).

use super::collection::SENT;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use stentor_engine::{Effects, Now, Record};
use stentor_xmpp::{Jid, Stanza, ns};

/// Milliseconds of an hour, by which marks are put together.
const HOUR: u64 = 3_600 * 1_000;
/// Hours for which they are kept, beside the one in which they were made.
const HOURS: u64 = 24;
/// Marks of one account. Who sends more in a day has the oldest forgotten: then what is sent again is delivered again.
const MARKS_MAX: usize = 16_384;
/// Marks in one record, which is written anew for each few.
const RECORD_MARKS: usize = 64;
/// Records of one account: full ones, and one that is not for each hour.
const RECORDS_MAX: usize = MARKS_MAX / RECORD_MARKS + HOURS as usize + 1;

/// What tells a message from all others: a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// Messages that were accepted lately.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// Their marks by the hour, oldest first.
    hours: VecDeque<(u64, VecDeque<u64>)>,
    len: usize,
    /// The records, oldest first: each one's hour and its number in that.
    records: VecDeque<(u64, u32)>,
    /// What the last of them says.
    open: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u8,
    /// Hashes in hexadecimal, 16 digits each.
    marks: String,
}

impl Mark {
    /// FNV-1a over all that a client sends again as it was, none without an origin-id. Whoever makes two of their own
    /// messages collide loses one of their own.
    pub(crate) fn of(stanza: &Stanza) -> Option<Self> {
        stanza.children().find(|child| child.is("origin-id", ns::STANZA_IDS))?;
        let to = stanza.to().map_or("", Jid::as_str);
        let header = [to, stanza.message_type().name().unwrap_or_default(), stanza.id().unwrap_or_default()];
        let payload =
            stanza.children().filter(|child| !child.is("delay", ns::DELAY)).map(|child| child.bytes);
        let bytes = header.into_iter().chain(payload).flat_map(|text| text.bytes().chain([0xff]));
        Some(Self(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })))
    }
}

impl Accepted {
    /// Whether a message with this mark was accepted in the last day.
    pub(crate) fn has(&self, now: Now, mark: Mark) -> bool {
        let since = (now.unix / HOUR).saturating_sub(HOURS);
        let hours = self.hours.iter().filter(|(hour, _)| *hour >= since);
        hours.flat_map(|(_, marks)| marks).any(|other| *other == mark.0)
    }

    /// It is accepted; milliseconds since 1970 UTC.
    pub(crate) fn add(&mut self, at: u64, mark: Mark) {
        self.add_to(at / HOUR, mark.0);
    }

    fn add_to(&mut self, hour: u64, mark: u64) {
        // Hours never go back, whatever the clock does.
        match self.hours.back_mut() {
            Some((last, marks)) if *last >= hour => marks.push_back(mark),
            _ => self.hours.push_back((hour, VecDeque::from([mark]))),
        }
        self.len += 1;
        while let Some((oldest, marks)) = self.hours.front_mut() {
            if *oldest + HOURS < hour {
                self.len -= marks.len();
            } else if self.len > MARKS_MAX && marks.pop_front().is_some() {
                self.len -= 1;
                continue;
            } else if !marks.is_empty() {
                break;
            }
            self.hours.pop_front();
        }
    }

    /// It was refused in the end, so it may be tried again.
    pub(crate) fn forget(&mut self, mark: Mark) {
        for (_, marks) in &mut self.hours {
            let before = marks.len();
            marks.retain(|other| *other != mark.0);
            self.len -= before - marks.len();
        }
    }

    /// Takes up the records; one that cannot be read says nothing. What is over goes with the next that is written.
    pub(crate) fn recover(&mut self, records: &[Record]) {
        for record in records {
            let Some(name) = parse(&record.key) else { continue };
            let stored = serde_json::from_slice::<Stored>(&record.value).ok().filter(|stored| stored.v == 1);
            let marks = stored.map(|stored| stored.marks).unwrap_or_default();
            let digits = marks.as_bytes().chunks(16).filter_map(|digits| std::str::from_utf8(digits).ok());
            self.open = digits.filter_map(|digits| u64::from_str_radix(digits, 16).ok()).collect();
            self.records.push_back(name);
            for mark in self.open.clone() {
                self.add_to(name.0, mark);
            }
        }
    }

    /// Puts marks on record, of messages that leave the log.
    pub(crate) fn record(&mut self, now: Now, marks: &[Mark], effects: &mut Effects) {
        let Some(last) = marks.len().checked_sub(1) else { return };
        for (index, mark) in marks.iter().enumerate() {
            let hour = self.records.back().map_or(0, |(hour, _)| *hour).max(now.unix / HOUR);
            match self.records.back() {
                Some((open, _)) if *open == hour && self.open.len() < RECORD_MARKS => {}
                before => {
                    let number = before.filter(|(open, _)| *open == hour).map_or(0, |(_, number)| number + 1);
                    self.records.push_back((hour, number));
                    self.open.clear();
                }
            }
            self.open.push(mark.0);
            if index == last || self.open.len() >= RECORD_MARKS {
                self.put(effects);
            }
        }
        let since = (now.unix / HOUR).saturating_sub(HOURS);
        while self.records.len() > RECORDS_MAX || self.records.front().is_some_and(|(hour, _)| *hour < since)
        {
            let Some((hour, number)) = self.records.pop_front() else { return };
            effects.delete(SENT, name(hour, number));
        }
    }

    fn put(&self, effects: &mut Effects) {
        let Some((hour, number)) = self.records.back() else { return };
        let marks = self.open.iter().map(|mark| format!("{mark:016x}")).collect();
        if let Ok(value) = serde_json::to_vec(&Stored { v: 1, marks }) {
            effects.put(SENT, name(*hour, *number), value);
        }
    }
}

/// Of a record. Names sort as the records do.
fn name(hour: u64, number: u32) -> String {
    format!("{hour:020}-{number:010}")
}

fn parse(name: &str) -> Option<(u64, u32)> {
    let (hour, number) = name.split_once('-')?;
    Some((hour.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stentor_engine::{Collection, Write};

    fn at(hours: u64) -> Now {
        Now { monotonic: 0, unix: hours * HOUR }
    }

    fn mark(number: u64) -> Mark {
        Mark(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The records, after what these effects did to them.
    fn apply(records: &mut Vec<Record>, effects: &Effects) {
        for write in effects.writes() {
            match write {
                Write::Put { collection: Collection("sent"), key, value, .. } => {
                    records.retain(|record| record.key != *key);
                    records.push(Record { key: key.clone(), version: 1, value: value.clone() });
                }
                Write::Delete { key, .. } => records.retain(|record| record.key != *key),
                other => panic!("{other:?}"),
            }
        }
        records.sort_by(|one, other| one.key.cmp(&other.key));
    }

    /// What is on record is what is remembered, whatever the clock does, a few at a time or many; for a day, and as
    /// many as there is room for.
    #[test]
    fn records_say_what_is_remembered() {
        let steps: &[&[u64]] = &[&[0, 1], &[100, 90, 101], &[u64::MAX / HOUR, 3], &[5, 5, 5, 29, 30]];
        for (hours, batch, count) in
            [(steps[0], 1, 200), (steps[1], 16, 300), (steps[2], 64, 100), (steps[3], 7, 90)]
        {
            let (mut accepted, mut records, mut sent) = (Accepted::default(), Vec::new(), 0);
            for hour in hours {
                for _ in 0..count {
                    let marks: Vec<Mark> = (sent..sent + batch).map(mark).collect();
                    sent += batch;
                    let mut effects = Effects::new();
                    marks.iter().for_each(|mark| accepted.add(at(*hour).unix, *mark));
                    accepted.record(at(*hour), &marks, &mut effects);
                    apply(&mut records, &effects);
                }
                let mut loaded = Accepted::default();
                loaded.recover(&records);
                for number in sent.saturating_sub(count * batch)..sent {
                    assert!(accepted.has(at(*hour), mark(number)), "{hours:?}: {number}");
                    assert!(loaded.has(at(*hour), mark(number)), "{hours:?}: {number} on record");
                }
                assert!(!accepted.has(at(*hour), mark(sent)));
                assert_eq!((loaded.records, loaded.open), (accepted.records.clone(), accepted.open.clone()));
            }
        }
    }

    #[test]
    fn the_oldest_go() {
        let (mut accepted, mut records) = (Accepted::default(), Vec::new());
        let sent = 3 * MARKS_MAX as u64;
        for first in (0..sent).step_by(16) {
            let mut effects = Effects::new();
            let marks: Vec<Mark> = (first..first + 16).map(mark).collect();
            marks.iter().for_each(|mark| accepted.add(at(1).unix, *mark));
            accepted.record(at(1), &marks, &mut effects);
            apply(&mut records, &effects);
            assert!(accepted.len <= MARKS_MAX && records.len() <= RECORDS_MAX);
        }
        let has = |accepted: &Accepted, back: usize| accepted.has(at(1), mark(sent - back as u64));
        assert_eq!((has(&accepted, MARKS_MAX), has(&accepted, MARKS_MAX + 1)), (true, false));
        let mut loaded = Accepted::default();
        loaded.recover(&records);
        assert!(has(&loaded, MARKS_MAX));
        // After a day nothing is left but what is new.
        let mut effects = Effects::new();
        accepted.add(at(26).unix, mark(sent));
        accepted.record(at(26), &[mark(sent)], &mut effects);
        apply(&mut records, &effects);
        assert_eq!((accepted.len, records.len()), (1, 1));
        accepted.forget(mark(sent));
        assert!(!accepted.has(at(26), mark(sent)) && accepted.len == 0);
    }
}
