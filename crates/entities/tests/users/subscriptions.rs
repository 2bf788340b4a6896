//! RFC 6121 3: subscriptions end to end, between two users. The states and all rows of appendix A are tested with
//! `rfc_6121_subscription`; here is what goes over the streams.

use crate::{Scene, error};

const A: &str = "alice@a.example/x";
const B: &str = "bob@b.example/x";

/// A push of an item to the client's resource.
fn push(to: &str, item: &str) -> String {
    format!(
        "<iq to='{to}' type='set' id='…'><query xmlns='jabber:iq:roster' ver='…'><item {item}/></query></iq>"
    )
}

/// Sends presence of this type to the other.
fn tells(scene: &mut Scene, from: &str, to: &str, kind: &str) {
    scene.sends(from, &format!("<presence to='{to}' type='{kind}'/>"));
}

/// 3.1: request, approval, presence; 3.3: the end of it.
#[test]
fn request_approve_unsubscribe() {
    let mut scene = Scene::online(&[A, B]);
    scene.sends(B, "<presence><show>away</show></presence>");
    scene.clear();
    // 3.1.2: to a full JID is to the bare JID; stamped with the bare JID.
    scene.sends(A, "<presence to='bob@b.example/x' type='subscribe' id='1'><status>hi</status></presence>");
    scene.gets(A, &[&push(A, "jid='bob@b.example' subscription='none' ask='subscribe'")]);
    scene.gets(
        B,
        &["<presence to='bob@b.example' from='alice@a.example' type='subscribe' id='1'><status>hi</status>\
           </presence>"],
    );
    tells(&mut scene, B, "alice@a.example", "subscribed");
    scene.gets(B, &[&push(B, "jid='alice@a.example' subscription='from'")]);
    scene.gets(
        A,
        &[
            "<presence to='alice@a.example' from='bob@b.example' type='subscribed'/>",
            &push(A, "jid='bob@b.example' subscription='to'"),
            "<presence to='alice@a.example' from='bob@b.example/x'><show>away</show></presence>",
        ],
    );
    // The other way round, to `both`.
    tells(&mut scene, B, "alice@a.example", "subscribe");
    tells(&mut scene, A, "bob@b.example", "subscribed");
    scene.gets(
        B,
        &[
            &push(B, "jid='alice@a.example' subscription='from' ask='subscribe'"),
            "<presence to='bob@b.example' from='alice@a.example' type='subscribed'/>",
            &push(B, "jid='alice@a.example' subscription='both'"),
            "<presence to='bob@b.example' from='alice@a.example/x'/>",
        ],
    );
    scene.gets(
        A,
        &[
            "<presence to='alice@a.example' from='bob@b.example' type='subscribe'/>",
            &push(A, "jid='bob@b.example' subscription='both'"),
        ],
    );
    // 3.3: Bob's presence is taken back, and his client is told before the push (3.3.3).
    tells(&mut scene, A, "bob@b.example", "unsubscribe");
    scene.gets(
        B,
        &[
            "<presence to='bob@b.example' from='alice@a.example' type='unsubscribe'/>",
            &push(B, "jid='alice@a.example' subscription='to'"),
        ],
    );
    scene.gets(
        A,
        &[
            &push(A, "jid='bob@b.example' subscription='from'"),
            "<presence to='alice@a.example' from='bob@b.example/x' type='unavailable'/>",
        ],
    );
    // 3.2: Alice cancels Bob's.
    tells(&mut scene, A, "bob@b.example", "unsubscribed");
    scene.gets(A, &[&push(A, "jid='bob@b.example' subscription='none'")]);
    scene.gets(
        B,
        &[
            "<presence to='bob@b.example' from='alice@a.example/x' type='unavailable'/>",
            "<presence to='bob@b.example' from='alice@a.example' type='unsubscribed'/>",
            &push(B, "jid='alice@a.example' subscription='none'"),
        ],
    );
    // Nothing is left to leak.
    scene.sends(A, "<presence><show>dnd</show></presence>");
    scene.gets(B, &[]);
}

