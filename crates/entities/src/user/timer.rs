//! What a user's timers mean, and how settled entries leave the log.

use super::User;
use super::collection::STATE;
use super::inbox::TAKEN;
use super::load::put_stream;
use super::resent::Mark;
use std::collections::BTreeMap;
use stentor_engine::{Effects, LogId, Now, Rows, StreamId};

/// Forward again what nobody confirmed.
pub(crate) const REPEAT: u64 = 0;
/// Remove settled entries from the log.
const SETTLE: u64 = 1;
/// The sessions that are still expected do not come.
pub(crate) const GATHERED: u64 = 2;
/// Records of resources of whose end contacts were told are to go.
pub(crate) const ONLINE: u64 = 3;
/// Contacts are told and asked anew what may have been lost when another owned the user.
pub(crate) const PROBE: u64 = 4;
/// Remove settled entries of what this user sent from the log.
const SETTLE_SENT: u64 = 5;
/// Those that may have missed something are told and asked anew.
pub(crate) const OWED: u64 = 6;
/// Numbers of attachments are shorter.
pub(crate) const ATTACHMENT_BITS: u32 = 61;
/// Tokens from here on are of a lost stream: this and its attachment.
const EXPIRY: u64 = 1 << 62;
/// Tokens with this bit are of a page of the log that could not be read.
const READ_AGAIN: u64 = 1 << ATTACHMENT_BITS;
/// Milliseconds until such a page is asked for again.
pub(crate) const READ_AGAIN_AFTER: u64 = 5_000;

/// Milliseconds after which settled entries are removed though nothing else is written.
const SETTLE_AFTER: u64 = 2_000;
/// Settled entries that are not left to a later write.
const SETTLED_MAX: usize = 64;
/// The same for what this user sent. After a crash it is forwarded once more, which no client sees; and the record of
/// marks is written for several at once.
const SETTLE_SENT_AFTER: u64 = 10_000;
/// Settled entries of what this user sent that are removed together.
const SETTLED_SENT_MAX: usize = 16;

/// The token of a lost stream's time limit.
pub(crate) fn expiry(attachment: u64) -> u64 {
    EXPIRY | attachment
}

/// The token of a page to be read again.
pub(crate) fn read_again(attachment: u64) -> u64 {
    READ_AGAIN | attachment
}

impl User {
    /// A timer has run out.
    pub(crate) fn timer(&mut self, now: Now, token: u64, effects: &mut Effects) {
        match token {
            REPEAT => {
                self.outbox.is_repeat_due = false;
                self.repeat(now, None, effects);
            }
            SETTLE => {
                self.is_settle_due = false;
                self.write_taken(now, effects);
                self.record_taken(effects);
            }
            SETTLE_SENT => {
                self.is_sent_settle_due = false;
                self.write_sent(now, effects);
            }
            GATHERED => self.stop_expecting(now, effects),
            ONLINE => self.remove_online(now, effects),
            PROBE => self.exchange_if_due(effects),
            OWED => self.pay(effects),
            _ if token & READ_AGAIN != 0 => self.page(token & !READ_AGAIN, None, effects),
            _ => self.expired(now, token & !EXPIRY, effects),
        }
    }

    /// Rows for a resource that catches up.
    pub(crate) fn rows(&mut self, token: u64, rows: Vec<Rows>, effects: &mut Effects) {
        match rows.into_iter().next() {
            Some(Rows::Log(rows)) => self.page(token, Some(&rows), effects),
            _ => self.page_failed(token, effects),
        }
    }

    /// The entry has done its work; it is removed with a later write.
    pub(crate) fn settle(&mut self, id: LogId, counted: Option<(StreamId, u64)>) {
        self.settled.push((id, counted));
    }

    /// Removes settled entries with whatever is written anyway, or soon.
    pub(crate) fn settle_along(&mut self, now: Now, effects: &mut Effects) {
        if self.outbox.settled.len() >= SETTLED_SENT_MAX {
            self.write_sent(now, effects);
        } else if !self.outbox.settled.is_empty() && !self.is_sent_settle_due {
            self.is_sent_settle_due = true;
            effects.timer(SETTLE_SENT_AFTER, SETTLE_SENT);
        }
        if self.inbox.unrecorded() >= SETTLED_MAX {
            self.record_taken(effects);
        }
        if !self.settled.is_empty() && (!effects.writes().is_empty() || self.settled.len() >= SETTLED_MAX) {
            self.write_taken(now, effects);
        }
        let is_due = !self.settled.is_empty() || self.inbox.unrecorded() > 0;
        if is_due && !self.is_settle_due {
            self.is_settle_due = true;
            effects.timer(SETTLE_AFTER, SETTLE);
        }
    }

    /// Removes all settled entries.
    pub(crate) fn write_settled(&mut self, now: Now, effects: &mut Effects) {
        self.write_taken(now, effects);
        self.record_taken(effects);
        self.write_sent(now, effects);
    }

    /// Puts on record what clients took and stays for others: whoever took it is not to get it again if this user is lost.
    fn record_taken(&mut self, effects: &mut Effects) {
        if self.inbox.unrecorded() == 0 {
            return;
        }
        match self.inbox.record_taken() {
            Some(record) => effects.put(STATE, TAKEN, record),
            None => effects.delete(STATE, TAKEN),
        }
    }

    /// Removes what clients took.
    fn write_taken(&mut self, now: Now, effects: &mut Effects) {
        let settled = std::mem::take(&mut self.settled);
        self.remove_entries(now, settled.into_iter(), effects);
    }

    /// Removes what was sent and is confirmed. The marks by which it would be recognised go on record.
    fn write_sent(&mut self, now: Now, effects: &mut Effects) {
        let settled = std::mem::take(&mut self.outbox.settled);
        let marks: Vec<Mark> = settled.iter().filter_map(|settled| settled.mark).collect();
        self.accepted.record(now, &marks, effects);
        self.remove_entries(now, settled.into_iter().map(|settled| (settled.id, settled.counted)), effects);
    }

    /// Removes entries. What they said of streams that can still be resumed goes on record.
    fn remove_entries(
        &mut self,
        now: Now,
        entries: impl Iterator<Item = (LogId, Option<(StreamId, u64)>)>,
        effects: &mut Effects,
    ) {
        let mut counts: BTreeMap<StreamId, u64> = BTreeMap::new();
        for (id, counted) in entries {
            effects.remove(id);
            if let Some((stream, count)) = counted {
                let highest = counts.entry(stream).or_default();
                *highest = count.max(*highest);
            }
        }
        for (stream, count) in counts {
            self.record_handled(now, stream, count, effects);
        }
    }

    /// Puts on record that so many stanzas of a stream were handled, unless the record says so already.
    pub(crate) fn record_handled(&mut self, now: Now, stream: StreamId, count: u64, effects: &mut Effects) {
        let mut managements = self.resources.iter_mut().filter_map(|resource| resource.management.as_mut());
        let (count, by, recorded) = match managements.find(|management| management.stream == stream) {
            Some(management) => (count, management.superseded_by, &mut management.recorded),
            None => {
                let Some(over) = self.streams.get_mut(&stream) else { return };
                (count.max(over.handled.unwrap_or(0)), over.superseded_by, &mut over.recorded)
            }
        };
        if *recorded >= count {
            return;
        }
        *recorded = count;
        put_stream(now, stream, Some(count), by, effects);
    }
}
