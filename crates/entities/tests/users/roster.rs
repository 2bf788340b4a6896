//! RFC 6121 2: rosters.

use crate::{Scene, error};
use stentor_engine::Command;
use stentor_entities::UserLimits;

const X: &str = "alice@a.example/x";
const Y: &str = "alice@a.example/y";
/// The version of a roster that has not changed since its account was made; the next is one more.
const VERSION: u64 = 1_700_000_000_000;

fn set(scene: &mut Scene, item: &str) {
    scene.sends(X, &format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
}

fn push(resource: &str, version: u64, item: &str) -> String {
    format!(
        "<iq to='alice@a.example/{resource}' type='set' id='…'>\
         <query xmlns='jabber:iq:roster' ver='{version}'>{item}</query></iq>"
    )
}

fn roster(ver: &str, version: u64, items: &str) -> (String, String) {
    let query = if items.is_empty() {
        format!("<query xmlns='jabber:iq:roster' ver='{version}'/>")
    } else {
        format!("<query xmlns='jabber:iq:roster' ver='{version}'>{items}</query>")
    };
    (
        format!("<iq type='get' id='g'><query xmlns='jabber:iq:roster'{ver}/></iq>"),
        format!("<iq to='alice@a.example/x' type='result' id='g'>{query}</iq>"),
    )
}

const DONE: &str = "<iq to='alice@a.example/x' type='result' id='s'/>";

/// 2.1.4, 2.3 to 2.5: every interested resource gets the push, the one that asked the result as well (the order of
/// the two is open); a connected resource that did not ask for the roster gets none (2.2).
#[test]
fn add_update_remove() {
    let mut scene = Scene::online(&[X, Y]);
    scene.connects("alice@a.example/z");
    scene.sends("alice@a.example/z", "<presence/>");
    scene.clear();
    let steps: &[(&str, &str)] = &[
        (
            "<item jid='bob@b.example' name='Bob'><group>F</group></item>",
            "<item jid='bob@b.example' name='Bob' subscription='none'><group>F</group></item>",
        ),
        // 2.4.1: exactly as given; 2.1.2.5: other subscriptions than `remove` are ignored, as are `ask` and `approved`.
        (
            "<item jid='BOB@b.example' name='B' subscription='both' ask='subscribe' approved='true'>\
             <group>F</group><group>G&amp;</group></item>",
            "<item jid='bob@b.example' name='B' subscription='none'><group>F</group><group>G&amp;</group></item>",
        ),
        // 2.4.1: an empty name is none.
        ("<item jid='bob@b.example' name=''/>", "<item jid='bob@b.example' subscription='none'/>"),
        // A contact need not be on a served domain.
        ("<item jid='carol@c.example'/>", "<item jid='carol@c.example' subscription='none'/>"),
        (
            "<item jid='bob@b.example' subscription='remove'/>",
            "<item jid='bob@b.example' subscription='remove'/>",
        ),
    ];
    for (version, (given, pushed)) in (VERSION + 1..).zip(steps) {
        set(&mut scene, given);
        scene.gets(X, &[&push("x", version, pushed), DONE]);
        scene.gets(Y, &[&push("y", version, pushed)]);
        scene.gets("alice@a.example/z", &[]);
    }
    let (get, result) = roster("", VERSION + 5, "<item jid='carol@c.example' subscription='none'/>");
    scene.sends(X, &get);
    scene.gets(X, &[&result]);
    scene.restarts();
    scene.connects(X);
    scene.sends(X, &get);
    scene.gets(X, &[&result]);
}

/// 2.3.3, 2.5.3, 2.1.5.
#[test]
fn errors() {
    let long = "n".repeat(1_024);
    let many: String = (0..65).map(|n| format!("<group>{n}</group>")).collect();
    let rows: &[(&str, String, &str, &str)] = &[
        ("two items", "<item jid='b@b.example'/><item jid='c@b.example'/>".into(), "modify", "bad-request"),
        ("no item", String::new(), "modify", "bad-request"),
        ("no address", "<item/>".into(), "modify", "bad-request"),
        ("another element", "<other jid='b@b.example'/>".into(), "modify", "bad-request"),
        ("no valid address", "<item jid='b@@b'/>".into(), "modify", "jid-malformed"),
        (
            "a group twice",
            "<item jid='b@b.example'><group>F</group><group>F</group></item>".into(),
            "modify",
            "bad-request",
        ),
        ("an empty group", "<item jid='b@b.example'><group/></item>".into(), "modify", "not-acceptable"),
        (
            "a long group",
            format!("<item jid='b@b.example'><group>{long}</group></item>"),
            "modify",
            "not-acceptable",
        ),
        ("many groups", format!("<item jid='b@b.example'>{many}</item>"), "modify", "not-acceptable"),
        ("a long name", format!("<item jid='b@b.example' name='{long}'/>"), "modify", "not-acceptable"),
        ("oneself", "<item jid='alice@a.example'/>".into(), "cancel", "not-allowed"),
        (
            "remove what is not there",
            "<item jid='b@b.example' subscription='remove'/>".into(),
            "cancel",
            "item-not-found",
        ),
    ];
    let mut scene = Scene::online(&[X, Y]);
    for (row, item, kind, condition) in rows {
        set(&mut scene, item);
        let head = "<iq to='alice@a.example/x' type='error' id='s'>";
        let got = scene.take(X);
        assert_eq!(got, [error(head, kind, condition)], "RFC 6121 2.3.3: {row}");
        scene.gets(Y, &[]);
    }
    let (get, empty) = roster("", VERSION, "");
    scene.sends(X, &get);
    scene.gets(X, &[&empty]);
}

/// S101: nobody else's roster is read or changed, and nobody's client gets another's push. Who may know of the
/// account is told `forbidden` (2.3.3), a stranger what he is told of an account that does not exist.
#[test]
fn other_peoples_rosters() {
    const BOB: &str = "bob@b.example/x";
    for (is_contact, kind, condition) in
        [(true, "auth", "forbidden"), (false, "cancel", "service-unavailable")]
    {
        let mut scene = Scene::online(&[X, BOB]);
        if is_contact {
            scene.befriends("alice@a.example", "bob@b.example");
        }
        for asked in ["get", "set"] {
            let query = "<query xmlns='jabber:iq:roster'><item jid='eve@b.example'/></query>";
            scene.sends(BOB, &format!("<iq to='alice@a.example' type='{asked}' id='1'>{query}</iq>"));
            let head = "<iq to='bob@b.example/x' from='alice@a.example' type='error' id='1'>";
            scene.gets(BOB, &[&error(head, kind, condition)]);
            scene.sends(BOB, &format!("<iq to='alice@a.example/x' type='{asked}' id='2'>{query}</iq>"));
            let head = "<iq to='bob@b.example/x' from='alice@a.example/x' type='error' id='2'>";
            scene.gets(BOB, &[&error(head, "cancel", "service-unavailable")]);
            scene.sends(BOB, &format!("<iq to='nobody@a.example' type='{asked}' id='3'>{query}</iq>"));
            let head = "<iq to='bob@b.example/x' from='nobody@a.example' type='error' id='3'>";
            scene.gets(BOB, &[&error(head, "cancel", "service-unavailable")]);
            scene.gets(X, &[]);
        }
    }
}

/// 2.6: the version of a cached roster; 2.6.2: an empty one begins.
#[test]
fn versions() {
    let mut scene = Scene::online(&[X]);
    set(&mut scene, "<item jid='bob@b.example'/>");
    scene.clear();
    let item = "<item jid='bob@b.example' subscription='none'/>";
    for ver in ["", " ver=''", " ver='0'", &format!(" ver='{VERSION}'"), " ver='x'"] {
        let (get, whole) = roster(ver, VERSION + 1, item);
        scene.sends(X, &get);
        scene.gets(X, &[&whole]);
    }
    let (get, _) = roster(&format!(" ver='{}'", VERSION + 1), 0, "");
    scene.sends(X, &get);
    scene.gets(X, &["<iq to='alice@a.example/x' type='result' id='g'/>"]);
    // What changes nothing that clients see is no new version (2.6.3).
    scene.come_online(&["bob@b.example/x"]);
    scene.sends("bob@b.example/x", "<presence to='alice@a.example' type='subscribe'/>");
    scene.clear();
    scene.sends(X, &get);
    scene.gets(X, &["<iq to='alice@a.example/x' type='result' id='g'/>"]);
}

/// A version that clients remember of an account that is gone never fits the one that was made after it.
#[test]
fn versions_of_an_account_made_again() {
    let mut scene = Scene::online(&[X]);
    set(&mut scene, "<item jid='bob@b.example'/>");
    scene.command("alice@a.example", Command::RemoveAccount);
    scene.passes(60);
    scene.come_online(&[X]);
    set(&mut scene, "<item jid='carol@b.example'/>");
    scene.clear();
    let (get, _) = roster(&format!(" ver='{}'", VERSION + 1), 0, "");
    scene.sends(X, &get);
    scene.gets(X, &["…<item jid='carol@b.example' subscription='none'/></query></iq>"]);
}

#[test]
fn items_are_limited() {
    let mut scene = Scene::with(UserLimits { roster_items_max: 2, ..UserLimits::default() });
    scene.come_online(&[X, "c@b.example/x", "d@b.example/x", "e@b.example/x"]);
    // Those who ask do not fill the roster.
    for client in ["c@b.example/x", "d@b.example/x", "e@b.example/x"] {
        scene.sends(client, "<presence to='alice@a.example' type='subscribe'/>");
    }
    set(&mut scene, "<item jid='one@b.example'/>");
    scene.sends(X, "<presence to='two@b.example' type='subscribe'/>");
    scene.clear();
    set(&mut scene, "<item jid='three@b.example'/>");
    let head = "<iq to='alice@a.example/x' type='error' id='s'>";
    scene.gets(X, &[&error(head, "wait", "resource-constraint")]);
    for kind in ["subscribe", "subscribed"] {
        scene.sends(X, &format!("<presence to='three@b.example' type='{kind}' id='4'/>"));
        let head = "<presence to='alice@a.example/x' from='three@b.example' type='error' id='4'>";
        scene.gets(X, &[&error(head, "wait", "resource-constraint")]);
    }
    set(&mut scene, "<item jid='one@b.example' name='1'/>");
    scene.gets(
        X,
        &["<iq …ver='…'><item jid='one@b.example' name='1' subscription='none'/></query></iq>", DONE],
    );
}
