//! Members in one process, over one store in memory, with real sockets between them.

use crate::authority::Authority;
use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use stentor_cluster::GossipKeys;
use stentor_engine::{Command, Key, MemberId, RegisterReply, RegisterRequest, Reply, Slot, Table};
use stentor_entities::{Host, Hosts, UserLimits};
use stentor_runtime::cluster::{Cluster, ClusterConfig, ClusterHandle, ClusterStatus, Endpoint, JoinError};
use stentor_runtime::{Administration, Runtime};
use stentor_store::{LaneId, MemoryBackend, Register, Shared, Store};
use stentor_xmpp::BareJid;
use zeroize::Zeroizing;

/// Against hanging alone.
const TOO_LONG: Duration = Duration::from_secs(90);

/// Resolves when this holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let all = async {
        while !holds().await {
            pace.tick().await;
        }
    };
    tokio::time::timeout(TOO_LONG, all).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

/// The store, which may be away.
#[derive(Clone)]
pub(crate) struct Away {
    pub(crate) is_away: Arc<AtomicBool>,
    /// It gives no table.
    pub(crate) hides_table: Arc<AtomicBool>,
    /// Questions that were not answered.
    pub(crate) failed: Arc<AtomicU64>,
    backend: MemoryBackend,
}

impl Register for Away {
    fn ask(&mut self, request: &RegisterRequest) -> RegisterReply {
        let is_hidden = self.hides_table.load(Ordering::SeqCst) && *request == RegisterRequest::Table;
        if is_hidden || self.is_away.load(Ordering::SeqCst) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return RegisterReply::Failed("it is away".to_owned());
        }
        self.backend.ask(request)
    }
}

pub(crate) struct World {
    pub(crate) authority: Arc<Authority>,
    pub(crate) store: Away,
}

pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) handle: ClusterHandle,
    pub(crate) runtime: Runtime,
}

fn keys() -> GossipKeys {
    GossipKeys::new(&[Zeroizing::new([7; 32])]).expect("a key")
}

impl World {
    pub(crate) fn new() -> Self {
        let (is_away, hides_table, failed) = (Arc::default(), Arc::default(), Arc::default());
        let store = Away { is_away, hides_table, failed, backend: MemoryBackend::new() };
        Self { authority: Arc::new(Authority::new()), store }
    }

    /// Another way to the same, with faults of its own.
    pub(crate) fn other_way(&self) -> Self {
        let store = Away { is_away: Arc::default(), hides_table: Arc::default(), ..self.store.clone() };
        Self { authority: Arc::clone(&self.authority), store }
    }

    pub(crate) fn config(&self, name: &str) -> ClusterConfig {
        let anywhere = Endpoint::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        ClusterConfig {
            name: name.into(),
            cluster: "c1".into(),
            link: anywhere,
            gossip: anywhere,
            weight: 1,
            settings: 0,
            tls: self.authority.issue(name),
            keys: keys(),
            wire: ClusterConfig::WIRE,
        }
    }

    pub(crate) async fn start(&self, name: &str) -> Result<Member, JoinError> {
        self.start_with(self.config(name)).await
    }

    pub(crate) async fn start_with(&self, config: ClusterConfig) -> Result<Member, JoinError> {
        let joined = Cluster::join(config, Box::new(self.store.clone())).await?;
        let id = joined.member();
        let backend = self.store.backend.backend(LaneId { member: id, lane: 0 }).expect("a lane");
        let store = Store::over(backend).expect("the threads start");
        let host = Host { domain: "a.example".into(), keep: true, contacts: Vec::new(), registration: false };
        let hosts = Arc::new(Hosts::new(vec![host], UserLimits::default(), "0", 0));
        let runtime = Runtime::start(2, joined.membership(), hosts, store, Arc::new(|_| None)).await;
        let runtime = runtime.expect("it starts");
        runtime.shared().answer_by(answer);
        let handle = joined.run(runtime.shared());
        Ok(Member { id, handle, runtime })
    }

    /// Members of these names, that have shared the slots.
    pub(crate) async fn of(&self, names: &[&str]) -> Vec<Member> {
        let mut members = Vec::new();
        for name in names {
            members.push(self.start(name).await.expect("it joins"));
        }
        settled(&members.iter().collect::<Vec<_>>()).await;
        members
    }
}

fn is_fair(table: &Table, members: &[&Member]) -> bool {
    let share = usize::from(Slot::COUNT) / members.len();
    let is_fair = |member: &&Member| table.slots_of(member.id).count().abs_diff(share) * 5 <= share;
    table.members().len() == members.len() && members.iter().all(is_fair)
}

fn is_quiet(status: &ClusterStatus) -> bool {
    let is_linked = status.members.iter().all(|member| member.is_linked);
    status.gathering == 0 && status.quiescing == 0 && status.lease_ms > 0 && is_linked
}

/// Resolves when these are all the members, each has its share, and nothing moves.
pub(crate) async fn settled(members: &[&Member]) {
    until("each has its share", || async {
        let mut is_settled = true;
        for member in members {
            let table = member.handle.table();
            let status = member.handle.status().await;
            let is_same = table.version()
                == members.iter().map(|member| member.handle.table().version()).max().unwrap_or(0);
            is_settled &=
                is_same && is_fair(&table, members) && status.is_some_and(|status| is_quiet(&status));
        }
        is_settled
    })
    .await;
}

/// To whoever asks a member itself: users that are loaded there. Silence is the answer to nothing.
fn answer(administration: Administration, question: Bytes) -> Pin<Box<dyn Future<Output = Bytes> + Send>> {
    Box::pin(async move {
        if question.is_empty() {
            return std::future::pending().await;
        }
        let users = administration.loaded(None, usize::MAX).await;
        users.iter().map(BareJid::as_str).collect::<Vec<_>>().join(" ").into()
    })
}

impl Member {
    pub(crate) async fn ask(&self, user: &Key, command: Command) -> Option<Reply> {
        self.runtime.administration().ask(user.clone(), command).await
    }

    pub(crate) async fn status(&self) -> ClusterStatus {
        self.handle.status().await.expect("it is a member")
    }

    pub(crate) fn owns(&self, user: &Key) -> bool {
        self.handle.table().owner(user.slot()).member == Some(self.id)
    }
}

/// Users, of whom some are everywhere.
pub(crate) fn users() -> Vec<Key> {
    let user = |number| BareJid::parse(&format!("user{number}@a.example")).expect("a JID");
    (0..24).map(user).map(Key::User).collect()
}

pub(crate) fn create() -> Command {
    Command::CreateAccount(Bytes::from_static(b"{\"v\":1}"))
}

pub(crate) const EMPTY: Reply = Reply::Account { contacts: 0, waiting: 0 };
