//! Messages that are kept: in the sender's log until the recipient has them, in the recipient's until a client has
//! them. XEP-0160, 0203, 0334, 0359.

use crate::{Scene, error};
use stentor_engine::Command;
use stentor_entities::UserLimits;

const A: &str = "alice@a.example/x";
const A2: &str = "alice@a.example/y";
const B: &str = "bob@b.example/x";

fn chat(to: &str, id: &str) -> String {
    format!("<message to='{to}' type='chat' id='{id}'><body>{id}</body></message>")
}

/// What Alice gets of it, live.
fn live(to: &str, id: &str) -> String {
    format!(
        "<message to='{to}' from='bob@b.example/x' type='chat' id='{id}'><body>{id}</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='alice@a.example' id='…'/></message>"
    )
}

/// What she gets of it from the log.
fn late(to: &str, id: &str) -> String {
    format!(
        "<message to='{to}' from='bob@b.example/x' type='chat' id='{id}'><body>{id}</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='alice@a.example' id='…'/>\
         <delay xmlns='urn:xmpp:delay' from='a.example' stamp='2023-11-14T22:13:20.000Z'/></message>"
    )
}

/// Nothing is left in either log once all is delivered and time has passed.
fn assert_settled(scene: &mut Scene) {
    for account in ["alice@a.example", "bob@b.example"] {
        // Wakes it, as entities with something unsettled are after a restart.
        scene.command(account, Command::Sessions);
    }
    scene.passes(10);
    for account in ["alice@a.example", "bob@b.example"] {
        assert_eq!(scene.log(account), Vec::<String>::new(), "{account} has nothing left");
    }
}

/// XEP-0160 3 to 5: in order, after the presence, to the first that takes messages; also over a restart.
#[test]
fn offline() {
    for restarts in [false, true] {
        let mut scene = Scene::online(&[B]);
        scene.account("alice@a.example");
        for id in ["1", "2", "3"] {
            scene.sends(B, &chat("alice@a.example", id));
        }
        scene.gets(B, &[]);
        if restarts {
            scene.restarts();
        } else {
            scene.passes(60);
        }
        scene.connects(A2);
        scene.sends(A2, "<presence><priority>-1</priority></presence>");
        scene.gets(A2, &["<presence …"]);
        scene.connects(A);
        scene.sends(A, "<presence/>");
        let got = [late("alice@a.example", "1"), late("alice@a.example", "2"), late("alice@a.example", "3")];
        scene.gets(A, &["<presence …", "<presence …", &got[0], &got[1], &got[2]]);
        scene.gets(A2, &["<presence …"]);
        scene.sends(A2, "<presence/>");
        scene.clear();
        assert_settled(&mut scene);
    }
}

/// More than a page, and what comes meanwhile does not overtake it.
#[test]
fn a_long_backlog() {
    let mut scene = Scene::online(&[B]);
    scene.account("alice@a.example");
    for n in 0..170 {
        scene.sends(B, &chat("alice@a.example", &n.to_string()));
    }
    scene.connects(A);
    scene.enables(A, true);
    scene.sends(A, "<presence/>");
    let mut got = scene.take(A);
    scene.sends(B, &chat("alice@a.example", "170"));
    for flushed in [60, 120, 180, 240] {
        scene.flushes(A, flushed);
        got.extend(scene.take(A));
    }
    let ids: Vec<&str> = got.iter().filter_map(|m| m.split("<body>").nth(1)?.split('<').next()).collect();
    let expected: Vec<String> = (0..171).map(|n| n.to_string()).collect();
    assert_eq!(ids, expected);
    scene.acks(A, got.len() as u32);
    assert_settled(&mut scene);
}

/// XEP-0160 3, XEP-0334 4: what is worth keeping.
#[test]
fn what_waits() {
    const BODY: &str = "<body>b</body>";
    let rows: &[(&str, String, bool)] = &[
        ("chat", BODY.into(), true),
        ("normal", BODY.into(), true),
        ("headline", BODY.into(), false),
        ("groupchat", BODY.into(), false),
        ("chat", format!("{BODY}<no-store xmlns='urn:xmpp:hints'/>"), false),
        ("chat", format!("{BODY}<no-permanent-store xmlns='urn:xmpp:hints'/>"), true),
        ("chat", format!("{BODY}<no-copy xmlns='urn:xmpp:hints'/>"), true),
        ("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>".into(), false),
        (
            "chat",
            "<composing xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread>".into(),
            false,
        ),
        (
            "chat",
            "<active xmlns='http://jabber.org/protocol/chatstates'/><store xmlns='urn:xmpp:hints'/>".into(),
            true,
        ),
        ("normal", "<received xmlns='urn:xmpp:receipts' id='1'/>".into(), true),
    ];
    for (kind, payload, waits) in rows {
        let mut scene = Scene::online(&[B]);
        scene.account("alice@a.example");
        scene.sends(B, &format!("<message to='alice@a.example' type='{kind}'>{payload}</message>"));
        scene.connects(A);
        scene.sends(A, "<presence/>");
        let got = scene.take(A).iter().any(|stanza| stanza.starts_with("<message "));
        assert_eq!(got, *waits, "{kind} {payload}");
    }
}

