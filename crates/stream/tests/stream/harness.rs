//! A client stream with a caller that answers by the book, and a log of all that it said and asked.

use std::sync::{Arc, LazyLock};

use rcgen::{CertificateParams, KeyPair, OtherNameValue, SanType};
use stentor_auth::{
    ChannelBindings, ClientIdentities, Credential, Family, Fault, Found, Iterations, PlainCheck, Salts,
    SaslFailure, ServerSecret,
};
use stentor_stream::{Action, ClientStream, Connection, Enabled, Host, Progress, Settings, TlsInfo};
use stentor_xml::{Element, ElementBuilder};
use stentor_xmpp::{Condition, FullJid, Stanza, StanzaError, StreamCondition, StreamManagementError, ns};

/// What a stream did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It wrote this.
    Sent(String),
    /// It asked for this.
    Asked(String),
    /// It is over.
    Ended,
}

/// Where a test begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// A connection in clear.
    Clear,
    /// A connection with TLS.
    Tls,
    /// TLS, and SASL was offered.
    Mechanisms,
    /// TLS, and SASL and registration were offered, at chat.example.org.
    Registration,
    /// TLS, and the client showed Juliet's certificate.
    Certificate,
    /// TLS, and Juliet has authenticated: her second header is awaited.
    Authenticated,
    /// Features with resource binding were sent.
    Features,
    /// Juliet is bound as `juliet@im.example.com/balcony`.
    Bound,
    /// Bound, with stream management.
    Managed,
}

impl Given {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "clear" => Self::Clear,
            "tls" => Self::Tls,
            "mechanisms" => Self::Mechanisms,
            "registration" => Self::Registration,
            "certificate" => Self::Certificate,
            "authenticated" => Self::Authenticated,
            "features" => Self::Features,
            "bound" => Self::Bound,
            "managed" => Self::Managed,
            _ => panic!("given: {name}?"),
        }
    }
}

/// A client's header to the usual host.
pub(crate) const HEADER: &str = "<?xml version='1.0'?><stream:stream to='im.example.com' version='1.0' xml:lang='en' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

const AUTH: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>";
const BIND: &str = "<iq id='b' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
    <resource>balcony</resource></bind></iq>";

/// A stream, what was fed to it and not read, and the log.
pub(crate) struct Session {
    pub(crate) stream: ClientStream,
    pub(crate) events: Vec<Event>,
    /// All that was ever written.
    pub(crate) written: String,
    unread: Vec<u8>,
    check: Option<PlainCheck>,
    bind: Option<FullJid>,
    request: Option<Box<Stanza>>,
}

impl Session {
    pub(crate) fn begin(given: Given) -> Self {
        let connection = match given {
            Given::Clear => Connection::Clear,
            Given::Tls | Given::Mechanisms | Given::Registration => Connection::Tls(tls(None)),
            _ => Connection::Tls(TlsInfo { client: Some(JULIET.clone()), ..tls(None) }),
        };
        let mut session = Self {
            stream: ClientStream::new(Arc::clone(&SETTINGS), connection, Box::new(|bytes| bytes.fill(0))),
            events: Vec::new(),
            written: String::new(),
            unread: Vec::new(),
            check: None,
            bind: None,
            request: None,
        };
        let script: &[(Given, &str, &[&str])] = &[
            (Given::Mechanisms, HEADER, &[]),
            (Given::Authenticated, AUTH, &["credentials"]),
            (Given::Features, HEADER, &[]),
            (Given::Bound, BIND, &["bound"]),
            (Given::Managed, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>", &["enabled"]),
        ];
        let order = [Given::Mechanisms, Given::Authenticated, Given::Features, Given::Bound, Given::Managed];
        let reached = order.iter().position(|state| *state == given).map_or(0, |position| position + 1);
        for (state, input, answers) in script {
            if order.iter().take(reached).any(|reached| reached == state) {
                session.feed(input.as_bytes());
                answers.iter().for_each(|answer| session.answer(answer));
            }
        }
        if given == Given::Registration {
            session.feed(HEADER.replace("im.example.com", "chat.example.org").as_bytes());
        }
        session.events.clear();
        session
    }

    /// Feeds bytes as one read from the socket.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        self.pump();
    }

