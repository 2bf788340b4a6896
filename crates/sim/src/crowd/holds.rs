//! What a member holds, in parts that can be weighed: each frees, when it is dropped, what it took.

use std::any::Any;

/// Something that a member holds, to be dropped and nothing else.
#[derive(Debug, Default)]
pub struct Held(Vec<Box<dyn Any>>);

impl Held {
    pub(crate) fn add(&mut self, what: impl Any) {
        self.0.push(Box::new(what));
    }
}

/// All that one member holds.
#[derive(Debug, Default)]
pub struct Holds {
    /// Users that live here.
    pub users: usize,
    /// Connections that end here.
    pub sessions: usize,
    /// Those of them whose users live elsewhere.
    pub sessions_of_others: usize,
    /// For the users.
    pub for_users: Held,
    /// For the sessions.
    pub for_sessions: Held,
    /// Everything else in the process: slots, the table, links, the steward, gossip, what waits for something, the lane.
    /// Where users are that live elsewhere it knows by nothing but this.
    pub beside: Held,
}
