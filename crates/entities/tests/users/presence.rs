//! RFC 6121 4: presence.

use crate::{Scene, error};

const A: &str = "alice@a.example/x";
const A2: &str = "alice@a.example/y";
const B: &str = "bob@b.example/x";

/// 4.2, 4.4, 4.5: initial, subsequent and unavailable presence, to contacts and to one's own resources, the one that
/// sent it as well.
#[test]
fn broadcast() {
    let mut scene = Scene::online(&[A, B]);
    scene.befriends("alice@a.example", "bob@b.example");
    scene.connects(A2);
    scene.sends(A2, "<presence id='1'><show>chat</show><priority>5</priority></presence>");
    let initial = "from='alice@a.example/y' id='1'><show>chat</show><priority>5</priority></presence>";
    scene.gets(A, &[&format!("<presence to='alice@a.example' {initial}")]);
    scene.gets(B, &[&format!("<presence to='bob@b.example' {initial}")]);
    scene.gets(
        A2,
        &[
            &format!("<presence to='alice@a.example' {initial}"),
            "<presence to='alice@a.example' from='alice@a.example/x'/>",
            // 4.3: Bob's, who was probed.
            "<presence to='alice@a.example/y' from='bob@b.example/x'/>",
        ],
    );
    scene.sends(A2, "<presence><show>dnd</show></presence>");
    for (client, to) in [(A, "alice@a.example"), (A2, "alice@a.example"), (B, "bob@b.example")] {
        let subsequent = format!("<presence to='{to}' from='alice@a.example/y'><show>dnd</show></presence>");
        scene.gets(client, &[&subsequent]);
    }
    scene.sends(A2, "<presence type='unavailable'><status>bye</status></presence>");
    for (client, to) in [(A, "alice@a.example"), (A2, "alice@a.example"), (B, "bob@b.example")] {
        let gone = format!(
            "<presence to='{to}' from='alice@a.example/y' type='unavailable'><status>bye</status></presence>"
        );
        scene.gets(client, &[&gone]);
    }
    // 4.5.2: after that, presence is initial again; before, a second `unavailable` says nothing.
    scene.sends(A2, "<presence type='unavailable'/>");
    scene.gets(B, &[]);
    scene.sends(A2, "<presence/>");
    scene.gets(B, &["<presence to='bob@b.example' from='alice@a.example/y'/>"]);
    // 4.5.2: ungracefully.
    scene.take(A);
    scene.closes(A2);
    scene.gets(B, &["<presence to='bob@b.example' from='alice@a.example/y' type='unavailable'/>"]);
    scene.gets(A, &["<presence to='alice@a.example' from='alice@a.example/y' type='unavailable'/>"]);
}

/// Presence goes to nobody who is not subscribed.
#[test]
fn one_sided_subscriptions() {
    let mut scene = Scene::online(&[A, B]);
    // Alice sees Bob, Bob does not see Alice.
    scene.sends(A, "<presence to='bob@b.example' type='subscribe'/>");
    scene.sends(B, "<presence to='alice@a.example' type='subscribed'/>");
    scene.clear();
    scene.sends(A, "<presence><show>away</show></presence>");
    scene.gets(B, &[]);
    scene.sends(B, "<presence><show>away</show></presence>");
    scene.take(B);
    let shown = "<presence to='alice@a.example' from='bob@b.example/x'><show>away</show></presence>";
    scene.take(A);
    scene.sends(B, "<presence><show>away</show></presence>");
    scene.gets(A, &[shown]);
    // At login, only those to whom one is subscribed are asked.
    scene.closes(A);
    scene.connects(A);
    scene.clear();
    scene.sends(A, "<presence/>");
    scene.gets(
        A,
        &[
            "<presence to='alice@a.example' from='alice@a.example/x'/>",
            "<presence to='alice@a.example/x' from='bob@b.example/x'><show>away</show></presence>",
        ],
    );
    scene.gets(B, &[]);
}

/// 4.7.2.3.
#[test]
fn priorities() {
    let rows = [
        ("0", true),
        ("127", true),
        ("-128", true),
        ("+1", true),
        (" 1 ", true),
        ("128", false),
        ("-129", false),
        ("", false),
        ("high", false),
        ("1.5", false),
    ];
    for (priority, is_valid) in rows {
        let mut scene = Scene::online(&[A]);
        scene.sends(A, &format!("<presence id='p'><priority>{priority}</priority></presence>"));
        let head = "<presence to='alice@a.example/x' type='error' id='p'>";
        let expected = if is_valid {
            "<presence to='alice@a.example' from='alice@a.example/x' id='p'>…".to_owned()
        } else {
            error(head, "modify", "bad-request")
        };
        scene.gets(A, &[&expected]);
    }
}

