//! What a member holds at most for the cluster's sake.

/// Events that wait, on one arbiter, for slots that are coming or going: some seconds of a busy arbiter's. Beyond, each
/// gets its stated answer: forwards stay in their outbox, sessions are cut and resume.
pub const HELD_EVENTS_MAX: usize = 65_536;
