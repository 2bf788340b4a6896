//! A client's session: the actor of one connection, on one arbiter for life.

mod actions;
mod management;
mod pump;
mod user;

use crate::addresses::{Addresses, Unauthenticated};
use crate::limits::IDLE;
use crate::listener::Security;
use crate::tls::Certificates;
use crate::transport::Transport;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use arc_swap::ArcSwap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use stentor_auth::Credentials;
use stentor_engine::{Attachment, FromSession, Key, SessionKey};
use stentor_runtime::SessionMessage;
use stentor_stream::{ClientStream, Connection, Deadline, RateLimit, Settings, limits as stream_limits};
use stentor_xmpp::{BareJid, Stanza, StreamCondition};
use tokio::net::TcpStream;

/// What sessions are given: all of it shared.
pub struct Services {
    /// What streams offer. Replaced as a whole; a stream keeps what it began with.
    pub settings: ArcSwap<Settings>,
    /// Certificates.
    pub certificates: Certificates,
    /// Who answers for accounts.
    pub credentials: Arc<dyn Credentials>,
    /// Counts by address.
    pub addresses: Arc<Addresses>,
    /// Bytes per second and at once that a client may send; none: as many as it can.
    pub rate: Option<(u32, u32)>,
}

/// See the module.
pub(crate) struct Session {
    services: Arc<Services>,
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
    /// Stanzas of this read, to be sent to the user together.
    batch: Vec<Stanza>,
    /// Outbound stanzas of this attachment, and how many of them the user knows to be passed on.
    outbound: u64,
    reported: u64,
    acks: management::Acks,
    rate: Option<Box<RateLimit>>,
    is_held: bool,
    /// The host for which TLS is to begin once `output` is written; then, whose certificate is sent to a client
    /// that names none.
    starting: Option<String>,
    fallback: Option<String>,
    /// The client closed its stream; ours is closed when the user has answered.
    is_closing: bool,
    /// Has the pump polled from a future beside it.
    waker: Option<std::task::Waker>,
    /// Read since the last tick of the idle timer; whether it was asked if it is there.
    was_heard: bool,
    was_asked: bool,
    phase: Phase,
    entered: Option<Unauthenticated>,
    address: IpAddr,
    _load: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Write what there is, then shut down.
    Ending,
    /// Nothing more is written or read.
    Over,
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
}

impl Session {
    /// Starts it on this arbiter.
    pub(crate) fn start(
        socket: TcpStream,
        security: Security,
        entered: Unauthenticated,
        services: Arc<Services>,
        load: Arc<AtomicUsize>,
    ) {
        let Ok(peer) = socket.peer_addr() else { return };
        let mut transport = Transport::Clear(socket);
        let stream = match security {
            Security::StartTls => Some(new_stream(&services, Connection::Clear)),
            Security::Direct => {
                let Some(config) = services.certificates.direct() else { return };
                transport.start_tls(config);
                None
            }
        };
        let rate = services.rate.map(|(rate, burst)| Box::new(RateLimit::new(rate, burst, pump::uptime())));
        let session = Self {
            services,
            key: None,
            transport,
            security,
            stream,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            user: None,
            attachment: None,
            batch: Vec::new(),
            outbound: 0,
            reported: 0,
            acks: management::Acks::default(),
            rate,
            is_held: false,
            starting: None,
            fallback: None,
            is_closing: false,
            waker: None,
            was_heard: false,
            was_asked: false,
            phase: Phase::Open,
            entered: Some(entered),
            address: peer.ip(),
            _load: load,
        };
        Actor::start(session);
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
            Some(stream) => stream.fail(error, &mut self.output),
            None => self.phase = Phase::Over,
        }
    }

    /// The connection is gone, or as good as gone: the user keeps the stream, if it can be resumed.
    fn lose(&mut self) {
        self.phase = Phase::Over;
        self.detach(true);
    }

    fn detach(&mut self, resumable: bool) {
        if let Some(attachment) = self.attachment.take() {
            self.tell_user(FromSession::Detached { attachment: attachment.number(), resumable });
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
            _ => {}
        }
    }

    fn detach_and_end(&mut self) {
        self.detach(false);
        self.phase = Phase::Over;
    }

    /// A client that was silent is asked; one that was asked and stays silent is gone.
    fn check_idle(&mut self, deadline: Option<Deadline>) {
        let was_heard = std::mem::take(&mut self.was_heard);
        if deadline == Some(Deadline::Element) && self.was_asked {
            return self.fail(StreamCondition::PolicyViolation);
        }
        if was_heard && deadline != Some(Deadline::Element) {
            self.was_asked = false;
        } else if self.was_asked {
            tracing::debug!(address = %self.address, "a silent client is given up");
            return self.lose();
        } else {
            self.was_asked = true;
            self.ask_whether_there();
        }
        let wait = if self.was_asked { crate::limits::ANSWER_WITHIN } else { IDLE };
        self.after(wait, token::IDLE);
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
        self.key = stentor_runtime::new_session(context.address().recipient());
        self.after(stream_limits::NEGOTIATION_TIME_MAX, token::NEGOTIATION);
        if self.security == Security::Direct {
            self.after(stream_limits::HANDSHAKE_TIME_MAX, token::HANDSHAKE);
        }
        context.spawn(pump::Pump);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.detach(true);
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
            SessionMessage::Shutdown => self.fail(StreamCondition::SystemShutdown),
        }
        // Whatever it led to is written by the pump, which is polled next.
        if self.phase == Phase::Over {
            context.stop();
        }
    }
}
