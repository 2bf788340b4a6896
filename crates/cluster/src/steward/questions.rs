//! Questions to the register: of each kind one under way at most, and when the next is due.

use super::Question;
use crate::limits::{RENEW_MS, RETRY_MS};

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    /// When the one that is under way was sent.
    sent: Option<u64>,
    /// The next is not asked before.
    due: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Questions([Kind; 5]);

impl Questions {
    fn kind(&mut self, question: Question) -> &mut Kind {
        let [join, renew, leases, table, change] = &mut self.0;
        match question {
            Question::Join => join,
            Question::Renew => renew,
            Question::Leases => leases,
            Question::Table => table,
            Question::Change => change,
        }
    }

    /// Whether one may be asked, which then is under way.
    pub(super) fn ask(&mut self, now: u64, question: Question) -> bool {
        let kind = self.kind(question);
        let may = kind.sent.is_none() && now >= kind.due;
        if may {
            kind.sent = Some(now);
            kind.due = match question {
                Question::Renew | Question::Leases => now + RENEW_MS,
                Question::Join | Question::Table | Question::Change => now,
            };
        }
        may
    }

    /// One was answered: when it was sent. None if none was under way.
    pub(super) fn answered(&mut self, question: Question) -> Option<u64> {
        self.kind(question).sent.take()
    }

    /// One was not answered: not at once again.
    pub(super) fn failed(&mut self, now: u64, question: Question) {
        self.pause(question, now + RETRY_MS);
    }

    /// The next is not before.
    pub(super) fn pause(&mut self, question: Question, until: u64) {
        let kind = self.kind(question);
        kind.due = kind.due.max(until);
    }

    /// The next may be at once.
    pub(super) fn hurry(&mut self, question: Question) {
        self.kind(question).due = 0;
    }

    pub(super) fn is_under_way(&self, question: Question) -> bool {
        let [join, renew, leases, table, change] = self.0;
        let kind = match question {
            Question::Join => join,
            Question::Renew => renew,
            Question::Leases => leases,
            Question::Table => table,
            Question::Change => change,
        };
        kind.sent.is_some()
    }

    /// When questions may be put next, of those kinds of which none is under way.
    pub(super) fn dues(&self) -> impl Iterator<Item = u64> {
        self.0.iter().filter(|kind| kind.sent.is_none()).map(|kind| kind.due)
    }
}
