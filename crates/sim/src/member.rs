//! What serves in a process: the same shells, entities, slots, lane and gates as in the server, driven by a loop
//! instead of actors. What stands here is what `stentor_runtime` has beside them: arbiters, mailboxes, the store's
//! threads.

use crate::arbiter::Arbiter;
use crate::crowd::Holds;
use crate::mail::{Mail, Report};
use crate::session::Session;
use crate::stage::{FromClient, Stage, ToMember, ToStore};
use std::sync::Arc;
use stentor_cluster::wire::Carried;
use stentor_engine::{Batch, CommitError, Key, Lane, MemberId, Planted, Settled, Table};
use stentor_entities::{Host, Hosts, UserLimits};
use stentor_store::LaneId;

/// The one domain that is served.
pub(crate) const DOMAIN: &str = "example.org";

/// The process is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Died;

/// One incarnation.
#[derive(Debug)]
pub(crate) struct Member {
    /// Where its batches go, if the store is shared.
    lane_id: Option<LaneId>,
    arbiters: Vec<Arbiter>,
    lane: Lane,
    /// Under way: its refusals, and the batch as it was written.
    batch: Option<(Vec<(Key, CommitError)>, Batch)>,
}

/// Something for another member.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub to: MemberId,
    /// The entity that says it, if it is for a session.
    pub owner: Option<Key>,
    pub carried: Carried,
}

/// What a member does beyond itself.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub parcels: Vec<Parcel>,
    pub reports: Vec<Report>,
}

impl Member {
    /// With the first table, in which all that is its own is open.
    pub(crate) fn start(me: MemberId, table: &Arc<Table>, stage: &mut Stage, planted: Planted) -> Self {
        stage.serving.push(stage.here);
        let host =
            Host { domain: DOMAIN.into(), keep: stage.plan.keeps, contacts: Vec::new(), registration: false };
        let limits = UserLimits {
            offline_messages_max: stage.plan.offline_messages_max,
            outbox_max: stage.plan.outbox_max,
            errors_max: stage.plan.errors_max,
            resume_seconds: stage.plan.resume_seconds,
            ..UserLimits::default()
        };
        let mut hosts = Hosts::new(vec![host], limits, "0", stage.time().unix);
        hosts.planted = planted;
        hosts.is_clustered = stage.is_shared();
        let hosts = Arc::new(hosts);
        let count = stage.plan.arbiters;
        let arbiters = (0..count)
            .map(|number| Arbiter::new(number, count, me, Arc::clone(table), Arc::clone(&hosts)))
            .collect();
        let lane_id = stage.is_shared().then_some(LaneId { member: me, lane: 0 });
        Self { lane_id, arbiters, lane: Lane::new(), batch: None }
    }

    /// Something happens here.
    pub(crate) fn handle(
        &mut self,
        what: ToMember,
        stage: &mut Stage,
        out: &mut Outgoing,
    ) -> Result<(), Died> {
        match what {
            ToMember::Set(set) => {
                if let Some(settled) = self.lane.push(set) {
                    self.report(vec![settled], stage);
                }
                self.commit(stage);
            }
            ToMember::Committed { fails: true } => {
                stage.coverage.failed_commits += 1;
                return Err(Died);
            }
            ToMember::Committed { fails: false } => {
                stage.disk.sync();
                if let Some((_, batch)) = &self.batch {
                    stage.history.durable(batch);
                }
                self.committed(Vec::new(), stage);
            }
            ToMember::Refused(refused) => {
                if self.lane_id.is_some_and(|lane| !stage.disk.applied().has_lane(lane)) {
                    // The backend has failed for good: this member was fenced.
                    return Err(Died);
                }
                self.committed(refused, stage);
            }
            ToMember::Wire(serial, FromClient::Open { client, slow, is_unmanaged, user }) => {
                stage.history.connected(&user, is_unmanaged);
                let arbiter = (serial % u64::from(stage.plan.arbiters)) as u16;
                if let Some(arbiter) = self.arbiters.get_mut(usize::from(arbiter)) {
                    arbiter.open(serial, |key| {
                        let mut session = Session::new(key, client, slow, user);
                        session.check_idle(stage);
                        session
                    });
                }
            }
            what => {
                let number = arbiter_of(&what, stage);
                if let Some(arbiter) = number.and_then(|number| self.arbiters.get_mut(usize::from(number))) {
                    arbiter.handle(what, stage, out);
                }
            }
        }
        Ok(())
    }

