//! What things are named by: entities, sessions, members, slots.

use stentor_xmpp::BareJid;

/// The name of an entity: the unit of placement, and the owner of records and of a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A user, by bare JID; also an account that does not exist, which answers for itself.
    User(BareJid),
}

impl Key {
    /// The slot that the key hashes to.
    pub fn slot(&self) -> Slot {
        let (kind, text) = self.parts();
        Slot::of(kind, text)
    }

    /// The kind's letter and the address: what the store keys owners by.
    pub fn parts(&self) -> (u8, &str) {
        match self {
            Self::User(jid) => (b'u', jid.as_str()),
        }
    }

    /// The bare JID that it stands for.
    pub fn jid(&self) -> &BareJid {
        match self {
            Self::User(jid) => jid,
        }
    }
}

/// One of 4,096 portions of all keys; each has one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u16);

impl Slot {
    /// How many there are.
    pub const COUNT: u16 = 4_096;

    /// That of a key by its [`Key::parts`]. FNV-1a over them, since every member must compute the same for ever.
    pub fn of(kind: u8, text: &str) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in [kind].iter().chain(text.as_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self((hash >> 32) as u16 % Self::COUNT)
    }

    /// The slot of a number, if there is one.
    pub fn new(number: u16) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// All of them, ascending.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Its number, below [`Slot::COUNT`].
    pub fn number(self) -> u16 {
        self.0
    }
}

/// Which owner of a slot this is, counted from 1; an older one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// A member of the cluster, in one incarnation: who comes back after it was fenced has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct MemberId(pub u64);

/// A session: the member that accepted it, its arbiter for life, and a serial never used twice by that member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// Who accepted it.
    pub member: MemberId,
    /// Which of the member's arbiters it lives on.
    pub arbiter: u16,
    /// Distinguishes it from all others of this incarnation.
    pub serial: u64,
}
