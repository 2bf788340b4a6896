//! The store that members share: questions to the register, batches in lanes, reads; all of which it may be too slow
//! for, or away for.

use crate::mail::{Asked, ToMember};
use crate::network::StoreState;
use crate::stage::{Happening, Place, Stage, ToProcess};
use stentor_cluster::Question;
use stentor_engine::{Batch, RegisterReply, RegisterRequest};
use stentor_store::{LaneId, Register};

/// How long a question to the register waits for a store that is not reached.
const REGISTER_TIME: u64 = 2_000;
/// A writer or reader tries again after so long, at most.
const RETRY: u64 = 500;

/// To the store.
#[derive(Debug)]
pub(crate) enum ToStore {
    Ask(RegisterRequest),
    Commit(LaneId, Batch),
    Read(Asked),
}

impl Stage {
    /// A way to or from the store.
    fn way(&mut self) -> u64 {
        let most = match self.network.store {
            StoreState::Slow(most) => most,
            StoreState::Up | StoreState::Failing => self.plan.commit_most,
        };
        self.random.below(most + 1)
    }

    /// Sends something to the store from here.
    pub(crate) fn ask_store(&mut self, what: ToStore) {
        let delay = self.way();
        self.queue.after(delay, Happening::Store(self.here, what));
    }

    fn reply(&mut self, to: Place, what: ToProcess) {
        let delay = self.way();
        self.queue.after(delay, Happening::Process(to, what));
    }

    /// Something comes to the store.
    pub(crate) fn store(&mut self, from: Place, what: ToStore) {
        let is_apart = self.network.storeless.contains(&from.at);
        let fails = is_apart || self.network.store == StoreState::Failing;
        // The answer is lost; what was asked may be done.
        let is_done = !fails || !is_apart && self.random.chance(400);
        match what {
            ToStore::Ask(request) => {
                let question = Question::from(&request);
                let reply = if is_done { self.ask_register(&request) } else { None };
                match reply.filter(|_| !fails) {
                    Some(reply) => self.reply(from, ToProcess::Answered(question, reply)),
                    None => {
                        let delay = if is_apart { REGISTER_TIME } else { 5 };
                        let reply = RegisterReply::Failed("the store is away".to_owned());
                        let what = ToProcess::Answered(question, reply);
                        self.queue.after(delay, Happening::Process(from, what));
                    }
                }
            }
            ToStore::Commit(lane, batch) => {
                if is_done {
                    let refused = self.commit_in(lane, &batch);
                    if !fails {
                        return self.reply(from, ToProcess::Member(ToMember::Refused(refused)));
                    }
                    self.coverage.unknown_batches += 1;
                }
                self.again(from, ToStore::Commit(lane, batch));
            }
            ToStore::Read(asked) if fails => self.again(from, ToStore::Read(asked)),
            ToStore::Read(Asked { key, epoch, token, queries }) => {
                // A reader of the embedded store may or may not see what is on its way to the disk.
                let sees_all = self.is_shared() || self.random.chance(500);
                let state = if sees_all { self.disk.applied() } else { self.disk.durable() };
                let rows: Vec<_> = queries.iter().map(|query| state.query(&key, query)).collect();
                self.trace(|| format!("{} asks {token:?}: {queries:?} {rows:?}", key.jid()));
                self.reply(from, ToProcess::Member(ToMember::Rows(key, epoch, token, rows)));
            }
        }
    }

    /// Whoever waits for the store tries again, as long as he lives.
    fn again(&mut self, from: Place, what: ToStore) {
        if self.network.is_alive(from) {
            let delay = self.random.between(50, RETRY);
            self.queue.after(delay, Happening::Store(from, what));
        }
    }

    fn ask_register(&mut self, request: &RegisterRequest) -> Option<RegisterReply> {
        let reply = self.disk.ask(request);
        if let RegisterRequest::Change(change) = request {
            self.trace(|| {
                format!(
                    "change {} removes {:?}, moves {}: {reply:?}",
                    change.base,
                    change.removed,
                    change.moves.len()
                )
            });
            if let RegisterReply::Changed { .. } = reply {
                self.coverage.taken_over += change.removed.len() as u64;
                self.coverage.moved += change.moves.len() as u64;
            }
        }
        Some(reply)
    }

    fn commit_in(
        &mut self,
        lane: LaneId,
        batch: &Batch,
    ) -> Vec<(stentor_engine::Key, stentor_engine::CommitError)> {
        let is_repeated = self.history.is_repeated(lane, batch.number);
        let refused = self.disk.write_in(lane, batch.clone());
        self.disk.sync();
        self.trace(|| format!("{lane:?} commits {}, again {is_repeated}: {refused:?}", batch.number));
        if !is_repeated {
            self.history.committed_in(lane, batch, &refused, &mut self.coverage);
        }
        refused
    }
}
