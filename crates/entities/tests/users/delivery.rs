//! RFC 6121 8.5: what becomes of a stanza for a local account, row by row, as the sender and the resources see it.

use crate::{Scene, error};

const BOB: &str = "bob@b.example/x";
const TYPES: [&str; 5] = ["normal", "chat", "groupchat", "headline", "error"];

/// Who Alice is at the time of a row: no account, an account, then a resource `x` with this priority (`-` for one
/// that is connected, not available) and one `y` likewise.
fn scene(account: bool, x: Option<&str>, y: Option<&str>) -> Scene {
    let mut scene = Scene::online(&[BOB]);
    if account {
        scene.account("alice@a.example");
    }
    for (name, priority) in [("x", x), ("y", y)] {
        let Some(priority) = priority else { continue };
        let client = format!("alice@a.example/{name}");
        scene.connects(&client);
        if priority != "-" {
            scene.sends(&client, &format!("<presence><priority>{priority}</priority></presence>"));
        }
    }
    scene.clear();
    scene
}

/// What became of it: `E` an error to the sender, `S` nothing, `D` the resource named (`x`) has it, `A` all that
/// take messages have it, `O` the next resource that takes messages gets it.
fn outcome(scene: &mut Scene, x: Option<&str>, y: Option<&str>) -> char {
    let is_error = !scene.take(BOB).is_empty();
    let mut got = |client: &str, is_there: Option<&str>| {
        is_there.is_some() && !scene.take(&format!("alice@a.example/{client}")).is_empty()
    };
    let (at_x, at_y) = (got("x", x), got("y", y));
    let takes = |priority: Option<&str>| priority.is_some_and(|p| p.parse::<i8>().is_ok_and(|p| p >= 0));
    let mut outcomes = Vec::new();
    if is_error {
        outcomes.push('E');
    }
    if (at_x || at_y) && (at_x, at_y) == (takes(x), takes(y)) && (at_y || !takes(y)) && takes(y) {
        outcomes.push('A');
    } else if at_x && !at_y {
        outcomes.push('D');
    } else if at_x || at_y {
        outcomes.push('?');
    }
    if scene.rows("alice@a.example") > 0 {
        scene.connects("alice@a.example/later");
        scene.sends("alice@a.example/later", "<presence/>");
        if scene.take("alice@a.example/later").iter().any(|stanza| stanza.starts_with("<message ")) {
            outcomes.push('O');
        }
    }
    assert!(outcomes.len() <= 1, "more than one thing became of it: {outcomes:?}");
    outcomes.first().copied().unwrap_or('S')
}

