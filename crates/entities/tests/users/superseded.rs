//! Streams that are another session's by now, or nobody's, whose sessions have not heard of it when their user's owner
//! dies.

use crate::scene::{Scene, key};
use stentor_engine::Event;

const A: &str = "alice@a.example/x";
const B: &str = "bob@b.example/x";
const ALICE: &str = "alice@a.example";
const BOB: &str = "bob@b.example";

fn chat(to: &str, body: &str) -> String {
    format!("<message type='chat' to='{to}' id='{body}'><body>{body}</body></message>")
}

/// The session that has resumed it, or bound its resource, is lost as well, and so is the word that the first one ends.
#[test]
fn a_session_of_before_is_not_taken_for_a_stream_that_another_has_had_since() {
    for is_bound_anew in [false, true] {
        let mut scene = Scene::clustered(&[A]);
        scene.enables(A, true);
        let (session, attach) = scene.would_attach(A);
        if is_bound_anew {
            scene.connects(A)
        } else {
            scene.resumes(A, 0)
        }
        scene.moves(ALICE);
        scene.give(key(ALICE), Event::Session(session, attach));
        scene.gathered(ALICE);
        scene.clear();
        scene.resumes(A, 0);
        scene.gets(A, &["not resumed, handled 0"]);
    }
}

#[test]
fn nothing_more_is_handled_of_a_stream_whose_client_has_heard_how_far_it_was() {
    let mut scene = Scene::clustered(&[A, B]);
    scene.enables(A, true);
    scene.sends(A, &chat(BOB, "1"));
    scene.loses(A, &chat(BOB, "2"));
    let (session, attach) = scene.would_attach(A);
    scene.clear();
    // The member that has the session is not reached for too long; its client comes by another.
    scene.moves(ALICE);
    scene.passes(12);
    scene.gathered(ALICE);
    scene.resumes(A, 0);
    scene.gets(A, &["not resumed, handled 1"]);
    scene.moves(ALICE);
    scene.give(key(ALICE), Event::Session(session, attach));
    scene.gathered(ALICE);
    let told = scene.take(B);
    assert!(!told.iter().any(|told| told.contains("<body>2<")), "its client sends it again: {told:?}");
}

/// Nothing of the stream was durable when its owner died, so nobody knows of it; nor if the next owner dies as well.
#[test]
fn nothing_is_handled_of_a_stream_whose_client_was_told_that_nobody_knows_it() {
    for is_lost_again in [false, true] {
        let mut scene = Scene::clustered(&[A, B]);
        scene.enables(A, true);
        scene.loses(A, &chat(BOB, "1"));
        let (session, attach) = scene.would_attach(A);
        scene.moves(ALICE);
        scene.passes(12);
        scene.gathered(ALICE);
        scene.clear();
        scene.resumes(A, 0);
        scene.gets(A, &["not resumed, handled unknown"]);
        if is_lost_again {
            scene.moves(ALICE);
            scene.gathered(ALICE);
        }
        scene.give(key(ALICE), Event::Session(session, attach));
        let told = scene.take(B);
        assert!(!told.iter().any(|told| told.contains("<body>1<")), "its client sends it again: {told:?}");
        scene.resumes(A, 0);
        scene.gets(A, &["not resumed, handled unknown"]);
    }
}
