//! The counts of stream management (XEP-0198 4), modulo 2^32.

/// Stanzas counted since `<enabled/>`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    sent: u32,
    acknowledged: u32,
    received: u32,
    /// Stanzas sent since the last `<r/>`.
    unasked: u32,
}

impl Counters {
    pub(crate) fn note_sent(&mut self) {
        self.sent = self.sent.wrapping_add(1);
        self.unasked += 1;
    }

    /// Whether an `<r/>` is due after so many stanzas; it then counts as sent.
    pub(crate) fn is_ack_due(&mut self, stanzas: u32) -> bool {
        let is_due = self.unasked >= stanzas;
        if is_due {
            self.unasked = 0;
        }
        is_due
    }

    /// Takes the `h` of the server's `<a/>`.
    pub(crate) fn note_acknowledged(&mut self, h: u32) {
        self.acknowledged = h;
    }

    /// Whether `h` is none of less than was acknowledged before, nor of more than was sent.
    pub(crate) fn can_be_acknowledged(&self, h: u32) -> bool {
        h.wrapping_sub(self.acknowledged) <= self.unacknowledged()
    }

    /// Sent, and not acknowledged.
    pub(crate) fn unacknowledged(&self) -> u32 {
        self.sent.wrapping_sub(self.acknowledged)
    }

    pub(crate) fn note_received(&mut self) {
        self.received = self.received.wrapping_add(1);
    }

    /// The `h` of the client's own `<a/>`.
    pub(crate) fn received(&self) -> u32 {
        self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_are_asked_for_in_turn() {
        for (every, expected) in [(3, [false, false, true, false]), (1, [true; 4])] {
            let mut counters = Counters::default();
            let found = [(); 4].map(|()| {
                counters.note_sent();
                counters.is_ack_due(every)
            });
            assert_eq!(found, expected, "every {every}");
        }
    }

    #[test]
    fn counts_wrap() {
        let mut counters =
            Counters { sent: u32::MAX, acknowledged: u32::MAX, received: u32::MAX, unasked: 0 };
        assert_eq!(counters.unacknowledged(), 0);
        counters.note_sent();
        counters.note_received();
        assert_eq!((counters.unacknowledged(), counters.received()), (1, 0));
        counters.note_acknowledged(0);
        assert_eq!(counters.unacknowledged(), 0);
    }
}
