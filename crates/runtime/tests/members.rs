//! Two members in one process, over one store: what one has for the other goes by a channel instead of a link.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use stentor_engine::{Command, Key, MemberId, Reply, Slot, Table, TableChange};
use stentor_entities::{Host, Hosts, UserLimits};
use stentor_runtime::{Membership, Peers, Report, Runtime, Shared, ToMember};
use stentor_store::{MemoryBackend, Store};
use stentor_xmpp::BareJid;
use tokio::sync::mpsc;

const A: MemberId = MemberId(1);
const B: MemberId = MemberId(2);

type Others = Arc<OnceLock<HashMap<MemberId, Arc<Shared>>>>;

/// Hands everything on at once.
struct Direct {
    me: MemberId,
    others: Others,
    reports: mpsc::UnboundedSender<Report>,
    /// What was handed to another member, by kind.
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Peers for Direct {
    fn send(&self, member: MemberId, _version: u64, items: Vec<ToMember>) -> Vec<ToMember> {
        let kind = |item: &ToMember| match item {
            ToMember::Event { .. } => "event",
            ToMember::Session { .. } => "session",
            ToMember::Reply(..) => "reply",
            ToMember::Returned { .. } => "returned",
        };
        self.log.lock().expect("nobody panics with it").extend(items.iter().map(kind));
        match self.others.get().and_then(|others| others.get(&member)) {
            Some(other) => other.from_member(self.me, items),
            None => return items,
        }
        Vec::new()
    }

    fn report(&self, report: Report) {
        let _ = self.reports.send(report);
    }

    fn may_release(&self) -> bool {
        true
    }
}

struct Member {
    runtime: Runtime,
    reports: mpsc::UnboundedReceiver<Report>,
}

struct Pair {
    a: Member,
    b: Member,
    table: Arc<Table>,
    log: Arc<Mutex<Vec<&'static str>>>,
}

fn change(table: &Table, moves: Vec<(Slot, MemberId)>) -> Arc<Table> {
    let mut next = table.clone();
    let change = TableChange { base: table.version(), moves, ..TableChange::default() };
    next.apply(&change).expect("made from this version");
    Arc::new(next)
}

/// All slots are A's.
async fn pair() -> Pair {
    let host = Host { domain: "a.example".into(), keep: true, contacts: Vec::new(), registration: false };
    let hosts = Arc::new(Hosts::new(vec![host], UserLimits::default(), "0", 0));
    let backend = MemoryBackend::new();
    let table = change(&Table::empty(), Slot::all().map(|slot| (slot, A)).collect());
    let others: Others = Arc::default();
    let log = Arc::<Mutex<Vec<&'static str>>>::default();
    let mut members = Vec::new();
    for me in [A, B] {
        let (sender, reports) = mpsc::unbounded_channel();
        let (others, log) = (Arc::clone(&others), Arc::clone(&log));
        let peers = Arc::new(Direct { me, others, reports: sender, log });
        let membership = Membership::member(me, Arc::clone(&table), peers);
        let store = Store::over(Box::new(backend.clone())).expect("the threads start");
        let runtime = Runtime::start(2, membership, Arc::clone(&hosts), store, Arc::new(|_| None)).await;
        members.push(Member { runtime: runtime.expect("it starts"), reports });
    }
    let b = members.pop().expect("two");
    let a = members.pop().expect("two");
    let known = HashMap::from([(A, a.runtime.shared()), (B, b.runtime.shared())]);
    assert!(others.set(known).is_ok());
    Pair { a, b, table, log }
}

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
            assert!(matches!(report, Some(Report::HandedOver { version: 2, .. })), "{report:?}");
        }
    }
    pair.b.runtime.shared().gathered(&Arc::from([slot]));
    assert_eq!(waiting.await.expect("it ran"), Some(EMPTY));
    assert_eq!(pair.b.runtime.administration().count().await.0, 1, "its entity is there now");
    assert_eq!(pair.a.runtime.administration().count().await.0, 0);
}

#[actix_rt::test]
async fn a_slot_that_stays_after_all_answers_what_waited() {
    let mut pair = pair().await;
    assert_eq!(ask(&pair.a, create()).await, Some(Reply::Done));
    let slots: Arc<[Slot]> = Arc::from([user().slot()]);
    pair.a.runtime.shared().quiesce(&slots);
    while pair.a.reports.recv().await != Some(Report::Quiet(user().slot())) {}
    let administration = pair.a.runtime.administration();
    let waiting = actix_rt::spawn(async move { administration.ask(user(), Command::Describe).await });
    pair.a.runtime.shared().resume(&slots);
    assert_eq!(waiting.await.expect("it ran"), Some(EMPTY));
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
    while pair.log.lock().expect("unharmed").last() != Some(&"returned") {
        tokio::task::yield_now().await;
    }
    pair.b.runtime.shared().install(&table);
    assert_eq!(waiting.await.expect("it ran"), Some(EMPTY));
    assert_eq!(*pair.log.lock().expect("unharmed"), ["event", "returned", "event", "reply"]);
}
