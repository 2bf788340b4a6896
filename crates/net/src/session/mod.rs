//! A client's session: the actor of one connection. Once authenticated, it lives on its user's arbiter.

mod actions;
mod attaching;
mod management;
mod moving;
mod pump;
mod register;
mod services;
mod silence;
mod user;

pub use services::{Services, SessionLimits};

use crate::addresses::{Entered, Unauthenticated};
use crate::listener::Security;
use crate::tls::Handshake;
use crate::transport::Transport;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use stentor_engine::{Asking, Attachment, FromSession, Key, SessionKey};
use stentor_runtime::{EndReason, SessionMessage};
use stentor_stream::{ClientStream, Connection, Deadline, RateLimit};
use stentor_xmpp::{BareJid, Stanza, StreamCondition};
use tokio::net::TcpStream;

/// See the module.
pub(crate) struct Session {
    services: Arc<Services>,
    limits: Arc<SessionLimits>,
    /// None until the actor has started.
    key: Option<SessionKey>,
    transport: Transport,
    /// Whether TLS is to begin before the stream.
    security: Security,
    /// None while TLS comes first.
    stream: Option<Box<ClientStream>>,
    /// Read and not yet taken by the stream, which waits for an answer or for room.
    input: Vec<u8>,
    /// To be written.
    output: Vec<u8>,
    written: usize,
    /// The account whose user is asked.
    user: Option<Key>,
    attachment: Option<Attachment>,
    /// It attaches to another user since then, and has no answer yet.
    attaching: Option<Duration>,
    /// Stanzas of this read, to be sent to the user together.
    batch: Vec<Stanza>,
    /// Outbound stanzas of this attachment, and how many of them the user knows to be passed on.
    outbound: u64,
    reported: u64,
    unreported_bytes: usize,
    /// Bytes of a resumed stream that are sent again: they are no sign of a client that does not read.
    excused: usize,
    acks: management::Acks,
    rate: Option<Box<RateLimit>>,
    is_held: bool,
    /// The host for which TLS is to begin once `output` is written.
    starting: Option<String>,
    /// What the handshake under way was begun with.
    handshake: Option<Box<Handshake>>,
    /// It is authenticated, and its user lives on another arbiter.
    is_moving: bool,
    /// The client closed its stream; ours is closed when the user has answered.
    is_closing: bool,
    /// The client sends no more bytes.
    is_at_end: bool,
    /// Our stream is over, or may be, and the state machine has not been asked what that leads to.
    is_settling: bool,
    /// Bytes read since the stream ended.
    lingered: usize,
    /// The user was asked for a resource, and has not answered.
    asking: Option<Box<Asking>>,
    /// Has the pump polled from a future beside it.
    waker: Option<std::task::Waker>,
    silence: silence::Silence,
    phase: Phase,
    unauthenticated: Option<Unauthenticated>,
    address: IpAddr,
    entered: Option<Entered>,
    _load: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Write what there is, then shut down.
    Ending,
    /// All is written; the client may still send.
    Lingering,
    /// The connection is to be closed as it is.
    Leaving,
    /// Nothing more is written or read.
    Over,
}

/// What a session begins with, on the arbiter that accepted it or on its user's.
struct Parts {
    services: Arc<Services>,
    limits: Arc<SessionLimits>,
    transport: Transport,
    security: Security,
    stream: Option<Box<ClientStream>>,
    handshake: Option<Box<Handshake>>,
    input: Vec<u8>,
    user: Option<Key>,
    rate: Option<Box<RateLimit>>,
    unauthenticated: Option<Unauthenticated>,
    address: IpAddr,
    entered: Option<Entered>,
    load: Arc<AtomicUsize>,
}

impl From<Parts> for Session {
    fn from(parts: Parts) -> Self {
        Self {
            services: parts.services,
            limits: parts.limits,
            key: None,
            transport: parts.transport,
            security: parts.security,
            stream: parts.stream,
            input: parts.input,
            output: Vec::new(),
            written: 0,
            user: parts.user,
            attachment: None,
            attaching: None,
            batch: Vec::new(),
            outbound: 0,
            reported: 0,
            unreported_bytes: 0,
            excused: 0,
            acks: management::Acks::default(),
            rate: parts.rate,
            is_held: false,
            starting: None,
            handshake: parts.handshake,
            is_moving: false,
            is_closing: false,
            is_at_end: false,
            is_settling: false,
            lingered: 0,
            asking: None,
            waker: None,
            silence: silence::Silence::new(pump::uptime()),
            phase: Phase::Open,
            unauthenticated: parts.unauthenticated,
            address: parts.address,
            entered: parts.entered,
            _load: parts.load,
        }
    }
}

/// What timers of a session mean.
mod token {
    pub(super) const NEGOTIATION: u64 = 0;
    pub(super) const HANDSHAKE: u64 = 1;
    pub(super) const IDLE: u64 = 2;
    pub(super) const CLOSE: u64 = 3;
    pub(super) const RATE: u64 = 4;
    pub(super) const REQUEST: u64 = 5;
    pub(super) const ANSWER: u64 = 6;
    pub(super) const ATTACH: u64 = 7;
}