/// RFC 6121 8.5.4, table 1. Of the alternatives that it leaves, this server takes: an error where nothing is kept,
/// so that nobody's message vanishes; all resources that take messages.
#[test]
fn messages() {
    type Row = (&'static str, bool, Option<&'static str>, Option<&'static str>, &'static str, &'static str);
    const ROWS: &[Row] = &[
        ("no account, bare", false, None, None, "alice@a.example", "EEESS"),
        ("no account, full", false, None, None, "alice@a.example/x", "EEESS"),
        ("no resources, bare", true, None, None, "alice@a.example", "OOESS"),
        ("no resources, full", true, None, None, "alice@a.example/x", "EOESS"),
        ("connected only, bare", true, Some("-"), None, "alice@a.example", "OOESS"),
        ("connected only, full match", true, Some("-"), None, "alice@a.example/x", "DDDDD"),
        ("connected only, full no match", true, Some("-"), None, "alice@a.example/z", "EOESS"),
        ("negative, bare", true, Some("-1"), None, "alice@a.example", "OOESS"),
        ("negative, full match", true, Some("-1"), None, "alice@a.example/x", "DDDDD"),
        ("negative, full no match", true, Some("-1"), None, "alice@a.example/z", "EOESS"),
        ("one, bare", true, Some("0"), None, "alice@a.example", "DDEDS"),
        ("one, full match", true, Some("0"), None, "alice@a.example/x", "DDDDD"),
        ("one, full no match", true, Some("0"), None, "alice@a.example/z", "EDESS"),
        ("two, bare", true, Some("1"), Some("0"), "alice@a.example", "AAEAS"),
        ("two, full match", true, Some("1"), Some("0"), "alice@a.example/x", "DDDDD"),
        ("two, full no match", true, Some("1"), Some("0"), "alice@a.example/z", "EAESS"),
        ("one of them negative, bare", true, Some("0"), Some("-1"), "alice@a.example", "DDEDS"),
    ];
    let mut cells = 0;
    for (row, account, x, y, to, expected) in ROWS {
        for (kind, expected) in TYPES.iter().zip(expected.chars()) {
            // Kept (the promise), and not kept: both ways decide the same, but for what may be offline.
            for (payload, is_kept) in
                [("<body>b</body>", true), ("<no-store xmlns='urn:xmpp:hints'/>", false)]
            {
                let mut scene = scene(*account, *x, *y);
                scene.sends(BOB, &format!("<message to='{to}' type='{kind}' id='1'>{payload}</message>"));
                let expected = if !is_kept && expected == 'O' { 'S' } else { expected };
                let became = outcome(&mut scene, *x, *y);
                assert_eq!(became, expected, "RFC 6121 8.5.4: {row}, {kind}, kept: {is_kept}");
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 17 * 5 * 2);
}

#[test]
fn the_error_is_service_unavailable_and_the_address_stays() {
    let mut scene = Scene::online(&[BOB, "alice@a.example/x"]);
    scene.sends(BOB, "<message to='nobody@a.example' type='chat' id='1'><body>b</body></message>");
    let head = "<message to='bob@b.example/x' from='nobody@a.example' type='error' id='1'>";
    scene.gets(BOB, &[&error(head, "cancel", "service-unavailable")]);
    // 8.5.2.1.1: `to` is not rewritten.
    scene.sends(BOB, "<message to='alice@a.example' type='chat' id='2'><body>b</body></message>");
    let message = "<message to='alice@a.example' from='bob@b.example/x' type='chat' id='2'><body>b</body>…";
    scene.gets("alice@a.example/x", &[message]);
}

/// A message without `to` is one to oneself (RFC 6120 10.3.1); one to a server has no taker (10.5.1); one to a
/// domain that is not served here, nobody's (10.4.3).
#[test]
fn addresses_that_are_no_users() {
    let mut scene = Scene::online(&[BOB]);
    scene.sends(BOB, "<message id='1'><body>b</body></message>");
    scene.gets(BOB, &["<message to='bob@b.example' from='bob@b.example/x' id='1'><body>b</body>…"]);
    for (to, kind, condition) in [
        ("b.example", "cancel", "service-unavailable"),
        ("a.example/x", "cancel", "service-unavailable"),
        ("carol@elsewhere.example", "cancel", "remote-server-not-found"),
    ] {
        scene.sends(BOB, &format!("<message to='{to}' id='2'><body>b</body></message>"));
        let head = format!("<message to='bob@b.example/x' from='{to}' type='error' id='2'>");
        scene.gets(BOB, &[&error(&head, kind, condition)]);
    }
}

/// RFC 6121 8.5.1, 8.5.2.1.2, 8.5.2.2.2, 8.5.3.1, 8.5.3.2.2: presence, and who gets it.
#[test]
fn presence() {
    // Presence with this type, to this address; what resource `x` and `y` (available) and `z` (connected) get.
    const ROWS: &[(&str, &str, &str)] = &[
        ("", "alice@a.example", "xy"),
        (" type='unavailable'", "alice@a.example", "xy"),
        ("", "alice@a.example/x", "x"),
        ("", "alice@a.example/z", "z"),
        (" type='unavailable'", "alice@a.example/y", "y"),
        ("", "alice@a.example/none", ""),
        (" type='unavailable'", "alice@a.example/none", ""),
        ("", "nobody@a.example", ""),
        (" type='unavailable'", "nobody@a.example/x", ""),
        (" type='subscribe'", "nobody@a.example", ""),
        (" type='subscribed'", "nobody@a.example", ""),
        (" type='unsubscribe'", "nobody@a.example", ""),
        (" type='unsubscribed'", "nobody@a.example", ""),
    ];
    for (kind, to, expected) in ROWS {
        let clients = ["x", "y"].map(|name| format!("alice@a.example/{name}"));
        let mut scene = Scene::online(&[BOB, &clients[0], &clients[1]]);
        scene.connects("alice@a.example/z");
        scene.clear();
        scene.sends(BOB, &format!("<presence to='{to}'{kind}/>"));
        let got: String = ["x", "y", "z"]
            .iter()
            .filter(|name| !scene.take(&format!("alice@a.example/{name}")).is_empty())
            .copied()
            .collect();
        assert_eq!(got, *expected, "RFC 6121 8.5: presence{kind} to {to}");
        // Nothing comes back but the roster push of one's own request.
        let answers = scene.take(BOB).into_iter().filter(|stanza| !stanza.starts_with("<iq "));
        assert_eq!(answers.collect::<Vec<_>>(), Vec::<String>::new(), "presence{kind} to {to}");
    }
}

/// RFC 6121 8.5.1, 8.5.2.1.3, 8.5.3.1, 8.5.3.2.3: iq. `D` the resource gets it, `R` the server answers with a
/// result, `E` with `service-unavailable`, `S` nothing.
#[test]
fn iq() {
    const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";
    const DISCO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    // To, payload, then what becomes of a get and a set, a result, an error: of a contact's, and of a stranger's.
    const ROWS: &[(&str, &str, &str, &str)] = &[
        ("nobody@a.example", PING, "EESS", "EESS"),
        ("nobody@a.example/x", PING, "EESS", "EESS"),
        ("alice@a.example", PING, "EESS", "EESS"),
        ("alice@a.example", DISCO, "R?SS", "E?SS"),
        ("alice@a.example/x", PING, "DDDD", "EEDD"),
        ("alice@a.example/y", PING, "DDDD", "EEDD"),
        ("alice@a.example/none", PING, "EESS", "EESS"),
    ];
    for (to, payload, contact, stranger) in ROWS {
        for (is_contact, expected) in [(true, contact), (false, stranger)] {
            for (kind, expected) in ["get", "set", "result", "error"].iter().zip(expected.chars()) {
                let mut scene = Scene::online(&[BOB, "alice@a.example/x"]);
                scene.connects("alice@a.example/y");
                if is_contact {
                    scene.befriends("alice@a.example", "bob@b.example");
                }
                scene.sends(BOB, &format!("<iq to='{to}' type='{kind}' id='1'>{payload}</iq>"));
                let answers = scene.take(BOB);
                let is_delivered =
                    ["x", "y"].iter().any(|name| !scene.take(&format!("alice@a.example/{name}")).is_empty());
                let unavailable = error(
                    &format!("<iq to='bob@b.example/x' from='{to}' type='error' id='1'>"),
                    "cancel",
                    "service-unavailable",
                );
                let became = match (is_delivered, answers.as_slice()) {
                    (true, []) => 'D',
                    (false, []) => 'S',
                    (false, [answer]) if *answer == unavailable => 'E',
                    (false, [answer]) if answer.contains("type='result'") => 'R',
                    _ => '!',
                };
                let row = format!("RFC 6121 8.5: {kind} to {to}, contact: {is_contact}: {answers:?}");
                assert!(became == expected || expected == '?', "{row}: {became}");
            }
        }
    }
}

/// RFC 6121 8.5.3.1: one to whom presence was sent directly may ask as well.
#[test]
fn iq_after_directed_presence() {
    let mut scene = Scene::online(&[BOB, "alice@a.example/x"]);
    scene.sends("alice@a.example/x", "<presence to='bob@b.example/x'/>");
    scene.clear();
    scene.sends(BOB, "<iq to='alice@a.example/x' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    let ping = "<iq to='alice@a.example/x' from='bob@b.example/x' type='get' id='1'>\
                <ping xmlns='urn:xmpp:ping'/></iq>";
    scene.gets("alice@a.example/x", &[ping]);
}

/// S100, S103, S118: whatever a client writes as `from`, what others get is from it alone; a forged carbon is just a
/// message of its true sender.
#[test]
fn from_is_stamped() {
    let mut scene = Scene::online(&[BOB, "alice@a.example/x"]);
    scene.befriends("alice@a.example", "bob@b.example");
    const CARBON: &str = "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
                          <message xmlns='jabber:client' from='carol@a.example/x'><body>b</body></message>\
                          </forwarded></received>";
    for from in ["alice@a.example", "alice@a.example/x", "a.example", "carol@b.example/x"] {
        scene.sends(BOB, &format!("<message to='alice@a.example/x' from='{from}'>{CARBON}</message>"));
        scene.sends(
            BOB,
            &format!("<iq type='get' id='1' to='alice@a.example/x' from='{from}'><q xmlns='q'/></iq>"),
        );
        scene.sends(BOB, &format!("<presence to='alice@a.example' from='{from}'/>"));
        scene.gets(
            "alice@a.example/x",
            &[
                &format!("<message to='alice@a.example/x' from='bob@b.example/x'>{CARBON}…</message>"),
                "<iq to='alice@a.example/x' from='bob@b.example/x' type='get' id='1'><q xmlns='q'/></iq>",
                "<presence to='alice@a.example' from='bob@b.example/x'/>",
            ],
        );
    }
}