/// 3.2, 3.1.2: a denial; the contact stays on the roster, without `ask`.
#[test]
fn denial() {
    let mut scene = Scene::online(&[A, B]);
    tells(&mut scene, A, "bob@b.example", "subscribe");
    scene.clear();
    tells(&mut scene, B, "alice@a.example", "unsubscribed");
    scene.gets(
        A,
        &[
            "<presence to='alice@a.example' from='bob@b.example' type='unsubscribed'/>",
            &push(A, "jid='bob@b.example' subscription='none'"),
        ],
    );
    // 3.1.3: Bob never had an item for Alice.
    scene.sends(B, "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
    scene.gets(
        B,
        &["<iq to='bob@b.example/x' type='result' id='g'><query xmlns='jabber:iq:roster' ver='…'/></iq>"],
    );
}

/// 3.1.3: a request waits, whole, once, and is shown at each login until it is answered; also after a restart. No
/// roster shows it.
#[test]
fn a_request_waits() {
    let mut scene = Scene::online(&[A]);
    scene.account("bob@b.example");
    scene.sends(
        A,
        "<presence to='bob@b.example' type='subscribe' id='1'><status>hi</status><n xmlns='n'>A</n></presence>",
    );
    scene.sends(A, "<presence to='bob@b.example' type='subscribe' id='2'/>");
    let request = "<presence to='bob@b.example' from='alice@a.example' type='subscribe' id='1'>\
                   <status>hi</status><n xmlns='n'>A</n></presence>";
    for _ in 0..2 {
        scene.connects(B);
        scene.sends(B, "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
        scene.gets(B, &["<iq …><query xmlns='jabber:iq:roster' ver='…'/></iq>"]);
        scene.sends(B, "<presence/>");
        scene.gets(B, &["<presence to='bob@b.example' from='bob@b.example/x'/>", request]);
        // Not again within the session.
        scene.sends(B, "<presence><show>away</show></presence>");
        scene.gets(B, &["<presence to='bob@b.example' from='bob@b.example/x'><show>away</show></presence>"]);
        scene.closes(B);
        scene.restarts();
    }
    scene.connects(B);
    scene.sends(B, "<presence/>");
    tells(&mut scene, B, "alice@a.example", "subscribed");
    scene.connects("bob@b.example/y");
    scene.sends("bob@b.example/y", "<presence/>");
    let own = "<presence to='bob@b.example' from='bob@b.example/";
    scene.gets("bob@b.example/y", &[&format!("{own}y'/>"), &format!("{own}x'/>")]);
}

/// 2.2: requests go to available resources, answers and pushes to interested ones.
#[test]
fn who_is_told() {
    let mut scene = Scene::online(&[A]);
    scene.account("bob@b.example");
    scene.connects("bob@b.example/interested");
    scene.sends("bob@b.example/interested", "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
    scene.connects("bob@b.example/available");
    scene.sends("bob@b.example/available", "<presence/>");
    scene.clear();
    tells(&mut scene, A, "bob@b.example", "subscribe");
    scene.gets("bob@b.example/interested", &[]);
    scene.gets("bob@b.example/available", &["<presence …type='subscribe'/>"]);
    tells(&mut scene, "bob@b.example/available", "alice@a.example", "subscribed");
    scene.gets(
        "bob@b.example/interested",
        &[&push("bob@b.example/interested", "jid='alice@a.example' subscription='from'")],
    );
    tells(&mut scene, A, "bob@b.example", "unsubscribe");
    scene.gets("bob@b.example/available", &[]);
    scene.gets(
        "bob@b.example/interested",
        &["<presence …type='unsubscribe'/>", "<iq …subscription='none'/></query></iq>"],
    );
}

/// 3.4: pre-approval, seen on the roster, used by the next request, cancelled by `unsubscribed`, neither ever
/// routed.
#[test]
fn pre_approval() {
    let mut scene = Scene::online(&[A, B]);
    tells(&mut scene, B, "alice@a.example", "subscribed");
    scene.gets(B, &[&push(B, "jid='alice@a.example' subscription='none' approved='true'")]);
    tells(&mut scene, B, "alice@a.example", "unsubscribed");
    scene.gets(B, &[&push(B, "jid='alice@a.example' subscription='none'")]);
    tells(&mut scene, B, "alice@a.example", "subscribed");
    scene.take(B);
    // 4.3.2: a probe from one who is not subscribed cancels no pre-approval.
    scene.sends(A, "<presence to='bob@b.example' type='probe' id='p'/>");
    scene.gets(A, &[]);
    tells(&mut scene, A, "bob@b.example", "subscribe");
    scene.gets(
        A,
        &[
            &push(A, "jid='bob@b.example' subscription='none' ask='subscribe'"),
            "<presence to='alice@a.example' from='bob@b.example' type='subscribed'/>",
            &push(A, "jid='bob@b.example' subscription='to'"),
            "<presence to='alice@a.example' from='bob@b.example/x'/>",
        ],
    );
    scene.gets(B, &[&push(B, "jid='alice@a.example' subscription='from'")]);
}

/// 2.5.2: removal ends both subscriptions.
#[test]
fn removal_from_the_roster() {
    let mut scene = Scene::online(&[A, B]);
    scene.befriends("alice@a.example", "bob@b.example");
    scene.sends(
        A,
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'>\
         <item jid='bob@b.example' subscription='remove'/></query></iq>",
    );
    scene.gets(
        B,
        &[
            "<presence to='bob@b.example' from='alice@a.example/x' type='unavailable'/>",
            "<presence to='bob@b.example' from='alice@a.example' type='unsubscribe'/>",
            &push(B, "jid='alice@a.example' subscription='to'"),
            "<presence to='bob@b.example' from='alice@a.example' type='unsubscribed'/>",
            &push(B, "jid='alice@a.example' subscription='none'"),
        ],
    );
    scene.gets(
        A,
        &[
            &push(A, "jid='bob@b.example' subscription='remove'"),
            "<iq to='alice@a.example/x' type='result' id='s'/>",
            "<presence to='alice@a.example' from='bob@b.example/x' type='unavailable'/>",
        ],
    );
}

/// S110: what nobody asked for changes nothing and is not shown.
#[test]
fn forgeries() {
    for kind in ["subscribed", "unsubscribe", "unsubscribed"] {
        let mut scene = Scene::online(&[A, B]);
        tells(&mut scene, A, "bob@b.example", kind);
        scene.gets(B, &[]);
        scene.sends(B, "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
        scene.gets(B, &["<iq …><query xmlns='jabber:iq:roster' ver='…'/></iq>"]);
    }
    // To oneself, and to a server.
    let mut scene = Scene::online(&[A]);
    for kind in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
        tells(&mut scene, A, "alice@a.example", kind);
        scene.gets(A, &[]);
        tells(&mut scene, A, "b.example", kind);
        let head = "<presence to='alice@a.example/x' from='b.example' type='error'>";
        scene.gets(A, &[&error(head, "cancel", "service-unavailable")]);
    }
}

/// Requests and answers survive the crash of the process between them.
#[test]
fn survive_a_restart() {
    let mut scene = Scene::online(&[A, B]);
    tells(&mut scene, A, "bob@b.example", "subscribe");
    scene.restarts();
    scene.come_online(&[B]);
    tells(&mut scene, B, "alice@a.example", "subscribed");
    scene.restarts();
    scene.connects(A);
    scene.sends(A, "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
    scene.gets(A, &["<iq …><item jid='bob@b.example' subscription='to'/></query></iq>"]);
}

/// 3.1.5: presence follows the approval, however late that comes, to those who are there then.
#[test]
fn presence_follows_a_late_approval() {
    let mut scene = Scene::online(&[A, B]);
    tells(&mut scene, A, "bob@b.example", "subscribe");
    scene.loses_forwards = true;
    tells(&mut scene, B, "alice@a.example", "subscribed");
    scene.closes(A);
    scene.come_online(&[A]);
    scene.gets(A, &[]);
    scene.loses_forwards = false;
    scene.passes(10);
    scene.gets(
        A,
        &[
            "<presence to='alice@a.example' from='bob@b.example' type='subscribed'/>",
            &push(A, "jid='bob@b.example' subscription='to'"),
            "<presence to='alice@a.example' from='bob@b.example/x'/>",
        ],
    );
    // None follows one that was taken back before it came.
    let mut scene = Scene::online(&[A, B]);
    tells(&mut scene, A, "bob@b.example", "subscribe");
    scene.loses_forwards = true;
    tells(&mut scene, B, "alice@a.example", "subscribed");
    tells(&mut scene, B, "alice@a.example", "unsubscribed");
    scene.clear();
    scene.loses_forwards = false;
    scene.passes(10);
    scene.gets(
        A,
        &[
            "<presence to='alice@a.example' from='bob@b.example' type='subscribed'/>",
            &push(A, "jid='bob@b.example' subscription='to'"),
            "<presence to='alice@a.example' from='bob@b.example' type='unsubscribed'/>",
            &push(A, "jid='bob@b.example' subscription='none'"),
        ],
    );
}
