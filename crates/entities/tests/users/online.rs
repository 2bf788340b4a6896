//! Who was available on a member that is gone: contacts hear of it, once.

use crate::scene::Scene;

const A: &str = "alice@a.example/x";
const A2: &str = "alice@a.example/y";
const B: &str = "bob@b.example/x";
const ALICE: &str = "alice@a.example";
const BOB: &str = "bob@b.example";
const NO_ROOM: &str =
    "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
const GONE: &str = "<presence …from='alice@a.example/x' …type='unavailable'/>";

fn friends() -> Scene {
    let mut scene = Scene::clustered(&[A, A2, B]);
    scene.befriends(ALICE, BOB);
    scene
}

#[test]
fn contacts_hear_of_who_did_not_come_back_and_of_nobody_else() {
    let mut scene = friends();
    scene.moves(ALICE);
    scene.attaches(A2);
    scene.gets(B, &[]);
    scene.gathered(ALICE);
    scene.gets(B, &[GONE]);
    scene.gets(A2, &[GONE]);
    // Not again, once that is behind.
    scene.passes(121);
    scene.clear();
    scene.moves(ALICE);
    scene.attaches(A2);
    scene.gathered(ALICE);
    scene.gets(B, &[]);
    scene.gets(A2, &[]);
}

#[test]
fn a_second_death_soon_after_repeats_it_rather_than_loses_it_and_who_has_heard_it_does_not_again() {
    let mut scene = friends();
    scene.passes(5);
    let dies = |scene: &mut Scene| {
        scene.moves(ALICE);
        scene.attaches(A2);
        scene.gathered(ALICE);
    };
    dies(&mut scene);
    scene.gets(B, &[GONE]);
    dies(&mut scene);
    scene.gets(B, &[]);
    // As if it had not come: his user knows nothing of it.
    scene.moves(BOB);
    scene.attaches(B);
    scene.gathered(BOB);
    dies(&mut scene);
    scene.gets(B, &[GONE]);
}

#[test]
fn who_was_gone_before_is_not_told_of_anew_by_those_who_are_taken_over() {
    let mut scene = friends();
    for client in [A, A2] {
        scene.closes(client);
    }
    scene.passes(121);
    scene.clear();
    scene.moves(BOB);
    scene.attaches(B);
    scene.gathered(BOB);
    scene.passes(5);
    scene.gets(B, &[]);
}

#[test]
fn where_a_slot_is_given_away_nobody_is_said_twice_to_be_gone() {
    let mut scene = friends();
    scene.moves(ALICE);
    scene.attaches(A2);
    scene.gathered(ALICE);
    scene.passes(5);
    scene.gets(B, &[GONE, "<presence …from='alice@a.example/y'/>"]);
    scene.clear();
    for (user, client) in [(ALICE, A2), (BOB, B)] {
        scene.is_given(user);
        scene.attaches(client);
        scene.gathered(user);
    }
    scene.passes(5);
    for client in [A2, B] {
        let told = scene.take(client);
        assert!(told.iter().all(|presence| !presence.contains("unavailable")), "{client}: {told:?}");
    }
    // Who dies now has it repeated, to whoever does not know that it was told.
    scene.moves(ALICE);
    scene.attaches(A2);
    scene.gathered(ALICE);
    scene.gets(B, &[GONE]);
    scene.passes(121);
    scene.clear();
    // It is on record no more; one that does not come is.
    scene.is_given(ALICE);
    scene.gathered(ALICE);
    scene.gets(B, &["<presence …from='alice@a.example/y' …type='unavailable'/>"]);
}

#[test]
fn who_went_just_before_a_slot_is_given_away_is_said_again_to_be_gone() {
    let mut scene = friends();
    scene.closes(A);
    scene.gets(B, &[GONE]);
    scene.passes(2);
    // There may have been no room to tell somebody, who says so to the next owner.
    for (user, client) in [(BOB, B), (ALICE, A2)] {
        scene.is_given(user);
        scene.attaches(client);
        scene.gathered(user);
    }
    scene.gets(B, &[GONE]);
}

/// An owner that took over may give the slot away before it has asked whom its users missed.
#[test]
fn who_went_while_nobody_heard_it_is_asked_for_before_a_slot_is_given_away() {
    let mut scene = friends();
    scene.closes(A);
    // That was lost with the owner.
    scene.clear();
    for is_given in [false, true] {
        if is_given {
            scene.is_given(BOB)
        } else {
            scene.moves(BOB)
        }
        scene.attaches(B);
        scene.gathered(BOB);
    }
    let told = scene.take(B);
    let is_gone = |presence: &&String| presence.contains(" from='alice@a.example/x' type='unavailable'");
    assert_eq!(told.iter().filter(is_gone).count(), 1, "{told:?}");
    scene.passes(5);
    let told = scene.take(B);
    assert!(told.iter().all(|presence| !presence.contains("unavailable")), "{told:?}");
}

