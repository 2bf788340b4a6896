//! A scene: users around one store in memory, with clients whose side of the streams is text.
//!
//! Everything happens at once and in order: a commit is durable when it is put out, an event is delivered after
//! those before it. Time passes only when a test says so.

mod moving;

use crate::client::Client;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use stentor_engine::{
    Ask, Attachment, Batch, Command, Epoch, Event, FromSession, Key, MemberId, Now, Output, Reply, Sent,
    SessionKey, Shell, StreamId,
};
use stentor_entities::{Host, Hosts, User, UserLimits};
use stentor_store::Memory;
use stentor_xmpp::{BareJid, Counter, FullJid, Stanza};

/// Where a scene begins: 2023-11-14T22:13:20Z.
const START: u64 = 1_700_000_000_000;

/// Users, their store and their clients.
pub(crate) struct Scene {
    hosts: Arc<Hosts>,
    pub(crate) memory: Memory,
    shells: BTreeMap<Key, Shell<User>>,
    events: VecDeque<(Key, Event)>,
    timers: Vec<(u64, Key, u64)>,
    clients: BTreeMap<String, Client>,
    replies: Vec<Reply>,
    /// What entities forward is lost on its way.
    pub(crate) loses_forwards: bool,
    /// Whose next commit the store refuses.
    refuses: Option<Key>,
    /// Epochs of users that have moved; others are in their first.
    epochs: BTreeMap<Key, Epoch>,
    serial: u64,
    batches: u64,
    pub(crate) now: Now,
}

impl Scene {
    /// Two hosts that keep messages, `a.example` and `b.example`, and one that does not, `memory.example`.
    pub(crate) fn new() -> Self {
        Self::with(UserLimits::default())
    }

    pub(crate) fn with(limits: UserLimits) -> Self {
        let host = |domain: &str, keep| Host {
            domain: domain.into(),
            keep,
            contacts: vec![("abuse-addresses".to_owned(), vec!["mailto:abuse@a.example".to_owned()])],
            registration: false,
        };
        let hosts = vec![host("a.example", true), host("b.example", true), host("memory.example", false)];
        Self {
            hosts: Arc::new(Hosts::new(hosts, limits, "1.2.3", START - 3_600_000)),
            memory: Memory::new(),
            shells: BTreeMap::new(),
            events: VecDeque::new(),
            timers: Vec::new(),
            clients: BTreeMap::new(),
            replies: Vec::new(),
            loses_forwards: false,
            refuses: None,
            epochs: BTreeMap::new(),
            serial: 0,
            batches: 0,
            now: Now { monotonic: 1_000, unix: START },
        }
    }

    /// A scene in which these accounts exist, and a client of each is connected, has asked for the roster and is
    /// available.
    pub(crate) fn online(clients: &[&str]) -> Self {
        let mut scene = Self::new();
        scene.come_online(clients);
        scene
    }

