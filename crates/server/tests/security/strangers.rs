//! S109: what somebody learns who is no contact: of a user who is there, of one who is away, and of nobody, the same.

use std::time::Instant;

use crate::Row;
use crate::client::Client;
use crate::server::{Server, address};

pub(crate) const ROWS: &[Row] = &[("S109 what a stranger learns", stranger_learns_nothing)];

/// Who is there, who is away, and nobody.
const THEY: [&str; 3] = ["s109", "away109", "nobody109"];

const ASKED: &[&str] = &[
    "<presence type='probe' to='TO'/>",
    "<presence type='unsubscribe' to='TO'/>",
    "<presence type='unsubscribed' to='TO'/>",
    "<presence to='TO'/>",
    "<presence type='unavailable' to='TO'/>",
    "<iq type='get' id='1' to='TO'><query xmlns='jabber:iq:last'/></iq>",
    "<iq type='get' id='2' to='TO'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    "<iq type='get' id='3' to='TO'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
    "<iq type='get' id='4' to='TO'><ping xmlns='urn:xmpp:ping'/></iq>",
    "<iq type='get' id='5' to='TO'><query xmlns='jabber:iq:version'/></iq>",
    "<iq type='get' id='6' to='TO'><vCard xmlns='vcard-temp'/></iq>",
    "<iq type='get' id='7' to='TO'><query xmlns='jabber:iq:roster'/></iq>",
    "<iq type='get' id='8' to='TO'><query xmlns='jabber:iq:register'/></iq>",
    "<iq type='get' id='9' to='TO'><time xmlns='urn:xmpp:time'/></iq>",
    "<iq type='set' id='10' to='TO'><x xmlns='urn:x'/></iq>",
];

/// What comes of it, without the name of who was asked.
fn ask(stranger: &mut Client, local: &str, to: &str, text: &str) -> String {
    stranger.send(&text.replace("TO", &to.replace("NAME", local)));
    // Answered by the same user, behind that.
    let behind = format!("<iq type='get' id='behind' to='{local}@example.org'><x xmlns='urn:x'/></iq>");
    stranger.send(&behind);
    (stranger.until("id='behind'") + &stranger.until("</iq>")).replace(local, "NAME")
}

fn all_alike(stranger: &mut Client, text: &str) {
    // The resource is one that the first of them has; the other one nobody has.
    for to in ["NAME@example.org", "NAME@example.org/a", "NAME@example.org/guess"] {
        let [here, away, nobody] = THEY.map(|local| ask(stranger, local, to, text));
        assert_eq!(here, nobody, "{text} to {to}");
        assert_eq!(away, nobody, "{text} to {to}");
    }
}

fn stranger_learns_nothing(server: &Server) {
    let from = address("S109");
    for local in ["s109", "away109", "stranger"] {
        server.account(&format!("{local}@example.org"));
    }
    let mut online = Client::online(server, from, "s109@example.org/a");
    let mut stranger = Client::online(server, from, "stranger@example.org/a");
    ASKED.iter().for_each(|text| all_alike(&mut stranger, text));
    let seen = online.settle();
    assert!(!seen.contains("<iq type='get'") && !seen.contains("<iq type='set'"), "{seen}");
    // Whoever was shown presence knows until it is taken back, and is a stranger again.
    online.send("<presence to='stranger@example.org/a'/>");
    stranger.until("from='s109@example.org/a'");
    online.send("<presence to='stranger@example.org/a' type='unavailable'/>");
    stranger.until("type='unavailable'");
    stranger.settle();
    ASKED.iter().for_each(|text| all_alike(&mut stranger, text));
    let times = THEY.map(|local| {
        let begun = Instant::now();
        (0..100).for_each(|_| drop(ask(&mut stranger, local, "NAME@example.org", ASKED[8])));
        begun.elapsed() / 100
    });
    println!("S109: {THEY:?} answer, all in all, within {times:?}");
    // Last, for it makes the stranger known: to ask for a subscription.
    all_alike(&mut stranger, "<presence type='subscribe' to='TO'/>");
    online.until("type='subscribe'");
    ASKED.iter().for_each(|text| all_alike(&mut stranger, text));
}