/// 4.3.2, 4.3.2.1, and S109: probes.
#[test]
fn probes() {
    // Whether Bob is subscribed, whether there is an Alice and what she has said, whom he asks, what he gets.
    let gone = "<delay xmlns='urn:xmpp:delay' from='alice@a.example' stamp='2023-11-14T22:13:20.000Z'/>";
    let unsubscribed =
        |of: &str| format!("<presence to='bob@b.example/x' from='{of}' type='unsubscribed' id='p'/>");
    let rows: &[(&str, bool, Option<&str>, &str, String)] = &[
        (
            "available",
            true,
            Some("<presence id='1'><show>away</show></presence>"),
            "alice@a.example",
            "<presence to='bob@b.example/x' from='alice@a.example/x' id='1'><show>away</show></presence>"
                .into(),
        ),
        (
            "available, asked by full JID: only that",
            true,
            Some("<presence id='1'><show>away</show></presence>"),
            "alice@a.example/x",
            "<presence to='bob@b.example/x' from='alice@a.example/x'/>".into(),
        ),
        (
            "another full JID",
            true,
            Some("<presence id='1'/>"),
            "alice@a.example/y",
            "<presence to='bob@b.example/x' from='alice@a.example/y' type='unavailable' id='p'/>".into(),
        ),
        (
            "away",
            true,
            Some("<presence type='unavailable'><status>secret</status></presence>"),
            "alice@a.example",
            format!(
                "<presence to='bob@b.example/x' from='alice@a.example' type='unavailable' id='p'>{gone}</presence>"
            ),
        ),
        ("a stranger", false, Some("<presence/>"), "alice@a.example", unsubscribed("alice@a.example")),
        (
            "a stranger, full JID",
            false,
            Some("<presence/>"),
            "alice@a.example/x",
            unsubscribed("alice@a.example"),
        ),
        ("nobody", false, None, "nobody@a.example", unsubscribed("nobody@a.example")),
        ("nobody, full JID", false, None, "nobody@a.example/x", unsubscribed("nobody@a.example")),
    ];
    for (row, is_contact, alice, to, expected) in rows {
        let mut scene = Scene::online(&[B]);
        if let Some(presence) = alice {
            scene.come_online(&[A]);
            scene.sends(A, presence);
            if *is_contact {
                scene.befriends("alice@a.example", "bob@b.example");
            } else {
                // Bob has asked, so he is shown what answers the probe.
                scene.sends(B, "<presence to='alice@a.example' type='subscribe'/>");
            }
        } else {
            scene.sends(B, "<presence to='nobody@a.example' type='subscribe'/>");
        }
        scene.clear();
        scene.sends(B, &format!("<presence to='{to}' type='probe' id='p'/>"));
        let got: Vec<String> =
            scene.take(B).into_iter().filter(|stanza| stanza.starts_with("<presence ")).collect();
        // An `unsubscribed` is delivered to the account (3.2.3).
        let expected = expected.replace(
            "to='bob@b.example/x' from='alice@a.example' type='unsub",
            "to='bob@b.example' from='alice@a.example' type='unsub",
        );
        let expected = expected.replace(
            "to='bob@b.example/x' from='nobody@a.example' type='unsub",
            "to='bob@b.example' from='nobody@a.example' type='unsub",
        );
        assert_eq!(got, [expected], "RFC 6121 4.3.2: {row}");
    }
}