impl Session {
    /// Starts it on this arbiter.
    pub(crate) fn start(
        socket: TcpStream,
        security: Security,
        (entered, unauthenticated): (Entered, Unauthenticated),
        services: Arc<Services>,
        load: Arc<AtomicUsize>,
    ) {
        let Ok(peer) = socket.peer_addr() else { return };
        let mut transport = Transport::clear(socket);
        let (stream, handshake) = match security {
            Security::StartTls => (Some(new_stream(&services, Connection::Clear)), None),
            Security::Direct => {
                let handshake = services.certificates.direct();
                transport.start_tls(handshake.config());
                (None, Some(Box::new(handshake)))
            }
        };
        let limits = services.limits.load_full();
        let rate = limits.rate.map(|(rate, burst)| Box::new(RateLimit::new(rate, burst, pump::uptime())));
        let parts = Parts {
            services,
            limits,
            transport,
            security,
            stream,
            handshake,
            input: Vec::new(),
            user: None,
            rate,
            unauthenticated: Some(unauthenticated),
            address: peer.ip(),
            entered: Some(entered),
            load,
        };
        Actor::start(Self::from(parts));
    }

    fn after(&self, wait: Duration, token: u64) {
        if let Some(key) = self.key {
            stentor_runtime::after(key, wait, token);
        }
    }

    fn tell_user(&self, event: FromSession) {
        if let (Some(session), Some(user)) = (self.key, &self.user) {
            stentor_runtime::send(user.clone(), stentor_engine::Event::Session(session, event));
        }
    }

    /// Ends the stream with an error, and the connection once that is written.
    fn fail(&mut self, error: impl Into<stentor_xmpp::StreamError>) {
        match &mut self.stream {
            Some(stream) => {
                stream.fail(error, &mut self.output);
                self.is_settling = true;
            }
            None => self.phase = Phase::Over,
        }
    }

    /// The connection is gone, or as good as gone: the user keeps the stream, if it can be resumed and was not
    /// closed.
    fn lose(&mut self) {
        self.phase = Phase::Over;
        self.detach(EndReason::Lost);
    }

    /// As if the connection were lost, but TLS ends in good order: to a client, an end without that is an attack.
    fn let_go(&mut self) {
        self.lose();
        self.phase = Phase::Leaving;
    }

    /// The process ends. Clients resume a stream whose connection was lost, and not all of them one that was ended.
    fn shut_down(&mut self, user_goes_on: bool) {
        let is_resumable = self.attachment.as_ref().is_some_and(|attached| attached.stream().is_some());
        if user_goes_on && is_resumable {
            self.let_go();
        } else {
            self.fail(StreamCondition::SystemShutdown);
        }
    }

    fn detach(&mut self, why: EndReason) {
        if let Some(attachment) = self.attachment.take() {
            let why = if self.is_closing { EndReason::Closed } else { why };
            if let (Some(session), Some(user)) = (self.key, &self.user) {
                stentor_runtime::session_ends(session, user, &attachment, Some(self.address), why);
            }
        } else if self.asking.take().is_some() {
            self.tell_user(FromSession::Gone);
        }
    }

    fn timer(&mut self, timer: u64) {
        let deadline = self.stream.as_ref().map(|stream| stream.deadline());
        match timer {
            token::NEGOTIATION => match deadline {
                Some(Deadline::Negotiation) => self.fail(StreamCondition::ConnectionTimeout),
                Some(Deadline::Handshake) | None => self.phase = Phase::Over,
                _ => {}
            },
            token::HANDSHAKE if matches!(self.transport, Transport::Handshake(_)) => self.phase = Phase::Over,
            token::CLOSE => self.detach_and_end(),
            token::RATE => self.is_held = false,
            token::IDLE => self.check_idle(deadline),
            token::REQUEST => self.request_acknowledgement(),
            token::ANSWER => self.check_answer(),
            token::ATTACH => self.check_attaching(),
            _ => {}
        }
    }

    fn detach_and_end(&mut self) {
        self.detach(EndReason::Closed);
        self.phase = Phase::Over;
    }

    /// Has the pump polled.
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    fn account(&self) -> Option<BareJid> {
        self.stream.as_ref().and_then(|stream| stream.account())
    }
}

fn new_stream(services: &Services, connection: Connection) -> Box<ClientStream> {
    let entropy = Box::new(|buffer: &mut [u8]| {
        // The system's generator fails only where there is none, and then nothing here may go on.
        getrandom::fill(buffer).expect("the system has a random number generator");
    });
    Box::new(ClientStream::new(services.settings.load_full(), connection, entropy))
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.key = stentor_runtime::new_session(context.address().recipient(), self.user.as_ref());
        self.after(self.limits.login, token::NEGOTIATION);
        if self.security == Security::Direct {
            self.after(self.limits.handshake, token::HANDSHAKE);
        }
        context.spawn(pump::Pump);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.detach(EndReason::Lost);
        if let Some(key) = self.key {
            stentor_runtime::forget_session(key);
        }
    }
}

impl Handler<SessionMessage> for Session {
    type Result = ();

    fn handle(&mut self, message: SessionMessage, context: &mut Self::Context) {
        match message {
            SessionMessage::User(message) => self.user(message),
            SessionMessage::Timer(timer) => self.timer(timer),
            SessionMessage::Lost => self.let_go(),
            SessionMessage::Shutdown { user_goes_on } => self.shut_down(user_goes_on),
        }
        // Whatever it led to is written by the pump, which is polled next.
        if self.phase == Phase::Over {
            context.stop();
        }
    }
}
