//! What a stream asks of its caller.

use stentor_auth::{Mechanism, PlainCheck, SaslFailure};
use stentor_xmpp::{BareJid, FullJid, Stanza, StreamError};

/// What [`ClientStream::receive`](crate::ClientStream::receive) came to.
#[derive(Debug)]
pub enum Progress {
    /// All input was read: call again with more.
    More,
    /// An answer is outstanding (see the last [`Action`]): call again after it, with the input that is left.
    Wait,
    /// Do this, then call again with the input that is left, even if there is none.
    Action(Action),
    /// The stream is over: write what is in `output`, then close the connection. Nothing more is read.
    Ended,
}

/// What the caller is to do. Those that say so are answered; until then `receive` reads nothing.
#[derive(Debug)]
pub enum Action {
    /// Write what is in `output`, drop every byte of input that was read, do the TLS handshake, and answer with
    /// [`tls_established`](crate::ClientStream::tls_established). If the handshake fails, cut the connection.
    StartTls {
        /// The virtual host that the client named: the certificate to use if there is no SNI.
        host: String,
    },
    /// Look up what the account authenticates with; answer with
    /// [`credentials`](crate::ClientStream::credentials), or with
    /// [`refuse_authentication`](crate::ClientStream::refuse_authentication) where too many attempts failed.
    NeedCredentials {
        /// The account that somebody claims to be.
        account: BareJid,
    },
    /// Blocking work for a thread of its own: run the check, answer with
    /// [`verified`](crate::ClientStream::verified).
    Verify(PlainCheck),
    /// The client is authenticated; it goes on by itself.
    Authenticated {
        /// Whose it is now.
        account: BareJid,
        /// By what.
        mechanism: Mechanism,
    },
    /// Authentication failed, `<failure/>` is written; the client may try again. For the count of failures per
    /// account and per address.
    AuthenticationFailed {
        /// The account, where the exchange got as far as naming one.
        account: Option<BareJid>,
        /// Why.
        failure: SaslFailure,
    },
    /// XEP-0077 3.1: somebody who is not authenticated asks for the registration form, or registers. Answer with
    /// [`registration_answered`](crate::ClientStream::registration_answered).
    Register {
        /// The host at which an account is asked for.
        host: String,
        /// An iq of type `get` or `set` with a `jabber:iq:register` query. Its addresses say nothing.
        request: Box<Stanza>,
    },
    /// Bind this resource; answer with [`bound`](crate::ClientStream::bound) (the same or, on a conflict, another)
    /// or with [`bind_refused`](crate::ClientStream::bind_refused).
    Bind {
        /// With the resource that the client asked for, or one made here.
        jid: FullJid,
    },
    /// XEP-0198 5: resume this session of the authenticated account; answer with
    /// [`resumed`](crate::ClientStream::resumed) or [`resume_failed`](crate::ClientStream::resume_failed).
    Resume {
        /// The session's id, as the client gave it.
        previd: String,
        /// Stanzas that the client handled on the former stream.
        h: u32,
    },
    /// XEP-0198 3: count stanzas from here on; answer with
    /// [`management_enabled`](crate::ClientStream::management_enabled) or
    /// [`management_refused`](crate::ClientStream::management_refused).
    Enable {
        /// Whether the client wants to be able to resume.
        resume: bool,
        /// For how many seconds it would like the session to be kept.
        max: Option<u32>,
    },
    /// A stanza, its `from` absent or the client's own bare or full JID. It counts as received.
    Stanza(Stanza),
    /// A stanza that the stream dealt with itself: malformed, or a request about the stream. It counts as received
    /// and handled. The answer, if there is one, goes to the client like any other stanza, counted as sent.
    Answered(Option<Box<Stanza>>),
    /// XEP-0198 4, `<r/>`: say how many were handled, by [`handled`](crate::ClientStream::handled); once for a
    /// batch of input is enough.
    AckRequest,
    /// XEP-0198 4, `<a/>`: the client handled that many. If that is more than was sent:
    /// [`handled_count_too_high`](crate::ClientStream::handled_count_too_high).
    Ack(u32),
    /// The client closed its stream: send what is still to be sent, then
    /// [`close`](crate::ClientStream::close).
    Closed,
    /// The stream ended with this error, which is written. [`Progress::Ended`] follows.
    Failed(StreamError),
}

/// What a stream is at, for the caller's clock. The limits are in [`crate::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Before a resource is bound: [`NEGOTIATION_TIME_MAX`](crate::limits::NEGOTIATION_TIME_MAX) since the
    /// connection was accepted; then [`fail`](crate::ClientStream::fail) with `connection-timeout`.
    Negotiation,
    /// TLS: [`HANDSHAKE_TIME_MAX`](crate::limits::HANDSHAKE_TIME_MAX) since `StartTls`, and that of `Negotiation`;
    /// then cut the connection.
    Handshake,
    /// An element was begun: [`ELEMENT_TIME_MAX`](crate::limits::ELEMENT_TIME_MAX) since it was; then `fail` with
    /// `policy-violation`.
    Element,
    /// We closed the stream: [`CLOSE_TIME_MAX`](crate::limits::CLOSE_TIME_MAX) since then; then cut the connection.
    Close,
    /// None: the client may be silent. Pings, or requests for acknowledgement, find out whether it is there.
    None,
}
