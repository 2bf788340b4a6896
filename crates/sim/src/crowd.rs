//! A crowd: users that come online, each with an account, a session and presence, over members with which nothing goes
//! wrong; and what each member holds once they are. The clients are simpler than those of a run by a seed, which look at
//! all others, and they send no messages, of which there would be promises to check.

mod holds;

pub use holds::{Held, Holds};

use crate::client::account;
use crate::member::Died;
use crate::plan::Plan;
use crate::process::Process;
use crate::random::Random;
use crate::stage::{FromClient, FromServer, Happening, Place, Stage, ToMember, ToProcess};
use bytes::Bytes;
use std::collections::BTreeMap;
use stentor_cluster::wire::Source;
use stentor_engine::{Ask, Command, Event, Key, Planted};
use stentor_xml::ElementBuilder;
use stentor_xmpp::{FullJid, IqType, Kind, PresenceType, Stanza, ns};

/// Users that come online at the same time: far fewer than anything has room for.
const UNDER_WAY: usize = 512;
/// From the order to make an account until its client connects: some commits.
const ACCOUNT_MADE: u64 = 200;
/// The cluster stands once its table has not changed for so long, with all members in it.
const STANDS_AFTER: u64 = 15_000;
/// And does so by then.
const STANDS_BY: u64 = 300_000;
/// By then nothing is under way any more but heartbeats and leases.
const AT_REST: u64 = 10_000;

/// The id of what each client asks.
const QUESTION: &str = "question";

/// How far a client has come.
#[derive(Debug)]
enum Client {
    Away,
    Asking,
    Bound(FullJid),
    /// It has been shown its own presence, and asks another user for something.
    Available,
    /// It has an answer.
    Online,
}

#[derive(Debug)]
struct Crowd {
    stage: Stage,
    processes: Vec<Process>,
    clients: Vec<Client>,
    /// Clients that have begun, and that are online.
    begun: usize,
    online: usize,
}

/// Lets so many users come online over so many members, which are given the connections in turn, and says what each
/// holds then, once all has come to rest. What the run itself held is gone by then.
///
/// # Errors
/// What went wrong: nothing may.
pub fn crowd(members: usize, users: usize) -> Result<Vec<Holds>, String> {
    let mut crowd = Crowd::new(members, users);
    crowd.stand()?;
    let before = troubles(&crowd.stage);
    crowd.come_online()?;
    crowd.go_on(AT_REST)?;
    let after = troubles(&crowd.stage);
    if before != after {
        return Err(format!("something went wrong: {before:?}, then {after:?}"));
    }
    Ok(crowd.processes.into_iter().map(Process::into_holds).collect())
}

/// What does not come about while nothing goes wrong.
fn troubles(stage: &Stage) -> BTreeMap<&'static str, u64> {
    let coverage = &stage.coverage;
    BTreeMap::from([
        ("events refused", coverage.refused_events),
        ("commits refused", coverage.refused_commits),
        ("sessions ended", coverage.replaced),
        ("users unloaded", coverage.passivated),
        ("links full", coverage.full),
        ("links lost", coverage.links_lost),
        ("slots moved", coverage.moved),
        ("members taken out", coverage.taken_over),
        ("events held", coverage.held),
        ("effects stalled", coverage.stalled),
        ("things said by an owner of before", coverage.stale),
        ("events returned", coverage.returned),
    ])
}

impl Crowd {
    fn new(members: usize, users: usize) -> Self {
        let mut stage = Stage::planned(Random::new(0), Plan::crowd(members), false);
        let start = |at| {
            stage.here = Place { at, incarnation: 1 };
            Process::start(&mut stage, Planted::default())
        };
        let processes = (0..members).map(start).collect();
        let clients = (0..users).map(|_| Client::Away).collect();
        Self { stage, processes, clients, begun: 0, online: 0 }
    }

    /// Until all members are there and have their slots.
    fn stand(&mut self) -> Result<(), String> {
        loop {
            let version = self.stage.disk.applied().table().version();
            self.go_on(STANDS_AFTER)?;
            let is_same = self.stage.disk.applied().table().version() == version;
            if is_same && self.stage.serving.len() == self.processes.len() {
                return Ok(());
            }
            if self.stage.queue.now() > STANDS_BY {
                return Err("the members do not come to rest".to_owned());
            }
        }
    }

    fn come_online(&mut self) -> Result<(), String> {
        (0..UNDER_WAY).for_each(|_| self.begin());
        while self.online < self.clients.len() {
            let Some(what) = self.stage.queue.next() else {
                return Err(format!("only {} come online", self.online));
            };
            self.step(what)?;
        }
        Ok(())
    }

