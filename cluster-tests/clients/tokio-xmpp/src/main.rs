//! A tokio-xmpp client driven over standard input and output; `../README.md` describes the exchange.

use futures::StreamExt;
use serde_json::{Value, json};
use std::{error::Error, time::Duration};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio_xmpp::Stanza;
use tokio_xmpp::connect::{DirectTlsServerConnector, DnsConfig, StartTlsServerConnector};
use tokio_xmpp::jid::Jid;
use tokio_xmpp::parsers::iq::Iq;
use tokio_xmpp::parsers::message::{Lang, Message};
use tokio_xmpp::parsers::ping::Ping;
use tokio_xmpp::parsers::presence::{Presence, Show, Type};
use tokio_xmpp::parsers::roster::Roster;
use tokio_xmpp::stanzastream::{Event, StanzaStream, StreamEvent};
use tokio_xmpp::xmlstream::Timeouts;

/// What the ids of pings that were asked for begin with.
const PING: &str = "ping-";
/// The id of the ping that follows the first presence.
const FIRST_PING: &str = "driver-online";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: HOST PORT JID PASSWORD CA_FILE TLS");
    let address = format!("{}:{}", argument()?, argument()?);
    let jid: Jid = argument()?.parse()?;
    let password = argument()?;
    // The trust anchors are read by rustls-native-certs, which the harness points at CA_FILE by SSL_CERT_FILE.
    argument()?;
    let tls = argument()?;

    log::set_logger(&Log).map_err(|e| e.to_string())?;
    log::set_max_level(log::LevelFilter::Debug);
    emit(json!({"event": "hello", "client": "tokio-xmpp", "version": "6.0.0", "cannot": []}));
    let server = DnsConfig::addr(&address);
    let timeouts =
        Timeouts { read_timeout: Duration::from_secs(60), response_timeout: Duration::from_secs(15) };
    let mut stream = match tls.as_str() {
        "direct" => {
            StanzaStream::new_c2s(DirectTlsServerConnector(server), jid.clone(), password, timeouts, 16)
        }
        _ => StanzaStream::new_c2s(StartTlsServerConnector(server), jid.clone(), password, timeouts, 16),
    };
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            event = stream.next() => match event {
                Some(Event::Stream(event)) => on_stream(&stream, &jid, event).await,
                Some(Event::Stanza(stanza)) => on_stanza(&stream, &jid, stanza).await,
                None => break,
            },
            command = next_command(&mut commands) => match command? {
                Some(command) if command["do"] != "quit" => obey(&stream, &jid, &command).await?,
                _ => break,
            },
        }
    }
    // A lost connection must not keep the program from ending.
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.close()).await;
    Ok(())
}

async fn next_command(lines: &mut Lines<BufReader<Stdin>>) -> Result<Option<Value>, Box<dyn Error>> {
    lines.next_line().await?.map(|line| serde_json::from_str(&line).map_err(Into::into)).transpose()
}

async fn obey(stream: &StanzaStream, own: &Jid, command: &Value) -> Result<(), Box<dyn Error>> {
    let text = |key: &str| command[key].as_str().unwrap_or_default().to_owned();
    let stanza: Stanza = match text("do").as_str() {
        "subscribe" => Presence::new(Type::Subscribe).with_to(text("jid").parse::<Jid>()?).into(),
        "accept" => Presence::new(Type::Subscribed).with_to(text("jid").parse::<Jid>()?).into(),
        "send" => Message::chat(text("jid").parse::<Jid>()?).with_body(Lang::new(), text("text")).into(),
        "presence" => presence(&text("show")).into(),
        "ping" => ping(own, PING.to_owned() + &text("id")),
        other => return Err(format!("no such command: {other}").into()),
    };
    stream.send(Box::new(stanza)).await;
    Ok(())
}

fn ping(own: &Jid, id: String) -> Stanza {
    let server: Jid = own.domain().to_owned().into();
    Iq::from_get(id, Ping).with_to(server).into()
}

fn presence(show: &str) -> Presence {
    let presence = Presence::available();
    match show {
        "chat" => presence.with_show(Show::Chat),
        "away" => presence.with_show(Show::Away),
        "xa" => presence.with_show(Show::Xa),
        "dnd" => presence.with_show(Show::Dnd),
        _ => presence,
    }
}

async fn on_stream(stream: &StanzaStream, own: &Jid, event: StreamEvent) {
    match event {
        StreamEvent::Reset { .. } => {
            // Only a resource that asked for the roster is told of subscriptions (RFC 6121 2.2).
            let roster = Roster { ver: None, items: vec![] };
            stream.send(Box::new(Iq::from_get("driver-roster", roster).into())).await;
            stream.send(Box::new(Presence::available().into())).await;
            stream.send(Box::new(ping(own, FIRST_PING.to_owned()))).await;
        }
        StreamEvent::Suspended => emit(json!({"event": "disconnected"})),
        StreamEvent::Resumed => emit(json!({"event": "resumed"})),
    }
}

async fn on_stanza(stream: &StanzaStream, own: &Jid, stanza: Stanza) {
    match stanza {
        Stanza::Message(message) => {
            if let Some((_, body)) = message.get_best_body(vec![]) {
                emit(json!({"event": "message", "from": address(&message.from), "body": body}));
            }
        }
        Stanza::Presence(presence) => on_presence(&presence),
        // RFC 6120 8.2.3: a request is answered. Roster pushes and pings of the server are all that comes here.
        Stanza::Iq(Iq::Get { from, id, .. } | Iq::Set { from, id, .. }) => {
            let result = Iq::Result { from: None, to: from, id, payload: None };
            stream.send(Box::new(result.into())).await;
        }
        Stanza::Iq(iq) if iq.id() == FIRST_PING => emit(json!({"event": "online", "jid": own.to_string()})),
        Stanza::Iq(iq) => {
            if let Some(id) = iq.id().strip_prefix(PING) {
                emit(json!({"event": "pong", "id": id}));
            }
        }
    }
}

fn on_presence(presence: &Presence) {
    let from = address(&presence.from);
    let subscription = match presence.type_ {
        Type::Subscribe => "subscribe",
        Type::Subscribed => "subscribed",
        Type::Unsubscribe => "unsubscribe",
        Type::Unsubscribed => "unsubscribed",
        Type::Unavailable => return emit(json!({"event": "presence", "from": from, "show": "unavailable"})),
        Type::Error => return emit(json!({"event": "presence", "from": from, "show": "error"})),
        Type::Probe => return,
        Type::None => {
            let show = match presence.show {
                None => "available",
                Some(Show::Chat) => "chat",
                Some(Show::Away) => "away",
                Some(Show::Xa) => "xa",
                Some(Show::Dnd) => "dnd",
            };
            return emit(json!({"event": "presence", "from": from, "show": show}));
        }
    };
    emit(json!({"event": "subscription", "from": from, "type": subscription}));
}

fn address(jid: &Option<Jid>) -> String {
    jid.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// `println!` flushes each line, as standard output is line-buffered.
fn emit(event: Value) {
    println!("{event}");
}

/// The library's own log, to standard error.
struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        eprintln!("{} {}: {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}
