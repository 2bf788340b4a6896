//! One client's connection: bytes in and out without ever waiting on one direction alone, elements out of the
//! bytes, and the client's side of stream management (XEP-0198 1.6). What a stream needs to go on over another
//! connection is kept where that is asked for; see `resume`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::acks::Counters;
use crate::element;
use crate::resume::{Resumable, Suspended};
use crate::scan::{Item, Scanner};

/// A server that sends one element larger than this is not measured, but refused.
const ELEMENT_BYTES_MAX: usize = 4 << 20;
/// Room made for each read; a TLS record of the usual size fits.
const READ_BYTES: usize = 4096;

/// Why a connection or a login came to an end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server sent XML that no stream may hold, or an element over {ELEMENT_BYTES_MAX} bytes")]
    Malformed,
    #[error("stream error: {0}")]
    Stream(String),
    #[error("{stage}: refused: {answer}")]
    Refused { stage: &'static str, answer: String },
    #[error(
        "login: not-authorized: no such account, or it has another password; `stentor-load prepare` makes accounts; the \
         first was {jid}"
    )]
    NotAuthorized { jid: String },
    #[error("login: no answer in {0} s")]
    Timeout(u64),
    #[error("no acknowledgement in {0} s")]
    Silent(u64),
    #[error(transparent)]
    Scram(#[from] crate::scram::ScramError),
    #[error("the server offers {offered:?}, and {wanted} is asked for")]
    NoMechanism { offered: Vec<String>, wanted: &'static str },
}

impl LinkError {
    /// Of errors with the same, the first is told, and how many there were.
    pub(crate) fn in_common(&self) -> String {
        match self {
            Self::NotAuthorized { .. } => "login: not-authorized".to_owned(),
            other => other.to_string(),
        }
    }
}

/// The transport, before and after STARTTLS.
#[derive(Debug)]
pub(crate) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// In between, while the TLS handshake owns the socket.
    Taken,
}

/// What `Link::next` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// An element stands in the caller's text.
    Element,
    /// The server's `</stream:stream>`.
    End,
    /// All that was read is used up.
    Nothing,
}

/// One client's connection.
#[derive(Debug)]
pub(crate) struct Link {
    io: Io,
    scanner: Scanner,
    input: BytesMut,
    output: Vec<u8>,
    written: usize,
    is_flush_due: bool,
    counters: Option<Counters>,
    /// An `<r/>` follows each so many stanzas.
    ack_every: u32,
    is_ack_awaited: bool,
    /// What the stream needs to be resumed; `None` where it is not to be, or cannot.
    resumable: Option<Resumable>,
    /// The full JID that the server bound.
    pub(crate) jid: String,
}

impl Link {
    pub(crate) fn new(io: Io) -> Self {
        Self {
            io,
            scanner: Scanner::default(),
            input: BytesMut::new(),
            output: Vec::new(),
            written: 0,
            is_flush_due: false,
            counters: None,
            ack_every: 1,
            is_ack_awaited: false,
            resumable: None,
            jid: String::new(),
        }
    }

    /// Takes the transport out for a TLS handshake. What came in clear after `<proceed/>` is dropped.
    pub(crate) fn take_io(&mut self) -> Io {
        self.restart();
        self.input.clear();
        std::mem::replace(&mut self.io, Io::Taken)
    }

    pub(crate) fn put_io(&mut self, io: Io) {
        self.io = io;
    }

    /// A new stream header is expected (RFC 6120 4.3.3).
    pub(crate) fn restart(&mut self) {
        self.scanner = Scanner::default();
    }

    /// Counts stanzas from here on.
    pub(crate) fn enable_stream_management(&mut self, ack_every: u32) {
        self.counters = Some(Counters::default());
        self.ack_every = ack_every.max(1);
    }

    /// Keeps what is sent from here on until it is acknowledged, so that the stream of that id can be resumed.
    pub(crate) fn keep_for_resumption(&mut self, id: String) {
        self.resumable = Some(Resumable::new(id));
    }

    /// Whether the server lets the stream be resumed, and it is to be.
    pub(crate) fn is_resumable(&self) -> bool {
        self.resumable.is_some()
    }

    /// What outlives this connection; `None` if the stream cannot be resumed.
    pub(crate) fn suspend(&mut self) -> Option<Suspended> {
        let (resumable, counters) = (self.resumable.take()?, self.counters?);
        Some(Suspended { resumable, counters, jid: std::mem::take(&mut self.jid) })
    }

