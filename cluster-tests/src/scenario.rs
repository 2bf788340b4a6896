//! One story of two clients: log in, befriend, chat, change presence, lose the connection and resume, leave.

use crate::driver::{Driver, Login, Program};
use crate::proxy::{Cut, Proxy};
use crate::server::{DOMAIN, Server, Tls};
use serde_json::json;
use std::fmt;
use std::net::SocketAddr;

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that it expects came to pass.
    Passed,
    /// A client lacks what it takes; the reason.
    Skipped(String),
    /// Something else came to pass; what.
    Failed(String),
}

impl Outcome {
    /// With the logs of both clients.
    pub(crate) fn failed(reason: String, a: &Side, b: &Side) -> Self {
        let logs = [a, b].map(|side| format!("\n--- log of {}:\n{}", side.name, side.driver.log()));
        Self::Failed(reason + &logs.concat())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("ok"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
            Self::Failed(reason) => write!(f, "FAILED: {reason}"),
        }
    }
}

type Step = fn(&mut Side, &mut Side) -> Result<Outcome, String>;

/// The steps with their names, in order. Each is told for the two sides of the pair.
const STORY: &[(&str, Step)] = &[
    ("log in", log_in),
    ("befriend", befriend),
    ("chat", chat),
    ("change presence", change_presence),
    ("the first resumes after a lost connection", |a, b| lose(a, b, Cut::BothSides)),
    ("the second resumes after a lost connection", |a, b| lose(b, a, Cut::BothSides)),
    ("the first resumes, unknown to the server", |a, b| lose(a, b, Cut::ClientOnly)),
    ("the second resumes, unknown to the server", |a, b| lose(b, a, Cut::ClientOnly)),
    ("leave", leave),
];

/// One client of the pair, its way to the server, and all it has sent to the other.
pub(crate) struct Side {
    name: &'static str,
    jid: String,
    driver: Driver,
    pub(crate) proxy: Proxy,
    /// Where it is connected to, and where it goes when it loses that connection.
    places: [SocketAddr; 2],
    sent: Vec<String>,
    pings: u32,
}

impl Side {
    pub(crate) fn start(
        server: &dyn Server,
        name: &'static str,
        program: &Program,
        localpart: &str,
        tls: Tls,
    ) -> Result<Self, String> {
        let password = format!("{localpart} has a secret");
        server.add_user(localpart, &password)?;
        let places = [server.address(tls), server.elsewhere(tls)];
        let proxy = Proxy::start(places[0]).map_err(|e| e.to_string())?;
        let jid = format!("{localpart}@{DOMAIN}");
        let (address, authority) = (proxy.address(), server.authority());
        let login = Login { address, tls, jid: &jid, password: &password, authority };
        let driver = Driver::start(program, login)?;
        Ok(Self { name, jid, driver, proxy, places, sent: Vec::new(), pings: 0 })
    }

    pub(crate) fn send(&mut self, to: &Self, text: &str) -> Result<(), String> {
        // Numbered, so that each is unlike the others.
        let text = format!("{} {text}", self.sent.len() + 1);
        self.driver.tell(json!({"do": "send", "jid": to.jid, "text": text}))?;
        self.sent.push(text);
        Ok(())
    }

    /// Waits until all that `from` ever sent is here, once and in order.
    pub(crate) fn has_all(&mut self, from: &Self) -> Result<(), String> {
        self.driver.expect_messages(&from.jid, &from.sent).map_err(|e| format!("{}: {e}", self.name))
    }

    /// Waits until the server has handled what this client sent, where the client can ask for that.
    pub(crate) fn is_handled(&mut self) -> Result<(), String> {
        if !self.driver.cannot("ping") {
            self.pings += 1;
            let id = self.pings.to_string();
            self.driver.tell(json!({"do": "ping", "id": id}))?;
            self.expect(json!({"event": "pong", "id": id}))?;
        }
        Ok(())
    }

    /// Its connection is lost.
    fn cut(&mut self, cut: Cut) -> Result<(), String> {
        self.proxy.cut(cut);
        self.expect(json!({"event": "disconnected"}))
    }

    /// It can connect again, at the other place.
    fn restore(&mut self) {
        self.places.reverse();
        self.proxy.redirect(self.places[0]);
        self.proxy.restore();
    }

    pub(crate) fn expect(&mut self, wanted: serde_json::Value) -> Result<(), String> {
        self.driver.expect(&wanted).map(drop).map_err(|e| format!("{}: {e}", self.name))
    }

    pub(crate) fn lacks(&self, ability: &str) -> Option<Outcome> {
        self.driver
            .cannot(ability)
            .then(|| Outcome::Skipped(format!("{} has no way to {ability}", self.name)))
    }
}

