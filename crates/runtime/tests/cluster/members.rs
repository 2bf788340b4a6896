//! Members come, go, and answer for each other.

use crate::world::{EMPTY, World, create, settled, until, users};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stentor_cluster::Ending;
use stentor_engine::{Command, Reply};
use stentor_runtime::cluster::{EndingError, JoinError, Liveness};
use stentor_xmpp::BareJid;

#[actix_rt::test]
async fn members_share_the_slots_and_answer_for_each_other() {
    let world = World::new();
    let members = world.of(&["a", "b", "c"]).await;
    let [a, b, c] = members.as_slice() else { panic!("three") };
    assert!(members.iter().all(|member| users().iter().any(|user| member.owns(user))), "users everywhere");
    for user in users() {
        assert_eq!(a.ask(&user, create()).await, Some(Reply::Done));
        assert_eq!(b.ask(&user, Command::Describe).await, Some(EMPTY));
        assert_eq!(c.ask(&user, create()).await, Some(Reply::Exists));
    }
    until("gossip knows all", || async {
        let status = a.status().await;
        status.members.iter().all(|member| member.liveness == Liveness::Alive)
    })
    .await;
    let status = a.status().await;
    assert_eq!(status.members.iter().map(|member| member.slots).sum::<usize>(), 4_096);
    assert!(status.members.iter().all(|member| member.malformed_frames == 0));
}

#[actix_rt::test]
async fn what_is_asked_before_slots_have_owners_waits_for_these() {
    let world = World::new();
    let member = world.start("a").await.expect("it joins");
    for user in users() {
        assert_eq!(member.ask(&user, create()).await, Some(Reply::Done));
    }
}

#[actix_rt::test]
async fn what_a_member_had_that_is_gone_is_others() {
    let world = World::new();
    let members = world.of(&["a", "b", "c"]).await;
    let [a, b, c] = members.as_slice() else { panic!("three") };
    for user in users() {
        assert_eq!(a.ask(&user, create()).await, Some(Reply::Done));
    }
    let lost: Vec<_> = users().into_iter().filter(|user| b.owns(user)).collect();
    b.handle.abandon();
    assert_eq!(b.handle.ended().await, Ending::Left);
    // Asked while nobody answers.
    for user in &lost {
        assert_eq!(a.ask(user, Command::Describe).await, Some(EMPTY), "{user:?}");
    }
    settled(&[a, c]).await;
    assert!(a.handle.table().member(b.id).is_none());
    b.handle.stopped().await;
}

