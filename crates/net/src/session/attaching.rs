//! A session outlives its user: it attaches to the one that takes its place, and its client does not notice.

use super::pump::uptime;
use super::{Session, token};
use std::time::Duration;
use stentor_engine::limits::ATTACH_TIME_MAX;

const TIME_MAX: Duration = Duration::from_millis(ATTACH_TIME_MAX);

impl Session {
    /// The user is lost: the next, wherever it is, is asked what the last did not answer, or is handed what it has to
    /// know. Nothing is read of the client until it answers.
    pub(super) fn attach(&mut self) {
        self.hand_over();
        if let Some(key) = self.key {
            stentor_runtime::reattached(key);
        }
    }

    fn hand_over(&mut self) {
        if let Some(asking) = &self.asking {
            return self.tell_user(asking.event(Some(self.address)));
        }
        let Some(attachment) = &self.attachment else { return };
        match attachment.attach(Some(self.address)) {
            Some(event) => {
                self.tell_user(event);
                self.attaching = Some(uptime());
                self.after(TIME_MAX, token::ATTACH);
            }
            None => self.lose(),
        }
    }

    /// The user goes on.
    pub(super) fn attached(&mut self, number: u64, inbound: u64) {
        let Some(attachment) = &mut self.attachment else { return };
        attachment.attached(number, inbound);
        let enable = attachment.asks_to_enable();
        self.attaching = None;
        (self.outbound, self.reported, self.unreported_bytes) = (0, 0, 0);
        if let Some(event) = enable {
            self.tell_user(event);
        }
        self.ask_again(number);
    }

    /// Nobody answers: the client is better off to come back, to whoever has its stream then.
    pub(super) fn check_attaching(&mut self) {
        // The timer may be that of an earlier attempt.
        if self.attaching.is_some_and(|since| uptime().saturating_sub(since) >= TIME_MAX) {
            tracing::warn!(address = %self.address, "a user cannot be reached; a connection is given up");
            self.lose();
        }
    }
}
