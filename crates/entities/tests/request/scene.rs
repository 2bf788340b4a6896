//! Users around one store in memory, as few as an input needs: there are many inputs. Everything happens at once and in
//! order, and no timer runs out.

use bytes::Bytes;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use stentor_engine::{
    Ask, Batch, Command, Epoch, Event, Forward, FromSession, Key, MemberId, Now, Output, Query, Rows, Sent,
    SessionKey, Shell, StreamId, ToSession, Write,
};
use stentor_entities::{Host, Hosts, User, UserLimits};
use stentor_store::Memory;
use stentor_xmpp::{BareJid, FullJid, Jid, Stanza};

const NOW: Now = Now { monotonic: 1_000, unix: 1_700_000_000_000 };
/// Events that one stanza may lead to: beyond, entities would answer each other for ever.
const EVENTS_MAX: usize = 1_000;

/// A client's end of a stream.
pub(crate) struct Client {
    pub(crate) jid: FullJid,
    /// What its user numbered it by; none before it has its resource, and if it was refused.
    pub(crate) attachment: Option<u64>,
    /// Stanzas that it has sent.
    received: u64,
    /// What was written to it.
    pub(crate) got: Vec<Bytes>,
    /// Its stream has ended.
    pub(crate) is_over: bool,
}

/// Users, their store and their clients.
pub(crate) struct Scene {
    hosts: Arc<Hosts>,
    store: Rc<Memory>,
    shells: BTreeMap<Key, Shell<User>>,
    events: VecDeque<(Key, Event)>,
    /// The session of each has its index for a serial number.
    pub(crate) clients: Vec<Client>,
    /// What one value in the store may have of bytes.
    value_bytes_max: usize,
    batches: u64,
    /// Something was stored.
    pub(crate) is_written: bool,
    /// More was done than to write to clients.
    pub(crate) is_changed: bool,
}

