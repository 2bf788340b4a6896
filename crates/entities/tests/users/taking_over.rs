//! A member is gone, and another takes over: users are loaded where nobody knows who is attached.

use crate::scene::Scene;

const A: &str = "alice@a.example/x";
const A2: &str = "alice@a.example/y";
const B: &str = "bob@b.example/x";
const ALICE: &str = "alice@a.example";
const BOB: &str = "bob@b.example";

fn chat(to: &str, body: &str) -> String {
    format!("<message type='chat' to='{to}' id='{body}'><body>{body}</body></message>")
}

fn friends() -> Scene {
    let mut scene = Scene::online(&[A, B]);
    scene.befriends(ALICE, BOB);
    scene
}

#[test]
fn sessions_attach_one_by_one_until_the_slot_is_gathered_and_nobody_hears() {
    let mut scene = friends();
    scene.come_online(&[A2]);
    scene.enables(A, true);
    scene.clear();
    scene.moves(ALICE);
    scene.attaches(A);
    // What depends on who is there waits, however long that takes.
    scene.sends(B, &format!("<presence type='probe' to='{ALICE}'/>"));
    scene.sends(B, &chat(ALICE, "1"));
    scene.passes(11);
    scene.gets(B, &[]);
    scene.gets(A, &[]);
    scene.attaches(A2);
    scene.gathered(ALICE);
    scene.gets(
        B,
        &[
            "<presence to='bob@b.example/x' from='alice@a.example/x'/>",
            "<presence to='bob@b.example/x' from='alice@a.example/y'/>",
        ],
    );
    scene.gets(A, &["<message …<body>1</body>…</message>"]);
    scene.gets(A2, &["<message …<body>1</body>…</message>"]);
}

#[test]
fn what_was_under_way_is_handled_when_the_slot_is_gathered() {
    let mut scene = friends();
    scene.enables(A, true);
    scene.loses(A, &chat(BOB, "1"));
    scene.loses(A, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    scene.moves(ALICE);
    scene.attaches(A);
    scene.gets(B, &[]);
    scene.gets(A, &[]);
    scene.gathered(ALICE);
    scene.gets(B, &["…<body>1<…"]);
    scene.gets(A, &["<iq …type='result' id='p'/>"]);
    scene.asks(A);
    scene.gets(A, &["handled 4"]);
}

#[test]
fn a_user_that_is_lost_while_its_slot_gathers_still_waits() {
    let mut scene = friends();
    scene.moves(ALICE);
    scene.attaches(A);
    scene.reloads(ALICE);
    scene.sends(B, &format!("<presence type='probe' to='{ALICE}'/>"));
    scene.passes(11);
    scene.gets(B, &[]);
    scene.gathered(ALICE);
    scene.gets(B, &["<presence to='bob@b.example/x' from='alice@a.example/x'/>"]);
}

/// The first session hangs with its member, and comes after the slot was given to others by clocks that are behind.
#[test]
fn of_two_sessions_that_claim_a_resource_the_newer_has_it_whoever_gave_it() {
    let mut scene = friends();
    scene.enables(A, true);
    let (session, attach) = scene.would_attach(A);
    scene.moves(ALICE);
    scene.gathered(ALICE);
    scene.connects(A);
    scene.sends(A, "<presence/>");
    scene.clear();
    scene.give(crate::scene::key(ALICE), stentor_engine::Event::Session(session, attach));
    scene.sends(A, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    scene.gets(A, &["<iq …type='result' id='p'/>"]);
    scene.gets(B, &[]);
}

/// The user had told the older to end, and was lost before that left.
#[test]
fn contacts_hear_nothing_of_a_session_that_was_replaced_before_its_user_was_lost() {
    let mut scene = friends();
    scene.enables(A, true);
    let (session, attach) = scene.would_attach(A);
    scene.connects(A);
    scene.sends(A, "<presence/>");
    scene.clear();
    scene.moves(ALICE);
    scene.give(crate::scene::key(ALICE), stentor_engine::Event::Session(session, attach));
    scene.attaches(A);
    scene.gathered(ALICE);
    scene.gets(B, &[]);
    scene.sends(B, &format!("<presence type='probe' to='{ALICE}'/>"));
    scene.gets(B, &["<presence to='bob@b.example/x' from='alice@a.example/x'/>"]);
}