/// S113: the quota is looked at before anything is appended: one error, no row, also for what comes later.
#[test]
fn quotas() {
    let limits = [
        UserLimits { offline_messages_max: 2, ..UserLimits::default() },
        UserLimits { offline_bytes_max: 500, ..UserLimits::default() },
    ];
    for limits in limits {
        let mut scene = Scene::with(limits);
        scene.come_online(&[B]);
        scene.account("alice@a.example");
        for id in ["1", "2"] {
            scene.sends(B, &chat("alice@a.example", id));
        }
        scene.gets(B, &[]);
        let rows = scene.rows("alice@a.example");
        for id in ["3", "4"] {
            scene.sends(B, &chat("alice@a.example", id));
            let head =
                format!("<message to='bob@b.example/x' from='alice@a.example' type='error' id='{id}'>");
            scene.gets(B, &[&error(&head, "cancel", "service-unavailable")]);
        }
        assert_eq!(scene.rows("alice@a.example"), rows, "S113: no row");
        assert_eq!(scene.log("alice@a.example").len(), 2);
        scene.come_online(&[A]);
        scene.sends(B, &chat("alice@a.example", "5"));
        scene.gets(A, &[&live("alice@a.example", "5")]);
        assert_settled(&mut scene);
    }
}

/// A message to oneself is one entry of the log, which is both outbox and what waits.
#[test]
fn to_oneself() {
    let mut scene = Scene::online(&[A]);
    scene.enables(A, true);
    scene.sends(A, &chat("alice@a.example", "1"));
    let log = scene.log("alice@a.example");
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains(" way='own' to='any' stream='") && log[0].contains(" count='1'"), "{log:?}");
    scene.gets(A, &["<message to='alice@a.example' from='alice@a.example/x' type='chat' id='1'>…"]);
    // It waits for the acknowledgement, and its count is known after a crash.
    scene.restarts();
    scene.resumes(A, 0);
    scene.gets(A, &["not resumed, handled 1"]);
    scene.come_online(&[A2]);
    assert_settled(&mut scene);

    // To one's other resource by name; refused where nobody has it.
    scene.come_online(&[A]);
    scene.sends(A2, &chat(A, "2"));
    scene.gets(A2, &[]);
    scene.gets(A, &["<message to='alice@a.example/x' from='alice@a.example/y' type='chat' id='2'>…"]);
    scene.sends(A2, "<message to='alice@a.example/none' id='3'><body>b</body></message>");
    let head = "<message to='alice@a.example/y' from='alice@a.example/none' type='error' id='3'>";
    scene.gets(A2, &[&error(head, "cancel", "service-unavailable")]);
    assert_settled(&mut scene);
}

/// S104: five copies of what only we may write, in a prefix or not, are all gone; what others wrote stays.
#[test]
fn forged_ids_and_delays() {
    let ours = [
        "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@a.example' id='1'/>",
        "<p:stanza-id by='ALICE@A.example' id='2'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='b.example' id='3'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' id='4'/>",
        "<p:stanza-id by='@' id='5'/>",
        "<delay xmlns='urn:xmpp:delay' from='a.example' stamp='2001-01-01T00:00:00Z'/>",
        "<q:delay from='a.example' stamp='2001-01-01T00:00:00Z'/>",
        "<q:delay from='alice@a.example' stamp='9999-12-31T23:59:59Z'/>",
        "<delay xmlns='urn:xmpp:delay' from='b.example' stamp='2001-01-01T00:00:00Z'/>",
        "<q:delay from='bob@b.example/x' stamp='x'/>",
    ]
    .concat();
    let theirs = "<p:stanza-id by='room@c.example' id='6'/><origin-id xmlns='urn:xmpp:sid:0' id='7'/>\
                  <q:delay from='room@c.example' stamp='2001-01-01T00:00:00Z'/>";
    for (payload, tail) in [
        ("<body>b</body>", "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@a.example' id='…'/></message>"),
        ("<no-store xmlns='urn:xmpp:hints'/>", "</message>"),
    ] {
        let mut scene = Scene::online(&[A, B]);
        let declared = "xmlns:p='urn:xmpp:sid:0' xmlns:q='urn:xmpp:delay'";
        scene
            .sends(B, &format!("<message to='alice@a.example' {declared}>{ours}{payload}{theirs}</message>"));
        let got = format!(
            "<message to='alice@a.example' from='bob@b.example/x' {declared}>{payload}{theirs}{tail}"
        );
        scene.gets(A, &[&got]);
    }
}

