//! Slots that move, and what is on its way to them.

use crate::client::Client;
use crate::pair::{A, B, Member, Pair, change, pair};
use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use stentor_engine::{Command, Epoch, Event, FromSession, Key, Reply, SessionKey, Slot, StreamId};
use stentor_runtime::{Report, ToMember};
use stentor_xmpp::BareJid;

fn user() -> Key {
    Key::User(BareJid::parse("romeo@a.example").expect("a JID"))
}

async fn ask(member: &Member, command: Command) -> Option<Reply> {
    member.runtime.administration().ask(user(), command).await
}

fn create() -> Command {
    Command::CreateAccount(Bytes::from_static(b"{\"v\":1}"))
}

const EMPTY: Reply = Reply::Account { contacts: 0, waiting: 0 };

#[actix_rt::test]
async fn a_question_goes_to_the_owner_and_its_answer_comes_back() {
    let pair = pair().await;
    assert_eq!(ask(&pair.b, create()).await, Some(Reply::Done));
    assert_eq!(ask(&pair.a, Command::Describe).await, Some(EMPTY));
    assert_eq!(*pair.log.lock().expect("unharmed"), ["event", "reply"]);
}

#[actix_rt::test]
async fn a_slot_moves_once_it_is_quiet_and_what_waited_goes_after_it() {
    let mut pair = pair().await;
    assert_eq!(ask(&pair.a, create()).await, Some(Reply::Done));
    let slot = user().slot();
    pair.a.runtime.shared().quiesce(&Arc::from([slot]));
    while pair.a.reports.recv().await != Some(Report::Quiet(slot)) {}
    assert_eq!(pair.a.runtime.administration().count().await.0, 0, "its entity has ended");

    // Asked while nobody answers: it waits for the next table.
    let administration = pair.a.runtime.administration();
    let waiting = actix_rt::spawn(async move { administration.ask(user(), Command::Describe).await });
    let table = change(&pair.table, vec![(slot, B)]);
    pair.b.runtime.shared().install(&table);
    pair.a.runtime.shared().install(&table);
    for member in [&mut pair.a, &mut pair.b] {
        for _ in 0..2 {
            let report = member.reports.recv().await;
            assert!(matches!(report, Some(Report::HandedOver { version: 4, .. })), "{report:?}");
        }
    }
    pair.b.runtime.shared().gathered(&Arc::from([slot]));
    assert_eq!(waiting.await.expect("it ran"), Some(EMPTY));
    assert_eq!(pair.b.runtime.administration().count().await.0, 1, "its entity is there now");
    assert_eq!(pair.a.runtime.administration().count().await.0, 0);
}

/// Its answer would come by way of a member that may leave before.
#[actix_rt::test]
async fn a_question_that_waited_where_its_slot_was_goes_back_to_who_asked() {
    let mut pair = pair().await;
    assert_eq!(ask(&pair.a, create()).await, Some(Reply::Done));
    let slot = user().slot();
    pair.a.runtime.shared().quiesce(&Arc::from([slot]));
    while pair.a.reports.recv().await != Some(Report::Quiet(slot)) {}
    let administration = pair.b.runtime.administration();
    let waiting = actix_rt::spawn(async move { administration.ask(user(), Command::Describe).await });
    while pair.log.lock().expect("unharmed").is_empty() {
        tokio::task::yield_now().await;
    }
    let table = change(&pair.table, vec![(slot, B)]);
    for member in [&pair.b, &pair.a] {
        member.runtime.shared().install(&table);
    }
    pair.b.runtime.shared().gathered(&Arc::from([slot]));
    assert_eq!(waiting.await.expect("it ran"), Some(EMPTY));
    let mut log = pair.log.lock().expect("unharmed").clone();
    log.retain(|what| *what != "handed over");
    assert_eq!(log, ["event", "returned"]);
}

#[actix_rt::test]
async fn a_slot_that_stays_after_all_answers_what_waited_and_has_its_sessions() {
    let mut pair = pair().await;
    assert_eq!(ask(&pair.a, create()).await, Some(Reply::Done));
    let mut session = Client::online(&pair.b, "romeo@a.example", "orchard").await;
    let slots: Arc<[Slot]> = Arc::from([user().slot()]);
    pair.a.runtime.shared().quiesce(&slots);
    while pair.a.reports.recv().await != Some(Report::Quiet(user().slot())) {}
    let administration = pair.a.runtime.administration();
    let waiting = actix_rt::spawn(async move { administration.ask(user(), Command::Sessions).await });
    let table = change(&pair.table, vec![(user().slot(), A)]);
    pair.a.runtime.shared().install(&table);
    pair.b.runtime.shared().install(&table);
    for member in [&mut pair.a, &mut pair.b] {
        for _ in 0..2 {
            while !matches!(member.reports.recv().await, Some(Report::HandedOver { version: 4, .. })) {}
        }
    }
    pair.a.runtime.shared().gathered(&slots);
    session.hears("attached").await;
    let Some(Reply::Sessions(sessions)) = waiting.await.expect("it ran") else { panic!("no sessions") };
    assert_eq!(sessions.len(), 1);
}