    /// Lets the stream go on until it needs input or an answer.
    fn pump(&mut self) {
        let unread = std::mem::take(&mut self.unread);
        let mut input = unread.as_slice();
        loop {
            let mut out = Vec::new();
            let progress = self.stream.receive(&mut input, &mut out);
            self.sent(&out);
            match progress {
                Progress::Action(action) => {
                    let is_tls = matches!(action, Action::StartTls { .. });
                    assert!(!is_tls || input.is_empty(), "S030: {} bytes in clear are left", input.len());
                    self.act(action);
                }
                Progress::Ended => {
                    if self.events.last() != Some(&Event::Ended) {
                        self.events.push(Event::Ended);
                    }
                    return;
                }
                Progress::More => {
                    assert!(input.is_empty(), "it wants more, and left {} bytes", input.len());
                    return;
                }
                Progress::Wait => break,
            }
        }
        self.unread = input.to_vec();
    }

    fn sent(&mut self, out: &[u8]) {
        let text = std::str::from_utf8(out).expect("output is UTF-8");
        self.written.push_str(text);
        match self.events.last_mut() {
            _ if text.is_empty() => {}
            Some(Event::Sent(earlier)) => earlier.push_str(text),
            _ => self.events.push(Event::Sent(text.to_owned())),
        }
    }

    fn act(&mut self, action: Action) {
        let asked = match action {
            Action::StartTls { host } => format!("StartTls {host}"),
            Action::NeedCredentials { account } => format!("NeedCredentials {account}"),
            Action::Verify(check) => {
                self.check = Some(check);
                "Verify".to_owned()
            }
            Action::Authenticated { account, mechanism } => {
                format!("Authenticated {account} {}", mechanism.name())
            }
            Action::AuthenticationFailed { account, failure } => {
                let account = account.map_or("-".to_owned(), |account| account.to_string());
                format!("AuthenticationFailed {account} {}", failure.name())
            }
            Action::Register { host, request } => {
                let asked = format!("Register {host} {}", text(&request.to_bytes()));
                self.request = Some(request);
                asked
            }
            Action::Bind { jid } => {
                self.bind = Some(jid.clone());
                format!("Bind {jid}")
            }
            Action::Resume { previd, h } => format!("Resume {previd} {h}"),
            Action::Enable { resume, max } => format!("Enable resume={resume} max={max:?}"),
            Action::Stanza(stanza) => format!("Stanza {}", text(&stanza.to_bytes())),
            Action::Answered(None) => "Answered".to_owned(),
            Action::Answered(Some(answer)) => format!("Answered {}", text(&answer.to_bytes())),
            Action::AckRequest => "AckRequest".to_owned(),
            Action::Ack(h) => format!("Ack {h}"),
            Action::Closed => "Closed".to_owned(),
            Action::Failed(error) => format!("Failed {}", error.condition.name()),
        };
        self.events.push(Event::Asked(asked));
    }