thread_local! {
    /// Stores to begin with, by how they were made.
    static STORES: RefCell<BTreeMap<(&'static str, bool), Rc<Memory>>> = RefCell::default();
    /// A process alone, and one of many.
    static HOSTS: [Arc<Hosts>; 2] = [false, true].map(hosts);
}

fn hosts(is_clustered: bool) -> Arc<Hosts> {
    let host = |domain: &str, keep| Host {
        domain: domain.into(),
        keep,
        contacts: vec![("abuse-addresses".to_owned(), vec!["mailto:abuse@a.example".to_owned()])],
        registration: false,
    };
    let served = vec![host("a.example", true), host("b.example", true), host("memory.example", false)];
    // So low that a few stanzas reach them.
    let limits = UserLimits {
        roster_items_max: 3,
        offline_messages_max: 2,
        errors_max: 1,
        outbox_max: 2,
        ..UserLimits::default()
    };
    let mut hosts = Hosts::new(served, limits, "1.2.3", NOW.unix - 3_600_000);
    hosts.is_clustered = is_clustered;
    Arc::new(hosts)
}

impl Scene {
    /// Alice of this domain, and Bob, Carol and Dave of another. If Alice `has_lived`, Bob is a contact, Carol was asked
    /// and has not answered, Dave has asked, and Bob's message waits.
    pub(crate) fn new(domain: &'static str, has_lived: bool, is_clustered: bool) -> Self {
        let known = STORES.with_borrow(|stores| stores.get(&(domain, has_lived)).cloned());
        let store = known.unwrap_or_else(|| {
            let made = Rc::new(life(domain, has_lived));
            STORES.with_borrow_mut(|stores| stores.insert((domain, has_lived), made.clone()));
            made
        });
        Self::around(store, HOSTS.with(|hosts| hosts[usize::from(is_clustered)].clone()))
    }

    fn around(store: Rc<Memory>, hosts: Arc<Hosts>) -> Self {
        let (shells, events, clients) = (BTreeMap::new(), VecDeque::new(), Vec::new());
        Self {
            hosts,
            store,
            shells,
            events,
            clients,
            value_bytes_max: 4_096,
            batches: 0,
            is_written: false,
            is_changed: false,
        }
    }

    /// What goes into the store may be as long as this, twice over, for its escapes, beside what is always there.
    pub(crate) fn limit_values(&mut self, input: usize) {
        self.value_bytes_max = 4_096 + 2 * input;
    }

    /// Binds the resource, of the client with the next index.
    pub(crate) fn connects(&mut self, jid: &str) -> usize {
        let jid = FullJid::parse(jid).unwrap();
        let index = self.clients.len();
        let bind = FromSession::Bind { resource: jid.resource().into(), peer: None };
        self.clients.push(Client { jid, attachment: None, received: 0, got: Vec::new(), is_over: false });
        self.tells(index, bind);
        index
    }

    /// Turns stream management on.
    pub(crate) fn enables(&mut self, index: usize) {
        let attachment = self.clients[index].attachment.unwrap();
        let stream = StreamId(index as u128 + 1);
        self.tells(index, FromSession::EnableManagement { attachment, stream, resume: true, max: None });
    }

    pub(crate) fn sends(&mut self, index: usize, stanza: Stanza) {
        let client = &mut self.clients[index];
        client.received += 1;
        let (attachment, first) = (client.attachment.unwrap(), client.received);
        self.tells(index, FromSession::Inbound { attachment, first, stanzas: vec![stanza] });
    }

    fn says(&mut self, index: usize, xml: &str) {
        self.sends(index, Stanza::parse(xml).unwrap());
    }

    fn tells(&mut self, index: usize, event: FromSession) {
        let key = Key::User(self.clients[index].jid.to_bare());
        self.give(key, Event::Session(session(index), event));
    }

    /// The process ends without a word and begins again; only the store is left.
    pub(crate) fn restarts(&mut self) {
        self.shells.clear();
        self.clients.clear();
    }

    /// What the store answers about an account.
    pub(crate) fn asks(&self, owner: &BareJid, query: &Query) -> Rows {
        self.store.query(&Key::User(owner.clone()), query)
    }

    /// Delivers an event, and all that follows from it.
    fn give(&mut self, key: Key, event: Event) {
        self.events.push_back((key, event));
        let mut count = 0;
        while let Some((key, event)) = self.events.pop_front() {
            count += 1;
            assert!(count < EVENTS_MAX, "it never comes to rest");
            let mut out = Vec::new();
            let shell = self
                .shells
                .entry(key.clone())
                .or_insert_with(|| Shell::new(key.clone(), Epoch(1), &self.hosts, &mut out));
            shell.handle(NOW, event, &mut out);
            self.carry_out(&key, out);
        }
    }

    fn carry_out(&mut self, key: &Key, out: Vec<Output>) {
        let mut out = VecDeque::from(out);
        while let Some(output) = out.pop_front() {
            let mut more = Vec::new();
            self.is_changed |= !matches!(output, Output::Sent(Sent::Session(..)));
            match output {
                Output::Write(set) => {
                    let (ticket, number) = (set.ticket, self.batches + 1);
                    self.check_values(&set.writes);
                    (self.batches, self.is_written) = (number, true);
                    let refused = Rc::make_mut(&mut self.store).commit(&Batch { number, sets: vec![set] });
                    assert!(refused.is_empty(), "{refused:?}");
                    self.shells.get_mut(key).unwrap().committed(ticket, &mut more);
                }
                Output::Load(queries) => {
                    let rows = queries.iter().map(|query| self.store.query(key, query)).collect();
                    self.shells.get_mut(key).unwrap().loaded(NOW, rows, &mut more);
                }
                Output::Timer(..) => {}
                Output::Sent(sent) => self.deliver(key, sent),
            }
            out.extend(more);
        }
    }

    fn check_values(&self, writes: &[Write]) {
        for write in writes {
            let bytes = match write {
                Write::Put { key, value, .. } => key.len() + value.len(),
                Write::Append(append) => append.value.len(),
                Write::Amend { value, .. } => value.as_ref().map_or(0, |value| value.len()),
                Write::Delete { .. } | Write::Erase => 0,
            };
            assert!(bytes <= self.value_bytes_max, "{bytes} bytes are stored: {write:?}");
        }
    }

    fn deliver(&mut self, key: &Key, sent: Sent) {
        match sent {
            Sent::Event(to, event) => {
                if let Event::Relay(stanza) | Event::Forward(Forward { stanza, .. }) = &event {
                    check_header(key, &to, stanza);
                }
                self.events.push_back((to, event));
            }
            Sent::Session(session, message) => self.told(key, session, message),
            Sent::Query(token, queries) => {
                let rows = queries.iter().map(|query| self.store.query(key, query)).collect();
                self.events.push_back((key.clone(), Event::Rows(token, rows)));
            }
            Sent::Derive(token, password) => {
                // One that no keys can be derived of, as whoever derives them may find.
                let keys = (!password.0.starts_with('!')).then(|| "{}".into());
                self.events.push_back((key.clone(), Event::Derived(token, keys)));
            }
            Sent::Reply(..) => {}
        }
    }

    fn told(&mut self, key: &Key, session: SessionKey, message: ToSession) {
        let client = &mut self.clients[usize::try_from(session.serial).unwrap()];
        assert_eq!(client.jid.to_bare(), *key.jid(), "a user tells only its own clients anything");
        self.is_changed |= !matches!(message, ToSession::Outbound { .. } | ToSession::Confirmed { .. });
        match message {
            ToSession::Bound { attachment, .. } => client.attachment = Some(attachment),
            ToSession::Outbound { stanza, .. } => {
                assert!(!client.is_over, "nothing is written behind the end of a stream");
                client.got.push(stanza);
            }
            ToSession::End(_) => client.is_over = true,
            _ => {}
        }
    }
}

/// A user speaks in its own name, and to those whom its stanza names.
fn check_header(from: &Key, to: &Key, stanza: &Stanza) {
    let names = |jid: Option<&Jid>| jid.map(|jid| jid.to_bare());
    assert_eq!(names(stanza.from()).as_ref(), Some(from.jid()), "{stanza:?}");
    assert_eq!(names(stanza.to()).as_ref(), Some(to.jid()), "{stanza:?}");
}

fn session(index: usize) -> SessionKey {
    SessionKey { member: MemberId(1), arbiter: 0, serial: index as u64 }
}

/// The store of what happened before.
fn life(domain: &str, has_lived: bool) -> Memory {
    let mut scene = Scene::around(Rc::default(), hosts(false));
    let alice = format!("alice@{domain}");
    for account in [&alice, "bob@b.example", "carol@b.example", "dave@b.example"] {
        let key = Key::User(BareJid::parse(account).unwrap());
        scene.give(key, Event::Command(Ask(1), Command::CreateAccount("{}".into())));
    }
    if has_lived {
        for (one, other) in [(&*alice, "bob@b.example"), ("bob@b.example", &*alice)] {
            let contact = Command::AddContact { jid: BareJid::parse(other).unwrap(), name: String::new() };
            scene.give(Key::User(BareJid::parse(one).unwrap()), Event::Command(Ask(1), contact));
        }
        let (a, b, d) = (format!("{alice}/x"), "bob@b.example/x", "dave@b.example/x");
        let [a, b, d] = [&a, b, d].map(|jid| scene.connects(jid));
        let item =
            "<item jid='carol@b.example' name='Carol &amp; &apos;co'><group>a</group><group>b</group></item>";
        scene.says(a, &format!("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
        scene.says(a, "<presence type='subscribe' to='carol@b.example'/>");
        scene.says(d, &format!("<presence type='subscribe' to='{alice}'><status>&lt;</status></presence>"));
        scene.tells(a, FromSession::Detached { attachment: 1, resumable: false });
        scene.says(b, &format!("<message type='chat' to='{alice}' id='1'><body>x</body></message>"));
    }
    Rc::unwrap_or_clone(scene.store)
}