/// An owner that gives the slot away says to contacts that what waits for it then is not taken. That goes with it, should it
/// be lost at once.
#[test]
fn who_went_while_a_slot_is_given_away_is_asked_for_if_the_giver_is_lost() {
    for lost_after in [None, Some(0), Some(20)] {
        let mut scene = friends();
        scene.closes(A);
        // It waited for the slot, and went back to nobody.
        scene.clear();
        scene.is_given(BOB);
        scene.attaches(B);
        if lost_after == Some(0) {
            scene.giver_is_lost(BOB);
        }
        scene.gathered(BOB);
        if let Some(seconds) = lost_after.filter(|seconds| *seconds > 0) {
            scene.passes(seconds);
            scene.giver_is_lost(BOB);
        }
        scene.passes(5);
        let told = scene.take(B);
        let is_gone = |presence: &&String| presence.contains(" from='alice@a.example/x' type='unavailable'");
        let expected = usize::from(lost_after.is_some());
        assert_eq!(told.iter().filter(is_gone).count(), expected, "{lost_after:?}: {told:?}");
    }
}

#[test]
fn who_was_not_reached_by_an_owner_asks_whom_it_missed_then() {
    let mut scene = friends();
    // Its session does not attach in time.
    scene.moves(BOB);
    scene.gathered(BOB);
    scene.closes(A);
    scene.passes(10);
    scene.is_given(BOB);
    scene.attaches(B);
    scene.gathered(BOB);
    scene.passes(5);
    scene.gets(B, &["<presence …from='alice@a.example/y'/>", GONE]);
}

/// The same if there was no room for what was said to a contact.
#[test]
fn who_is_owed_an_exchange_has_it_before_a_slot_is_given_away() {
    let mut scene = friends();
    scene.closes(A);
    // It came to the owner, and not to the client.
    scene.clear();
    let moves = |scene: &mut Scene| {
        scene.is_given(BOB);
        scene.attaches(B);
        scene.gathered(BOB);
    };
    moves(&mut scene);
    scene.passes(5);
    scene.gets(B, &["<presence …from='alice@a.example/y'/>"]);
    scene.sends(A2, &format!("<presence type='error' to='{BOB}'>{NO_ROOM}</presence>"));
    moves(&mut scene);
    let told = scene.take(B);
    let is_gone = |presence: &String| presence.contains(" from='alice@a.example/x' type='unavailable'");
    assert!(told.iter().any(is_gone), "{told:?}");
}

/// Those whom contacts have heard of take no room from one whom they may not have heard of.
#[test]
fn among_many_who_went_one_for_whom_there_was_no_room_is_said_again_to_be_gone() {
    let others: Vec<_> = (0..8).map(|number| format!("{ALICE}/z{number}")).collect();
    let mut clients = vec![A, A2, B];
    clients.extend(others.iter().map(String::as_str));
    let mut scene = Scene::clustered(&clients);
    scene.befriends(ALICE, BOB);
    others.iter().for_each(|client| scene.closes(client));
    scene.passes(6);
    scene.clear();
    scene.is_given(ALICE);
    scene.attaches(A2);
    scene.gathered(ALICE);
    scene.passes(5);
    scene.gets(B, &[GONE, "<presence …from='alice@a.example/y'/>"]);
    // As if it had not come: his user knows nothing of it.
    scene.is_given(BOB);
    scene.attaches(B);
    scene.gathered(BOB);
    scene.passes(5);
    scene.gets(B, &["<presence …from='alice@a.example/y'/>"]);
    scene.sends(B, &format!("<presence type='error' to='{A}'>{NO_ROOM}</presence>"));
    scene.passes(5);
    let told = scene.take(B);
    let is_gone = |presence: &String| presence.contains(" from='alice@a.example/x' type='unavailable'");
    assert!(told.iter().any(is_gone), "{told:?}");
}

/// That there was none comes back to an owner to whom it was given as one of whom contacts have heard.
#[test]
fn for_whom_there_was_no_room_hears_of_who_is_gone_from_the_next_owner() {
    let mut scene = friends();
    scene.closes(A);
    scene.gets(B, &[GONE]);
    scene.passes(6);
    for (user, client) in [(ALICE, A2), (BOB, B)] {
        scene.is_given(user);
        scene.attaches(client);
        scene.gathered(user);
    }
    scene.passes(5);
    scene.clear();
    scene.sends(B, &format!("<presence type='error' to='{A}'>{NO_ROOM}</presence>"));
    scene.passes(5);
    scene.gets(B, &["<presence …from='alice@a.example/y'/>", GONE]);
}

