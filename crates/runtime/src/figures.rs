//! What happened since the process began, counted by each arbiter for itself.

use core::sync::atomic::{AtomicU64, Ordering};
use stentor_engine::CommitError;
use stentor_xmpp::Kind;

macro_rules! figures {
    ($($name:ident $what:literal,)*) => {
        /// Something that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Figure {
            $(#[doc = $what] $name,)*
        }

        /// How many there are.
        const COUNT: usize = [$(Figure::$name),*].len();
    };
}

figures! {
    MessagesReceived "Messages from clients.",
    PresenceReceived "Presence from clients.",
    IqReceived "IQ stanzas from clients.",
    MessagesSent "Messages to clients.",
    PresenceSent "Presence to clients.",
    IqSent "IQ stanzas to clients.",
    Authenticated "Clients that proved who they are.",
    NotAuthenticated "Attempts that did not.",
    Bound "Resources that were bound.",
    Resumed "Streams that were resumed.",
    NotResumed "Streams that were asked for and not resumed.",
    Refused "Events for which there was no room; whoever sent one was told.",
    Committed "Write sets that the store has taken.",
    Conflicting "Write sets that the store refused for what others had written.",
    Fenced "Write sets that the store refused since this member does not own the slot, or is none any more.",
    Failed "Write sets that the store did not take, since it has failed.",
    SentToMembers "Events and messages to other members.",
    TakenFromMembers "Those from other members.",
    Stale "Of these, those that an owner of before had said, which were dropped.",
    Withheld "Effects that were held back since this member's lease was over.",
    Released "Of these, those that left since it goes on.",
}

impl Figure {
    /// Of stanzas from clients.
    pub fn received(kind: Kind) -> Self {
        match kind {
            Kind::Message => Self::MessagesReceived,
            Kind::Presence => Self::PresenceReceived,
            Kind::Iq => Self::IqReceived,
        }
    }

    /// Of a stanza to a client, as it goes onto the wire.
    pub fn sent(stanza: &[u8]) -> Self {
        match stanza.get(1) {
            Some(b'm') => Self::MessagesSent,
            Some(b'p') => Self::PresenceSent,
            _ => Self::IqSent,
        }
    }

    /// Of the store's verdict on a write set.
    pub(crate) fn of_verdict(result: &Result<(), CommitError>) -> Self {
        match result {
            Ok(()) => Self::Committed,
            Err(CommitError::Fenced) => Self::Fenced,
            Err(CommitError::Conflict) => Self::Conflicting,
            Err(CommitError::Store(_)) => Self::Failed,
        }
    }
}

/// The counts of one arbiter, on lines of memory that are its own.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Figures([AtomicU64; COUNT]);

impl Figures {
    pub(crate) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; COUNT])
    }

    pub(crate) fn add(&self, figure: Figure, count: u64) {
        if let Some(place) = self.0.get(figure as usize) {
            place.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self, figure: Figure) -> u64 {
        self.0.get(figure as usize).map_or(0, |place| place.load(Ordering::Relaxed))
    }
}
