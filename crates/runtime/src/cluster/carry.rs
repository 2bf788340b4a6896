//! What arbiters hand over, and what a link carries: the same in two forms.

use crate::members::ToMember;
use stentor_cluster::wire::{Carried, Gatherer, Source};
use stentor_engine::{Ask, Epoch, Key, SessionKey};

/// What one arbiter hands over at once: that which differs by whom it is for alone is one.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) carried: Vec<Carried>,
    /// The users that say something to sessions; they do not travel.
    owners: Vec<(SessionKey, Key)>,
}

fn source(source: Option<(stentor_engine::Slot, Epoch)>) -> Source {
    source.map_or(Source::Member, |(slot, epoch)| Source::Entity(slot, epoch))
}

fn entity(source: Source) -> Option<(stentor_engine::Slot, Epoch)> {
    match source {
        Source::Entity(slot, epoch) => Some((slot, epoch)),
        Source::Member => None,
    }
}

impl Load {
    pub(super) fn new(items: Vec<ToMember>) -> Self {
        let mut load = Self::default();
        let mut gatherer = Gatherer::default();
        for item in items {
            let carried = load.carried(item);
            gatherer.add(carried, &mut load.carried);
        }
        gatherer.flush(&mut load.carried);
        load
    }

    fn carried(&mut self, item: ToMember) -> Carried {
        match item {
            ToMember::Event { source: from, key, epoch, event } => {
                Carried::Event { source: source(from), target: key, epoch, event }
            }
            ToMember::Session { owner, source, session, message } => {
                self.owners.extend(owner.map(|owner| (session, owner)));
                Carried::Session { source, session, message }
            }
            ToMember::Reply(ask, reply) => Carried::Reply { ask, reply },
            ToMember::Question(Ask(id), body) => Carried::Question { id, body },
            ToMember::Answer(Ask(id), body) => Carried::Answer { id, body },
            // Who said it, and by which epoch, is not asked when it is routed anew.
            ToMember::Returned { version, key, event } => {
                Carried::Returned { source: Source::Member, target: key, epoch: Epoch(0), event, version }
            }
        }
    }

    /// Gives back what was not taken, to whoever handed it over.
    pub(super) fn give_back(&self, carried: Carried, items: &mut Vec<ToMember>) {
        let before = items.len();
        open(carried, items);
        for item in items.iter_mut().skip(before) {
            if let ToMember::Session { owner, session, .. } = item {
                let known = self.owners.iter().find(|(key, _)| key == session);
                *owner = known.map(|(_, owner)| owner.clone());
            }
        }
    }
}

/// As arbiters take it; what is not for them is not among it.
pub(super) fn open(carried: Carried, items: &mut Vec<ToMember>) {
    match carried {
        Carried::Event { source, target, epoch, event } => {
            items.push(ToMember::Event { source: entity(source), key: target, epoch, event });
        }
        Carried::Relays(relays) => {
            let source = entity(relays.source);
            let event = |(key, epoch, event)| ToMember::Event { source, key, epoch, event };
            items.extend(relays.into_events().map(event));
        }
        Carried::Session { source, session, message } => {
            items.push(ToMember::Session { owner: None, source, session, message });
        }
        Carried::Outbounds(outbounds) => {
            let source = outbounds.source;
            let message = |(session, message)| ToMember::Session { owner: None, source, session, message };
            items.extend(outbounds.into_messages().map(message));
        }
        Carried::Reply { ask, reply } => items.push(ToMember::Reply(ask, reply)),
        Carried::Returned { target, event, version, .. } => {
            items.push(ToMember::Returned { version, key: target, event });
        }
        Carried::Question { id, body } => items.push(ToMember::Question(Ask(id), body)),
        Carried::Answer { id, body } => items.push(ToMember::Answer(Ask(id), body)),
        Carried::Peer(_) => {}
    }
}

/// Of what a member that is gone did not take, the events for entities: they are routed again, by this version of the
/// table. What was for its sessions, or answered it, is for nobody any more.
pub(super) fn rerouted(version: u64, items: Vec<ToMember>) -> Vec<ToMember> {
    let again = |item| match item {
        ToMember::Event { key, event, .. } => Some(ToMember::Returned { version, key, event }),
        ToMember::Session { .. }
        | ToMember::Reply(..)
        | ToMember::Question(..)
        | ToMember::Answer(..)
        | ToMember::Returned { .. } => None,
    };
    items.into_iter().filter_map(again).collect()
}