#[test]
fn a_resource_that_went_in_the_ordinary_way_is_on_record_no_more() {
    let mut scene = friends();
    let rows = scene.rows(ALICE);
    scene.closes(A);
    scene.gets(B, &[GONE]);
    scene.passes(121);
    scene.sends(A2, "<presence type='unavailable'/>");
    scene.passes(121);
    // One that says since when he is away has come.
    assert_eq!(scene.rows(ALICE), rows - 2 + 1);
    scene.clear();
    scene.moves(ALICE);
    scene.attaches(A2);
    scene.gathered(ALICE);
    scene.gets(B, &[]);
}

#[test]
fn a_resource_that_is_available_again_before_its_record_went_keeps_it() {
    let mut scene = friends();
    scene.sends(A, "<presence type='unavailable'/>");
    scene.passes(3);
    scene.sends(A, "<presence/>");
    scene.passes(121);
    scene.clear();
    scene.moves(ALICE);
    scene.attaches(A2);
    scene.gathered(ALICE);
    scene.gets(B, &[GONE]);
}

#[test]
fn contacts_hear_of_who_is_gone_when_the_user_is_loaded_later() {
    let mut scene = friends();
    scene.forgets(ALICE);
    scene.sends(B, &format!("<presence type='probe' to='{ALICE}'/>"));
    let mut got = scene.take(B);
    got.sort();
    assert_eq!(got.len(), 3, "both are gone, and nobody is there: {got:?}");
    assert!(got.iter().all(|presence| presence.contains("type='unavailable'")), "{got:?}");
}

#[test]
fn presence_sent_directly_is_taken_back_too() {
    let mut scene = Scene::clustered(&[A, B]);
    scene.sends(A, &format!("<presence to='{BOB}'/>"));
    scene.clear();
    scene.moves(ALICE);
    scene.attaches(A);
    scene.gathered(ALICE);
    scene.gets(B, &[]);
    scene.moves(ALICE);
    scene.gathered(ALICE);
    scene.gets(B, &[GONE]);
}

#[test]
fn what_contacts_said_meanwhile_is_asked_for() {
    let mut scene = friends();
    scene.moves(ALICE);
    scene.attaches(A);
    scene.attaches(A2);
    scene.gathered(ALICE);
    scene.passes(5);
    scene.gets(A, &["<presence …from='bob@b.example/x'/>"]);
    scene.closes(B);
    scene.clear();
    scene.moves(ALICE);
    scene.attaches(A);
    scene.gathered(ALICE);
    scene.passes(5);
    // That he is gone was told to the owner before, and is told again.
    let got = scene.take(A);
    assert!(
        got.iter().any(|presence| presence.contains("'bob@b.example/x' type='unavailable'")
            || presence.contains("from='bob@b.example/x'") && presence.contains("type='unavailable'")),
        "{got:?}"
    );
}

#[test]
fn who_is_gone_after_a_take_over_is_said_once_though_it_is_asked_for() {
    let mut scene = friends();
    scene.moves(BOB);
    scene.attaches(B);
    scene.gathered(BOB);
    scene.closes(A);
    scene.gets(B, &[GONE]);
    scene.passes(5);
    let here = "<presence …from='alice@a.example/y'/>";
    // She says it of herself, since he asks, and he of himself.
    scene.gets(B, &[here]);
    scene.gets(A2, &[GONE, "<presence …from='bob@b.example/x'/>"]);
}

#[test]
fn a_contact_for_whom_there_was_no_room_is_told_later_and_asked() {
    let mut scene = friends();
    scene.sends(A2, "<presence type='unavailable'/>");
    scene.clear();
    scene.sends(B, &format!("<presence type='error' to='{ALICE}'>{NO_ROOM}</presence>"));
    scene.gets(B, &[]);
    scene.passes(5);
    scene.gets(A, &["<presence …from='bob@b.example/x'/>"]);
    // That the other is gone he has heard.
    scene.gets(B, &["<presence …from='alice@a.example/x'/>"]);
    scene.passes(10);
    scene.gets(B, &[]);
}

#[test]
fn a_server_alone_has_no_such_records() {
    let alone = Scene::online(&[A]);
    let clustered = Scene::clustered(&[A]);
    assert_eq!(alone.rows(ALICE) + 1, clustered.rows(ALICE));
}
