//! XEP-0198 1.6.3 as a session does it: when it asks, when it answers.

use super::pump::uptime;
use super::{Session, token};
use crate::limits::{REQUEST_AFTER, UNREQUESTED_MAX};
use std::time::Duration;
use stentor_engine::FromSession;
use stentor_xmpp::{Counter, IqType, Stanza, ns};

/// Acknowledgements under way.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// The client asked since the user was asked last.
    is_asked: bool,
    /// Questions to the user that are not answered.
    owed: u32,
    /// The client was asked, and has not answered.
    is_requested: bool,
    /// When it was.
    requested: Duration,
    /// It was asked, or is to be asked, by a timer.
    is_timed: bool,
    /// Whether anything was heard since the client was asked.
    was_heard: bool,
}

impl Session {
    /// `<r/>`. Several in one read are one question, put behind all that was read with them.
    pub(super) fn acknowledgement_requested(&mut self) {
        self.acks.is_asked = true;
    }

    /// Asks the user what may be acknowledged, if the client asked and no such question is under way.
    pub(super) fn ask_what_is_handled(&mut self) {
        if let Some(attachment) = self.attachment.as_ref().map(|a| a.number())
            && self.acks.is_asked
            && self.acks.owed == 0
        {
            self.acks.is_asked = false;
            self.acks.owed += 1;
            self.tell_user(FromSession::Request { attachment });
        }
    }

    /// The client closed its stream: the last question (XEP-0198 1.6.3, 4).
    pub(super) fn ask_at_last(&mut self, attachment: u64) {
        self.acks.is_asked = false;
        self.acks.owed += 1;
        self.tell_user(FromSession::Request { attachment });
    }

    /// Asks again what the user that is lost did not answer; several questions are one.
    pub(super) fn ask_again(&mut self, attachment: u64) {
        if self.acks.owed > 0 {
            self.acks.owed = 1;
            self.tell_user(FromSession::Request { attachment });
        }
    }

    /// The user's answer.
    pub(super) fn answer(&mut self, inbound: u64) {
        self.acks.owed = self.acks.owed.saturating_sub(1);
        let Some(attachment) = &mut self.attachment else { return };
        attachment.confirmed(inbound);
        if let Some(stream) = &mut self.stream
            && attachment.is_managed()
        {
            stream.handled(attachment.handled().0, &mut self.output);
        }
        match self.is_closing {
            true if self.acks.owed == 0 => self.close(),
            true => {}
            false => self.ask_what_is_handled(),
        }
    }

    /// `<a/>`.
    pub(super) fn acknowledged(&mut self, h: Counter) {
        self.acks.is_requested = false;
        let Some(attachment) = &mut self.attachment else { return };
        if let Err(error) = attachment.acknowledged(h) {
            if let Some(stream) = &mut self.stream {
                stream.handled_count_too_high(error, &mut self.output);
            }
            return;
        }
        let attachment = attachment.number();
        self.tell_user(FromSession::Acknowledged { attachment, h });
        self.consider_request();
    }

    /// Stanzas went out: the client is asked when there are many, or a little later.
    pub(super) fn consider_request(&mut self) {
        let unacknowledged = self.attachment.as_ref().map_or(0, |a| a.unacknowledged().0);
        if unacknowledged == 0 || self.acks.is_requested {
            return;
        }
        if unacknowledged >= UNREQUESTED_MAX {
            self.request();
        } else if !std::mem::replace(&mut self.acks.is_timed, true) {
            self.after(REQUEST_AFTER, token::REQUEST);
        }
    }

    /// The timer for asking has run out.
    pub(super) fn request_acknowledgement(&mut self) {
        self.acks.is_timed = false;
        let is_due = self.attachment.as_ref().is_some_and(|a| a.unacknowledged().0 > 0);
        if is_due && !self.acks.is_requested {
            self.request();
        }
    }

    fn request(&mut self) {
        if let Some(stream) = &self.stream {
            stream.request_ack(&mut self.output);
            self.acks.is_requested = true;
            self.acks.was_heard = false;
            self.acks.requested = uptime();
            self.after(self.limits.answer, token::ANSWER);
        }
    }

    /// Something was read.
    pub(super) fn heard(&mut self) {
        self.silence.heard(uptime());
        self.acks.was_heard = true;
    }

    /// A client that was asked and was silent ever since is gone.
    pub(super) fn check_answer(&mut self) {
        // The timer may be that of an earlier question.
        let is_due = uptime().saturating_sub(self.acks.requested) >= self.limits.answer;
        if self.acks.is_requested && !self.acks.was_heard && is_due {
            tracing::debug!(address = %self.address, "a client does not acknowledge; its connection is given up");
            self.lose();
        }
    }

    /// Asks a silent client whether it is there (XEP-0198 4, or XEP-0199 4.1).
    pub(super) fn ask_whether_there(&mut self) {
        let Some(attachment) = &self.attachment else { return };
        if attachment.is_managed() {
            return self.request();
        }
        let mut ping = Stanza::iq(IqType::Get, "ping");
        ping.set_to(Some(attachment.jid().clone().into()));
        ping.push(&stentor_xml::ElementBuilder::new("ping", ns::PING).build());
        ping.write_to(&mut self.output);
    }
}