    /// Goes on with that stream, of which the server has `h`: what it has not got is sent again, uncounted.
    pub(crate) fn resume(&mut self, suspended: Suspended, ack_every: u32) {
        let Suspended { resumable, counters, jid } = suspended;
        resumable.kept.iter().for_each(|stanza| self.output.extend_from_slice(stanza));
        self.resumable = Some(resumable);
        (self.counters, self.ack_every, self.jid) = (Some(counters), ack_every.max(1), jid);
        self.ask();
    }

    /// The TLS version and cipher suite, once TLS stands.
    pub(crate) fn tls_name(&self) -> Option<String> {
        let Io::Tls(stream) = &self.io else { return None };
        let (_, connection) = stream.get_ref();
        Some(format!(
            "{:?} {:?}",
            connection.protocol_version()?,
            connection.negotiated_cipher_suite()?.suite()
        ))
    }

    /// Where to write what is no stanza.
    pub(crate) fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Where to write one stanza, after counting it. `stanza_done` follows.
    pub(crate) fn stanza(&mut self) -> &mut Vec<u8> {
        if let Some(counters) = &mut self.counters {
            counters.note_sent();
        }
        if let Some(resumable) = &mut self.resumable {
            resumable.stanza_begins(self.output.len());
        }
        &mut self.output
    }

    /// Keeps the stanza where that is asked for, and asks for an acknowledgement when one is due.
    pub(crate) fn stanza_done(&mut self) {
        if let Some(resumable) = &mut self.resumable {
            resumable.stanza_ends(&self.output);
        }
        self.ask_after(self.ack_every);
    }

    /// Asks for an acknowledgement of whatever was sent since the last time.
    pub(crate) fn ask_for_the_rest(&mut self) {
        self.ask_after(1);
    }

    fn ask_after(&mut self, stanzas: u32) {
        if self.counters.as_mut().is_some_and(|counters| counters.is_ack_due(stanzas)) {
            self.ask();
        }
    }

    fn ask(&mut self) {
        self.output.extend_from_slice(b"<r xmlns='urn:xmpp:sm:3'/>");
        self.is_ack_awaited = true;
    }

    /// An `<r/>` was sent, and nothing answers it yet.
    pub(crate) fn is_ack_awaited(&self) -> bool {
        self.is_ack_awaited
    }

    /// Stanzas sent that the server has not acknowledged; 0 without stream management.
    pub(crate) fn unacknowledged(&self) -> u32 {
        self.counters.map_or(0, |counters| counters.unacknowledged())
    }

