//! XEP-0198, the user's part: counts, resumption, what a client that went without acknowledging gives back, limits.

use crate::Scene;
use stentor_engine::Command;
use stentor_entities::UserLimits;

const A: &str = "alice@a.example/x";
const A2: &str = "alice@a.example/y";
const B: &str = "bob@b.example/x";

fn message(to: &str, id: &str) -> String {
    format!("<message to='{to}' type='chat' id='{id}'><body>{id}</body></message>")
}

/// Bodies of messages that came.
fn bodies(scene: &mut Scene, client: &str) -> Vec<String> {
    let got = scene.take(client);
    got.iter().filter_map(|m| Some(m.split("<body>").nth(1)?.split('<').next()?.to_owned())).collect()
}

fn scene() -> Scene {
    let mut scene = Scene::online(&[A, B]);
    scene.enables(A, true);
    scene
}

/// 4, 5: what was not acknowledged comes again, in order, and only that; the count goes on.
#[test]
fn resumption() {
    let mut scene = scene();
    for id in ["1", "2", "3"] {
        scene.sends(B, &message("alice@a.example", id));
    }
    scene.sends(A, &message("bob@b.example", "a"));
    scene.take(A);
    scene.drops(A);
    scene.sends(B, &message("alice@a.example", "4"));
    scene.sends(B, "<presence to='alice@a.example'/>");
    scene.resumes(A, 1);
    let got = scene.take(A);
    assert_eq!(got[0], "resumed, handled 1, acknowledged 1");
    assert_eq!(got.len(), 5, "2, 3, 4 and presence: {got:?}");
    assert!(got[3].contains("<body>4</body>") && got[4].starts_with("<presence "), "{got:?}");
    scene.acks(A, 5);
    scene.sends(A, &message("bob@b.example", "b"));
    scene.asks(A);
    scene.gets(A, &["handled 4"]);
    assert_eq!(bodies(&mut scene, B), ["a", "b"]);
    scene.passes(10);
    assert_eq!(scene.log("alice@a.example"), Vec::<String>::new());
}

/// S112: counts that cannot be.
#[test]
fn wrong_counts() {
    for h in [2, u32::MAX] {
        let mut scene = scene();
        scene.sends(B, &message("alice@a.example", "1"));
        scene.take(A);
        scene.acks(A, h);
        scene.gets(A, &["end: undefined-condition"]);
    }
    // Going back.
    let mut scene = scene();
    for id in ["1", "2"] {
        scene.sends(B, &message("alice@a.example", id));
    }
    scene.take(A);
    scene.acks(A, 2);
    scene.gets(A, &[]);
    scene.acks(A, 1);
    scene.gets(A, &["end: undefined-condition"]);
    // A resumption with one leaves the stream as it was.
    scene.drops(A);
    scene.resumes(A, 3);
    scene.gets(A, &["not resumed, handled 0"]);
}

/// 5: time is up: the messages go to others of the account, or wait for the next.
#[test]
fn expiry() {
    for (to, has_other) in [
        ("alice@a.example", true),
        ("alice@a.example", false),
        ("alice@a.example/x", true),
        ("alice@a.example/x", false),
    ] {
        let mut scene = scene();
        if has_other {
            // It takes messages only after these: nobody has had them yet.
            scene.connects(A2);
        }
        for id in ["1", "2", "3"] {
            scene.sends(B, &message(to, id));
        }
        scene.acks(A, 1);
        scene.clear();
        scene.drops(A);
        scene.passes(299);
        if has_other {
            scene.sends(A2, "<presence/>");
            assert_eq!(bodies(&mut scene, A2), Vec::<String>::new(), "the other holds them");
        }
        scene.passes(2);
        if !has_other {
            scene.come_online(&[A2]);
            scene.sends(A2, "<presence/>");
        }
        scene.resumes(A, 1);
        scene.gets(A, &["not resumed, handled 0"]);
        scene.passes(10);
        assert_eq!(scene.log("alice@a.example"), Vec::<String>::new(), "{to}: taken by the other");
    }
}

/// A message for a resource by name is handed to no other as long as that is here, also if it is behind.
#[test]
fn named_messages_wait_for_their_resource() {
    let mut scene = scene();
    scene.sends(A, "<presence><priority>-1</priority></presence>");
    scene.come_online(&[A2]);
    for n in 0..300 {
        scene.sends(B, &message(A, &n.to_string()));
    }
    let mut got = bodies(&mut scene, A);
    assert!(got.len() < 300, "it is behind");
    scene.sends(B, &message("alice@a.example", "bare"));
    assert_eq!(bodies(&mut scene, A2), ["bare"]);
    scene.flushes(A, 1_000);
    got.extend(bodies(&mut scene, A));
    let expected: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    assert_eq!(got, expected, "and nothing for the bare JID, for which its priority is too low");
}

/// A page that was asked for by the connection before does not come to nothing.
#[test]
fn a_page_under_way_at_a_resumption() {
    let mut scene = scene();
    for n in 0..400 {
        scene.sends(B, &message("alice@a.example", &n.to_string()));
        if n % 100 == 99 {
            scene.drops(A);
            scene.resumes(A, 0);
        }
    }
    scene.clear();
    scene.drops(A);
    scene.resumes(A, 0);
    let mut got = bodies(&mut scene, A);
    for flushed in 1..20 {
        scene.flushes(A, flushed * 50);
        got.extend(bodies(&mut scene, A));
    }
    let expected: Vec<String> = (0..400).map(|n| n.to_string()).collect();
    assert_eq!(got, expected);
}

