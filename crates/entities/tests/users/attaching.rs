//! Sessions outlive their user: a commit is refused, the user is loaded afresh, and clients do not notice.

use crate::scene::{Scene, key};
use stentor_engine::{Event, FromSession};

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
fn contacts_hear_nothing_of_a_resource_whose_session_attaches_again() {
    let mut scene = friends();
    scene.enables(A, true);
    scene.reloads(ALICE);
    scene.gets(B, &[]);
    scene.gets(A, &[]);
    // It is there as before: presence, roster, count.
    scene.sends(B, &chat(ALICE, "1"));
    scene.gets(A, &["<message …<body>1</body>…</message>"]);
    scene.sends(A, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    scene.asks(A);
    scene.gets(A, &["<iq …type='result' id='p'/>", "handled 3"]);
    scene.sends(B, &format!("<presence type='probe' to='{ALICE}'/>"));
    scene.gets(B, &["<presence to='bob@b.example/x' from='alice@a.example/x'/>"]);
}

#[test]
fn who_asks_for_a_resource_twice_has_it_once() {
    let mut scene = friends();
    let (session, _) = scene.would_attach(A);
    let bind = FromSession::Bind { resource: "x".into(), peer: None };
    scene.give(key(ALICE), Event::Session(session, bind));
    scene.gets(A, &[]);
    scene.sends(B, &chat(ALICE, "1"));
    scene.gets(A, &["<message …<body>1</body>…</message>"]);
    scene.gets(B, &[]);
}

#[test]
fn contacts_hear_of_what_nobody_goes_on_with() {
    let mut scene = friends();
    scene.come_online(&[A2]);
    scene.clear();
    scene.enables(A, true);
    scene.drops(A);
    scene.clear();
    scene.reloads(ALICE);
    scene.gets(B, &["<presence …from='alice@a.example/x' …type='unavailable'/>"]);
    scene.gets(A2, &["<presence …from='alice@a.example/x' …type='unavailable'/>"]);
    scene.resumes(A, 0);
    scene.gets(A, &["not resumed, handled unknown"]);
}

#[test]
fn a_session_that_never_comes_is_waited_for_and_then_given_up() {
    let mut scene = friends();
    scene.come_online(&[A2]);
    scene.clear();
    scene.vanishes(A);
    scene.reloads(ALICE);
    // Who asks meanwhile waits for the answer.
    scene.sends(B, &format!("<presence type='probe' to='{ALICE}'/>"));
    scene.gets(B, &[]);
    scene.passes(10);
    scene.gets(
        B,
        &[
            "<presence …from='alice@a.example/x' …type='unavailable'/>",
            "<presence to='bob@b.example/x' from='alice@a.example/y'/>",
        ],
    );
}

/// The timer of the first is not taken for that of the second.
#[test]
fn a_user_lost_twice_in_a_row_waits_as_long_the_second_time() {
    let mut scene = friends();
    scene.reloads(ALICE);
    scene.vanishes(A);
    scene.passes(9);
    scene.reloads(ALICE);
    scene.passes(9);
    scene.gets(B, &[]);
    scene.passes(1);
    scene.gets(B, &["<presence …from='alice@a.example/x' …type='unavailable'/>"]);
}

#[test]
fn what_was_under_way_is_handled_once() {
    let mut scene = friends();
    scene.enables(A, true);
    scene.sends(A, &chat(BOB, "1"));
    scene.refuses(ALICE);
    scene.sends(A, &chat(BOB, "2"));
    scene.sends(A, &chat(BOB, "3"));
    scene.asks(A);
    scene.gets(B, &["…<body>1<…", "…<body>2<…", "…<body>3<…"]);
    scene.gets(A, &["handled 5"]);
    scene.reloads(ALICE);
    scene.asks(A);
    scene.gets(B, &[]);
    scene.gets(A, &["handled 5"]);
}

#[test]
fn a_message_that_the_log_has_is_not_taken_twice() {
    let mut scene = friends();
    scene.enables(A, true);
    scene.loses_forwards = true;
    scene.sends(A, &chat(BOB, "1"));
    scene.reloads(ALICE);
    assert_eq!(scene.log(ALICE).len(), 1);
    scene.loses_forwards = false;
    scene.passes(6);
    scene.gets(B, &["…<body>1<…"]);
}

#[test]
fn an_entry_that_the_client_has_taken_does_not_come_again() {
    let mut scene = friends();
    scene.enables(A, true);
    scene.sends(B, &chat(ALICE, "1"));
    scene.sends(B, &chat(ALICE, "2"));
    scene.acks(A, 1);
    scene.take(A);
    // Neither what it has acknowledged, though the log still has it, nor what it may still acknowledge.
    scene.reloads(ALICE);
    scene.gets(A, &[]);
    scene.acks(A, 2);
    scene.passes(10);
    assert_eq!(scene.log(ALICE), Vec::<String>::new());
    // As on a stream that is resumed.
    scene.sends(B, &chat(ALICE, "3"));
    scene.acks(A, 3);
    scene.take(A);
    scene.resumes(A, 3);
    scene.reloads(ALICE);
    scene.gets(A, &["resumed, …"]);
}

#[test]
fn what_a_client_never_took_is_delivered_to_another() {
    let mut scene = friends();
    scene.enables(A, true);
    scene.sends(B, &chat(ALICE, "1"));
    scene.reloads(ALICE);
    scene.closes(A);
    scene.come_online(&[]);
    scene.connects(A2);
    scene.sends(A2, "<presence/>");
    let got = scene.take(A2);
    assert!(got.iter().any(|stanza| stanza.contains("<body>1<")), "{got:?}");
}

#[test]
fn presence_for_a_user_that_is_lost_reaches_the_next() {
    let mut scene = friends();
    scene.enables(A, true);
    scene.refuses(ALICE);
    // The refusal of the message's commit takes the presence behind it along.
    scene.sends(A, &chat(BOB, "1"));
    scene.sends(B, "<presence><status>here</status></presence>");
    scene.gets(A, &["<presence …<status>here</status></presence>"]);
}

#[test]
fn enabling_that_was_not_answered_is_asked_again() {
    let mut scene = friends();
    scene.refuses(ALICE);
    scene.sends(
        A,
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='c@b.example'/></query></iq>",
    );
    scene.enables(A, true);
    scene.sends(A, &chat(BOB, "1"));
    scene.asks(A);
    scene.drops(A);
    scene.take(A);
    scene.resumes(A, 0);
    scene.gets(A, &["resumed, handled 1, acknowledged 0"]);
}

/// Nobody can tell whether they were taken, so its client has to know that something happened.
#[test]
fn a_stream_without_management_that_has_messages_under_way_is_lost() {
    let mut scene = friends();
    scene.reloads(ALICE);
    scene.gets(A, &[]);
    scene.sends(A, &chat(BOB, "1"));
    scene.reloads(ALICE);
    scene.gets(A, &["lost"]);
    scene.gets(B, &["…<body>1<…", "<presence …from='alice@a.example/x' …type='unavailable'/>"]);
}

#[test]
fn a_resource_that_is_another_session_s_by_now_is_not_given_back() {
    let mut scene = friends();
    scene.enables(A, true);
    let (session, attach) = scene.would_attach(A);
    scene.connects(A);
    scene.sends(A, "<presence/>");
    scene.clear();
    scene.give(key(ALICE), Event::Session(session, attach));
    scene.gets(B, &[]);
    scene.sends(A, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    scene.gets(A, &["<iq …type='result' id='p'/>"]);
}
