//! XEP-0198 1.6.3 as a session does it: when it asks, when it answers.

use super::pump::uptime;
use super::{Session, token};
use crate::limits::{REQUEST_AFTER, UNREQUESTED_MAX};
use std::time::Duration;
use stentor_engine::FromSession;
use stentor_runtime::Figure;
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
    /// When it was asked last.
    requested: Option<Duration>,
    /// A message went out since then.
    is_message_unasked: bool,
    /// It is to be asked by a timer.
    is_timed: bool,
    /// Whether anything was heard since the client was asked.
    was_heard: bool,
}

/// When a client is to be asked.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// Not for now: there is nothing to ask for, an answer is awaited, or a timer runs.
    Not,
    /// In the write that is due.
    Now,
    /// By a timer, after [`REQUEST_AFTER`].
    Later,
}

impl Acks {
    /// So many stanzas were sent, those that are to be written now among them, and are not acknowledged.
    fn consider(&mut self, unacknowledged: usize, now: Duration) -> Due {
        if unacknowledged == 0 {
            self.is_message_unasked = false;
            return Due::Not;
        }
        if self.is_requested {
            return Due::Not;
        }
        let was_asked_lately = self.requested.is_some_and(|at| now.saturating_sub(at) < REQUEST_AFTER);
        if unacknowledged >= UNREQUESTED_MAX || (self.is_message_unasked && !was_asked_lately) {
            return Due::Now;
        }
        if std::mem::replace(&mut self.is_timed, true) { Due::Not } else { Due::Later }
    }

    fn request(&mut self, now: Duration) {
        self.is_requested = true;
        self.requested = Some(now);
        self.is_message_unasked = false;
        self.was_heard = false;
    }

    /// Whether it was asked so long ago, and was silent ever since.
    fn is_unanswered(&self, now: Duration, answer: Duration) -> bool {
        let is_late = self.requested.is_some_and(|at| now.saturating_sub(at) >= answer);
        self.is_requested && !self.was_heard && is_late
    }
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
    }

    /// A stanza goes to the client.
    pub(super) fn count_sent(&mut self, stanza: &[u8]) {
        let figure = Figure::sent(stanza);
        stentor_runtime::tally(figure, 1);
        self.acks.is_message_unasked |= figure == Figure::MessagesSent;
    }

    /// Before what is due is written. A client is asked along with a message, for it may go as soon as it has that, and
    /// what it did not acknowledge would come to it again. It is not asked for each of many: when they are many, or a
    /// little later, as for all else.
    pub(super) fn consider_request(&mut self) {
        let unacknowledged = self.attachment.as_ref().map_or(0, |a| a.unacknowledged().0);
        match self.acks.consider(unacknowledged, uptime()) {
            Due::Not => {}
            Due::Now => self.request(),
            Due::Later => self.after(REQUEST_AFTER, token::REQUEST),
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
            self.acks.request(uptime());
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
        if self.acks.is_unanswered(uptime(), self.limits.answer) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn with_message() -> Acks {
        Acks { is_message_unasked: true, ..Acks::default() }
    }

    #[test]
    fn it_is_asked_along_with_a_message() {
        let mut acks = with_message();
        assert_eq!(acks.consider(1, at(0)), Due::Now);
        acks.request(at(0));
        assert_eq!(acks.consider(2, at(0)), Due::Not, "it has not answered");
    }

    #[test]
    fn for_all_else_it_is_asked_later_or_for_many_at_once() {
        let mut acks = Acks::default();
        assert_eq!(acks.consider(0, at(0)), Due::Not);
        assert_eq!(acks.consider(1, at(0)), Due::Later);
        assert_eq!(acks.consider(UNREQUESTED_MAX - 1, at(0)), Due::Not, "the timer runs");
        assert_eq!(acks.consider(UNREQUESTED_MAX, at(0)), Due::Now);
    }

    #[test]
    fn it_is_not_asked_for_each_of_many_messages() {
        let mut acks = with_message();
        acks.request(at(7));
        for n in 0..150 {
            // Each is answered at once.
            acks.is_requested = false;
            acks.is_message_unasked = true;
            assert_ne!(acks.consider(1, at(7 + 10 * n)), Due::Now, "{n}");
        }
        assert_eq!(acks.consider(1, at(1_507)), Due::Now);
    }

    #[test]
    fn what_was_acknowledged_unasked_is_not_asked_for() {
        let mut acks = with_message();
        assert_eq!(acks.consider(0, at(0)), Due::Not);
        assert_eq!(acks.consider(1, at(0)), Due::Later, "presence");
    }

    #[test]
    fn who_was_silent_since_it_was_asked_does_not_answer() {
        let mut acks = Acks::default();
        assert!(!acks.is_unanswered(at(60), at(30)), "nobody asked");
        acks.request(at(60));
        assert!(!acks.is_unanswered(at(89), at(30)));
        assert!(acks.is_unanswered(at(90), at(30)));
        acks.was_heard = true;
        assert!(!acks.is_unanswered(at(90), at(30)));
    }
}
