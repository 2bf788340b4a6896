//! The two members.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use stentor_engine::{MemberId, MemberInfo, Slot, Table, TableChange, ToSession};
use stentor_entities::{Host, Hosts, UserLimits};
use stentor_runtime::{Membership, Peers, Report, Runtime, Shared, ToMember};
use stentor_store::{MemoryBackend, Store};
use tokio::sync::mpsc;

pub(crate) const A: MemberId = MemberId(1);
pub(crate) const B: MemberId = MemberId(2);

type Others = Arc<OnceLock<HashMap<MemberId, Arc<Shared>>>>;

/// Hands everything on at once.
struct Direct {
    /// Whom nobody hears, by id, and who hears nobody.
    dead: Arc<AtomicU64>,
    me: MemberId,
    others: Others,
    reports: mpsc::UnboundedSender<Report>,
    /// What was handed to another member, by kind, and what was reported of that.
    log: Arc<Mutex<Vec<&'static str>>>,
    /// There is no room for what may be refused.
    is_full: Arc<AtomicBool>,
}

impl Peers for Direct {
    fn send(&self, member: MemberId, _version: u64, items: Vec<ToMember>) -> Vec<ToMember> {
        let dead = self.dead.load(Ordering::Relaxed);
        if dead == self.me.0 || dead == member.0 {
            return Vec::new();
        }
        let is_end = |item: &ToMember| matches!(item, ToMember::Session { message: ToSession::End(_), .. });
        if self.is_full.load(Ordering::Acquire) && !items.iter().any(is_end) {
            return items;
        }
        let kind = |item: &ToMember| match item {
            item if is_end(item) => "end",
            ToMember::Event { .. } => "event",
            ToMember::Session { .. } => "session",
            ToMember::Reply(..) => "reply",
            ToMember::Question(..) => "question",
            ToMember::Answer(..) => "answer",
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
        if let Report::HandedOver { .. } = report {
            self.log.lock().expect("nobody panics with it").push("handed over");
        }
        let _ = self.reports.send(report);
    }

    fn may_release(&self) -> bool {
        true
    }
}

pub(crate) struct Member {
    pub runtime: Runtime,
    pub reports: mpsc::UnboundedReceiver<Report>,
}

pub(crate) struct Pair {
    pub a: Member,
    pub b: Member,
    pub table: Arc<Table>,
    pub dead: Arc<AtomicU64>,
    pub log: Arc<Mutex<Vec<&'static str>>>,
    pub is_full: Arc<AtomicBool>,
}

pub(crate) fn change(table: &Table, moves: Vec<(Slot, MemberId)>) -> Arc<Table> {
    let mut next = table.clone();
    let change = TableChange { base: table.version(), moves, ..TableChange::default() };
    next.apply(&change).expect("made from this version");
    Arc::new(next)
}

/// All slots are A's.
pub(crate) async fn pair() -> Pair {
    let host = Host { domain: "a.example".into(), keep: true, contacts: Vec::new(), registration: false };
    let mut hosts = Hosts::new(vec![host], UserLimits::default(), "0", 0);
    hosts.is_clustered = true;
    let hosts = Arc::new(hosts);
    let dead = Arc::<AtomicU64>::default();
    let backend = MemoryBackend::new();
    let mut empty = Table::empty();
    for id in [A, B] {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
        let name = id.0.to_string().into();
        empty.join(
            id,
            MemberInfo { name, link: address, gossip: address, weight: 1, wire: (1, 1), settings: 0 },
        );
    }
    let table = change(&empty, Slot::all().map(|slot| (slot, A)).collect());
    let others: Others = Arc::default();
    let log = Arc::<Mutex<Vec<&'static str>>>::default();
    let is_full = Arc::<AtomicBool>::default();
    let mut members = Vec::new();
    for me in [A, B] {
        let (sender, reports) = mpsc::unbounded_channel();
        let (others, log, dead) = (Arc::clone(&others), Arc::clone(&log), Arc::clone(&dead));
        let is_full = Arc::clone(&is_full);
        let peers = Arc::new(Direct { dead, me, others, reports: sender, log, is_full });
        let membership = Membership::member(me, Arc::clone(&table), peers);
        let store = Store::over(Box::new(backend.clone())).expect("the threads start");
        let runtime = Runtime::start(2, membership, Arc::clone(&hosts), store, Arc::new(|_| None)).await;
        members.push(Member { runtime: runtime.expect("it starts"), reports });
    }
    let b = members.pop().expect("two");
    let a = members.pop().expect("two");
    let known = HashMap::from([(A, a.runtime.shared()), (B, b.runtime.shared())]);
    assert!(others.set(known).is_ok());
    Pair { a, b, table, dead, log, is_full }
}
