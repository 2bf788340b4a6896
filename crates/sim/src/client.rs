//! A client: an honest one, that comes and goes, falls silent, loses its connection and comes back as XEP-0198 says.

mod presence;
mod told;

use crate::member::DOMAIN;
use crate::presence::Stay;
use crate::stage::{FromClient, FromServer, Happening, Id, Place, Stage, ToMember};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use stentor_engine::{Key, StreamId};
use stentor_xml::ElementBuilder;
use stentor_xmpp::{BareJid, Counter, FullJid, IqType, Jid, MessageType, PresenceType, Stanza, ns};

/// How it behaves, for the whole run.
#[derive(Clone, Debug)]
struct Habits {
    /// It uses stream management.
    manages: bool,
    /// It asks for streams that can be resumed.
    resumes: bool,
    /// It says that it is available before it turns management on.
    is_hasty: bool,
    /// Requests for acknowledgement that it answers, per mille.
    answers: u64,
    /// Longest time until it reads what has arrived.
    slow: u64,
    /// Attempts to come back, of its wakings while it is away, per mille.
    returns: u64,
    /// It has a name of its own for its resource.
    resource: Option<Box<str>>,
}

/// A stream as its client counts it.
#[derive(Debug, Default)]
struct Stream {
    /// Counts this client's streams.
    number: u64,
    id: Option<StreamId>,
    /// It has sent `<enable/>`; it has got `<enabled/>`.
    is_counting: bool,
    is_managed: bool,
    sent: u64,
    handled: u64,
    /// The last `h` of the server.
    acknowledged: u64,
    unacknowledged: VecDeque<(Option<Id>, Stanza)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Asking,
    Bound,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Client {
    index: usize,
    account: u64,
    habits: Habits,
    connection: Option<(u64, Phase)>,
    /// When it lost that on which it had its stream; whether it closed that.
    lost: Option<u64>,
    closes: bool,
    /// Where it leads.
    place: Place,
    stream: Option<Stream>,
    streams: u64,
    /// Not acknowledged on earlier streams; whether it is known that the server has not handled them.
    again: VecDeque<(Id, Stanza, bool)>,
    sent: u64,
    jid: Option<FullJid>,
    is_available: bool,
    /// What others are told of it, while it is available.
    stay: Option<Stay>,
    /// The period in which it takes messages, if it does, as the server has shown it.
    period: u64,
    is_ready: bool,
    /// What it has said of itself and not yet heard from the server; whether the last of it was that it takes messages.
    unheard: u32,
    takes_messages: bool,
    /// The server has shown it its own presence.
    is_shown: bool,
    silent_until: u64,
    /// Arrived and not read.
    inbox: VecDeque<FromServer>,
    /// Who is available, by what this stream was told, and who is gone.
    view: BTreeMap<Box<str>, Stay>,
    gone: BTreeSet<Box<str>>,
    roster: BTreeMap<Box<str>, Box<str>>,
}

/// The bare JID of an account.
pub(crate) fn account(number: u64) -> BareJid {
    BareJid::parse(&format!("user{number}@{DOMAIN}")).expect("an address of letters and digits")
}

impl Client {
    pub(crate) fn new(index: usize, account: u64, stage: &mut Stage) -> Self {
        let random = &mut stage.random;
        let manages = random.chance(900);
        let habits = Habits {
            manages,
            // Who cannot resume acknowledges no errors before it sends again, for which there must be room.
            resumes: random.chance(850) || stage.plan.errors_max < 100,
            is_hasty: random.chance(200),
            answers: *random.pick(&[1_000, 1_000, 700, 200]).unwrap_or(&1_000),
            slow: *random.pick(&[0, 0, 20, 3_000]).unwrap_or(&0),
            returns: *random.pick(&[900, 300, 50]).unwrap_or(&900),
            resource: random.chance(700).then(|| format!("r{index}").into()),
        };
        Self {
            index,
            account,
            habits,
            connection: None,
            lost: None,
            closes: false,
            place: stage.here,
            stream: None,
            streams: 0,
            again: VecDeque::new(),
            sent: 0,
            jid: None,
            is_available: false,
            stay: None,
            period: 0,
            is_ready: false,
            unheard: 0,
            takes_messages: false,
            is_shown: false,
            silent_until: 0,
            inbox: VecDeque::new(),
            view: BTreeMap::new(),
            gone: BTreeSet::new(),
            roster: BTreeMap::new(),
        }
    }

