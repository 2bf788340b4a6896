//! What the runtime does with the store's verdicts.

use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;
use stentor_engine::LogId;
use stentor_engine::{Batch, Command, CommitError, Key, Reply};
use stentor_entities::{Host, Hosts, UserLimits};
use stentor_runtime::limits::{ENTITY_IDLE, VACANT_MAX};
use stentor_runtime::{Derive, Membership, Runtime};
use stentor_store::{Backend, Fault, MemoryBackend, OwnedRow, Owner, Reader, Refusal, Row, Store};
use stentor_xmpp::BareJid;

/// A disk that fails at the commit with this number, and with it for good.
struct Failing {
    inner: MemoryBackend,
    commits: u32,
    fails_at: u32,
}

impl Backend for Failing {
    fn commit(&mut self, batch: &Batch) -> Vec<Refusal> {
        self.commits += 1;
        if self.commits < self.fails_at {
            return self.inner.commit(batch);
        }
        let refuse = |owner: &Key| (owner.clone(), CommitError::Store("EIO".to_owned()));
        batch.sets.iter().map(|set| refuse(&set.owner)).collect()
    }

    fn reader(&self) -> Box<dyn Reader> {
        self.inner.reader()
    }

    fn failure(&self) -> Option<String> {
        (self.commits >= self.fails_at).then(|| "EIO".to_owned())
    }

    fn restore(&mut self, rows: Vec<OwnedRow>) -> Result<(), Fault> {
        self.inner.restore(rows)
    }
}

async fn runtime(fails_at: u32) -> Runtime {
    over(Box::new(Failing { inner: MemoryBackend::new(), commits: 0, fails_at })).await
}

async fn over(backend: Box<dyn Backend>) -> Runtime {
    let host = Host { domain: "a.example".into(), keep: true, contacts: Vec::new(), registration: false };
    let hosts = Arc::new(Hosts::new(vec![host], UserLimits::default(), "0", 0));
    let store = Store::over(backend);
    let store = store.expect("the threads start");
    let derive: Derive = Arc::new(|_| None);
    Runtime::start(2, Membership::alone(), hosts, store, derive).await.expect("it starts")
}

fn user(name: &str) -> Key {
    Key::User(BareJid::parse(&format!("{name}@a.example")).expect("a JID"))
}

fn create() -> Command {
    Command::CreateAccount(Bytes::from_static(b"{\"v\":1}"))
}

#[actix_rt::test]
async fn an_account_is_there_once_it_is_durable() {
    let runtime = runtime(u32::MAX).await;
    let administration = runtime.administration();
    assert_eq!(administration.ask(user("alice"), create()).await, Some(Reply::Done));
    assert_eq!(administration.ask(user("alice"), create()).await, Some(Reply::Exists));
    assert_eq!(administration.ask(user("bob"), Command::Sessions).await, Some(Reply::NotFound));
    assert_eq!(administration.ask(user("alice"), Command::RemoveAccount).await, Some(Reply::Done));
    assert_eq!(administration.ask(user("alice"), Command::Describe).await, Some(Reply::NotFound));
    runtime.stop().await;
}

#[actix_rt::test]
async fn a_store_that_fails_answers_nothing_and_is_told() {
    let runtime = runtime(2).await;
    let administration = runtime.administration();
    assert_eq!(administration.ask(user("alice"), create()).await, Some(Reply::Done));
    let refused = administration.ask(user("bob"), create());
    tokio::pin!(refused);
    // It may be told that it failed, never that it was done; the failure of the store is told in any case.
    let why = tokio::select! {
        reply = &mut refused => {
            assert_eq!(reply, Some(Reply::Failed));
            runtime.store_failed().await
        }
        why = runtime.store_failed() => why,
    };
    assert_eq!(why, "EIO");
}

/// What the log of a user has who was sending when the process ended.
const ON_ITS_WAY: &str = "<log:entry xmlns:log='urn:stentor:log:1' xmlns='jabber:client' v='1' at='1' way='out'>\
    <message from='alice@a.example/x' to='bob@a.example' type='chat'><body>hi</body></message></log:entry>";

#[actix_rt::test]
async fn what_was_on_its_way_goes_on_without_its_sender() {
    let row = |name: &str, row: Row| OwnedRow { owner: Owner::from(&user(name)), row };
    let account = |name: &str| {
        let (collection, key) = ("account".into(), "credentials".into());
        row(name, Row::Record { collection, key, version: 1, value: Bytes::from_static(b"{\"v\":1}") })
    };
    let entry = Row::Entry { id: LogId(7), value: ON_ITS_WAY.into() };
    let mut backend = MemoryBackend::new();
    let rows = vec![account("alice"), row("alice", entry), row("alice", Row::Tail(LogId(7))), account("bob")];
    backend.restore(rows).expect("an empty store takes rows");
    let runtime = over(Box::new(backend)).await;
    let administration = runtime.administration();
    // The answer of a user comes behind what it has handled before; bob's message may still be on its way to him.
    let delivered = Some(Reply::Account { contacts: 0, waiting: 1 });
    while administration.ask(user("bob"), Command::Describe).await != delivered {
        tokio::task::yield_now().await;
    }
    runtime.stop().await;
}

#[actix_rt::test]
async fn users_that_are_loaded_are_told_in_order() {
    let runtime = runtime(u32::MAX).await;
    let administration = runtime.administration();
    let mut expected = Vec::new();
    for n in 0..30 {
        let user = user(&format!("user{n}"));
        assert_eq!(administration.ask(user.clone(), create()).await, Some(Reply::Done));
        expected.push(user.jid().clone());
    }
    expected.sort();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = administration.loaded(after, 7).await;
        let is_last = page.len() < 7;
        after = page.last().cloned();
        found.extend(page);
        if is_last {
            break;
        }
    }
    assert_eq!(found, expected);
    assert_eq!(administration.ask_members(Bytes::new()).await, [], "there are no others");
    runtime.stop().await;
}

/// Whoever asks for names that nobody has cannot have all of them loaded for long, nor more than there is room for.
#[actix_rt::test]
async fn users_that_do_not_exist_do_not_stay() {
    let runtime = runtime(u32::MAX).await;
    let administration = runtime.administration();
    assert_eq!(administration.ask(user("alice"), create()).await, Some(Reply::Done));
    for n in 0..3 * VACANT_MAX {
        let asked = administration.ask(user(&n.to_string()), Command::Sessions).await;
        assert_eq!(asked, Some(Reply::NotFound));
    }
    let (entities, _) = administration.count().await;
    assert!(entities <= 1 + 2 * VACANT_MAX, "{entities} users are loaded");
    // And once more: those that ended at once come back.
    assert_eq!(administration.ask(user("0"), create()).await, Some(Reply::Done));
    let begun = Instant::now();
    while administration.count().await.0 > 2 {
        assert!(begun.elapsed() < ENTITY_IDLE / 2, "they stay");
        tokio::task::yield_now().await;
    }
    runtime.stop().await;
}