    /// Something for another member found no room on the way.
    pub(crate) fn not_sent(&mut self, parcel: Parcel, stage: &mut Stage, out: &mut Outgoing) {
        let number = match &parcel.carried {
            Carried::Event { target, .. } | Carried::Returned { target, .. } => stage.arbiter_of(target),
            _ => parcel.owner.as_ref().map_or(0, |owner| stage.arbiter_of(owner)),
        };
        if let Some(arbiter) = self.arbiters.get_mut(usize::from(number)) {
            arbiter.not_sent(parcel, stage, out);
        }
    }

    /// The users and sessions of all arbiters; see there.
    pub(crate) fn give_up(&mut self, holds: &mut Holds) {
        self.arbiters.iter_mut().for_each(|arbiter| arbiter.give_up(holds));
    }

    /// The batch that is under way on a disk of its own, as it was written.
    pub(crate) fn batch(&self) -> Option<&Batch> {
        self.batch.as_ref().map(|(_, batch)| batch)
    }

    /// Begins the next batch, if there is one and none is under way.
    fn commit(&mut self, stage: &mut Stage) {
        let Some(mut batch) = self.lane.next_batch() else { return };
        let mut refused = Vec::new();
        if stage.random.chance(stage.plan.commit_refused)
            && let Some(set) = stage.random.pick(&batch.sets)
        {
            refused.push((set.owner.clone(), CommitError::Conflict));
            batch.sets.retain(|set| !refused.iter().any(|(owner, _)| *owner == set.owner));
        }
        stage.trace(|| format!("batch {}: {} sets, {refused:?}", batch.number, batch.sets.len()));
        for set in &batch.sets {
            let (owner, epoch) = (set.owner.jid(), set.epoch.0);
            stage.trace(|| format!("  {owner} {epoch}.{}: {:?}", set.ticket, set.writes));
        }
        match self.lane_id {
            Some(lane) => stage.ask_store(ToStore::Commit(lane, batch.clone())),
            None => {
                for (owner, error) in stage.disk.write(batch.clone()) {
                    // One member has no other that could have been there before.
                    let what = format!("the store refused a write of {}: {error}", owner.jid());
                    stage.history.violate(what);
                }
                let fails = stage.random.chance(stage.plan.commit_fails);
                let delay = stage.random.below(stage.plan.commit_most + 1);
                stage.after(delay, ToMember::Committed { fails });
            }
        }
        self.batch = Some((refused, batch));
    }

    /// The batch under way is in the store, but for these.
    fn committed(&mut self, also: Vec<(Key, CommitError)>, stage: &mut Stage) {
        let Some((mut refused, _)) = self.batch.take() else { return };
        refused.extend(also);
        let settled = self.lane.finished(&refused);
        self.report(settled, stage);
        self.commit(stage);
    }

    fn report(&self, settled: Vec<Settled>, stage: &mut Stage) {
        for Settled { owner, epoch, ticket, result, .. } in settled {
            let arbiter = self.arbiters.get(usize::from(stage.arbiter_of(&owner)));
            if let Some(arbiter) = arbiter.filter(|arbiter| arbiter.epoch(&owner) == Some(epoch)) {
                arbiter.post(&owner, Mail::Committed(ticket, result), stage);
            }
        }
    }
}

/// On which arbiter something happens.
fn arbiter_of(what: &ToMember, stage: &Stage) -> Option<u16> {
    Some(match what {
        ToMember::Event(_, _, key, _)
        | ToMember::Mail(key, ..)
        | ToMember::Rows(key, ..)
        | ToMember::Timer(key, ..)
        | ToMember::Idle(key) => stage.arbiter_of(key),
        ToMember::Session(serial, ..)
        | ToMember::Wire(serial, _)
        | ToMember::Flushed(serial, _)
        | ToMember::Cut(serial)
        | ToMember::SessionTimer(serial, _) => (serial % u64::from(stage.plan.arbiters)) as u16,
        ToMember::FromMember(arbiter, ..) | ToMember::Slots(arbiter, _) => *arbiter,
        ToMember::Set(_) | ToMember::Committed { .. } | ToMember::Refused(_) => return None,
    })
}
