//! When a session asks its client to acknowledge, and when it gives one up. The server's asks along with a message if it has
//! not lately; here more is left unacknowledged, which is the harder case.

use super::Session;
use crate::stage::{FromServer, SessionTimer, Stage, ToMember};

/// Outbound stanzas without acknowledgement after which the client is asked at once.
const UNREQUESTED_MAX: usize = 8;
/// After fewer it is asked this much later.
const REQUEST_AFTER: u64 = 1_500;
/// A client that was asked and sends nothing for so long is gone.
const ANSWER_WITHIN: u64 = 30_000;
/// A client that sent nothing for so long is asked whether it is there.
const IDLE: u64 = 120_000;

impl Session {
    pub(super) fn consider_request(&mut self, stage: &mut Stage) {
        let unacknowledged = self.attachment.as_ref().map_or(0, |a| a.unacknowledged().0);
        if unacknowledged == 0 || self.is_requested {
            return;
        }
        if unacknowledged >= UNREQUESTED_MAX {
            self.request(stage);
        } else if !std::mem::replace(&mut self.is_timed, true) {
            stage.after(REQUEST_AFTER, ToMember::SessionTimer(self.key.serial, SessionTimer::Request));
        }
    }

    fn request(&mut self, stage: &mut Stage) {
        self.is_requested = true;
        self.was_heard = false;
        self.requests += 1;
        self.write(FromServer::Request, stage);
        self.watch(stage);
    }

    fn watch(&mut self, stage: &mut Stage) {
        if self.watched.is_none() {
            self.watched = Some(self.requests);
            stage.after(ANSWER_WITHIN, ToMember::SessionTimer(self.key.serial, SessionTimer::Answer));
        }
    }

    pub(crate) fn timer(&mut self, timer: SessionTimer, stage: &mut Stage) {
        let unacknowledged = self.attachment.as_ref().map_or(0, |a| a.unacknowledged().0);
        match timer {
            _ if self.is_over => {}
            SessionTimer::Request => {
                self.is_timed = false;
                if unacknowledged > 0 && !self.is_requested {
                    self.request(stage);
                }
            }
            SessionTimer::Idle => self.check_idle(stage),
            SessionTimer::Attach(attempt) => {
                if self.is_attaching && attempt == self.attached {
                    self.lose(stage);
                }
            }
            SessionTimer::Answer => {
                let watched = self.watched.take();
                if self.is_requested && !self.was_heard {
                    if watched == Some(self.requests) {
                        self.lose(stage);
                    } else {
                        self.watch(stage);
                    }
                }
            }
        }
    }

    /// A client that was silent is asked; one that was asked and stays silent is gone.
    pub(crate) fn check_idle(&mut self, stage: &mut Stage) {
        self.was_asked = !std::mem::take(&mut self.is_active) && {
            if self.was_asked {
                return self.lose(stage);
            }
            self.request(stage);
            true
        };
        let wait = if self.was_asked { ANSWER_WITHIN } else { IDLE };
        stage.after(wait, ToMember::SessionTimer(self.key.serial, SessionTimer::Idle));
    }
}