/// Waits until a stream of the user waits to be resumed.
async fn somebody_is_away(member: &Member) {
    loop {
        let answer = ask(member, Command::Sessions).await;
        let Some(Reply::Sessions(sessions)) = answer else { panic!("no sessions: {answer:?}") };
        if sessions.iter().any(|session| !session.is_connected) {
            return;
        }
    }
}

#[actix_rt::test]
async fn streams_that_wait_to_be_resumed_go_with_their_slot() {
    let mut pair = pair().await;
    assert_eq!(ask(&pair.a, create()).await, Some(Reply::Done));
    let stream = StreamId(7);
    let mut romeo = Client::online(&pair.a, "romeo@a.example", "orchard").await;
    romeo.manages(stream).await;
    let mut home = Client::online(&pair.a, "romeo@a.example", "home").await;
    // Else nothing would be left of what it says to hand over, and it would end.
    home.manages(StreamId(8)).await;
    romeo.hears("/home'").await;
    romeo.loses_connection().await;
    somebody_is_away(&pair.a).await;
    home.says("<message to='romeo@a.example/orchard'><body>Farewell</body></message>").await;

    let slots: Arc<[Slot]> = Arc::from([user().slot()]);
    pair.a.runtime.shared().quiesce(&slots);
    while pair.a.reports.recv().await != Some(Report::Quiet(user().slot())) {}
    let table = change(&pair.table, vec![(user().slot(), B)]);
    pair.b.runtime.shared().install(&table);
    // Who comes back before all is handed over waits for it.
    let mut romeo = Client::resuming(&pair.b, "romeo@a.example", stream).await;
    pair.a.runtime.shared().install(&table);
    for member in [&mut pair.a, &mut pair.b] {
        for _ in 0..2 {
            while !matches!(member.reports.recv().await, Some(Report::HandedOver { version: 4, .. })) {}
        }
    }
    pair.b.runtime.shared().gathered(&slots);
    let heard = romeo.hears("Farewell").await;
    assert!(heard.iter().any(|told| told.starts_with("resumed")), "{heard:?}");
}

/// When a client loses its connection.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    /// Its user's slot is quiet.
    Before,
    /// The owner of before knows that it is one, and nobody else.
    Between,
}

/// Its user is A's, and comes to B.
async fn is_cut_off_while_its_slot_moves(of: fn(&Pair) -> &Member, when: Cut) {
    let mut pair = pair().await;
    assert_eq!(ask(&pair.a, create()).await, Some(Reply::Done));
    let stream = StreamId(7);
    let mut romeo = Client::online(of(&pair), "romeo@a.example", "orchard").await;
    romeo.manages(stream).await;
    let mut home = Client::online(&pair.a, "romeo@a.example", "home").await;
    home.manages(StreamId(8)).await;
    home.says("<message to='romeo@a.example/orchard'><body>Farewell</body></message>").await;
    romeo.hears("Farewell").await;

    let slots: Arc<[Slot]> = Arc::from([user().slot()]);
    pair.a.runtime.shared().quiesce(&slots);
    while pair.a.reports.recv().await != Some(Report::Quiet(user().slot())) {}
    let table = change(&pair.table, vec![(user().slot(), B)]);
    if when == Cut::Between {
        pair.a.runtime.shared().install(&table);
    }
    romeo.loses_connection().await;
    for member in [&pair.b, &pair.a] {
        // Behind what its session said, whichever way that went.
        member.runtime.administration().count().await;
    }
    pair.b.runtime.shared().install(&table);
    let mut romeo = Client::resuming(&pair.b, "romeo@a.example", stream).await;
    if when == Cut::Before {
        pair.a.runtime.shared().install(&table);
    }
    for member in [&mut pair.a, &mut pair.b] {
        for _ in 0..2 {
            while !matches!(member.reports.recv().await, Some(Report::HandedOver { version: 4, .. })) {}
        }
    }
    pair.b.runtime.shared().gathered(&slots);
    let heard = romeo.hears("esume").await;
    let is_whole = |told: &String| told.starts_with("resumed") && told.contains("Farewell");
    assert!(heard.last().is_some_and(is_whole), "{heard:?}");
}

#[actix_rt::test]
async fn a_stream_whose_connection_is_lost_while_its_slot_moves_can_be_resumed() {
    is_cut_off_while_its_slot_moves(|pair| &pair.a, Cut::Before).await;
    is_cut_off_while_its_slot_moves(|pair| &pair.b, Cut::Before).await;
    is_cut_off_while_its_slot_moves(|pair| &pair.b, Cut::Between).await;
}