    pub(crate) fn account(&self) -> u64 {
        self.account
    }

    /// The connection that it has, for whoever cuts all of them.
    pub(crate) fn connection(&self) -> Option<u64> {
        self.connection.map(|(connection, _)| connection)
    }

    /// Where that leads.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Its address and the period in which it takes messages, if the server has shown that it does.
    pub(crate) fn ready(&self) -> Option<u64> {
        self.is_ready.then_some(self.period)
    }

    /// Whether its stream is managed; else it is promised nothing.
    pub(crate) fn is_managed(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.is_managed)
    }

    /// Its address, if it is available.
    pub(crate) fn available(&self) -> Option<&FullJid> {
        self.jid.as_ref().filter(|_| self.is_available)
    }

    /// What it was told of others.
    pub(crate) fn view(&self) -> impl Iterator<Item = &str> {
        self.view.keys().map(|jid| &**jid)
    }

    /// Its contacts and what it was told of the subscriptions.
    pub(crate) fn roster(&self) -> &BTreeMap<Box<str>, Box<str>> {
        &self.roster
    }

    /// Why it is not at rest, if it is not.
    pub(crate) fn unrest(&self) -> Option<&'static str> {
        match (&self.connection, &self.stream) {
            (Some((_, Phase::Bound)), Some(stream)) => {
                if self.habits.manages && !stream.is_managed {
                    return Some("waits for management");
                }
                let waits = self.habits.manages && stream.unacknowledged.iter().any(|(id, _)| id.is_some());
                (waits || !self.again.is_empty()).then_some("waits for an acknowledgement")
            }
            _ => Some("has no stream"),
        }
    }

    fn write(&self, what: FromClient, stage: &mut Stage) {
        if let Some((connection, _)) = self.connection {
            stage.coverage.said += 1;
            stage.trace(|| format!("client {} writes {what:?}", self.index));
            stage.wire(self.place, connection, what);
        }
    }

    fn send(&mut self, id: Option<Id>, stanza: Stanza, stage: &mut Stage) {
        let Some(stream) = &mut self.stream else { return };
        if stream.is_counting {
            stream.sent += 1;
            stream.unacknowledged.push_back((id, stanza.clone()));
        }
        self.write(FromClient::Stanza(stanza), stage);
    }

    fn is_bound(&self) -> bool {
        matches!(self.connection, Some((_, Phase::Bound)))
    }

    /// Its turn. `others` are all accounts, `ready` are those that take messages now: client, period, account.
    pub(crate) fn wake(&mut self, ready: &[(usize, u64, u64)], stage: &mut Stage) {
        let now = stage.queue.now();
        // So many ask seldom.
        let at_rest = if stage.is_shared() { 10_000 } else { 2_000 };
        let pause = if stage.is_ending { at_rest } else { stage.random.between(1, stage.plan.pause_most) };
        stage.queue.after(pause, Happening::Wake(self.index));
        if stage.is_ending {
            self.silent_until = self.silent_until.min(now);
        }
        self.read_on(stage);
        if stage.is_ending {
            return self.come_to_rest(stage);
        }
        if now < self.silent_until {
            return;
        }
        if self.connection.is_none() {
            if stage.random.chance(self.habits.returns) {
                self.connect(stage);
            }
        } else if stage.random.chance(stage.plan.connection_lost) {
            self.lose(stage);
        } else if self.is_bound() {
            self.act(ready, stage);
        }
    }

    fn come_to_rest(&mut self, stage: &mut Stage) {
        if self.connection.is_none() {
            self.connect(stage);
        } else if self.is_bound() {
            if !self.takes_messages {
                self.announce(PresenceType::Available, 0, stage);
            }
            if self.unrest() == Some("waits for an acknowledgement") {
                self.write(FromClient::Request, stage);
            }
            self.acknowledge(stage);
            self.ask_for_roster(stage);
        }
    }

    fn act(&mut self, ready: &[(usize, u64, u64)], stage: &mut Stage) {
        match stage.random.below(100) {
            0..60 => {
                let count = if stage.random.chance(stage.plan.burst) { 350 } else { 1 };
                let count = stage.random.between(1, 3).max(count);
                let target = stage.random.below(stage.plan.accounts);
                for _ in 0..count {
                    self.send_message(target, ready, stage);
                }
            }
            60..70 => {
                stage.coverage.requests += 1;
                self.write(FromClient::Request, stage);
            }
            70..75 => self.announce(PresenceType::Unavailable, 0, stage),
            75..83 => self.announce(PresenceType::Available, 0, stage),
            83..85 => self.announce(PresenceType::Available, -1, stage),
            85..87 => {
                self.ends_stay(stage);
                self.closes = true;
                self.write(FromClient::Close, stage);
            }
            87..90 => {
                stage.coverage.silences += 1;
                self.silent_until = stage.queue.now() + stage.random.between(1_000, 60_000);
            }
            90..93 => self.subscribe(stage),
            93..95 => self.acknowledge(stage),
            _ => self.ask_for_roster(stage),
        }
    }

    fn connect(&mut self, stage: &mut Stage) {
        let Some(place) = stage.random.pick(&stage.serving).copied() else { return };
        self.place = place;
        stage.connections += 1;
        self.connection = Some((stage.connections, Phase::Asking));
        self.inbox.clear();
        let user = Key::User(account(self.account));
        let Habits { slow, manages, is_hasty, .. } = self.habits;
        let is_unmanaged = is_hasty || !manages;
        self.write(FromClient::Open { client: self.index, slow, is_unmanaged, user }, stage);
        match self.stream.as_ref().and_then(|stream| Some((stream.id?, stream.handled))) {
            Some((id, handled)) => self.write(FromClient::Resume(id, Counter(handled as u32)), stage),
            None => {
                self.give_up_stream(stage);
                self.write(FromClient::Bind(self.habits.resource.clone()), stage);
            }
        }
    }

    /// The connection is gone; the session learns of it some time, or never.
    fn lose(&mut self, stage: &mut Stage) {
        let Some((connection, phase)) = self.connection.take() else { return };
        self.is_ready = false;
        self.note_lost(phase, stage);
        if stage.random.chance(700) {
            let delay = stage.random.below(10_000);
            stage.about(self.place, delay, ToMember::Cut(connection));
        }
        if self.stream.as_ref().is_some_and(|stream| stream.id.is_none()) {
            self.give_up_stream(stage);
        }
    }

    /// The stream is over, and how far it was handled will not be known.
    fn give_up_stream(&mut self, stage: &mut Stage) {
        let Some(stream) = self.stream.take() else { return };
        let waiting = stream.unacknowledged.into_iter();
        self.again.extend(waiting.filter_map(|(id, stanza)| Some((id?, stanza, true))));
        self.is_available = false;
        self.ends_stay(stage);
        self.is_ready = false;
    }

    fn send_message(&mut self, target: u64, ready: &[(usize, u64, u64)], stage: &mut Stage) {
        let random = &mut stage.random;
        let kind = if random.chance(800) { MessageType::Chat } else { MessageType::Normal };
        let mut stanza = Stanza::message(kind);
        let bare = account(target);
        let mut is_to_all = false;
        let to: Jid = match random.below(20) {
            0 => Jid::parse(&format!("nobody@{DOMAIN}")).expect("an address of letters"),
            1..4 => {
                let resource = format!("r{}", random.below(stage.plan.clients));
                bare.with_resource(&resource).map_or_else(|_| bare.to_jid(), Jid::from)
            }
            _ => {
                is_to_all = true;
                bare.to_jid()
            }
        };
        self.sent += 1;
        let id = Id { client: self.index, n: self.sent };
        stanza.set_id(Some(&id.to_string()));
        let text = format!("{id}{to}");
        stanza.push(&ElementBuilder::new("body", ns::CLIENT).text(&text).build());
        stanza.push(&ElementBuilder::new("origin-id", ns::STANZA_IDS).attr("id", id.to_string()).build());
        stanza.set_to(Some(to.clone()));
        let awaited = ready.iter().filter(|(_, _, account)| is_to_all && *account == target);
        let stream = self.streams;
        stage.history.send(
            id,
            stream,
            account(self.account),
            to,
            awaited.map(|(client, period, _)| (*client, *period)).collect(),
        );
        self.send(Some(id), stanza, stage);
    }

    fn acknowledge(&mut self, stage: &mut Stage) {
        if let Some(stream) = self.stream.as_ref().filter(|stream| stream.is_managed) {
            self.write(FromClient::Acknowledge(Counter(stream.handled as u32)), stage);
        }
    }

    fn ask_for_roster(&mut self, stage: &mut Stage) {
        let mut stanza = Stanza::iq(IqType::Get, "roster");
        stanza.push(&ElementBuilder::new("query", ns::ROSTER).build());
        self.send(None, stanza, stage);
    }
}
