//! Stream resumption (XEP-0198 5), the client's side: how a stream goes on over another connection, at whichever
//! server of the cluster, and what becomes of it where the server refuses.

use std::collections::VecDeque;

use crate::acks::Counters;
use crate::element::{self, escape};
use crate::link::{Link, LinkError};
use crate::target::Target;

/// A stream that can be resumed.
#[derive(Debug)]
pub(crate) struct Resumable {
    /// The stream's SM-ID.
    id: String,
    /// What the server has not acknowledged, in its order, each as it was sent.
    pub(crate) kept: VecDeque<Vec<u8>>,
    /// Where in the output the stanza begins that is being written.
    stanza_start: usize,
}

/// What outlives a connection.
#[derive(Debug)]
pub(crate) struct Suspended {
    pub(crate) resumable: Resumable,
    pub(crate) counters: Counters,
    /// The full JID that the stream is bound to.
    pub(crate) jid: String,
}

/// How a client came back.
#[derive(Debug)]
pub(crate) enum Return {
    /// The stream goes on (XEP-0198 5).
    Resumed,
    /// `<failed/>`: another stream, with the stanzas that the server says it has not got, or all when it says nothing.
    Refused { h: Option<H>, unsent: Vec<Vec<u8>> },
}

/// What the server says it has handled of a stream that it does not resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum H {
    /// Between what it acknowledged before and what was sent.
    Possible,
    Impossible,
}

impl Resumable {
    pub(crate) fn new(id: String) -> Self {
        Self { id, kept: VecDeque::new(), stanza_start: 0 }
    }

    /// A stanza is written to the output from that place on.
    pub(crate) fn stanza_begins(&mut self, at: usize) {
        self.stanza_start = at;
    }

    /// The stanza stands in the output, up to its end.
    pub(crate) fn stanza_ends(&mut self, output: &[u8]) {
        self.kept.push_back(output.get(self.stanza_start..).unwrap_or_default().to_vec());
    }

    /// Drops what the server acknowledged.
    pub(crate) fn forget_acknowledged(&mut self, counters: Counters) {
        let unacknowledged = usize::try_from(counters.unacknowledged()).unwrap_or(usize::MAX);
        self.kept.drain(..self.kept.len().saturating_sub(unacknowledged));
    }
}

impl Suspended {
    /// Takes the `h` of `<resumed/>` or `<failed/>`. An impossible one changes nothing.
    fn note_handled(&mut self, h: u32) -> H {
        if !self.counters.can_be_acknowledged(h) {
            return H::Impossible;
        }
        self.counters.note_acknowledged(h);
        self.resumable.forget_acknowledged(self.counters);
        H::Possible
    }

    /// What another stream has to send again: messages. Presence and answers belong to the stream.
    fn unsent(&self) -> Vec<Vec<u8>> {
        self.resumable.kept.iter().filter(|stanza| stanza.starts_with(b"<message")).cloned().collect()
    }
}

impl Target {
    /// Logs in at that server and resumes the stream, or binds the resource anew where the server does not let it.
    /// After an error `suspended` can be resumed still.
    pub(crate) async fn come_back(
        &self,
        server: usize,
        account: u32,
        resource: &str,
        suspended: &mut Option<Suspended>,
    ) -> Result<(Link, Return), LinkError> {
        let mut text = String::new();
        let mut link = self.authenticated(server, account, &mut text).await?;
        let features = text.clone();
        let mut handled = None;
        if let Some(stream) = suspended.as_mut() {
            let h = stream.counters.received();
            let request =
                format!("<resume xmlns='urn:xmpp:sm:3' previd='{}' h='{h}'/>", escape(&stream.resumable.id));
            link.raw().extend_from_slice(request.as_bytes());
            link.element(&mut text).await?;
            handled =
                element::attribute(&text, "h").and_then(|h| h.parse().ok()).map(|h| stream.note_handled(h));
            match element::name(&text) {
                "resumed" if handled == Some(H::Possible) => {
                    if let Some(stream) = suspended.take() {
                        link.resume(stream, self.stream_management.unwrap_or(1));
                    }
                    return Ok((link, Return::Resumed));
                }
                "failed" => {}
                _ => return Err(LinkError::Refused { stage: "resumption", answer: text }),
            }
        }
        text = features;
        self.bind(&mut link, account, Some(resource), &mut text).await?;
        let unsent = suspended.take().map(|stream| stream.unsent()).unwrap_or_default();
        Ok((link, Return::Refused { h: handled, unsent }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six stanzas sent, two acknowledged; then the server says `h`.
    fn check(h: u32, expected: H, kept: &[&str], unsent: &[&str]) {
        let mut counters = Counters::default();
        let mut resumable = Resumable::new(String::new());
        let mut output = b"<r/>".to_vec();
        for stanza in
            ["<presence/>", "<message 1/>", "<message 2/>", "<iq/>", "<message 3/>", "<presence 2/>"]
        {
            counters.note_sent();
            resumable.stanza_begins(output.len());
            output.extend_from_slice(stanza.as_bytes());
            resumable.stanza_ends(&output);
        }
        counters.note_acknowledged(2);
        resumable.forget_acknowledged(counters);
        let mut stream = Suspended { resumable, counters, jid: String::new() };
        let text = |stanza: &Vec<u8>| String::from_utf8(stanza.clone()).unwrap();
        assert_eq!(stream.note_handled(h), expected, "h {h}");
        assert_eq!(stream.resumable.kept.iter().map(text).collect::<Vec<_>>(), kept, "h {h}");
        assert_eq!(stream.unsent().iter().map(text).collect::<Vec<_>>(), unsent, "h {h}");
    }

    #[test]
    fn what_was_handled_is_not_sent_again() {
        let all = ["<message 2/>", "<iq/>", "<message 3/>", "<presence 2/>"];
        check(2, H::Possible, &all, &["<message 2/>", "<message 3/>"]);
        check(3, H::Possible, &all[1..], &["<message 3/>"]);
        check(6, H::Possible, &[], &[]);
        check(7, H::Impossible, &all, &["<message 2/>", "<message 3/>"]);
        check(1, H::Impossible, &all, &["<message 2/>", "<message 3/>"]);
    }
}
