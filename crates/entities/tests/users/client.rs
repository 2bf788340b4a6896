//! A client of a scene, with its session.

use stentor_engine::{Attachment, FromSession, Key, SessionKey, StreamId, ToSession};

/// A client's end of a stream.
pub(crate) struct Client {
    pub key: Key,
    pub session: SessionKey,
    pub attachment: Option<Attachment>,
    pub stream: StreamId,
    pub got: Vec<String>,
    /// The stream has ended.
    pub is_over: bool,
}

impl Client {
    /// Gives back what the session says to that.
    pub(crate) fn told(&mut self, message: ToSession) -> Option<FromSession> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match message {
            ToSession::Bound { attachment, jid } => {
                self.attachment = Some(Attachment::bound(attachment, jid))
            }
            ToSession::BindRefused(error) => {
                self.got.push(format!("no resource: {}", error.condition.name()))
            }
            ToSession::Resumed(resumed) => {
                let attached = Attachment::resumed(&resumed);
                let (h, acknowledged) = (attached.handled(), resumed.acknowledged);
                self.got.push(format!("resumed, handled {h}, acknowledged {acknowledged}"));
                self.got.extend(resumed.again.iter().map(|copy| text(&copy.stanza)));
                self.attachment = Some(attached);
            }
            ToSession::ResumeFailed { handled } => {
                let handled = handled.map_or("unknown".to_owned(), |h| h.to_string());
                self.got.push(format!("not resumed, handled {handled}"));
            }
            ToSession::Answer { inbound, .. } => {
                self.got.push(format!("handled {inbound}"));
                self.attached().confirmed(inbound);
            }
            ToSession::Outbound { attachment, stanza, entry, waiting } => {
                assert_eq!(attachment, self.attached().number());
                self.attached().sent(&stanza, entry, waiting);
                self.got.push(text(&stanza));
            }
            ToSession::End(error) => {
                self.is_over = true;
                self.got.push(format!("end: {}", error.condition.name()));
            }
            ToSession::Reattach if self.is_over => {}
            ToSession::Reattach => {
                let attach = self.attached().attach(None);
                if attach.is_none() {
                    self.got.push("lost".to_owned());
                }
                let attachment = self.attached().number();
                return attach.or(Some(FromSession::Detached { attachment, resumable: true }));
            }
            ToSession::Attached { attachment, inbound } => {
                self.attached().attached(attachment, inbound);
                return self.attached().asks_to_enable();
            }
            ToSession::Snapshot { attachment, snapshot } => {
                assert_eq!(attachment, self.attached().number());
                self.attached().note(snapshot);
            }
            ToSession::Confirmed { inbound, .. } => self.attached().confirmed(inbound),
            ToSession::ManagementEnabled { resumable, .. } => self.attached().enabled(resumable),
        }
        None
    }

    pub(crate) fn attached(&mut self) -> &mut Attachment {
        self.attachment.as_mut().expect("it has a resource")
    }
}
