//! The body of a fuzz target: bytes as what is in a client's stanzas, and who answers them.

use crate::scene::Scene;
use crate::state::{State, roster_get};
use stentor_engine::{Query, Rows};
use stentor_entities::user::{CREDENTIALS, collection};
use stentor_xml::{Frame, Framer, Limits};
use stentor_xmpp::{Condition, IqType, Kind, Stanza, StanzaError, StanzaType, ns};

/// Ends what is in one stanza; never part of UTF-8.
const SEPARATOR: u8 = 0xff;
/// Stanzas of one input.
const STANZAS_MAX: usize = 4;

/// Kinds and types of stanza, by the low bits of their byte.
const KINDS: [(&str, &str); 17] = [
    ("iq", " type='get'"),
    ("iq", " type='set'"),
    ("iq", " type='result'"),
    ("iq", " type='error'"),
    ("presence", ""),
    ("presence", " type='unavailable'"),
    ("presence", " type='subscribe'"),
    ("presence", " type='subscribed'"),
    ("presence", " type='unsubscribe'"),
    ("presence", " type='unsubscribed'"),
    ("presence", " type='probe'"),
    ("presence", " type='error'"),
    ("message", " type='chat'"),
    ("message", ""),
    ("message", " type='groupchat'"),
    ("message", " type='headline'"),
    ("message", " type='error'"),
];

/// To whom, alike. A domain left out is Alice's.
const TO: [&str; 14] = [
    "",
    "alice@",
    "alice@/x",
    "alice@/y",
    "alice@/nowhere",
    "@",
    "b.example",
    "elsewhere.example",
    "bob@b.example",
    "bob@b.example/x",
    "bob@b.example/nowhere",
    "nobody@b.example",
    "carol@b.example",
    "dave@b.example",
];

/// What became of a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is none.
    Unread,
    /// Nobody answered, and nobody got it.
    Silence,
    /// Clients got it as it is.
    Copied,
    Result,
    Error(Condition),
}

/// A stanza that was sent, from whom it says by now.
struct Asked {
    stanza: Stanza,
    answer: Option<Fate>,
    /// Which clients got it.
    copies: Vec<usize>,
}

/// The first byte chooses the state; of each stanza the first byte is its kind, the second to whom it is, the rest what
/// stands between its tags. Nothing panics; users speak in their own names; each request is answered once or reaches
/// one client, what answers is not answered, and nobody is answered who has not asked; what is written is read again;
/// no more is stored than was sent; a restart changes nothing.
pub(crate) fn request(data: &[u8]) -> Vec<Fate> {
    let [state, rest @ ..] = data else { return Vec::new() };
    let state = State(*state);
    let steps = rest.split(|byte| *byte == SEPARATOR).take(STANZAS_MAX).enumerate();
    let stanzas: Vec<Option<Stanza>> = steps.map(|(number, step)| stanza(state, number, step)).collect();
    let mut fates = Vec::with_capacity(stanzas.len());
    if stanzas.iter().all(Option::is_none) {
        return vec![Fate::Unread; stanzas.len()];
    }
    state.play(|scene| {
        scene.limit_values(data.len());
        play(scene, stanzas, &mut fates);
    });
    fates
}

fn play(scene: &mut Scene, stanzas: Vec<Option<Stanza>>, fates: &mut Vec<Fate>) {
    let mut asked = Vec::with_capacity(stanzas.len());
    for stanza in stanzas {
        let Some(mut stanza) = stanza.filter(|_| !scene.clients[0].is_over) else {
            fates.push(Fate::Unread);
            continue;
        };
        scene.sends(0, stanza.clone());
        stanza.set_from(Some(scene.clients[0].jid.to_jid()));
        asked.push(Asked { stanza, answer: None, copies: Vec::new() });
        hear(scene, &mut asked);
        fates.push(asked.last().map_or(Fate::Unread, Asked::fate));
    }
    if scene.is_written {
        restart(scene);
    }
}

/// The stanza with this number, if it is one that a stream would take.
fn stanza(state: State, number: usize, step: &[u8]) -> Option<Stanza> {
    let [kind, to, payload @ ..] = step else { return None };
    let (name, kind) = KINDS[usize::from(kind & 0x1f) % KINDS.len()];
    let mut to = TO[usize::from(to & 0x1f) % TO.len()].to_owned();
    if let Some(at) = to.find('@').filter(|_| !to.contains(".example")) {
        to.insert_str(at + 1, state.domain());
    }
    let to = to.trim_start_matches('@');
    let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
    let begin = format!("<{name}{kind} id='s{number}'{to}>");
    let written = [begin.as_bytes(), payload, format!("</{name}>").as_bytes()].concat();
    let mut framer = Framer::fragments(Limits::CLIENT, ns::CLIENT);
    let mut input = &*written;
    let Ok(Some(Frame::Element(raw))) = framer.next(&mut input) else { return None };
    let stanza = Stanza::from_raw(&raw, ns::CLIENT).ok()?;
    // Of more than one, the rest is another input.
    input.is_empty().then_some(stanza)
}