/// 4.6: directed presence, and its taking back.
#[test]
fn directed() {
    let unavailable = "<presence to='bob@b.example/x' from='alice@a.example/x' type='unavailable'/>";
    // What Alice says after her presence to Bob, and what he gets of it.
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("broadcasts are not for him", &["<presence><show>away</show></presence>"], &[]),
        ("unavailable to all", &["<presence type='unavailable'/>"], &[unavailable]),
        ("unavailable to him", &["<presence to='bob@b.example/x' type='unavailable'/>"], &[unavailable]),
        (
            "told once",
            &["<presence to='bob@b.example/x' type='unavailable'/>", "<presence type='unavailable'/>"],
            &[unavailable],
        ),
    ];
    for (row, said, expected) in rows {
        let mut scene = Scene::online(&[A, B]);
        scene.sends(A, "<presence to='bob@b.example/x'><show>chat</show></presence>");
        let shown = "<presence to='bob@b.example/x' from='alice@a.example/x'><show>chat</show></presence>";
        scene.gets(B, &[shown]);
        said.iter().for_each(|stanza| scene.sends(A, stanza));
        assert_eq!(scene.take(B), *expected, "RFC 6121 4.6: {row}");
    }
    // 4.6.3: also from a resource that is not available, also if its stream just ends.
    let mut scene = Scene::online(&[B]);
    scene.account("alice@a.example");
    scene.connects(A);
    scene.sends(A, "<presence to='bob@b.example/x'/>");
    scene.take(B);
    // 4.6.6: he may ask that resource, and learns no more than that it is there.
    scene.sends(B, "<presence to='alice@a.example/x' type='probe' id='p'/>");
    scene.gets(B, &["<presence to='bob@b.example/x' from='alice@a.example/x'/>"]);
    scene.closes(A);
    scene.gets(B, &[unavailable]);
    // 4.6.1: who has gone himself is not told.
    scene.connects(A);
    scene.sends(A, "<presence to='bob@b.example/x'/>");
    scene.sends(B, "<presence to='alice@a.example/x' type='unavailable'/>");
    scene.clear();
    scene.closes(A);
    scene.gets(B, &[]);
}

/// 4.6.1: a subscription comes before directed presence; nobody is told twice.
#[test]
fn directed_to_a_subscriber() {
    let mut scene = Scene::online(&[A, B]);
    scene.sends(A, "<presence to='bob@b.example'/>");
    scene.befriends("alice@a.example", "bob@b.example");
    scene.sends(A, "<presence to='alice@a.example/y'/>");
    scene.sends(A, "<presence type='unavailable'/>");
    scene.gets(B, &["<presence to='bob@b.example' from='alice@a.example/x' type='unavailable'/>"]);
    scene.gets(A, &["<presence to='alice@a.example' from='alice@a.example/x' type='unavailable'/>"]);
}

/// S109: what a stranger asks of an account, its bare and full JID, is answered as for an account that does not exist:
/// byte for byte, but for the address.
#[test]
fn strangers_learn_nothing() {
    let requests = [
        "<presence to='TO' type='probe' id='1'/>",
        "<presence to='TO' type='subscribe' id='1'/>",
        "<presence to='TO' type='unsubscribe' id='1'/>",
        "<presence to='TO' type='subscribed' id='1'/>",
        "<presence to='TO' type='unsubscribed' id='1'/>",
        "<presence to='TO' id='1'/>",
        "<presence to='TO' type='unavailable' id='1'/>",
        "<iq to='TO' type='get' id='1'><query xmlns='jabber:iq:last'/></iq>",
        "<iq to='TO' type='get' id='1'><query xmlns='jabber:iq:version'/></iq>",
        "<iq to='TO' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq to='TO' type='set' id='1'><query xmlns='jabber:iq:register'><remove/></query></iq>",
        "<iq to='TO' type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        "<iq to='TO' type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#items' node='n'/></iq>",
        "<iq to='TO' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq to='TO' type='set' id='1'><anything xmlns='anything'/></iq>",
        "<message to='TO' type='groupchat' id='1'><body>b</body></message>",
        "<message to='TO' type='headline' id='1'><body>b</body></message>",
    ];
    for request in requests {
        for resource in ["", "/x"] {
            let answers = |name: &str| {
                let mut scene = Scene::online(&[A, B]);
                let to = format!("{name}@a.example{resource}");
                scene.sends(B, &request.replace("TO", &to));
                let answers = scene.take(B).into_iter().map(|answer| answer.replace(name, "NAME"));
                answers.collect::<Vec<_>>()
            };
            // Who names a resource that is there reaches it with presence and messages (8.5.3.1).
            assert_eq!(answers("alice").len(), answers("nobody").len().min(answers("alice").len()));
            if request.starts_with("<iq ") || request.starts_with("<presence ") || resource.is_empty() {
                assert_eq!(answers("alice"), answers("nobody"), "S109: {request} to …{resource}");
            }
        }
    }
}

/// Servers are not probed, and take presence in silence.
#[test]
fn to_a_server() {
    let mut scene = Scene::online(&[A]);
    for stanza in ["<presence to='b.example'/>", "<presence to='b.example' type='probe'/>"] {
        scene.sends(A, stanza);
        scene.gets(A, &[]);
    }
    // 4.7.1: presence of these types is for somebody.
    for kind in ["probe", "subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
        scene.sends(A, &format!("<presence type='{kind}' id='1'/>"));
        let head = "<presence to='alice@a.example/x' type='error' id='1'>";
        scene.gets(A, &[&error(head, "modify", "bad-request")]);
    }
}
