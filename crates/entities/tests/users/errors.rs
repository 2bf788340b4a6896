//! Errors of kept messages: as safe as the messages were.

use crate::{Scene, error};
use std::collections::BTreeSet;
use stentor_engine::Command;
use stentor_entities::UserLimits;

const B: &str = "bob@b.example/x";
const B2: &str = "bob@b.example/later";
const NOBODY: &str = "nobody@a.example";

fn normal(to: &str, id: &str) -> String {
    format!("<message to='{to}' id='{id}'><body>{id}</body></message>")
}

fn assert_settled(scene: &mut Scene) {
    scene.command("bob@b.example", Command::Sessions);
    scene.passes(20);
    assert_eq!(scene.log("bob@b.example"), Vec::<String>::new(), "nothing is left");
}

/// The ids of the errors that have come.
fn errors(got: &[String]) -> Vec<u64> {
    let errors = got.iter().filter(|stanza| stanza.contains("type='error'"));
    errors
        .map(|stanza| stanza.split("id='").nth(1).unwrap().split('\'').next().unwrap().parse().unwrap())
        .collect()
}

/// The error of a refused message reaches its sender's account once, whatever became of the client.
#[test]
fn errors_are_kept() {
    let mut scene = Scene::online(&[B]);
    scene.enables(B, true);
    scene.sends(B, &normal("nobody@a.example", "1"));
    let head = "<message to='bob@b.example/x' from='nobody@a.example' type='error' id='1'>";
    scene.gets(B, &[&error(head, "cancel", "service-unavailable")]);
    scene.closes(B);
    scene.restarts();
    scene.connects("bob@b.example/later");
    scene.sends("bob@b.example/later", "<presence/>");
    let got = scene.take("bob@b.example/later");
    assert_eq!(got.iter().filter(|stanza| stanza.contains("type='error' id='1'")).count(), 1, "{got:?}");
    assert_settled(&mut scene);
}

/// Room for the errors of five messages beside one that waits and two that are under way.
fn small() -> Scene {
    let few = UserLimits { offline_messages_max: 1, errors_max: 2, outbox_max: 2, ..UserLimits::default() };
    let mut scene = Scene::with(few);
    scene.come_online(&[B]);
    scene.enables(B, true);
    scene
}

/// Far more than there is room for: no error is lost by a crash, whoever refused the message; what cannot be answered is
/// not handled, and its stream can be resumed.
#[test]
fn more_errors_than_there_is_room_for() {
    for target in [NOBODY, "bob@b.example/nobody", "who@elsewhere.example"] {
        for crashes in [false, true] {
            let mut scene = small();
            let (mut sent, mut ended) = (0, false);
            while !ended && sent < 100 {
                sent += 1;
                scene.sends(B, &normal(target, &sent.to_string()));
                ended = scene.take(B).iter().any(|got| got == "end: resource-constraint");
            }
            // Those in the outbox were accepted: five errors, and two that wait for room.
            let accepted = if target == NOBODY { 7 } else { 5 };
            assert_eq!((ended, sent), (true, accepted + 1), "{target}");
            // Nothing after it is taken either.
            scene.sends(B, &normal(NOBODY, "99"));
            scene.gets(B, &["end: resource-constraint"]);
            scene.drops(B);
            if crashes {
                scene.restarts();
                scene.resumes(B, 0);
                scene.gets(B, &[&format!("not resumed, handled {accepted}")]);
                scene.connects(B2);
                scene.sends(B2, "<presence/>");
                scene.passes(10);

                assert_eq!(errors(&scene.take(B2)), (1..=accepted).collect::<Vec<_>>(), "{target}");
            } else {
                // What it got is acknowledged by resuming, which makes room.
                scene.resumes(B, 3);
                let got = scene.take(B);
                assert_eq!(got[0], format!("resumed, handled {accepted}, acknowledged 3"));
                assert_eq!(errors(&got), (4..=accepted).collect::<Vec<_>>(), "{target}");
                scene.sends(B, &normal(target, &sent.to_string()));
                assert_eq!(errors(&scene.take(B)), [sent], "{target}");
                scene.acks(B, sent as u32);
            }
            assert_settled(&mut scene);
        }
    }
}

/// A client that takes no messages gets the errors that others of the account left, once they leave no room for its own.
#[test]
fn errors_that_nobody_takes() {
    const BOT: &str = "bob@b.example/bot";
    let mut scene = small();
    for id in 1..=5 {
        scene.sends(B, &normal(NOBODY, &id.to_string()));
    }
    scene.closes(B);
    scene.connects(BOT);
    scene.enables(BOT, true);
    for id in 6..=8 {
        scene.sends(BOT, &normal(NOBODY, &id.to_string()));
    }
    let got = scene.take(BOT);
    assert!(got.contains(&"end: resource-constraint".to_owned()), "{got:?}");
    scene.drops(BOT);
    scene.resumes(BOT, 0);
    assert_eq!(errors(&scene.take(BOT)), [1, 2, 3, 4, 5]);
    scene.acks(BOT, 5);
    assert_eq!(errors(&scene.take(BOT)), [6, 7]);
    scene.sends(BOT, &normal(NOBODY, "8"));
    assert_eq!(errors(&scene.take(BOT)), [8]);
    scene.acks(BOT, 8);
    assert_settled(&mut scene);
}

/// The same of a message that an account refused whose queue was full, and is not any more: it stays refused.
#[test]
fn refused_once_is_refused_for_good() {
    let mut scene = small();
    scene.account("alice@a.example");
    for id in 0..=7 {
        scene.sends(B, &normal("alice@a.example", &id.to_string()));
    }
    scene.restarts();
    scene.come_online(&["alice@a.example/x"]);
    scene.connects(B2);
    scene.sends(B2, "<presence/>");
    scene.passes(10);
    let got: BTreeSet<u64> = errors(&scene.take(B2)).into_iter().collect();
    assert_eq!(got, (1..=7).collect());
    assert_settled(&mut scene);
}

/// A stream without management is promised nothing, and goes on.
#[test]
fn unmanaged() {
    let few = UserLimits { offline_messages_max: 0, errors_max: 0, outbox_max: 0, ..UserLimits::default() };
    let mut scene = Scene::with(few);
    scene.come_online(&[B]);
    scene.sends(B, &normal(NOBODY, "1"));
    let head = "<message to='bob@b.example/x' from='nobody@a.example' type='error' id='1'>";
    scene.gets(B, &[&error(head, "wait", "resource-constraint")]);
}
