//! A member is gone, and another takes over: users are loaded where nobody knows who is attached.

use crate::scene::{Scene, key};
use stentor_engine::{Event, FromSession, SessionKey};

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
    scene.give(key(ALICE), Event::Session(session, attach));
    scene.sends(A, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    scene.gets(A, &["<iq …type='result' id='p'/>"]);
    scene.gets(B, &[]);
}

#[test]
fn a_session_that_attaches_late_hears_which_resources_of_its_user_are_gone() {
    let mut scene = Scene::clustered(&[A, A2]);
    scene.clear();
    scene.moves(ALICE);
    scene.gathered(ALICE);
    scene.attaches(A2);
    scene.gets(
        A2,
        &[
            "<presence …from='alice@a.example/y'/>",
            "<presence to='alice@a.example' from='alice@a.example/x' type='unavailable'/>",
        ],
    );
}

#[test]
fn a_session_that_attaches_twice_gets_nothing_twice() {
    let mut scene = friends();
    scene.enables(A, true);
    let (session, again) = scene.would_attach(A);
    scene.moves(ALICE);
    scene.attaches(A);
    scene.gathered(ALICE);
    scene.sends(B, &chat(ALICE, "1"));
    scene.gets(A, &["<message …<body>1</body>…</message>"]);
    scene.give(key(ALICE), Event::Session(session, again));
    scene.gets(A, &[]);
    scene.gets(B, &[]);
    scene.sends(B, &chat(ALICE, "2"));
    scene.gets(A, &["<message …<body>2</body>…</message>"]);
}

/// By the owner before and by the member of its session, as streams whose connections are lost; in whatever order.
#[test]
fn an_attachment_that_is_handed_over_twice_is_one() {
    for is_first in [true, false] {
        let mut scene = friends();
        scene.enables(A, true);
        scene.sends(B, &chat(ALICE, "1"));
        let (session, less) = scene.would_attach(A);
        scene.sends(B, &chat(ALICE, "2"));
        let (_, more) = scene.would_attach(A);
        scene.clear();
        scene.moves(ALICE);
        let mut told = [(session, less), (SessionKey { serial: 1_000, ..session }, more)];
        if is_first {
            told.reverse();
        }
        for (session, attach) in told {
            let FromSession::Attach(stream) = &attach else { panic!("{attach:?}") };
            let lost = FromSession::Detached { attachment: stream.attachment, resumable: true };
            scene.give(key(ALICE), Event::Session(session, attach));
            scene.give(key(ALICE), Event::Session(session, lost));
        }
        scene.gathered(ALICE);
        scene.resumes(A, 0);
        let told = scene.take(A);
        let messages: Vec<_> = told.iter().filter(|told| told.starts_with("<message")).collect();
        assert_eq!(messages.len(), 2, "{told:?}");
        assert!(told.first().is_some_and(|told| told.starts_with("resumed")), "{told:?}");
        scene.passes(5);
        let told = scene.take(B);
        assert!(told.iter().all(|presence| !presence.contains("unavailable")), "{told:?}");
    }
}

/// Each client that takes messages is to get it, also if the owner is lost after one had it and before the other did.
#[test]
fn what_one_client_has_stays_for_another_whose_session_did_not_get_it() {
    for is_managed in [true, false] {
        let mut scene = friends();
        if is_managed {
            scene.enables(A, true);
        }
        scene.come_online(&[A2]);
        scene.enables(A2, true);
        scene.clear();
        let (session, attach) = scene.would_attach(A2);
        scene.sends(B, &chat(ALICE, "1"));
        scene.gets(A, &["<message …<body>1</body>…</message>"]);
        if is_managed {
            scene.acks(A, 2);
        }
        scene.clear();
        scene.passes(10);
        scene.moves(ALICE);
        scene.attaches(A);
        scene.give(key(ALICE), Event::Session(session, attach));
        scene.gathered(ALICE);
        scene.gets(A, &[]);
        scene.gets(A2, &["<message …<body>1</body>…<delay …</message>"]);
        // It is out of the log once both have it.
        scene.acks(A2, 1);
        scene.passes(10);
        assert_eq!(scene.log(ALICE), Vec::<String>::new());
    }
}