    pub(crate) fn come_online(&mut self, clients: &[&str]) {
        for client in clients {
            let bare = bare(client);
            if self.memory.rows().all(|row| *row.owner.address != *bare.as_str()) {
                self.account(bare.as_str());
            }
            self.connects(client);
            self.sends(client, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
            self.sends(client, "<presence/>");
        }
        self.clear();
    }

    pub(crate) fn account(&mut self, jid: &str) {
        let reply = self.command(jid, Command::CreateAccount("{}".into()));
        assert_eq!(reply, Reply::Done, "{jid} is made");
    }

    /// Puts both on each other's roster, subscribed both ways.
    pub(crate) fn befriends(&mut self, one: &str, other: &str) {
        for (one, other) in [(one, other), (other, one)] {
            let contact = Command::AddContact { jid: bare(other), name: String::new() };
            assert_eq!(self.command(one, contact), Reply::Done);
        }
        self.clear();
    }

    pub(crate) fn command(&mut self, jid: &str, command: Command) -> Reply {
        self.give(key(jid), Event::Command(Ask(1), command));
        self.replies.pop().expect("a reply")
    }

    /// Binds the resource.
    pub(crate) fn connects(&mut self, jid: &str) {
        let full = FullJid::parse(jid).unwrap();
        let session = self.session();
        // That of before, for which it may still ask.
        let stream = self.clients.get(jid).map_or(StreamId(0), |before| before.stream);
        let client =
            Client { key: key(jid), session, attachment: None, stream, got: Vec::new(), is_over: false };
        self.clients.insert(jid.to_owned(), client);
        let bind = FromSession::Bind { resource: full.resource().into(), peer: None };
        self.give(key(jid), Event::Session(session, bind));
    }

    fn session(&mut self) -> SessionKey {
        self.serial += 1;
        SessionKey { member: MemberId(1), arbiter: 0, serial: self.serial }
    }

    /// Turns stream management on.
    pub(crate) fn enables(&mut self, client: &str, resume: bool) {
        self.serial += 1;
        let stream = StreamId(u128::from(self.serial));
        self.clients.get_mut(client).unwrap().stream = stream;
        self.tell(client, |attachment| attachment.enable(stream, resume, None).unwrap());
    }

    pub(crate) fn sends(&mut self, client: &str, xml: &str) {
        let stanza = Stanza::parse(xml).unwrap_or_else(|error| panic!("{xml}: {error}"));
        self.tell(client, |attachment| attachment.receive(vec![stanza]));
    }

    /// Sends a stanza that never reaches its user.
    pub(crate) fn loses(&mut self, client: &str, xml: &str) {
        let stanza = Stanza::parse(xml).unwrap();
        self.clients.get_mut(client).unwrap().attachment.as_mut().unwrap().receive(vec![stanza]);
    }

    /// Acknowledges all up to `h`.
    pub(crate) fn acks(&mut self, client: &str, h: u32) {
        self.tell(client, |attachment| {
            // A session would not pass on what is too high; its user does not rely on that.
            attachment.acknowledged(Counter(h)).ok();
            FromSession::Acknowledged { attachment: attachment.number(), h: Counter(h) }
        });
    }

    /// Asks for an acknowledgement.
    pub(crate) fn asks(&mut self, client: &str) {
        self.tell(client, |attachment| FromSession::Request { attachment: attachment.number() });
    }

    /// Says that all up to this number was written to the client.
    pub(crate) fn flushes(&mut self, client: &str, outbound: u64) {
        self.tell(client, |attachment| FromSession::Flushed { attachment: attachment.number(), outbound });
    }

    /// The connection is lost.
    pub(crate) fn drops(&mut self, client: &str) {
        self.detaches(client, true);
    }

    /// The stream is closed.
    pub(crate) fn closes(&mut self, client: &str) {
        self.detaches(client, false);
    }

    fn detaches(&mut self, client: &str, resumable: bool) {
        self.tell(client, |attachment| FromSession::Detached { attachment: attachment.number(), resumable });
        self.clients.get_mut(client).unwrap().attachment = None;
    }

    /// The stream goes on with another connection, which the client says has handled `h`.
    pub(crate) fn resumes(&mut self, client: &str, h: u32) {
        let session = self.session();
        let (key, stream) = {
            let client = self.clients.get_mut(client).unwrap();
            client.session = session;
            client.is_over = false;
            (client.key.clone(), client.stream)
        };
        let resume = FromSession::Resume { stream, h: Counter(h), peer: None };
        self.give(key, Event::Session(session, resume));
    }

    /// The session of a client, and what it would hand over if its user were lost now.
    pub(crate) fn would_attach(&mut self, client: &str) -> (SessionKey, FromSession) {
        let client = self.clients.get_mut(client).unwrap();
        (client.session, client.attached().attach(None).unwrap())
    }

    fn tell(&mut self, client: &str, event: impl FnOnce(&mut Attachment) -> FromSession) {
        let name = client;
        let client = self.clients.get_mut(client).unwrap_or_else(|| panic!("{name} is not connected"));
        let attachment = client.attachment.as_mut().unwrap_or_else(|| panic!("{name} has no resource"));
        let (key, session, event) = (client.key.clone(), client.session, event(attachment));
        self.give(key, Event::Session(session, event));
    }

    /// The process ends without a word and begins again; only the store is left.
    pub(crate) fn restarts(&mut self) {
        self.shells.clear();
        self.timers.clear();
        self.passes(1);
    }

    /// This account's user is lost, and loaded afresh.
    pub(crate) fn reloads(&mut self, jid: &str) {
        let mut out = Vec::new();
        self.shells.get_mut(&key(jid)).unwrap().reload(&self.hosts, &mut out);
        self.carry_out(&key(jid), out);
        self.run();
    }

    /// The store will refuse the next commit of this account's, with which its user is lost.
    pub(crate) fn refuses(&mut self, jid: &str) {
        self.refuses = Some(key(jid));
    }

    /// The connection is gone, and nobody knows.
    pub(crate) fn vanishes(&mut self, client: &str) {
        let client = self.clients.get_mut(client).unwrap();
        client.attachment = None;
        client.session.serial = 0;
    }

    /// Time passes, and timers run out.
    pub(crate) fn passes(&mut self, seconds: u64) {
        let end = self.now.monotonic + seconds * 1_000;
        loop {
            let due = self.timers.iter().filter(|(at, ..)| *at <= end).min_by_key(|(at, ..)| *at);
            let Some((at, key, token)) = due.cloned() else { break };
            let place = self.timers.iter().position(|timer| *timer == (at, key.clone(), token)).unwrap();
            self.timers.remove(place);
            self.now.unix += at - self.now.monotonic;
            self.now.monotonic = at;
            self.give(key, Event::Timer(token));
        }
        self.now.unix += end - self.now.monotonic;
        self.now.monotonic = end;
    }

    /// Exactly this has come to the client since it was last asked: stanzas as they stand on the wire, and what
    /// happened to the stream. `…` stands for any text.
    #[track_caller]
    pub(crate) fn gets(&mut self, client: &str, expected: &[&str]) {
        let got = self.take(client);
        let is_met = got.len() == expected.len() && got.iter().zip(expected).all(|(g, e)| matches(g, e));
        assert!(is_met, "{client} got\n  {}\nexpected\n  {}", got.join("\n  "), expected.join("\n  "));
    }

    /// What has come to the client.
    pub(crate) fn take(&mut self, client: &str) -> Vec<String> {
        std::mem::take(&mut self.clients.get_mut(client).unwrap().got)
    }

    /// Forgets what has come to all clients.
    pub(crate) fn clear(&mut self) {
        self.clients.values_mut().for_each(|client| client.got.clear());
    }

    /// Rows of this owner in the store.
    pub(crate) fn rows(&self, owner: &str) -> usize {
        self.memory.rows().filter(|row| *row.owner.address == *owner).count()
    }

    /// Entries of this owner's log.
    pub(crate) fn log(&self, owner: &str) -> Vec<String> {
        let query = stentor_engine::Query::LogAfter { after: stentor_engine::LogId(0), limit: 10_000 };
        match self.memory.query(&key(owner), &query) {
            stentor_engine::Rows::Log(rows) => {
                rows.iter().map(|row| String::from_utf8_lossy(&row.value).into_owned()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Delivers an event, and all that follows from it.
    pub(crate) fn give(&mut self, key: Key, event: Event) {
        self.events.push_back((key, event));
        self.run();
    }

    fn run(&mut self) {
        while let Some((key, event)) = self.events.pop_front() {
            let mut out = Vec::new();
            let now = self.now;
            let hosts = self.hosts.clone();
            let epoch = self.epochs.get(&key).copied().unwrap_or(Epoch(1));
            let shell = self
                .shells
                .entry(key.clone())
                .or_insert_with(|| Shell::new(key.clone(), epoch, &hosts, &mut out));
            shell.handle(now, event, &mut out);
            self.carry_out(&key, out);
        }
    }

    fn carry_out(&mut self, key: &Key, out: Vec<Output>) {
        let mut out: VecDeque<Output> = out.into();
        while let Some(output) = out.pop_front() {
            let mut more = Vec::new();
            match output {
                Output::Write(_) if self.refuses.as_ref() == Some(key) => {
                    self.refuses = None;
                    self.shells.get_mut(key).unwrap().reload(&self.hosts, &mut more);
                }
                Output::Write(set) => {
                    let ticket = set.ticket;
                    self.batches += 1;
                    let refused = self.memory.commit(&Batch { number: self.batches, sets: vec![set] });
                    assert!(refused.is_empty(), "{refused:?}");
                    self.shells.get_mut(key).unwrap().committed(ticket, &mut more);
                }
                Output::Load(queries) => {
                    let rows = queries.iter().map(|query| self.memory.query(key, query)).collect();
                    self.shells.get_mut(key).unwrap().loaded(self.now, rows, &mut more);
                }
                Output::Timer(after, token) => {
                    self.timers.push((self.now.monotonic + after, key.clone(), token));
                }
                Output::Sent(sent) => self.deliver(key, sent),
            }
            out.extend(more);
        }
    }

    fn deliver(&mut self, key: &Key, sent: Sent) {
        match sent {
            Sent::Event(_, Event::Forward(_)) if self.loses_forwards => {}
            Sent::Event(to, event) => self.events.push_back((to, event)),
            Sent::Session(session, message) => {
                if let Some(client) = self.clients.values_mut().find(|client| client.session == session)
                    && let Some(event) = client.told(message)
                {
                    self.events.push_back((client.key.clone(), Event::Session(session, event)));
                }
            }
            Sent::Reply(_, reply) => self.replies.push(reply),
            Sent::Query(token, queries) => {
                let rows = queries.iter().map(|query| self.memory.query(key, query)).collect();
                self.events.push_back((key.clone(), Event::Rows(token, rows)));
            }
            Sent::Derive(token, _) => {
                self.events.push_back((key.clone(), Event::Derived(token, Some("{\"new\":1}".into()))));
            }
        }
    }
}

/// Whether a text is as expected, where `…` stands for any text.
fn matches(text: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    if !expected.contains('…') {
        return rest.is_empty();
    }
    let mut last = "";
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
        last = part;
    }
    rest.is_empty() || last.is_empty() || text.ends_with(last)
}

pub(crate) fn bare(jid: &str) -> BareJid {
    BareJid::parse(jid.split('/').next().unwrap()).unwrap()
}

pub(crate) fn key(jid: &str) -> Key {
    Key::User(bare(jid))
}

/// The error that answers a stanza, as the server writes it.
pub(crate) fn error(head: &str, kind: &str, condition: &str) -> String {
    let name = head.split_whitespace().next().unwrap_or_default().trim_start_matches('<');
    format!(
        "{head}<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{name}>"
    )
}