#[actix_rt::test]
async fn what_comes_by_an_older_table_goes_back_and_is_sent_again_by_the_newer_one() {
    let pair = pair().await;
    assert_eq!(ask(&pair.a, create()).await, Some(Reply::Done));
    // A owns it in another epoch, of which B has not heard.
    let slot = user().slot();
    let table = change(&change(&pair.table, vec![(slot, B)]), vec![(slot, A)]);
    pair.a.runtime.shared().install(&table);
    pair.a.runtime.shared().gathered(&Arc::from([slot]));
    assert_eq!(ask(&pair.a, Command::Describe).await, Some(EMPTY));
    let administration = pair.b.runtime.administration();
    let waiting = actix_rt::spawn(async move { administration.ask(user(), Command::Describe).await });
    while !pair.log.lock().expect("unharmed").contains(&"returned") {
        tokio::task::yield_now().await;
    }
    pair.b.runtime.shared().install(&table);
    assert_eq!(waiting.await.expect("it ran"), Some(EMPTY));
    let log = pair.log.lock().expect("unharmed").clone();
    let carried: Vec<&str> = log.into_iter().filter(|kind| *kind != "handed over").collect();
    assert_eq!(carried, ["event", "returned", "event", "reply"]);
}

#[actix_rt::test]
async fn who_asks_by_a_full_link_is_told_at_once() {
    let pair = pair().await;
    pair.is_full.store(true, Ordering::Release);
    assert_eq!(ask(&pair.b, create()).await, Some(Reply::Failed));
    pair.is_full.store(false, Ordering::Release);
    assert_eq!(ask(&pair.b, create()).await, Some(Reply::Done));
}

#[actix_rt::test]
async fn a_session_elsewhere_that_would_miss_something_ends() {
    let pair = pair().await;
    assert_eq!(ask(&pair.a, create()).await, Some(Reply::Done));
    pair.is_full.store(true, Ordering::Release);
    let session = SessionKey { member: B, arbiter: 0, serial: 1 };
    let event = Event::Session(session, FromSession::Bind { resource: "x".into(), peer: None });
    let bind = ToMember::Event { source: None, key: user(), epoch: Epoch(1), event };
    pair.a.runtime.shared().from_member(B, vec![bind]);
    // What was given back is dealt with before the second is answered.
    for _ in 0..2 {
        assert_eq!(ask(&pair.a, Command::Describe).await, Some(EMPTY));
    }
    assert_eq!(*pair.log.lock().expect("nobody panics with it"), ["end"]);
    assert_eq!(ask(&pair.a, Command::Sessions).await, Some(Reply::Sessions(Vec::new())));
}

fn juliet() -> Key {
    Key::User(BareJid::parse("juliet@a.example").expect("a JID"))
}

/// Waits until so many things of this kind are in the log.
async fn logged(pair: &Pair, kind: &str, count: usize) {
    let is_kind = |other: &&&str| **other == kind;
    while pair.log.lock().expect("unharmed").iter().filter(is_kind).count() < count {
        tokio::task::yield_now().await;
    }
}

#[actix_rt::test]
async fn all_is_handed_over_once_attachments_that_go_by_another_arbiter_have_left() {
    let pair = pair().await;
    // Sessions that nothing loads are on the first arbiter; hers is not the one of her user.
    let (answer, is_here) = tokio::sync::oneshot::channel();
    pair.b.runtime.place(move |_load| {
        let _ = answer.send(stentor_runtime::is_here(&juliet()));
    });
    assert!(!is_here.await.expect("it ran"), "another user is wanted here");
    let done = pair.a.runtime.administration().ask(juliet(), create()).await;
    assert_eq!(done, Some(Reply::Done));
    let mut session = Client::online(&pair.b, "juliet@a.example", "balcony").await;

    // The first arbiter does nothing until the other knows the table, and does nothing itself.
    let (go, wait) = mpsc::channel::<()>();
    let (release, held) = mpsc::channel::<()>();
    pair.b.runtime.place(move |_load| {
        let _ = wait.recv();
        let (stands, standing) = mpsc::channel();
        stentor_runtime::place_at(&juliet(), move |_load| {
            let _ = stands.send(());
            let _ = held.recv();
        });
        let _ = standing.recv();
    });
    let slot = juliet().slot();
    let table = change(&change(&pair.table, vec![(slot, B)]), vec![(slot, A)]);
    pair.a.runtime.shared().install(&table);
    logged(&pair, "handed over", 2).await;
    pair.log.lock().expect("unharmed").clear();
    pair.b.runtime.shared().install(&table);
    let administration = pair.b.runtime.administration();
    let _asking = actix_rt::spawn(async move { administration.ask(juliet(), Command::Describe).await });
    logged(&pair, "event", 1).await;
    let _ = go.send(());
    session.hears("reattach").await;
    let _ = release.send(());

    logged(&pair, "handed over", 2).await;
    let log = pair.log.lock().expect("unharmed").clone();
    let last = log.iter().rposition(|kind| *kind == "handed over");
    let before = log.iter().take(last.expect("two")).filter(|kind| **kind == "event");
    assert_eq!(before.count(), 2, "the question and the attachment: {log:?}");
}
