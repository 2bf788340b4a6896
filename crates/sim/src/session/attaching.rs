//! How a session outlives its user.

use super::Session;
use crate::stage::{SessionTimer, Stage, ToMember};
use stentor_engine::FromSession;
use stentor_engine::limits::ATTACH_TIME_MAX;

impl Session {
    /// The user is lost: the next is asked what the last did not answer, or is handed what it has to know.
    pub(super) fn attach(&mut self, stage: &mut Stage) {
        if let Some(asking) = &self.asking {
            return self.tell_user(asking.event(None), stage);
        }
        let Some(attached) = &self.attachment else { return };
        match attached.attach(None) {
            Some(event) => {
                self.tell_user(event, stage);
                self.is_attaching = true;
                self.attached += 1;
                let timer = SessionTimer::Attach(self.attached);
                stage.after(ATTACH_TIME_MAX, ToMember::SessionTimer(self.key.serial, timer));
            }
            None => self.lose(stage),
        }
    }

    pub(super) fn attached(&mut self, attachment: u64, inbound: u64, stage: &mut Stage) {
        let Some(attached) = &mut self.attachment else { return };
        stage.coverage.attached += 1;
        self.is_attaching = false;
        self.before = self.outbound;
        attached.attached(attachment, inbound);
        if let Some(event) = attached.asks_to_enable() {
            self.tell_user(event, stage);
        }
        if self.is_owed || self.is_closing {
            self.asked = stage.queue.now();
            self.tell_user(FromSession::Request { attachment }, stage);
        }
    }
}