/// S115: a clock far away is written as the calendar's end, and never a reason to panic.
#[test]
fn far_times() {
    for unix in [0, u64::MAX / 2_048, 253_402_300_800_000, i64::MAX as u64] {
        let mut scene = Scene::new();
        scene.now.unix = unix.min(u64::MAX >> 11);
        scene.come_online(&[B]);
        scene.account("alice@a.example");
        scene.sends(B, &chat("alice@a.example", "1"));
        scene.connects(A);
        scene.sends(A, "<presence/>");
        let got = scene.take(A).pop().unwrap();
        assert!(got.contains("<delay xmlns='urn:xmpp:delay' from='a.example' stamp='"), "{got}");
        scene.sends(A, "<presence type='unavailable'/>");
        scene.sends(A, "<iq type='get' id='1'><query xmlns='jabber:iq:last'/></iq>");
        scene.sends(A, "<iq type='get' to='a.example' id='1'><time xmlns='urn:xmpp:time'/></iq>");
        assert_eq!(scene.take(A).len(), 3);
    }
}

/// An account that is made again after its removal is not taken for the one before: its messages are no repeats.
#[test]
fn an_account_made_again() {
    let mut scene = Scene::online(&[A, B]);
    for id in ["1", "2", "3"] {
        scene.sends(B, &chat("alice@a.example", id));
    }
    scene.command("bob@b.example", Command::RemoveAccount);
    scene.passes(60);
    scene.come_online(&[B]);
    scene.sends(B, &chat("alice@a.example", "4"));
    scene.gets(A, &[&live("alice@a.example", "4")]);
}

/// Nothing is stored for an account that does not exist, whoever writes to it.
#[test]
fn nobody_has_no_rows() {
    let mut scene = Scene::online(&[B]);
    for id in ["1", "2", "3"] {
        scene.sends(B, &chat("nobody@a.example", id));
        scene.gets(B, &["<message …type='error'…"]);
    }
    scene.sends(B, "<presence to='nobody@a.example' type='subscribe'/>");
    assert_eq!(scene.rows("nobody@a.example"), 0);
    assert_settled(&mut scene);
}

/// A client that never learned of its message sends it again on a new stream, perhaps with `<delay/>`: it is not
/// delivered again, for a day, also after a restart. What differs, or was refused, is another.
#[test]
fn sent_again() {
    let message = |to: &str, origin: &str, body: &str, delay: &str| {
        let origin = format!("<origin-id xmlns='urn:xmpp:sid:0' id='{origin}'/>");
        format!("<message to='{to}' type='chat' id='1'><body>{body}</body>{origin}{delay}</message>")
    };
    let delay = "<delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20Z'/>";
    let alice = "alice@a.example";
    for way in ["closed", "dropped and restarted", "restarted before it was settled"] {
        let mut scene = Scene::online(&[A, B]);
        scene.sends(B, &message(alice, "1", "b", ""));
        assert_eq!(scene.take(A).len(), 1);
        match way {
            "closed" => scene.closes(B),
            "restarted before it was settled" => scene.restarts(),
            _ => {
                scene.drops(B);
                scene.passes(400);
                scene.restarts();
            }
        }
        scene.come_online(&[A, B]);
        scene.sends(B, &message(alice, "1", "b", delay));
        scene.sends(B, &message(alice, "1", "b", ""));
        assert_eq!(scene.take(A).len(), 0, "{way}");
        for other in [message(alice, "2", "b", ""), message(alice, "1", "c", ""), message(A, "1", "b", "")] {
            scene.sends(B, &other);
            assert_eq!(scene.take(A).len(), 1, "{way}: {other}");
        }
        scene.passes(25 * 3_600);
        scene.sends(B, &message(alice, "1", "b", delay));
        assert_eq!(scene.take(A).len(), 1, "{way}, a day later");
    }
    let mut scene = Scene::online(&[B]);
    for _ in 0..2 {
        scene.sends(B, &message("nobody@a.example", "1", "b", ""));
        scene.gets(B, &["<message …type='error'…"]);
    }
    // Without an origin-id each is its own.
    scene.come_online(&[A]);
    for _ in 0..2 {
        scene.sends(B, &chat(alice, "1"));
        assert_eq!(scene.take(A).len(), 1);
    }
    // Many are remembered, wherever the crash finds them.
    for n in 0..300 {
        scene.sends(B, &message(alice, &n.to_string(), "b", ""));
    }
    scene.restarts();
    scene.come_online(&[A, B]);
    scene.passes(60);
    scene.clear();
    for n in 0..300 {
        scene.sends(B, &message(alice, &n.to_string(), "b", delay));
    }
    scene.gets(A, &[]);
    // To oneself as well, though a client took it long ago.
    scene.sends(A, &message(alice, "own", "b", ""));
    assert_eq!(scene.take(A).len(), 1);
    scene.passes(60);
    scene.restarts();
    scene.come_online(&[A, B]);
    scene.sends(A, &message(alice, "own", "b", delay));
    scene.gets(A, &[]);
    // What is a day old goes from the store with what is written next.
    let rows = scene.rows("bob@b.example");
    scene.passes(26 * 3_600);
    scene.sends(B, &message(alice, "new", "b", ""));
    scene.passes(60);
    assert!(scene.rows("bob@b.example") <= rows - 4, "{} after {rows}", scene.rows("bob@b.example"));
}
