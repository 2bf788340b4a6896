//! What runs have come across: a checker that nothing was shown proves nothing.

use std::fmt;

macro_rules! coverage {
    ($($name:ident: $what:literal,)*) => {
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

            /// Names and counts.
            pub fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$(($what, self.$name),)*]
            }
        }
    };
}

coverage! {
    steps: "steps",
    messages: "messages sent",
    acknowledged: "messages acknowledged",
    delivered: "deliveries",
    delayed: "deliveries from the log",
    given_back: "deliveries again after a stream that was lost",
    errors: "errors to senders",
    crashes: "crashes",
    failed_commits: "commits that failed for good",
    refused_commits: "commits refused",
    lost_batches: "unsynced batches lost",
    kept_batches: "unsynced batches that survived a crash",
    resumes: "streams resumed",
    failed_resumes: "streams not resumed, with a count",
    unknown_resumes: "streams not resumed, without a count",
    resent: "messages that a client sent again",
    repeats: "forwards repeated",
    dedupe_hits: "forwards recognised",
    gaps: "forwards after a gap",
    refused_forwards: "forwards refused at a gate",
    passivated: "entities unloaded",
    loaded: "entities loaded",
    attached: "sessions attached again",
    replaced: "sessions replaced by newer ones",
    silences: "clients that fell silent",
    requests: "acknowledgements asked for",
    subscriptions: "changes of subscriptions",
}

impl Coverage {
    /// What never came about.
    pub fn missing(&self) -> Vec<&'static str> {
        self.counts().into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.counts() {
            writeln!(f, "{count:>12}  {name}")?;
        }
        Ok(())
    }
}