    fn go_on(&mut self, time: u64) -> Result<(), String> {
        let until = self.stage.queue.now() + time;
        while self.stage.queue.now() < until
            && let Some(what) = self.stage.queue.next()
        {
            self.step(what)?;
        }
        Ok(())
    }

    fn step(&mut self, what: Happening) -> Result<(), String> {
        match what {
            Happening::Process(place, what) => self.happen(place, what)?,
            Happening::Store(place, what) => {
                self.stage.here = place;
                self.stage.store(place, what);
            }
            Happening::Client(index, connection, what) => self.read(index, connection, what)?,
            Happening::Wake(index) => self.connect(index),
            what => return Err(format!("not in a crowd: {what:?}")),
        }
        self.stage.history.violation().map_or(Ok(()), |what| Err(what.to_owned()))
    }

    fn happen(&mut self, place: Place, what: ToProcess) -> Result<(), String> {
        let stage = &mut self.stage;
        if !stage.arrives(place, &what) {
            return Ok(());
        }
        let Some(process) = self.processes.get_mut(place.at) else { return Ok(()) };
        (stage.here, stage.clock) = (place, process.clock);
        process.handle(what, stage).map_err(|Died| format!("member {} died", place.at))
    }

    /// To which member a client connects, and by which connection: each member counts its own, so that they go to all
    /// of its arbiters.
    fn way(&self, index: usize) -> (Place, u64) {
        let members = self.processes.len();
        (Place { at: index % members, incarnation: 1 }, (index / members) as u64)
    }

    /// The next user is given an account: its client's member is told to, and that is seldom the user's.
    fn begin(&mut self) {
        if self.begun < self.clients.len() {
            let (place, _) = self.way(self.begun);
            let create = Event::Command(Ask(0), Command::CreateAccount(Bytes::from_static(b"{}")));
            let create = ToMember::Event(0, Source::Member, user(self.begun), create);
            self.stage.about(place, 0, create);
            self.stage.queue.after(ACCOUNT_MADE, Happening::Wake(self.begun));
            self.begun += 1;
        }
    }

    fn connect(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else { return };
        *client = Client::Asking;
        let (place, connection) = self.way(index);
        let open = FromClient::Open { client: index, slow: 0, is_unmanaged: true, user: user(index) };
        self.stage.wire(place, connection, open);
        self.stage.wire(place, connection, FromClient::Bind(None));
    }

    fn read(&mut self, index: usize, connection: u64, what: FromServer) -> Result<(), String> {
        let (place, _) = self.way(index);
        let Some(client) = self.clients.get_mut(index) else { return Ok(()) };
        match (&*client, what) {
            (Client::Asking, FromServer::Bound(jid)) => {
                *client = Client::Bound(jid);
                let presence = Stanza::presence(PresenceType::Available);
                self.stage.wire(place, connection, FromClient::Stanza(presence));
            }
            (Client::Bound(jid), FromServer::Stanza(bytes, _)) if is_presence_of(jid, &bytes) => {
                *client = Client::Available;
                self.stage.wire(place, connection, FromClient::Stanza(question(index)));
            }
            (Client::Available, FromServer::Stanza(bytes, _)) if is_answer(&bytes) => {
                *client = Client::Online;
                self.online += 1;
                self.begin();
            }
            (client, what) => return Err(format!("client {index}, {client:?}, was told {what:?}")),
        }
        Ok(())
    }
}

fn user(index: usize) -> Key {
    Key::User(account(index as u64))
}

/// To the user who began before. It is a stranger to him, so it is told no more than that.
fn question(index: usize) -> Stanza {
    let mut stanza = Stanza::iq(IqType::Get, QUESTION);
    stanza.set_to(Some(account(index.saturating_sub(1) as u64).to_jid()));
    stanza.push(&ElementBuilder::new("query", ns::DISCO_INFO).build());
    stanza
}

fn parsed(bytes: &[u8]) -> Option<Stanza> {
    Stanza::parse(std::str::from_utf8(bytes).ok()?).ok()
}

fn is_presence_of(jid: &FullJid, bytes: &[u8]) -> bool {
    parsed(bytes).is_some_and(|stanza| {
        stanza.kind() == Kind::Presence
            && stanza.presence_type() == PresenceType::Available
            && stanza.from().is_some_and(|from| from.as_str() == jid.as_str())
    })
}

fn is_answer(bytes: &[u8]) -> bool {
    parsed(bytes).is_some_and(|stanza| stanza.kind() == Kind::Iq && stanza.id() == Some(QUESTION))
}
