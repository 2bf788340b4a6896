//! What the user tells its session.

use super::{Phase, Session, token};
use stentor_engine::{Attachment, ToSession};
use stentor_runtime::{EndReason, Figure};
use stentor_stream::Enabled;
use stentor_xmpp::Condition;

impl Session {
    /// A message of the user.
    pub(super) fn user(&mut self, message: ToSession) {
        if self.phase != Phase::Open {
            return;
        }
        match message {
            ToSession::Outbound { attachment, stanza, entry, waiting } => {
                let Some(attached) = self.attachment.as_mut().filter(|a| a.number() == attachment) else {
                    return;
                };
                attached.sent(&stanza, entry, waiting);
                self.outbound += 1;
                self.unreported_bytes += stanza.len();
                self.output.extend_from_slice(&stanza);
                self.count_sent(&stanza);
            }
            ToSession::Confirmed { attachment, inbound } => {
                if let Some(attached) = self.attachment.as_mut().filter(|a| a.number() == attachment) {
                    attached.confirmed(inbound);
                }
            }
            ToSession::Answer { attachment, inbound } => {
                if self.attachment.as_ref().is_some_and(|a| a.number() == attachment) {
                    self.answer(inbound);
                }
            }
            ToSession::Snapshot { attachment, snapshot } => {
                if let Some(attached) = self.attachment.as_mut().filter(|a| a.number() == attachment) {
                    attached.note(snapshot);
                }
            }
            ToSession::End(error) => {
                // Most often the user has let the attachment go already; not if it, or its gate, refused an event.
                self.detach(EndReason::Told);
                self.fail(error);
            }
            ToSession::Attached { attachment, inbound } => self.attached(attachment, inbound),
            ToSession::Reattach => self.attach(),
            message => self.negotiated(message),
        }
    }

    fn negotiated(&mut self, message: ToSession) {
        let Some(stream) = &mut self.stream else { return };
        let output = &mut self.output;
        if !matches!(message, ToSession::ManagementEnabled { .. })
            && self.asking.take_if(|asking| asking.is_answered_by(&message)).is_none()
        {
            // It was asked again, and this was answered before.
            return;
        }
        match message {
            ToSession::Bound { attachment, jid } => {
                stentor_runtime::tally(Figure::Bound, 1);
                stream.bound(&jid, output);
                self.attachment = Some(Attachment::bound(attachment, jid));
                self.after(self.limits.idle, token::IDLE);
            }
            ToSession::BindRefused(error) => {
                stream.bind_refused(&error, output);
                self.is_settling = true;
            }
            ToSession::Resumed(resumed) => {
                let attached = Attachment::resumed(&resumed);
                stream.resumed(attached.jid(), attached.handled().0, output);
                self.attachment = Some(attached);
                stentor_runtime::tally(Figure::Resumed, 1);
                for copy in &resumed.again {
                    self.output.extend_from_slice(&copy.stanza);
                    self.count_sent(&copy.stanza);
                }
                self.excused = self.output.len();
                self.after(self.limits.idle, token::IDLE);
            }
            ToSession::ResumeFailed { handled } => {
                stentor_runtime::tally(Figure::NotResumed, 1);
                stream.resume_failed(Condition::ItemNotFound, handled.map(|h| h.0), output);
                self.is_settling = true;
            }
            ToSession::ManagementEnabled { resumable, max } => {
                let id = resumable.map(|id| id.to_string());
                let enabled = Enabled { id: id.as_deref(), max: id.as_ref().map(|_| max), location: None };
                stream.management_enabled(&enabled, output);
                if let Some(attached) = &mut self.attachment {
                    attached.enabled(resumable);
                }
            }
            _ => {}
        }
    }
}
