//! What comes from other members, and what does not get there.

use super::Arbiter;
use crate::member::{Outgoing, Parcel};
use crate::stage::Stage;
use stentor_cluster::is_overtaken;
use stentor_cluster::wire::{Carried, Source};
use stentor_engine::{Event, FromSession, Key, MemberId, ToSession};
use stentor_xmpp::{StreamCondition, StreamError};

impl Arbiter {
    /// What another member sent, by a table that is not newer than this arbiter's.
    pub(super) fn take(&mut self, member: MemberId, carried: Carried, stage: &mut Stage, out: &mut Outgoing) {
        match carried {
            Carried::Event { source: Source::Entity(slot, epoch), .. }
            | Carried::Session { source: (slot, epoch), .. }
                if self.slots.is_stale(slot, epoch) =>
            {
                stage.coverage.stale += 1;
                stage.trace(|| format!("from {member:?}: an owner of before: {carried:?}"));
            }
            Carried::Event { source, target, epoch, event } if self.slots.is_current(&target, epoch) => {
                self.dispatch(source, target, event, stage, out);
            }
            Carried::Event { source, target, epoch, event } => {
                stage.coverage.returned += 1;
                let version = self.slots.table().version();
                let carried = Carried::Returned { source, target, epoch, event, version };
                out.parcels.push(Parcel { to: member, owner: None, carried });
            }
            Carried::Session { session, message, .. } => {
                stage.tell(self.end(), Source::Member, session.serial, message);
            }
            Carried::Returned { target, event, .. } if is_overtaken(&event) => {
                stage.coverage.overtaken += 1;
                self.refused(&target, event, stage, out);
            }
            Carried::Returned { target, event, version, .. } => {
                self.take_back(version, target, event, stage, out);
            }
            _ => {}
        }
    }

    /// By the table that sent it there it would only come back: it waits for the one by which it was returned.
    pub(super) fn take_back(
        &mut self,
        version: u64,
        key: Key,
        event: Event,
        stage: &mut Stage,
        out: &mut Outgoing,
    ) {
        if version <= self.slots.table().version() {
            self.dispatch(Source::Member, key, event, stage, out);
        } else if let Some((key, event)) = self.returned.keep(version, key, event) {
            self.refused(&key, event, stage, out);
        }
    }

    /// There was no room on the way to a member: nothing is lost without its sender knowing.
    pub(crate) fn not_sent(&mut self, parcel: Parcel, stage: &mut Stage, out: &mut Outgoing) {
        match (parcel.carried, parcel.owner) {
            (Carried::Event { target, event, .. } | Carried::Returned { target, event, .. }, _) => {
                self.refused(&target, event, stage, out);
            }
            // There is a hole in what it was to get: it ends before it is told more, and its client resumes. Its end
            // is always admitted, but for a member that is gone.
            (Carried::Session { session, source, message }, Some(owner)) => {
                stage.trace(|| format!("not sent to {session:?}: {message:?}"));
                if !matches!(message, ToSession::End(_)) {
                    let error = StreamError::new(StreamCondition::ResourceConstraint);
                    self.tell(&owner, source.1, session, ToSession::End(error), stage, out);
                }
                let event = Event::Session(session, FromSession::Gone);
                self.dispatch(Source::Member, owner, event, stage, out);
            }
            _ => {}
        }
    }
}