#[actix_rt::test]
async fn a_member_that_drains_gives_all_away_while_users_are_served() {
    let world = World::new();
    let members = world.of(&["a", "b", "c"]).await;
    let [a, b, c] = members.as_slice() else { panic!("three") };
    for user in users() {
        assert_eq!(c.ask(&user, create()).await, Some(Reply::Done));
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let (administration, goes_on) = (a.runtime.administration(), Arc::clone(&is_over));
    let asking = actix_rt::spawn(async move {
        while !goes_on.load(Ordering::SeqCst) {
            for user in users() {
                let answer = administration.ask(user.clone(), Command::Describe).await;
                assert_eq!(answer, Some(EMPTY), "{user:?}");
            }
        }
    });
    b.handle.drain();
    b.handle.drained().await;
    assert_eq!(b.handle.table().slots_of(b.id).count(), 0);
    // Behind this, whatever others had sent was given back.
    b.runtime.administration().end_sessions().await;
    b.handle.leave();
    assert_eq!(b.handle.ended().await, Ending::Left);
    b.handle.stopped().await;
    settled(&[a, c]).await;
    is_over.store(true, Ordering::SeqCst);
    asking.await.expect("all were answered");
}

#[actix_rt::test]
async fn what_comes_by_a_newer_table_waits_for_it() {
    let world = World::new();
    let aside = world.other_way();
    let a = aside.start("a").await.expect("it joins");
    let b = world.start("b").await.expect("it joins");
    settled(&[&a, &b]).await;
    let ours: Vec<_> = users().into_iter().filter(|user| a.owns(user)).collect();
    aside.store.hides_table.store(true, Ordering::SeqCst);
    let c = world.start("c").await.expect("it joins");
    until("b knows", || async { b.handle.table().member(c.id).is_some() }).await;
    let administration = b.runtime.administration();
    let asking = actix_rt::spawn(async move {
        for user in ours {
            assert_eq!(administration.ask(user.clone(), create()).await, Some(Reply::Done), "{user:?}");
        }
    });
    until("a holds what b says", || async {
        a.status().await.members.iter().any(|member| member.held_frames > 0)
    })
    .await;
    assert!(a.handle.table().member(c.id).is_none());
    aside.store.hides_table.store(false, Ordering::SeqCst);
    asking.await.expect("all were answered");
    settled(&[&a, &b, &c]).await;
    assert!(a.status().await.members.iter().all(|member| member.held_frames == 0));
}

#[actix_rt::test]
async fn nothing_moves_while_the_store_is_away() {
    let world = World::new();
    let members = world.of(&["a", "b"]).await;
    let [a, b] = members.as_slice() else { panic!("two") };
    for user in users() {
        assert_eq!(a.ask(&user, create()).await, Some(Reply::Done));
    }
    let before = a.handle.table();
    world.store.is_away.store(true, Ordering::SeqCst);
    until("no lease holds", || async {
        let statuses = [a.status().await, b.status().await];
        // And for as long again.
        statuses.iter().all(|status| status.lease_ms == 0) && world.store.failed.load(Ordering::SeqCst) > 48
    })
    .await;
    let user = users().into_iter().find(|user| b.owns(user)).expect("there is one");
    let administration = a.runtime.administration();
    let waiting = actix_rt::spawn(async move { administration.ask(user, Command::Describe).await });
    world.store.is_away.store(false, Ordering::SeqCst);
    assert_eq!(waiting.await.expect("it ran"), Some(EMPTY), "it waited for the lease");
    settled(&[a, b]).await;
    assert_eq!(a.handle.table(), before);
}

#[actix_rt::test]
async fn members_answer_for_themselves() {
    let world = World::new();
    let members = world.of(&["a", "b", "c"]).await;
    let [a, b, c] = members.as_slice() else { panic!("three") };
    for user in users() {
        assert_eq!(a.ask(&user, create()).await, Some(Reply::Done));
    }
    let administration = a.runtime.administration();
    let answers = administration.ask_members(Bytes::from_static(b"who is there?")).await;
    let mut found = administration.loaded(None, usize::MAX).await;
    assert!(!found.is_empty());
    for (name, answer) in answers {
        let answer = answer.unwrap_or_else(|| panic!("{name} does not answer"));
        let there = std::str::from_utf8(&answer).expect("addresses").split(' ');
        found.extend(there.map(|user| BareJid::parse(user).expect("an address")));
    }
    found.sort();
    let mut all: Vec<_> = users().iter().map(|user| user.jid().clone()).collect();
    all.sort();
    assert_eq!(found, all);
    // Whoever does not answer, and whoever is gone, holds nobody up.
    let nothing = |name: &str| (name.into(), None);
    assert_eq!(administration.ask_members(Bytes::new()).await, [nothing("b"), nothing("c")]);
    b.handle.leave();
    settled(&[a, c]).await;
    assert_eq!(administration.ask_members(Bytes::new()).await, [nothing("c")]);
}

#[actix_rt::test]
async fn a_name_is_one_members() {
    let world = World::new();
    let members = world.of(&["a"]).await;
    let second = world.start("a").await.err();
    let expected = EndingError(Ending::NameInUse { name: "a".into() });
    assert!(matches!(&second, Some(JoinError::Ended(error)) if *error == expected), "{second:?}");
    settled(&members.iter().collect::<Vec<_>>()).await;
}