/// 5: the count is exact, and known, after a crash and after the account was idle; for a stream nobody knows, none.
#[test]
fn failed_resumption() {
    let mut scene = scene();
    scene.sends(A, &message("bob@b.example", "1"));
    scene.sends(A, "<presence><show>away</show></presence>");
    scene.asks(A);
    scene.take(A);
    scene.restarts();
    scene.resumes(A, 0);
    scene.gets(A, &["not resumed, handled 2"]);
    scene.enables(B, true);
    scene.come_online(&[A]);
    scene.enables(A, true);
    scene.closes(A);
    scene.connects(A);
    scene.resumes(A, 0);
    scene.gets(A, &["not resumed, handled 0"]);
    scene.passes(25 * 3_600);
    scene.restarts();
    scene.resumes(A, 0);
    scene.gets(A, &["not resumed, handled unknown"]);
}

/// What is kept waits in the log for a client that does not acknowledge; what is not ends its stream.
#[test]
fn too_much_unacknowledged() {
    for resume in [true, false] {
        let limits = UserLimits { unacknowledged_stanzas_max: 10, ..UserLimits::default() };
        let mut scene = Scene::with(limits);
        scene.come_online(&[A, B]);
        scene.enables(A, resume);
        for n in 0..11 {
            scene.sends(B, &message("alice@a.example", &n.to_string()));
        }
        let got = scene.take(A);
        assert_eq!(got.iter().filter(|line| line.contains("<body>")).count(), 10, "{got:?}");
        scene.acks(A, 1);
        let got = scene.take(A);
        assert!(got.len() == 1 && got[0].contains("<body>10</body>"), "{got:?}");
        scene.sends(B, &headline());
        let got = scene.take(A);
        assert_eq!(got.len(), 1, "one that is not kept, beside ten that are: {got:?}");
        for _ in 0..10 {
            scene.sends(B, &headline());
        }
        let got = scene.take(A);
        assert_eq!(got.iter().filter(|line| *line == "end: resource-constraint").count(), 1, "{got:?}");
        scene.drops(A);
        scene.passes(1);
        scene.come_online(&[A2]);
        scene.passes(10);
        assert_eq!(scene.log("alice@a.example"), Vec::<String>::new());
    }
    // While the client is away.
    let limits = UserLimits { unacknowledged_bytes_max: 1_000, ..UserLimits::default() };
    let mut scene = Scene::with(limits);
    scene.come_online(&[A, B]);
    scene.enables(A, true);
    scene.drops(A);
    for _ in 0..11 {
        scene.sends(B, &headline());
    }
    scene.passes(1);
    scene.resumes(A, 0);
    scene.gets(A, &["not resumed, handled 0"]);
}

fn headline() -> String {
    message("alice@a.example/x", "news").replace("type='chat'", "type='headline'")
}

/// RFC 6120 7.7.2.2: the newer client has the resource; XEP-0198 5: the newer connection has the stream.
#[test]
fn conflicts() {
    let mut scene = Scene::online(&[A]);
    scene.enables(A, true);
    scene.resumes(A, 0);
    scene.gets(A, &["resumed, handled 0, acknowledged 0"]);
    assert_eq!(
        scene.command("alice@a.example", Command::Kick(None, "go".into())),
        stentor_engine::Reply::Done
    );
    scene.gets(A, &["end: reset"]);
    scene.resumes(A, 0);
    scene.gets(A, &["not resumed, handled 0"]);
}

/// A host that keeps nothing: what a client did not take is stored, once, or refused where there is no room.
#[test]
fn without_keeping() {
    const M: &str = "mia@memory.example/x";
    let mut scene = Scene::online(&[M, "ned@memory.example/x"]);
    scene.enables(M, true);
    scene.sends("ned@memory.example/x", &message("mia@memory.example", "1"));
    assert_eq!(scene.log("mia@memory.example").len() + scene.log("ned@memory.example").len(), 0);
    scene.closes(M);
    assert_eq!(scene.log("mia@memory.example").len(), 1);
    scene.connects("mia@memory.example/y");
    scene.sends("mia@memory.example/y", "<presence/>");
    assert_eq!(bodies(&mut scene, "mia@memory.example/y"), ["1"]);
}

/// Stanzas that never came, since the gate refused them, are not counted by what comes after them.
#[test]
fn a_hole_is_not_handled() {
    let mut scene = scene();
    scene.sends(A, &message("bob@b.example", "1"));
    scene.loses(A, &message("bob@b.example", "2"));
    scene.sends(A, &message("bob@b.example", "3"));
    scene.take(B);
    scene.gets(A, &["end: resource-constraint"]);
    scene.drops(A);
    scene.resumes(A, 0);
    scene.gets(A, &["resumed, handled 1, acknowledged 0"]);
    scene.sends(A, &message("bob@b.example", "2"));
    scene.gets(A, &[]);
    assert_eq!(bodies(&mut scene, B), ["2"]);
}
