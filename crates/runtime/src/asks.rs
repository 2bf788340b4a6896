//! Questions of administration that wait for an answer.

use crate::limits::ASKS_MAX;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stentor_engine::{Ask, MemberId, Reply};
use tokio::sync::oneshot;

/// Who waits for the answer to a question.
pub(crate) enum Asker {
    /// Somebody in this process.
    Here(oneshot::Sender<Reply>),
    /// The same, and it is another member itself that is asked, and no entity.
    Members(oneshot::Sender<Bytes>),
    /// Another member, where it has this number.
    Member(MemberId, Ask),
}

struct Waiting {
    asker: Asker,
    /// The member that is to answer, if it is another.
    at: Option<MemberId>,
}

/// See the module.
pub(crate) struct Asks {
    waiting: Mutex<HashMap<Ask, Waiting>>,
    next: AtomicU64,
}

impl Asks {
    pub(crate) fn new() -> Self {
        // Nobody waits for the answer to 0.
        Self { waiting: Mutex::new(HashMap::new()), next: AtomicU64::new(1) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ask, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters who asks; none if too many do.
    pub(crate) fn enter(&self, asker: Asker) -> Option<Ask> {
        let mut waiting = self.lock();
        waiting.retain(|_, waiting| match &waiting.asker {
            Asker::Here(asker) => !asker.is_closed(),
            Asker::Members(asker) => !asker.is_closed(),
            Asker::Member(..) => true,
        });
        if waiting.len() >= ASKS_MAX {
            return None;
        }
        let ask = Ask(self.next.fetch_add(1, Ordering::Relaxed));
        waiting.insert(ask, Waiting { asker, at: None });
        Some(ask)
    }

    /// Who waits for the answer, if anybody still does.
    pub(crate) fn take(&self, ask: Ask) -> Option<Asker> {
        self.lock().remove(&ask).map(|waiting| waiting.asker)
    }

    /// The same, if it is another member, with the number that the question has there.
    pub(crate) fn take_of_member(&self, ask: Ask) -> Option<(MemberId, Ask)> {
        let mut waiting = self.lock();
        let &Asker::Member(member, number) = &waiting.get(&ask)?.asker else { return None };
        waiting.remove(&ask);
        Some((member, number))
    }

    /// The question went to that member, or came back from it.
    pub(crate) fn went_to(&self, ask: Ask, member: Option<MemberId>) {
        if let Some(waiting) = self.lock().get_mut(&ask) {
            waiting.at = member;
        }
    }

    /// A member is gone: it answers nothing any more, and waits for nothing.
    pub(crate) fn gone(&self, member: MemberId) {
        let is_of = |asker: &Asker| matches!(asker, Asker::Member(of, _) if *of == member);
        self.lock().retain(|_, waiting| waiting.at != Some(member) && !is_of(&waiting.asker));
    }
}
