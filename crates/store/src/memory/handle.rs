//! [`Memory`] as a backend.

use super::Memory;
use crate::backend::{Backend, Fault, Having, Reader, Refusal};
use crate::register::{LaneId, Register, Shared};
use crate::row::{OwnedRow, Owner};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use stentor_engine::{Batch, Key, Query, RegisterReply, RegisterRequest, Rows};

/// [`Memory`] as a backend. Nothing is durable; clones share what is stored, so that it can be opened again, and by
/// several members.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    memory: Arc<RwLock<Memory>>,
    /// Whose lane it commits in, if the store has members.
    lane: Option<LaneId>,
}

impl MemoryBackend {
    /// Nothing stored, and no members: lanes and epochs are not checked.
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Register for MemoryBackend {
    fn ask(&mut self, request: &RegisterRequest) -> RegisterReply {
        self.write().ask(request)
    }
}

impl Shared for MemoryBackend {
    fn backend(&self, lane: LaneId) -> Result<Box<dyn Backend>, Fault> {
        Ok(Box::new(Self { memory: Arc::clone(&self.memory), lane: Some(lane) }))
    }
}

impl Backend for MemoryBackend {
    fn commit(&mut self, batch: &Batch) -> Vec<Refusal> {
        match self.lane {
            Some(lane) => self.write().commit_in(lane, batch),
            None => self.write().commit(batch),
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn failure(&self) -> Option<String> {
        let is_fenced = self.lane.is_some_and(|lane| !self.read().has_lane(lane));
        is_fenced.then(|| FENCED.to_owned())
    }

    fn restore(&mut self, rows: Vec<OwnedRow>) -> Result<(), Fault> {
        let mut memory = self.write();
        rows.into_iter().for_each(|row| memory.restore(row));
        Ok(())
    }
}

/// Why a member's backend has failed once its lane is gone.
const FENCED: &str = "this member was fenced";

impl Reader for MemoryBackend {
    fn query(&self, owner: &Key, queries: &[Query]) -> Vec<Rows> {
        let memory = self.read();
        queries.iter().map(|query| memory.query(owner, query)).collect()
    }

    fn rows(&self, each: &mut dyn FnMut(OwnedRow) -> bool) -> Result<(), Fault> {
        let snapshot = self.read().clone();
        snapshot.rows().all(each);
        Ok(())
    }

    fn owners(&self, after: Option<&Owner>, limit: usize, having: Having) -> Result<Vec<Owner>, Fault> {
        let memory = self.read();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let owners = memory.owners.range((start, Bound::Unbounded)).filter(|(_, stored)| stored.has(having));
        Ok(owners.take(limit).map(|(owner, _)| owner.clone()).collect())
    }
}
