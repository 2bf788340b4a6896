//! Three people at three members, and what each of their clients gets.

use crate::Result;
use std::collections::BTreeMap;
use stentor_cluster_tests::accounts;
use stentor_cluster_tests::client::Client;
use stentor_cluster_tests::element::Element;
use stentor_cluster_tests::server::{Cluster, Server, Tls};

pub(crate) const MEMBERS: [&str; 3] = ["a", "b", "c"];

/// Each person, and the member that serves the account.
const PEOPLE: [(&str, &str); 3] = [("juliet", "c"), ("romeo", "a"), ("nurse", "b")];

/// Each client, and the member that it is at: none is where its account is, and no two of a person at the same.
const CLIENTS: [(&str, &str); 5] = [
    ("juliet/balcony", "a"),
    ("juliet/chamber", "b"),
    ("romeo/orchard", "b"),
    ("romeo/garden", "c"),
    ("nurse/hall", "c"),
];

/// How often everybody asks everybody, so that what one says leads to, and what that leads to, has come.
const ROUNDS: usize = 2;

/// What is done. Addresses are written as `{juliet}` and `{juliet}/balcony`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act<'a> {
    /// A client binds its resource.
    LogsIn(&'a str),
    /// A client sends this.
    Sends(&'a str, &'a str),
    /// A client ends its stream.
    Leaves(&'a str),
}

/// What comes of it: the same to each of these clients. An `<item/>` is one of a roster push.
pub(crate) type Comes<'a> = (&'a [&'a str], &'a str);

/// The section, what is done, and all that comes of it, to each client in this order.
pub(crate) type Step<'a> = (&'a str, Act<'a>, &'a [Comes<'a>]);

/// Accounts that nobody has used yet, by the member that serves them.
pub(crate) struct Accounts(BTreeMap<String, Vec<u32>>);

impl Accounts {
    /// Of those with the first numbers.
    pub(crate) fn of(cluster: &Cluster, count: u32) -> Result<Self> {
        let mut accounts = BTreeMap::<_, Vec<_>>::new();
        for number in 0..count {
            let member = cluster.locate(MEMBERS[0], &format!("load{number}"))?;
            accounts.entry(member).or_default().push(number);
        }
        Ok(Self(accounts))
    }

    fn take(&mut self, member: &str) -> Result<u32> {
        self.0.get_mut(member).and_then(Vec::pop).ok_or_else(|| format!("too few accounts are at {member}"))
    }
}

pub(crate) struct Scene<'a> {
    cluster: &'a Cluster,
    /// The account of each of [`PEOPLE`].
    people: BTreeMap<&'static str, u32>,
    clients: BTreeMap<&'static str, Present>,
}

/// A client that is there.
struct Present {
    client: Client,
    /// What came, but what only shows that something else has come.
    inbox: Vec<Element>,
    /// How many of those have come since the last were sent.
    seen: usize,
}

impl<'a> Scene<'a> {
    /// With three people, nobody of whom is there.
    pub(crate) fn new(cluster: &'a Cluster, accounts: &mut Accounts) -> Result<Self> {
        let people = PEOPLE.iter().map(|(name, member)| Ok((*name, accounts.take(member)?)));
        Ok(Self { cluster, people: people.collect::<Result<_>>()?, clients: BTreeMap::new() })
    }

    /// Does something, whatever comes of it.
    pub(crate) fn is_given(&mut self, act: Act<'_>) -> Result {
        self.act(&act).and_then(|()| self.have_all_come()).map_err(|error| format!("{act:?}: {error}"))?;
        self.clients.values_mut().for_each(|present| present.inbox.clear());
        Ok(())
    }

    /// A client that has asked for its roster and is available.
    pub(crate) fn is_online(&mut self, client: &str) -> Result {
        self.is_given(Act::LogsIn(client))?;
        self.is_given(Act::Sends(client, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"))?;
        self.is_given(Act::Sends(client, "<presence/>"))
    }

    /// A client that was there.
    pub(crate) fn has_left(&mut self, client: &str) -> Result {
        self.is_given(Act::Leaves(client))
    }

    /// Plays the steps one after the other.
    pub(crate) fn play(&mut self, steps: &[Step<'_>]) -> Result {
        steps.iter().try_for_each(|step| self.step(step))
    }

    /// Does something; each client must get what is told, in that order, and nothing else.
    pub(crate) fn step(&mut self, (section, act, comes): &Step<'_>) -> Result {
        self.act(act)
            .and_then(|()| self.await_all(comes))
            .and_then(|()| self.have_all_come())
            .and_then(|()| self.compare(comes))
            .map_err(|error| format!("RFC 6121 {section}: {act:?}: {error}"))
    }

    fn act(&mut self, act: &Act<'_>) -> Result {
        match *act {
            Act::LogsIn(name) => {
                let known = CLIENTS.iter().find(|(client, _)| *client == name);
                let (name, member) = known.ok_or("no such client")?;
                let (person, resource) = name.split_once('/').ok_or("no resource")?;
                let address = self.cluster.address_of(member, Tls::Direct);
                let localpart = format!("load{}", self.people.get(person).ok_or("no such person")?);
                let authority = self.cluster.authority();
                let client = Client::log_in(address, authority, &localpart, accounts::PASSWORD, resource)?;
                self.clients.insert(name, Present { client, inbox: Vec::new(), seen: 0 });
                Ok(())
            }
            Act::Sends(name, text) => {
                let text = self.with_addresses(text);
                self.present(name)?.client.send(&text)
            }
            Act::Leaves(name) => self.clients.remove(name).ok_or("it is not there")?.client.leave(),
        }
    }

    fn present(&mut self, name: &str) -> Result<&mut Present> {
        self.clients.get_mut(name).ok_or_else(|| format!("{name} is not there"))
    }

    /// The text with the addresses of those that it names.
    fn with_addresses(&self, text: &str) -> String {
        self.people.iter().fold(text.to_owned(), |text, (name, number)| {
            text.replace(&format!("{{{name}}}"), &accounts::jid(*number))
        })
    }

    fn patterns(&self, name: &str, comes: &[Comes<'_>]) -> Result<Vec<Element>> {
        let of_client = comes.iter().filter(|(names, _)| names.contains(&name)).map(|(_, pattern)| pattern);
        of_client
            .map(|pattern| {
                let mut text = self.with_addresses(pattern);
                if text.starts_with("<item") {
                    text = format!("<iq type='set'><query xmlns='jabber:iq:roster'>{text}</query></iq>");
                }
                Ok(Element::read(&text)?.ok_or("half a pattern")?.0)
            })
            .collect()
    }

    /// Waits until each client has as much as it is to get.
    fn await_all(&mut self, comes: &[Comes<'_>]) -> Result {
        if let Some(absent) =
            comes.iter().flat_map(|(names, _)| *names).find(|n| !self.clients.contains_key(*n))
        {
            return Err(format!("{absent} is not there"));
        }
        let names: Vec<_> = self.clients.keys().copied().collect();
        for name in names {
            let count = self.patterns(name, comes)?.len();
            let present = self.present(name)?;
            while present.inbox.len() < count {
                present.receive().map_err(|e| format!("{name} has but{}\n{e}", lines(&present.inbox)))?;
            }
        }
        Ok(())
    }

    /// Waits until whatever was on its way has come: order holds between any two accounts, and so what each of them says
    /// last comes behind all that it said before.
    fn have_all_come(&mut self) -> Result {
        for _ in 0..ROUNDS {
            let ask = "<iq type='get' to='{}' id='mark'><ping xmlns='urn:xmpp:ping'/></iq>";
            let accounts: Vec<_> = self.people.values().map(|number| accounts::jid(*number)).collect();
            self.everybody_sends(&accounts, ask)?;
            for present in self.speakers() {
                present.receive_marks(accounts.len())?;
            }
        }
        let clients: Vec<_> = self.clients.keys().map(|name| self.address_of(name)).collect();
        let tell = "<message type='headline' to='{}' id='mark'><body>the last</body></message>";
        self.everybody_sends(&clients, tell)?;
        let speakers = self.speakers().count();
        self.clients.values_mut().try_for_each(|present| present.receive_marks(speakers))
    }

    /// Each person of whom a client is there sends it to each of these addresses.
    fn everybody_sends(&mut self, to: &[String], text: &str) -> Result {
        let texts: String = to.iter().map(|to| text.replace("{}", to)).collect();
        self.speakers().try_for_each(|present| present.client.send(&texts))
    }

    /// A client of each person, if one is there.
    fn speakers(&mut self) -> impl Iterator<Item = &mut Present> {
        let mut last = "";
        self.clients.iter_mut().filter_map(move |(name, present)| {
            let person = name.split('/').next().unwrap_or_default();
            (std::mem::replace(&mut last, person) != person).then_some(present)
        })
    }

    fn address_of(&self, name: &str) -> String {
        let (person, resource) = name.split_once('/').unwrap_or((name, ""));
        self.with_addresses(&format!("{{{person}}}/{resource}"))
    }

    /// Takes what has come, which must be this.
    fn compare(&mut self, comes: &[Comes<'_>]) -> Result {
        let names: Vec<_> = self.clients.keys().copied().collect();
        for name in names {
            let patterns = self.patterns(name, comes)?;
            let came = std::mem::take(&mut self.present(name)?.inbox);
            let fit = came.iter().zip(&patterns).all(|(came, pattern)| came.fits(pattern));
            if !fit || came.len() != patterns.len() {
                return Err(format!("{name} was to get{}\nand got{}", lines(&patterns), lines(&came)));
            }
        }
        Ok(())
    }
}

impl Present {
    /// Reads one stanza.
    fn receive(&mut self) -> Result {
        let element = self.client.receive()?;
        if element.attribute("id") == Some("mark") {
            self.seen += 1;
        } else {
            self.inbox.push(element);
        }
        Ok(())
    }

    /// Reads until so many have come of what shows that everything has.
    fn receive_marks(&mut self, count: usize) -> Result {
        while self.seen < count {
            self.receive()?;
        }
        self.seen -= count;
        Ok(())
    }
}

fn lines(elements: &[Element]) -> String {
    elements.iter().map(|element| format!("\n  {element}")).collect()
}