/// Leads two clients, each its name and program, through the story; the steps with their outcomes. The first connects
/// by STARTTLS, the second with TLS from the first byte.
pub fn play(
    server: &dyn Server,
    first: (&'static str, &Program),
    second: (&'static str, &Program),
) -> Vec<(&'static str, Outcome)> {
    let start = |(name, program): (&'static str, &Program), with: &str, tls| {
        Side::start(server, name, program, &format!("{name}-with-{with}"), tls)
    };
    let sides = start(first, second.0, Tls::Starttls)
        .and_then(|first_side| Ok((first_side, start(second, first.0, Tls::Direct)?)));
    let (mut a, mut b) = match sides {
        Ok(sides) => sides,
        Err(reason) => return vec![("start", Outcome::Failed(reason))],
    };
    let mut told = Vec::new();
    for (name, step) in STORY {
        let outcome = step(&mut a, &mut b).unwrap_or_else(|reason| Outcome::failed(reason, &a, &b));
        let is_failure = matches!(outcome, Outcome::Failed(_));
        told.push((*name, outcome));
        if is_failure {
            break;
        }
    }
    told
}

pub(crate) fn log_in(a: &mut Side, b: &mut Side) -> Result<Outcome, String> {
    for side in [a, b] {
        side.expect(json!({"event": "online"}))?;
    }
    Ok(Outcome::Passed)
}

pub(crate) fn befriend(a: &mut Side, b: &mut Side) -> Result<Outcome, String> {
    if let Some(skipped) = a.lacks("subscribe").or(b.lacks("subscribe")) {
        return Ok(skipped);
    }
    subscribe(a, b)?;
    subscribe(b, a)?;
    Ok(Outcome::Passed)
}

fn subscribe(asking: &mut Side, asked: &mut Side) -> Result<(), String> {
    asking.driver.tell(json!({"do": "subscribe", "jid": asked.jid}))?;
    asked.expect(json!({"event": "subscription", "type": "subscribe", "from": asking.jid}))?;
    asked.driver.tell(json!({"do": "accept", "jid": asking.jid}))?;
    asking.expect(json!({"event": "subscription", "type": "subscribed", "from": asked.jid}))?;
    asking.expect(json!({"event": "presence", "show": "available", "from": asked.jid}))
}

fn chat(a: &mut Side, b: &mut Side) -> Result<Outcome, String> {
    const TEXTS: &[&str] = &["hello", "<angle> & \"quote\" 'apostrophe'", "Grüße, κόσμε, 世界 🙂"];
    say(a, b, TEXTS)?;
    say(b, a, TEXTS)?;
    Ok(Outcome::Passed)
}

pub(crate) fn say(sender: &mut Side, receiver: &mut Side, texts: &[&str]) -> Result<(), String> {
    for text in texts {
        sender.send(receiver, text)?;
    }
    receiver.has_all(sender)?;
    // A client that sends from sessions of their own has ended them by then, so that answers go where it listens.
    sender.is_handled()
}

fn change_presence(a: &mut Side, b: &mut Side) -> Result<Outcome, String> {
    if let Some(skipped) = a.lacks("change presence").or(b.lacks("change presence")) {
        return Ok(skipped);
    }
    show(a, b)?;
    show(b, a)?;
    Ok(Outcome::Passed)
}

fn show(changing: &mut Side, seeing: &mut Side) -> Result<(), String> {
    for show in ["away", "xa", "dnd", "chat", "available"] {
        seeing.driver.forget_presence();
        changing.driver.tell(json!({"do": "presence", "show": show}))?;
        seeing.expect(json!({"event": "presence", "show": show, "from": changing.jid}))?;
    }
    Ok(())
}

/// `lost` loses its connection amid messages both ways and comes back.
fn lose(lost: &mut Side, other: &mut Side, cut: Cut) -> Result<Outcome, String> {
    if let Some(skipped) = lost.lacks("resume") {
        return if cut == Cut::BothSides { come_back(lost, other).map(|()| skipped) } else { Ok(skipped) };
    }
    for _ in 0..3 {
        lost.send(other, "before the cut")?;
    }
    // Handled by the server, not yet acknowledged to the client: resent, it would come twice.
    lost.is_handled()?;
    for _ in 0..5 {
        other.send(lost, "around the cut")?;
    }
    lost.cut(cut)?;
    for _ in 0..5 {
        other.send(lost, "while away")?;
    }
    other.is_handled()?;
    if !lost.driver.cannot("send offline") {
        lost.send(other, "queued while away")?;
    }
    lost.restore();
    lost.expect(json!({"event": "resumed"}))?;
    lost.has_all(other)?;
    say(lost, other, &["after the resumption"])?;
    say(other, lost, &["after the resumption"])?;
    Ok(Outcome::Passed)
}

/// A client that keeps no stream logs in anew; what was under way meanwhile is promised to no one.
fn come_back(lost: &mut Side, other: &mut Side) -> Result<(), String> {
    lost.cut(Cut::BothSides)?;
    lost.restore();
    lost.expect(json!({"event": "online"}))?;
    say(lost, other, &["after the return"])?;
    say(other, lost, &["after the return"])
}

pub(crate) fn leave(a: &mut Side, b: &mut Side) -> Result<Outcome, String> {
    let are_friends = !a.driver.cannot("subscribe") && !b.driver.cannot("subscribe");
    b.driver.forget_presence();
    a.driver.quit().map_err(|e| format!("{}: {e}", a.name))?;
    if are_friends {
        b.expect(json!({"event": "presence", "show": "unavailable", "from": a.jid}))?;
    }
    b.driver.quit().map_err(|e| format!("{}: {e}", b.name))?;
    Ok(Outcome::Passed)
}
