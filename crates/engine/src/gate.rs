//! A bound before a mailbox that has none of its own.

use std::sync::atomic::{AtomicU32, Ordering};

/// The gate is full or closed: a decision for the caller, who has the event still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// So many are under way already.
    #[error("too many events are under way")]
    Full,
    /// What is behind it is stopping: it takes nothing more, and can be had afresh.
    #[error("it is stopping")]
    Closed,
}

/// Counts what is under way to a mailbox; can be closed only when that is nothing, in one atomic change.
#[derive(Debug)]
pub struct Gate {
    state: AtomicU32,
    most: u32,
}

const CLOSED: u32 = 1 << 31;

impl Gate {
    /// Admits at most `most` at a time; the highest bit is the closed bit.
    pub const fn new(most: u32) -> Self {
        assert!(most < CLOSED, "the closed bit is not a count");
        Self { state: AtomicU32::new(0), most }
    }

    /// Lets one in.
    ///
    /// # Errors
    /// Full or closed; nothing was counted.
    pub fn enter(&self) -> Result<(), Refused> {
        let admit = |state: u32| (state < self.most).then(|| state + 1);
        match self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, admit) {
            Ok(_) => Ok(()),
            Err(state) if state & CLOSED != 0 => Err(Refused::Closed),
            Err(_) => Err(Refused::Full),
        }
    }

    /// One has been handled.
    pub fn leave(&self) {
        let before = self.state.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(before & !CLOSED > 0, "left a gate that nobody had entered");
    }

    /// Closes it if nothing is under way. True if it is closed now.
    pub fn close(&self) -> bool {
        match self.state.compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(state) => state & CLOSED != 0,
        }
    }

    /// How many are under way.
    pub fn under_way(&self) -> u32 {
        self.state.load(Ordering::Acquire) & !CLOSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_only_from_zero_and_for_good() {
        let gate = Gate::new(2);
        assert_eq!(gate.enter(), Ok(()));
        assert!(!gate.close());
        assert_eq!(gate.enter(), Ok(()));
        assert_eq!(gate.enter(), Err(Refused::Full));
        gate.leave();
        gate.leave();
        assert!(gate.close());
        assert_eq!(gate.enter(), Err(Refused::Closed));
        assert!(gate.close());
    }
}