/// What stays for a client that is away comes to no other again, also not if the owner is lost.
#[test]
fn what_a_client_has_acknowledged_does_not_come_again_though_it_stays_for_another() {
    for is_managed in [true, false] {
        let mut scene = friends();
        scene.enables(A, true);
        scene.drops(A);
        scene.come_online(&[A2]);
        if is_managed {
            scene.enables(A2, true);
        }
        for body in ["1", "2", "3"] {
            scene.sends(B, &chat(ALICE, body));
        }
        if is_managed {
            scene.acks(A2, 2);
        }
        scene.passes(3);
        scene.closes(A2);
        assert_eq!(scene.log(ALICE).len(), 3, "they stay for the first");
        scene.moves(ALICE);
        scene.gathered(ALICE);
        scene.clear();
        scene.connects(A2);
        scene.sends(A2, "<presence/>");
        let mut got = scene.take(A2);
        got.retain(|stanza| stanza.starts_with("<message"));
        // The last was not acknowledged.
        assert_eq!(got.len(), usize::from(is_managed), "{got:?}");
        assert!(got.iter().all(|message| message.contains("<body>3</body>")), "{got:?}");
        scene.passes(10);
        assert_eq!(scene.log(ALICE), Vec::<String>::new());
    }
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
    scene.give(key(ALICE), Event::Session(session, attach));
    scene.attaches(A);
    scene.gathered(ALICE);
    scene.gets(B, &[]);
    scene.sends(B, &format!("<presence type='probe' to='{ALICE}'/>"));
    scene.gets(B, &["<presence to='bob@b.example/x' from='alice@a.example/x'/>"]);
}

#[test]
fn a_session_of_which_nothing_is_known_attaches_when_it_speaks() {
    let mut scene = friends();
    scene.enables(A, true);
    scene.moves(ALICE);
    scene.gathered(ALICE);
    scene.clear();
    // Its first word is what makes it attach; nothing of it is lost or doubled.
    scene.sends(A, &chat(BOB, "1"));
    scene.asks(A);
    let got: Vec<_> = scene.take(B).into_iter().filter(|stanza| stanza.starts_with("<message")).collect();
    assert_eq!(got.len(), 1, "{got:?}");
    // It came late, so contacts may have been told that it is gone, and it sees its own presence again.
    scene.gets(A, &["<presence …from='alice@a.example/x'/>", "handled 3"]);
    scene.sends(B, &chat(ALICE, "2"));
    scene.gets(A, &["…<body>2<…"]);
}

#[test]
fn a_session_that_was_given_up_is_told_so_when_it_speaks() {
    let mut scene = friends();
    scene.enables(A, true);
    let (session, _) = scene.would_attach(A);
    scene.give(key(ALICE), Event::Session(session, FromSession::Gone));
    scene.sends(A, &chat(BOB, "1"));
    scene.gets(A, &["end: connection-timeout"]);
    scene.gets(B, &[]);
    scene.resumes(A, 0);
    scene.gets(A, &["resumed, handled 0, acknowledged 0"]);
}

#[test]
fn sessions_of_a_member_that_is_gone_are_lost_and_can_be_resumed() {
    let mut scene = friends();
    scene.come_online(&[A2]);
    scene.enables(A, true);
    scene.clear();
    scene.member_goes(ALICE);
    // What cannot be resumed has ended.
    scene.gets(B, &["<presence …from='alice@a.example/y' …type='unavailable'/>"]);
    scene.sends(B, &chat(ALICE, "1"));
    scene.resumes(A, 0);
    scene.gets(A, &["resumed, …", "<presence …type='unavailable'/>", "…<body>1<…"]);
}

#[test]
fn a_session_that_is_expected_is_not_waited_for_when_its_member_is_gone() {
    let mut scene = friends();
    scene.vanishes(A);
    scene.reloads(ALICE);
    scene.gets(B, &[]);
    scene.member_goes(ALICE);
    scene.gets(B, &["<presence …from='alice@a.example/x' …type='unavailable'/>"]);
}

/// Twice, as while several members are added.
#[test]
fn a_stream_that_waits_to_be_resumed_moves_with_its_user() {
    let mut scene = friends();
    scene.enables(A, true);
    scene.sends(A, &chat(BOB, "a"));
    for body in ["1", "2", "3"] {
        scene.sends(B, &chat(ALICE, body));
    }
    scene.acks(A, 1);
    scene.drops(A);
    scene.sends(B, &chat(ALICE, "4"));
    scene.clear();
    scene.is_given_away(ALICE);
    scene.sends(B, &chat(ALICE, "5"));
    scene.is_given_away(ALICE);
    scene.gets(B, &[]);
    scene.resumes(A, 2);
    let got = scene.take(A);
    assert_eq!(got.first().map(String::as_str), Some("resumed, handled 1, acknowledged 2"));
    let bodies: Vec<_> = got.iter().filter_map(|stanza| stanza.split("<body>").nth(1)?.get(..1)).collect();
    assert_eq!(bodies, ["3", "4", "5"], "{got:?}");
    scene.acks(A, 5);
    scene.passes(11);
    assert_eq!(scene.log(ALICE), Vec::<String>::new(), "nothing comes again");

    // And if nobody resumes it.
    scene.sends(B, &chat(ALICE, "6"));
    scene.drops(A);
    scene.clear();
    scene.is_given_away(ALICE);
    scene.passes(301);
    scene.gets(B, &["<presence to='bob@b.example' from='alice@a.example/x' type='unavailable'/>"]);
}