    /// Writes what is due and reads what is there. Ready when something was read.
    pub(crate) fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        self.poll_output(cx)?;
        if self.input.len() > ELEMENT_BYTES_MAX {
            return Poll::Ready(Err(LinkError::Malformed));
        }
        self.input.reserve(READ_BYTES);
        let mut read = match &mut self.io {
            Io::Plain(stream) => Either::Left(stream),
            Io::Tls(stream) => Either::Right(stream.as_mut()),
            Io::Taken => return Poll::Ready(Err(LinkError::Closed)),
        };
        let count = match &mut read {
            Either::Left(stream) => ready!(poll_read(stream, &mut self.input, cx))?,
            Either::Right(stream) => ready!(poll_read(stream, &mut self.input, cx))?,
        };
        Poll::Ready(if count == 0 { Err(LinkError::Closed) } else { Ok(()) })
    }

    /// Writes as much as the socket takes, and no more: reading goes on meanwhile.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Result<(), LinkError> {
        while let Some(due) = self.output.get(self.written..).filter(|due| !due.is_empty()) {
            let progress = match &mut self.io {
                Io::Plain(stream) => Pin::new(stream).poll_write(cx, due)?,
                Io::Tls(stream) => Pin::new(stream).poll_write(cx, due)?,
                Io::Taken => return Err(LinkError::Closed),
            };
            let Poll::Ready(count) = progress else { return Ok(()) };
            self.written += count;
            self.is_flush_due = true;
        }
        self.output.clear();
        self.written = 0;
        if self.is_flush_due
            && let Io::Tls(stream) = &mut self.io
            && Pin::new(stream).poll_flush(cx)?.is_pending()
        {
            return Ok(());
        }
        self.is_flush_due = false;
        Ok(())
    }

    /// Puts the next element that is meant for the caller into `text`. Stream management and the server's
    /// questions are answered on the way.
    pub(crate) fn next(&mut self, text: &mut String) -> Result<Next, LinkError> {
        loop {
            let Some(found) = self.scanner.next(&self.input).map_err(|_| LinkError::Malformed)? else {
                return Ok(Next::Nothing);
            };
            text.clear();
            let bytes = self.input.get(found.start..found.end).unwrap_or_default();
            text.push_str(std::str::from_utf8(bytes).map_err(|_| LinkError::Malformed)?);
            self.input.advance(found.end);
            match found.item {
                Item::Header => {}
                Item::End => return Ok(Next::End),
                Item::Element if self.is_answered(text)? => {}
                Item::Element => return Ok(Next::Element),
            }
        }
    }

    /// Deals with what every client answers alike.
    fn is_answered(&mut self, text: &str) -> Result<bool, LinkError> {
        match element::name(text) {
            "r" => {
                let received = self.counters.map_or(0, |counters| counters.received());
                self.output
                    .extend_from_slice(format!("<a xmlns='urn:xmpp:sm:3' h='{received}'/>").as_bytes());
                return Ok(true);
            }
            "a" => {
                let h = element::attribute(text, "h").and_then(|h| h.parse().ok());
                if let (Some(counters), Some(h)) = (&mut self.counters, h) {
                    counters.note_acknowledged(h);
                    self.is_ack_awaited = false;
                    if let Some(resumable) = &mut self.resumable {
                        resumable.forget_acknowledged(*counters);
                    }
                }
                return Ok(true);
            }
            "stream:error" => {
                let condition = element::descendant(text, element::name(text.get(14..).unwrap_or_default()));
                return Err(LinkError::Stream(condition.unwrap_or(text).to_owned()));
            }
            "message" | "presence" | "iq" => {}
            _ => return Ok(false),
        }
        if let Some(counters) = &mut self.counters {
            counters.note_received();
        }
        match element::attribute(text, "type") {
            Some("get") if element::name(text) == "iq" => {
                self.answer_question(text);
                Ok(true)
            }
            // A roster push (RFC 6121 2.1.6), of interest to the caller as well.
            Some("set") if element::name(text) == "iq" => {
                self.answer(text, "");
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// RFC 6120 8.2.3: an iq of type get must be answered; pings (XEP-0199) by a result, others by an error.
    fn answer_question(&mut self, text: &str) {
        let is_ping = text.contains("urn:xmpp:ping");
        let error = "<error type='cancel'>\
                     <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        self.answer(text, if is_ping { "" } else { error });
    }

    /// Answers the iq in `text` by a result, or by that error.
    fn answer(&mut self, text: &str, error: &str) {
        let id = element::attribute(text, "id").unwrap_or_default();
        let to = element::attribute(text, "from").map(|from| format!(" to='{from}'")).unwrap_or_default();
        let kind = if error.is_empty() { "result" } else { "error" };
        let answer = format!("<iq type='{kind}' id='{id}'{to}>{error}</iq>");
        self.stanza().extend_from_slice(answer.as_bytes());
        self.stanza_done();
    }

    /// Waits until something was read, writing what is due.
    pub(crate) async fn progress(&mut self) -> Result<(), LinkError> {
        std::future::poll_fn(|cx| self.poll_progress(cx)).await
    }

    /// The next element, waiting for it. `Closed` at the stream's end.
    pub(crate) async fn element(&mut self, text: &mut String) -> Result<(), LinkError> {
        loop {
            match self.next(text)? {
                Next::Element => return Ok(()),
                Next::End => return Err(LinkError::Closed),
                Next::Nothing => self.progress().await?,
            }
        }
    }

    /// Ends the stream both ways (RFC 6120 4.4); errors no longer matter.
    pub(crate) async fn close(&mut self) {
        self.raw().extend_from_slice(b"</stream:stream>");
        let mut text = String::new();
        while !matches!(self.next(&mut text), Ok(Next::End) | Err(_)) {
            if self.progress().await.is_err() {
                return;
            }
        }
        if let Io::Tls(stream) = &mut self.io {
            let _ = tokio::io::AsyncWriteExt::shutdown(stream).await;
        }
    }
}

/// The two kinds of stream that can be read.
enum Either<'a> {
    Left(&'a mut TcpStream),
    Right(&'a mut TlsStream<TcpStream>),
}

fn poll_read<R: AsyncRead + Unpin>(
    from: &mut R,
    into: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    // `read_buf` is cancel safe: a pending one has taken nothing.
    std::pin::pin!(from.read_buf(into)).poll(cx)
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
