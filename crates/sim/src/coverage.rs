//! What runs have come across: a checker that nothing was shown proves nothing.

use std::fmt;

/// In which runs something is to come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// In all.
    Any,
    /// In those of one member with a disk of its own.
    One,
    /// In those of several members that share a store.
    Several,
}

macro_rules! coverage {
    ($($name:ident: $of:ident $what:literal,)*) => {
        /// How often each thing worth checking came about.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Coverage {
            $(#[doc = $what] pub $name: u64,)*
        }

        impl Coverage {
            /// Adds the counts of another run.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// In which runs, names and counts.
            pub fn counts(&self) -> Vec<(Of, &'static str, u64)> {
                vec![$((Of::$of, $what, self.$name),)*]
            }
        }
    };
}

coverage! {
    steps: Any "steps",
    members: Any "members",
    users: Any "users",
    said: Any "stanzas and questions of clients",
    messages: Any "messages sent",
    acknowledged: Any "messages acknowledged",
    delivered: Any "deliveries",
    delayed: Any "deliveries from the log",
    given_back: Any "deliveries again after a stream that was lost",
    errors: Any "errors to senders",
    crashes: One "crashes",
    failed_commits: One "commits that failed for good",
    refused_commits: Any "commits refused",
    lost_batches: One "unsynced batches lost",
    kept_batches: One "unsynced batches that survived a crash",
    resumes: Any "streams resumed",
    failed_resumes: Any "streams not resumed, with a count",
    unknown_resumes: Any "streams not resumed, without a count",
    resent: Any "messages that a client sent again",
    repeats: Any "forwards repeated",
    dedupe_hits: Any "forwards recognised",
    gaps: Any "forwards after a gap",
    refused_forwards: Any "forwards refused at a gate",
    passivated: Any "entities unloaded",
    loaded: Any "entities loaded",
    attached: Any "sessions attached again",
    replaced: Any "sessions replaced by newer ones",
    silences: Any "clients that fell silent",
    requests: Any "acknowledgements asked for",
    subscriptions: Any "changes of subscriptions",
    told_gone: Any "clients told that somebody is gone",
    told_early: Any "of these before the other's client knew",
    told_apart: Several "of these of whom members had been apart",
    told_again: Several "clients told again that somebody is gone",
    refused_events: Several "events refused for want of room",
    faults: Several "faults that began",
    overlapping: Several "faults that overlapped with another",
    kills: Any "members killed",
    pauses: Several "members that stood still",
    cuts: Several "links cut",
    partitions: Several "pairs of members, or a member and the store, apart",
    outages: Several "times the store was away or slow",
    drains: Several "members that were to leave by plan",
    drains_amid: Several "of these while something was wrong",
    left: Several "members that left by plan",
    faults_amid: Several "faults that began while one was about to leave",
    restarts: Any "processes started anew",
    taken_over: Several "members taken out",
    moved: Several "slots that changed their owner",
    streams_moved: Several "streams that moved while they waited to be resumed",
    streams_cut: Several "streams whose connection was lost while they moved",
    fenced: Several "writes fenced",
    unknown_batches: Several "batches whose answer was lost",
    held: Several "events held for slots that move",
    stalled: Several "effects held while the lease was over",
    stale: Several "things that an owner of before said, dropped",
    returned: Several "events given back by who does not own their slot",
    unreachable: Several "sessions lost for their user's member was not reached",
    overtaken: Several "presence that came back and is said anew",
    rerouted: Several "events routed again that a member which is gone did not take",
    full: Several "events for which a link had no room",
    without_credit: Several "times a link was without credit",
    links_lost: Several "connections between members lost",
    replaced_connections: Several "connections between members replaced by newer ones",
    datagrams: Several "datagrams of gossip sent",
    datagrams_lost: Several "datagrams lost, of members that reach each other",
    gossip_refused: Several "datagrams and views that gossip refused",
    views: Several "views of who is alive, told over links",
    deaths: Several "hints that a member may be dead, which it is",
    wrong_deaths: Several "hints that a member may be dead, which it is not",
    given_up: Several "members that gossip gave up",
    returns: Several "members heard of again that were given up or suspected",
    newer: Several "hints of a newer table",
}

impl Coverage {
    /// What never came about, and should have.
    pub fn missing(&self, members: usize) -> Vec<&'static str> {
        let other = if members == 1 { Of::Several } else { Of::One };
        let missing = self.counts().into_iter().filter(|(of, _, count)| *of != other && *count == 0);
        missing.map(|(_, name, _)| name).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, name, count) in self.counts().into_iter().filter(|(_, _, count)| *count > 0) {
            writeln!(f, "{count:>12}  {name}")?;
        }
        Ok(())
    }
}
