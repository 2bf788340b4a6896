//! What the rest of the process asks of the cluster, and learns of it.

use super::links::{Happened, Tls, TlsError, TlsMaterial};
use super::status::ClusterStatus;
use crate::members::{Peers, Report};
use crate::start::{Membership, Shared};
use std::io;
use std::sync::Arc;
use stentor_cluster::link::Weight;
use stentor_cluster::{Ending, GossipKeys, PeerMessage, Question};
use stentor_engine::{MemberId, RegisterReply, Table};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

/// What comes to the cluster's thread from others.
pub(super) enum Input {
    Answered(Question, RegisterReply),
    Report(Report),
    /// Of a link: what happened to it, in order.
    Happened(MemberId, Happened),
    /// A connection to that member could not be opened.
    Unreached(MemberId, io::Error),
    /// What a member says about the cluster, and its weight, to be handed on.
    Told(MemberId, PeerMessage, Weight),
    /// A member goes by a table of this version, which is not here.
    Newer(u64),
    Run(Arc<Shared>),
    Drain,
    Leave,
    Abandon,
    Keys(GossipKeys),
    Tls(Box<Tls>),
    Status(oneshot::Sender<ClusterStatus>),
}

/// What the cluster's thread tells all who want to know.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) table: watch::Sender<Arc<Table>>,
    pub(super) drained: watch::Sender<bool>,
    ended: watch::Sender<Option<Ending>>,
    /// Its threads have ended.
    pub(super) stopped: watch::Sender<bool>,
}

impl Published {
    pub(super) fn new() -> Self {
        Self {
            table: watch::Sender::new(Arc::new(Table::empty())),
            drained: watch::Sender::new(false),
            ended: watch::Sender::new(None),
            stopped: watch::Sender::new(false),
        }
    }

    /// It is over; only the first reason counts.
    pub(super) fn end(&self, ending: Ending) {
        self.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            if is_first {
                *ended = Some(ending);
            }
            is_first
        });
    }

    pub(super) async fn ended(&self) -> Ending {
        match self.ended.subscribe().wait_for(Option::is_some).await.map(|ended| ended.clone()) {
            Ok(Some(ending)) => ending,
            // The sender is `self`.
            _ => std::future::pending().await,
        }
    }
}

/// See the module. Clones are the same.
#[derive(Clone, Debug)]
pub struct ClusterHandle {
    pub(super) name: Box<str>,
    pub(super) inputs: UnboundedSender<Input>,
    pub(super) published: Arc<Published>,
}

impl ClusterHandle {
    /// The routing table by which this member goes.
    pub fn table(&self) -> Arc<Table> {
        Arc::clone(&self.published.table.borrow())
    }

    /// Each table from now on, and the one that is there.
    pub fn tables(&self) -> watch::Receiver<Arc<Table>> {
        self.published.table.subscribe()
    }

    /// How this member sees the cluster. None once it is no member.
    pub async fn status(&self) -> Option<ClusterStatus> {
        let (answer, answered) = oneshot::channel();
        self.inputs.send(Input::Status(answer)).ok()?;
        tokio::select! {
            status = answered => status.ok(),
            _ = self.published.ended() => None,
        }
    }

    /// Gives all slots away; [`ClusterHandle::drained`] tells when none is left.
    pub fn drain(&self) {
        let _ = self.inputs.send(Input::Drain);
    }

    /// Resolves when no slot is left, and others send nothing more to their entities; or when nobody is there to take them.
    /// Sessions are to be ended then ([`crate::Administration::end_sessions`]); then [`ClusterHandle::leave`].
    pub async fn drained(&self) {
        let waited = self.published.drained.subscribe().wait_for(|is_drained| *is_drained).await.map(|_| ());
        if waited.is_err() {
            std::future::pending().await
        }
    }

    /// Takes this member out, with what slots it has left given to others as they are, as soon as the others have
    /// acknowledged what it has sent them, or a little later. Then nothing leaves it any more. [`ClusterHandle::ended`]
    /// tells when the store knows.
    pub fn leave(&self) {
        let _ = self.inputs.send(Input::Leave);
    }

    /// Ends at once, without a word to anybody, as when the process is killed: the others fence this member some seconds
    /// later. For who cannot wait for [`ClusterHandle::leave`], which needs the store.
    pub fn abandon(&self) {
        let _ = self.inputs.send(Input::Abandon);
    }

    /// Resolves when this process is no member any more. After [`Ending::Fenced`] it is to begin anew: nothing of what it
    /// has may leave.
    pub async fn ended(&self) -> Ending {
        self.published.ended().await
    }

    /// Resolves when the cluster's threads have ended and its ports are free, after [`ClusterHandle::ended`]. It takes as
    /// long as the store takes to answer what it was asked last.
    pub async fn stopped(&self) {
        let waited = self.published.stopped.subscribe().wait_for(|is_stopped| *is_stopped).await.map(|_| ());
        if waited.is_err() {
            std::future::pending().await
        }
    }

    /// Other keys of gossip from now on.
    pub fn set_gossip_keys(&self, keys: GossipKeys) {
        let _ = self.inputs.send(Input::Keys(keys));
    }

    /// Other certificates, for connections from now on.
    ///
    /// # Errors
    /// See [`TlsError`]; then those from before stay.
    pub fn set_tls(&self, material: TlsMaterial) -> Result<(), TlsError> {
        let tls = Tls::new(&self.name, material)?;
        let _ = self.inputs.send(Input::Tls(Box::new(tls)));
        Ok(())
    }
}

/// A member that has joined. The order of what follows: the store's lane is opened for [`Joined::member`], the runtime is
/// started with [`Joined::membership`], and then this [runs](Joined::run). What comes meanwhile waits.
pub struct Joined {
    pub(super) member: MemberId,
    pub(super) table: Arc<Table>,
    pub(super) peers: Arc<dyn Peers>,
    pub(super) handle: ClusterHandle,
}

impl Joined {
    /// Its id.
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// The first table in which it is.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// What the runtime is started with: a table without slots, so that those which are this member's already are
    /// gathered like all others, once [`Joined::run`] has put the first one in force.
    pub fn membership(&self) -> Membership {
        Membership::member(self.member, Arc::new(Table::empty()), Arc::clone(&self.peers))
    }

    /// For the rest of the process.
    pub fn handle(&self) -> ClusterHandle {
        self.handle.clone()
    }

    /// The runtime is there: it is given the table, and what came meanwhile.
    pub fn run(self, shared: Arc<Shared>) -> ClusterHandle {
        let _ = self.handle.inputs.send(Input::Run(shared));
        self.handle
    }
}
