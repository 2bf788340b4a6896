//! Many that are the same become one frame: presence to contacts, a stanza to the sessions of one user.

use super::{Carried, Outbounds, Relays, Source};
use crate::limits::FANOUT_TARGETS_MAX;
use stentor_engine::{Epoch, Event, Key, ToSession};
use stentor_xmpp::{Jid, Stanza};

/// Stands before the encoding of what goes to one member, in order: it holds back the last, as long as the next ones
/// differ from it by whom they are for alone. Flushed when the sender has nothing more at hand.
///
/// Entities give each target a stanza of its own, that shares all but `to` with the others; so looking is comparing
/// pointers, and nothing is compared that was not made by the same broadcast.
#[derive(Debug, Default)]
pub struct Gatherer {
    held: Option<Carried>,
}

impl Gatherer {
    /// Adds one; pushes what is to be sent now.
    pub fn add(&mut self, next: Carried, out: &mut Vec<Carried>) {
        if let Some(held) = self.held.as_mut() {
            let Some(next) = joined(held, next) else { return };
            out.extend(self.held.take());
            return self.hold(next, out);
        }
        self.hold(next, out);
    }

    /// Pushes what is held back.
    pub fn flush(&mut self, out: &mut Vec<Carried>) {
        out.extend(self.held.take());
    }

    fn hold(&mut self, next: Carried, out: &mut Vec<Carried>) {
        let can_grow = relay(&next).is_some()
            || matches!(next, Carried::Session { message: ToSession::Outbound { .. }, .. });
        if can_grow {
            self.held = Some(next);
        } else {
            out.push(next);
        }
    }
}

/// The parts of a relay to the user that its stanza is addressed to.
fn relay(carried: &Carried) -> Option<(Source, &Stanza, &Jid, Epoch)> {
    let Carried::Event { source, target: Key::User(user), epoch, event: Event::Relay(stanza) } = carried
    else {
        return None;
    };
    let to = stanza.to().filter(|to| to.bare() == user.as_str())?;
    Some((*source, stanza, to, *epoch))
}

/// Takes the next into what is held, or gives it back.
fn joined(held: &mut Carried, next: Carried) -> Option<Carried> {
    match held {
        Carried::Relays(relays) if relays.to.len() < FANOUT_TARGETS_MAX => {
            match relay(&next) {
                Some((source, stanza, to, epoch))
                    if source == relays.source && stanza.is_same_but_to(&relays.stanza) =>
                {
                    relays.to.push((to.clone(), epoch));
                }
                _ => return Some(next),
            }
            None
        }
        Carried::Outbounds(outbounds) if outbounds.to.len() < FANOUT_TARGETS_MAX => match next {
            Carried::Session {
                source,
                session,
                message: ToSession::Outbound { attachment, stanza, entry, waiting },
            } if source == outbounds.source
                && (entry, waiting) == outbounds.entry
                && is_shared(&stanza, &outbounds.stanza) =>
            {
                outbounds.to.push((session, attachment));
                None
            }
            next => Some(next),
        },
        Carried::Event { .. } => {
            let (Some((source, stanza, to, epoch)), Some((other, second, second_to, second_epoch))) =
                (relay(held), relay(&next))
            else {
                return Some(next);
            };
            if source != other || !stanza.is_same_but_to(second) {
                return Some(next);
            }
            let to = vec![(to.clone(), epoch), (second_to.clone(), second_epoch)];
            *held = Carried::Relays(Relays { source, stanza: stanza.clone(), to });
            None
        }
        Carried::Session {
            source,
            session,
            message: ToSession::Outbound { attachment, stanza, entry, waiting },
        } => match next {
            Carried::Session {
                source: other,
                session: second,
                message: ToSession::Outbound { attachment: at, stanza: same, entry: also, waiting: from },
            } if other == *source && (*entry, *waiting) == (also, from) && is_shared(stanza, &same) => {
                let to = vec![(*session, *attachment), (second, at)];
                let (source, entry) = (*source, (*entry, *waiting));
                *held = Carried::Outbounds(Outbounds { source, stanza: same, entry, to });
                None
            }
            next => Some(next),
        },
        _ => Some(next),
    }
}

/// Whether both are the same memory.
fn is_shared(a: &[u8], b: &[u8]) -> bool {
    std::ptr::eq(a, b)
}
