//! A session moves once: when its account is known, to the arbiter of its user, where it stays. From then on what
//! they tell each other wakes no other thread (see `docs/decisions/0008-a-session-lives-with-its-user.md`).

use super::{Parts, Phase, Session};
use actix::Actor;
use std::sync::Arc;

impl Session {
    /// Leaves for the user's arbiter. All is written; what was read and not taken goes along. This actor ends.
    pub(super) fn move_to_user(&mut self) {
        self.phase = Phase::Over;
        self.is_moving = false;
        let Some(user) = self.user.clone() else { return };
        let transport = match self.transport.leave() {
            Ok(transport) => transport,
            Err(error) => {
                return tracing::warn!(%error, address = %self.address, "a connection could not be moved");
            }
        };
        let (services, limits) = (Arc::clone(&self.services), Arc::clone(&self.limits));
        let (stream, input, rate) = (self.stream.take(), std::mem::take(&mut self.input), self.rate.take());
        let (security, address, entered) = (self.security, self.address, self.entered.take());
        let key = user.clone();
        stentor_runtime::place_at(&key, move |load| {
            let transport = match transport.arrive() {
                Ok(transport) => transport,
                Err(error) => return tracing::warn!(%error, %address, "a connection could not be moved"),
            };
            let session = Self::from(Parts {
                services,
                limits,
                transport,
                security,
                stream,
                handshake: None,
                input,
                user: Some(user),
                rate,
                unauthenticated: None,
                address,
                entered,
                load,
            });
            Actor::start(session);
        });
    }
}
