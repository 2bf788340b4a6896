//! XEP-0077: password change and removal, by the account's own client.

use crate::{Scene, error};

const A: &str = "alice@a.example/x";
const A2: &str = "alice@a.example/y";

fn set(scene: &mut Scene, to: &str, payload: &str) {
    scene.sends(
        A,
        &format!("<iq type='set' id='1'{to}><query xmlns='jabber:iq:register'>{payload}</query></iq>"),
    );
}

#[test]
fn registered() {
    let mut scene = Scene::online(&[A]);
    scene.sends(A, "<iq type='get' id='1' to='a.example'><query xmlns='jabber:iq:register'/></iq>");
    scene.gets(
        A,
        &["<iq to='alice@a.example/x' from='a.example' type='result' id='1'>\
           <query xmlns='jabber:iq:register'><registered/><instructions>You have an account. To change its password, give your username and the new \
           password.</instructions><username>alice</username><password/></query></iq>"],
    );
}

/// 3.3: other sessions of the account end, its own goes on.
#[test]
fn password_change() {
    for to in ["", " to='a.example'", " to='alice@a.example'"] {
        let mut scene = Scene::online(&[A, A2]);
        set(&mut scene, to, "<username>Alice</username><password>new</password>");
        scene.gets(
            A,
            &["<iq to='alice@a.example/x'… type='result' id='1'/>", "<presence …/y' type='unavailable'/>"],
        );
        scene.gets(A2, &["end: reset"]);
        let credentials = scene.memory.rows().any(|row| format!("{row:?}").contains("\\\"new\\\":1"));
        assert!(credentials, "the new keys are stored");
    }
    let rows = [
        ("<username>alice</username>", "modify", "bad-request"),
        ("<password>new</password>", "modify", "bad-request"),
        ("<username>alice</username><password/>", "modify", "not-acceptable"),
        ("<username>bob</username><password>new</password>", "auth", "forbidden"),
        ("", "modify", "bad-request"),
    ];
    let mut scene = Scene::online(&[A, A2]);
    for (payload, kind, condition) in rows {
        set(&mut scene, "", payload);
        let head = "<iq to='alice@a.example/x' type='error' id='1'>";
        scene.gets(A, &[&error(head, kind, condition)]);
        scene.gets(A2, &[]);
    }
}

/// 3.2: the account, its roster and its messages are gone, its subscriptions ended.
#[test]
fn removal() {
    const B: &str = "bob@b.example/x";
    let mut scene = Scene::online(&[A, A2, B]);
    scene.befriends("alice@a.example", "bob@b.example");
    set(&mut scene, "", "<remove/><username>alice</username>");
    scene.gets(A, &[&error("<iq to='alice@a.example/x' type='error' id='1'>", "modify", "bad-request")]);
    set(&mut scene, " to='b.example'", "<remove/>");
    let head = "<iq to='alice@a.example/x' from='b.example' type='error' id='1'>";
    scene.gets(A, &[&error(head, "cancel", "service-unavailable")]);
    set(&mut scene, "", "<remove/>");
    let got = scene.take(A);
    assert_eq!(got.first().unwrap(), "<iq to='alice@a.example/x' type='result' id='1'/>");
    assert_eq!(got.last().unwrap(), "end: not-authorized");
    assert_eq!(scene.take(A2).last().unwrap(), "end: not-authorized");
    let got = scene.take(B).join("\n");
    for expected in [
        "from='alice@a.example/x' type='unavailable'",
        "from='alice@a.example/y' type='unavailable'",
        "from='alice@a.example' type='unsubscribe'",
        "from='alice@a.example' type='unsubscribed'",
        "subscription='none'",
    ] {
        assert!(got.contains(expected), "{expected}: {got}");
    }
    scene.passes(10);
    assert_eq!(scene.rows("alice@a.example"), 0);
    scene.connects(A);
    scene.gets(A, &["no resource: not-allowed"]);
}
