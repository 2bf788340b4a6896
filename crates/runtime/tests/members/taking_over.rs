//! A member dies, and the other takes over.

use crate::client::Client;
use crate::pair::{A, B, Member, Pair, pair};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stentor_engine::{Command, Key, Reply, Slot, Table, TableChange};
use stentor_runtime::Report;
use stentor_xmpp::BareJid;

const ROMEO: &str = "romeo@a.example";
const JULIET: &str = "juliet@a.example";
const MERCUTIO: &str = "mercutio@a.example";

async fn ask(member: &Member, user: &str, command: Command) -> Option<Reply> {
    let key = Key::User(BareJid::parse(user).expect("a JID"));
    member.runtime.administration().ask(key, command).await
}

/// All slots are A's; Juliet is friends with both.
async fn friends() -> Pair {
    let pair = pair().await;
    for user in [ROMEO, JULIET, MERCUTIO] {
        let create = Command::CreateAccount("{\"v\":1}".into());
        assert_eq!(ask(&pair.a, user, create).await, Some(Reply::Done));
    }
    for (user, contact) in [(ROMEO, JULIET), (JULIET, ROMEO), (MERCUTIO, JULIET), (JULIET, MERCUTIO)] {
        let jid = BareJid::parse(contact).expect("a JID");
        let add = Command::AddContact { jid, name: String::new() };
        assert_eq!(ask(&pair.a, user, add).await, Some(Reply::Done));
    }
    pair
}

/// A is heard no more, and B takes its slots.
async fn dies(pair: &mut Pair) {
    pair.dead.store(A.0, Ordering::Relaxed);
    let slots: Arc<[Slot]> = Slot::all().collect();
    let (mut table, moves) = (Table::clone(&pair.table), slots.iter().map(|slot| (*slot, B)).collect());
    let change = TableChange { base: table.version(), removed: vec![A], moves, ..TableChange::default() };
    table.apply(&change).expect("made from this version");
    let table = Arc::new(table);
    let shared = pair.b.runtime.shared();
    shared.install(&table);
    shared.gone(A);
    for _ in 0..2 {
        while !matches!(pair.b.reports.recv().await, Some(Report::HandedOver { version: 4, .. })) {}
    }
    shared.gathered(&slots);
}

fn unavailable(heard: &[String]) -> Vec<&str> {
    let gone = heard.iter().filter(|stanza| stanza.contains("type='unavailable'"));
    let mut from: Vec<&str> =
        gone.filter_map(|stanza| stanza.split("from='").nth(1)?.split('\'').next()).collect();
    from.sort_unstable();
    from
}

#[actix_rt::test]
async fn contacts_hear_once_of_who_went_with_a_member_and_nothing_of_who_came_back() {
    let mut pair = friends().await;
    let mut juliet = Client::online(&pair.b, JULIET, "balcony").await;
    let mut romeo = Client::online(&pair.b, ROMEO, "orchard").await;
    juliet.hears("romeo@a.example/orchard").await;
    let _home = Client::online(&pair.a, ROMEO, "home").await;
    juliet.hears("romeo@a.example/home").await;
    // Nothing but a record says that he was there.
    let _street = Client::online(&pair.a, MERCUTIO, "street").await;
    juliet.hears("mercutio@a.example/street").await;

    dies(&mut pair).await;
    romeo.hears("attached").await;
    let mut heard = Vec::new();
    while unavailable(&heard).len() < 2 {
        heard.extend(juliet.hears("type='unavailable'").await);
    }
    romeo.says(&format!("<message to='{JULIET}'><body>It is the east</body></message>")).await;
    heard.extend(juliet.hears("It is the east").await);
    assert_eq!(unavailable(&heard), ["mercutio@a.example/street", "romeo@a.example/home"]);
}

#[actix_rt::test]
async fn a_question_to_a_member_that_is_gone_fails_without_waiting() {
    let pair = friends().await;
    pair.dead.store(A.0, Ordering::Relaxed);
    let administration = pair.b.runtime.administration();
    let key = Key::User(BareJid::parse(ROMEO).expect("a JID"));
    let waiting = actix_rt::spawn(async move { administration.ask(key, Command::Describe).await });
    // It is on its way when its router has dealt with what came after it.
    tokio::task::yield_now().await;
    pair.b.runtime.administration().count().await;
    pair.b.runtime.shared().gone(A);
    let answer = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert_eq!(answer.expect("not only when it has waited long enough").expect("it ran"), None);
}

#[actix_rt::test]
async fn sessions_of_a_member_that_is_gone_are_detached_by_those_who_have_their_users() {
    let pair = friends().await;
    let mut juliet = Client::online(&pair.a, JULIET, "balcony").await;
    let _romeo = Client::online(&pair.b, ROMEO, "orchard").await;
    juliet.hears("romeo@a.example/orchard").await;
    pair.dead.store(B.0, Ordering::Relaxed);
    pair.a.runtime.shared().gone(B);
    let heard = juliet.hears("type='unavailable'").await;
    assert_eq!(unavailable(&heard), ["romeo@a.example/orchard"]);
}

#[actix_rt::test]
async fn sessions_whose_users_cannot_be_reached_are_lost() {
    let pair = friends().await;
    let mut juliet = Client::online(&pair.b, JULIET, "balcony").await;
    pair.b.runtime.shared().unreachable(A);
    juliet.hears("Lost").await;
}

#[actix_rt::test]
async fn when_a_process_ends_its_sessions_are_told_whether_their_users_go_on() {
    let pair = friends().await;
    let mut juliet = Client::online(&pair.b, JULIET, "balcony").await;
    let mut romeo = Client::online(&pair.a, ROMEO, "orchard").await;
    pair.b.runtime.administration().end_sessions().await;
    juliet.hears("Shutdown { user_goes_on: true }").await;
    pair.a.runtime.administration().end_sessions().await;
    romeo.hears("Shutdown { user_goes_on: false }").await;
}