/// Clients read what has come, by which each stanza so far is judged.
fn hear(scene: &mut Scene, asked: &mut [Asked]) {
    for (index, client) in scene.clients.iter_mut().enumerate() {
        for written in client.got.drain(..) {
            let got = read_again(&written);
            let to = got.to().expect("a client is named");
            assert_eq!(to.bare(), client.jid.bare(), "{got:?}");
            // RFC 6121 8.5.3.2.1: a chat message to a resource that is not there is for the others.
            let is_any = got.kind() == Kind::Message || to.is_bare();
            assert!(is_any || to.resource() == Some(client.jid.resource()), "{got:?}");
            match asked.iter_mut().find(|asked| asked.is_about(&got)) {
                Some(asked) => asked.hears(index, &got),
                None => assert!(!answers(&got), "nobody has asked: {got:?}"),
            }
        }
    }
    let Some(last) = asked.last() else { return };
    let answers = usize::from(last.answer.is_some());
    match last.stanza.stanza_type() {
        StanzaType::Iq(IqType::Get | IqType::Set) => {
            assert_eq!(answers + last.copies.len(), 1, "{:?}", last.stanza);
        }
        StanzaType::Iq(_) => assert!(last.copies.len() <= 1, "{:?}", last.stanza),
        StanzaType::Message(_) => assert!(answers == 0 || last.copies.is_empty(), "{:?}", last.stanza),
        StanzaType::Presence(_) => {}
    }
}

/// What is written is a stanza, and the same when it is read.
fn read_again(written: &[u8]) -> Stanza {
    let text = std::str::from_utf8(written).unwrap();
    let stanza = Stanza::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(stanza.to_bytes() == written, "{text}");
    stanza
}

fn answers(stanza: &Stanza) -> bool {
    stanza.is_error() || stanza.stanza_type() == StanzaType::Iq(IqType::Result)
}

impl Asked {
    fn fate(&self) -> Fate {
        let silent = if self.copies.is_empty() { Fate::Silence } else { Fate::Copied };
        self.answer.unwrap_or(silent)
    }

    fn is_copy(&self, got: &Stanza) -> bool {
        got.stanza_type() == self.stanza.stanza_type() && got.from() == self.stanza.from()
    }

    /// Whether that is a copy of it, or an answer to it.
    fn is_about(&self, got: &Stanza) -> bool {
        let is_its = got.kind() == self.stanza.kind() && got.id() == self.stanza.id();
        is_its && (self.is_copy(got) || answers(got))
    }

    fn hears(&mut self, index: usize, got: &Stanza) {
        if self.is_copy(got) {
            let is_first = !self.copies.contains(&index) || got.kind() == Kind::Presence;
            assert!(is_first, "twice: {got:?}");
            let is_whole = got.kind() != Kind::Iq || got.to_bytes() == self.stanza.to_bytes();
            assert!(is_whole, "{got:?} of {:?}", self.stanza);
            return self.copies.push(index);
        }
        assert_eq!(index, 0, "answered to somebody else: {got:?}");
        assert!(!answers(&self.stanza), "an answer is answered: {got:?}");
        assert!(self.answer.is_none(), "answered twice: {got:?}");
        assert_eq!(got.to(), self.stanza.from(), "{got:?}");
        let own = got.from().filter(|_| self.stanza.to().is_none());
        assert!(got.from() == self.stanza.to() || own.is_some_and(|own| own.is_bare()), "{got:?}");
        self.answer = Some(if got.is_error() { Fate::Error(condition(got)) } else { Fate::Result });
    }
}

fn condition(got: &Stanza) -> Condition {
    let error = got.child("error", ns::CLIENT).expect("an error says which");
    let element = StanzaError::parse(error.root());
    element.expect("its condition is one").condition
}

/// What is stored is read again, and says what was known.
fn restart(scene: &mut Scene) {
    let jid = scene.clients[0].jid.clone();
    let before = (!scene.clients[0].is_over).then(|| roster(scene));
    scene.restarts();
    scene.connects(jid.as_str());
    let record = Query::Record { collection: collection::ACCOUNT, key: CREDENTIALS.into() };
    let has_account = matches!(scene.asks(&jid.to_bare(), &record), Rows::Record(Some(_)));
    assert_eq!(scene.clients[0].attachment.is_some(), has_account);
    if let Some(before) = before {
        assert_eq!(roster(scene), before);
    }
}

/// The roster as the first client gets it.
fn roster(scene: &mut Scene) -> String {
    scene.clients[0].got.clear();
    scene.sends(0, roster_get());
    let answers = scene.clients[0].got.iter().map(|written| read_again(written));
    let answer = answers.into_iter().find(|got| got.id() == Some("roster")).expect("an answer");
    assert!(!answer.is_error(), "{answer:?}");
    String::from_utf8_lossy(&answer.to_bytes()).into_owned()
}