    /// Answers what was asked, or does something by itself.
    pub(crate) fn answer(&mut self, answer: &str) {
        let mut out = Vec::new();
        let (verb, argument) = answer.split_once(' ').unwrap_or((answer, ""));
        let stream = &mut self.stream;
        match verb {
            "tls" => stream.tls_established(tls(Some(argument).filter(|name| !name.is_empty()))),
            "credentials" => stream.credentials(Ok(Found::Account(CREDENTIAL.clone())), &mut out),
            "no-credentials" => stream.credentials(Ok(Found::nobody()), &mut out),
            "fault" => stream.credentials(Err(Fault::new("the store is away")), &mut out),
            "verified" => {
                let verdict = self.check.take().expect("a check was asked for").run();
                stream.verified(verdict, &mut out);
            }
            "registered" => {
                let answer = self.request.take().expect("a registration was asked for").result_reply(None);
                stream.registration_answered(&answer, &mut out);
            }
            "refuse" => stream.refuse_authentication(SaslFailure::NotAuthorized, &mut out),
            "bound" => {
                let jid = if argument.is_empty() {
                    self.bind.clone().expect("a bind was asked for")
                } else {
                    FullJid::parse(argument).expect("a full JID")
                };
                stream.bound(&jid, &mut out);
            }
            "bind-refused" => {
                let condition = Condition::from_name(argument).expect("a condition");
                stream.bind_refused(&StanzaError::new(condition), &mut out);
            }
            "resumed" => {
                let h = argument.parse().expect("a count");
                let jid = FullJid::parse("juliet@im.example.com/balcony").expect("a full JID");
                stream.resumed(&jid, h, &mut out);
            }
            "resume-failed" => stream.resume_failed(Condition::ItemNotFound, argument.parse().ok(), &mut out),
            "enabled" => {
                let enabled = Enabled { id: Some("some-long-sm-id"), max: Some(300), location: None };
                stream.management_enabled(&enabled, &mut out);
            }
            "enabled-unresumable" => stream.management_enabled(&Enabled::default(), &mut out),
            "enable-refused" => stream.management_refused(Condition::ResourceConstraint, &mut out),
            "handled" => stream.handled(argument.parse().expect("a count"), &mut out),
            "request-ack" => stream.request_ack(&mut out),
            "too-high" => {
                let error = StreamManagementError { h: 10, sent: 8 };
                stream.handled_count_too_high(error, &mut out);
            }
            "close" => stream.close(&mut out),
            "fail" => stream.fail(StreamCondition::from_name(argument).expect("a condition"), &mut out),
            _ => panic!("do: {answer}?"),
        }
        self.sent(&out);
        self.pump();
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("stanzas are UTF-8")
}

pub(crate) fn tls(sni: Option<&str>) -> TlsInfo {
    let bindings = ChannelBindings::new(Some([7; 32]), Some(b"certificate".to_vec()));
    TlsInfo { bindings, client: None, sni: sni.map(str::to_owned) }
}

/// Hosts with PLAIN beside SCRAM, with registration, whose clients are sent elsewhere, and with next to nothing.
static SETTINGS: LazyLock<Arc<Settings>> = LazyLock::new(|| {
    let mut first = Host::new("im.example.com");
    first.authentication.families.push(Family::Plain);
    first.features = vec![feature("ver", ns::ROSTER_VERSIONING), feature("sub", ns::PRE_APPROVAL)];
    let mut second = Host::new("chat.example.org");
    second.stream_management = false;
    second.registration = true;
    let mut third = Host::new("moved.example.net");
    third.see_other_host = Some("[2001:db8::7]:5222".to_owned());
    let mut fourth = Host::new("plain.example.com");
    fourth.stream_management = false;
    fourth.authentication.families = vec![Family::Plain];
    let mut settings = Settings::new(ServerSecret::new([3; 32]), [first, second, third, fourth]);
    settings.idle_seconds = Some(600);
    settings.unbound_idle_seconds = Some(30);
    Arc::new(settings)
});

fn feature(name: &str, namespace: &str) -> Element {
    ElementBuilder::new(name, namespace).build()
}

/// Of Juliet, whose password is r0m30myr0m30 (RFC 6120 9.1).
static CREDENTIAL: LazyLock<Credential> = LazyLock::new(|| {
    let iterations = Iterations::new(4_096).expect("the fewest that are allowed");
    Credential::derive("r0m30myr0m30", &Salts::from_random([[1; 16]; 3]), iterations)
        .expect("a good password")
});

/// Whom Juliet's certificate names.
static JULIET: LazyLock<ClientIdentities> = LazyLock::new(|| {
    let xmpp_address = vec![1, 3, 6, 1, 5, 5, 7, 8, 5];
    let name = OtherNameValue::Utf8String("juliet@im.example.com".to_owned());
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::OtherName((xmpp_address, name))];
    let certificate = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
    ClientIdentities::from_certificate(certificate.der()).expect("identities")
});
