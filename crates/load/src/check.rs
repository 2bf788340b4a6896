//! Names each stanza sent, and tells from what arrives what was lost, doubled, or out of order.

use std::collections::BTreeSet;
use std::fmt;

/// The name of a stanza: which run sent it, which client, on which of its streams, as which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Drawn anew for each run, so that what an earlier run left in a queue is not taken for this one's.
    pub(crate) run: u32,
    pub(crate) sender: u32,
    pub(crate) stream: u32,
    /// Counts from 0 within (run, sender, stream).
    pub(crate) n: u64,
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, sender, stream, n } = self;
        write!(out, "load-{run:08x}-{sender}-{stream}-{n}")
    }
}

impl Identity {
    /// Reads what `Display` wrote; `None` for any other text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix("load-")?.split('-');
        let identity = Self {
            run: u32::from_str_radix(fields.next()?, 16).ok()?,
            sender: fields.next()?.parse().ok()?,
            stream: fields.next()?.parse().ok()?,
            n: fields.next()?.parse().ok()?,
        };
        fields.next().is_none().then_some(identity)
    }
}

/// What an arrival was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next one, or one after a gap.
    InOrder,
    /// The first time, but after a later one.
    OutOfOrder,
    /// It had arrived before.
    Doubled,
    /// It was never sent.
    NeverSent,
}

/// What arrived of one sender's stream at one receiver. It holds the gaps alone.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    next: u64,
    missing: BTreeSet<u64>,
    /// Different ones.
    received: u64,
}

impl Arrivals {
    /// Takes note of the `n`th stanza, `sent` being how many were sent so far.
    pub(crate) fn note(&mut self, n: u64, sent: u64) -> Arrival {
        let arrival = match n {
            n if n >= sent => return Arrival::NeverSent,
            n if n >= self.next => {
                self.missing.extend(self.next..n);
                self.next = n + 1;
                Arrival::InOrder
            }
            n if self.missing.remove(&n) => Arrival::OutOfOrder,
            _ => return Arrival::Doubled,
        };
        self.received += 1;
        arrival
    }

    /// Which of the `sent` did not arrive, from the first.
    pub(crate) fn missing(&self, sent: u64) -> impl Iterator<Item = u64> {
        self.missing.iter().copied().chain(self.next..sent)
    }

    /// How many of the `sent` did not arrive.
    pub(crate) fn lost(&self, sent: u64) -> u64 {
        sent.saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (arrivals, sent) -> (lost, doubled, out of order, never sent).
    fn check(arrivals: &[u64], sent: u64, expected: (u64, u64, u64, u64)) {
        let (mut stream, mut doubled, mut out_of_order, mut never_sent) = (Arrivals::default(), 0, 0, 0);
        for n in arrivals {
            match stream.note(*n, sent) {
                Arrival::InOrder => {}
                Arrival::OutOfOrder => out_of_order += 1,
                Arrival::Doubled => doubled += 1,
                Arrival::NeverSent => never_sent += 1,
            }
        }
        assert_eq!(
            (stream.lost(sent), doubled, out_of_order, never_sent),
            expected,
            "{arrivals:?} of {sent}"
        );
        assert_eq!(stream.missing(sent).count() as u64, expected.0);
    }

    #[test]
    fn planted_faults_are_counted() {
        check(&[0, 1, 2, 3], 4, (0, 0, 0, 0));
        check(&[], 0, (0, 0, 0, 0));
        check(&[], 3, (3, 0, 0, 0));
        check(&[0, 2, 3], 4, (1, 0, 0, 0));
        check(&[0, 1], 4, (2, 0, 0, 0));
        check(&[1, 2, 3], 4, (1, 0, 0, 0));
        check(&[0, 1, 1, 2, 3], 4, (0, 1, 0, 0));
        check(&[0, 1, 2, 3, 0, 0], 4, (0, 2, 0, 0));
        check(&[0, 2, 1, 3], 4, (0, 0, 1, 0));
        check(&[3, 2, 1, 0], 4, (0, 0, 3, 0));
        check(&[0, 2, 1, 1, 2, 3], 5, (1, 2, 1, 0));
        check(&[0, 4, 1_000_000_000_000], 4, (3, 0, 0, 2));
    }

    #[test]
    fn identities_round_trip() {
        let identity = Identity { run: 0xab, sender: 7, stream: 1, n: u64::MAX };
        assert_eq!(identity.to_string(), "load-000000ab-7-1-18446744073709551615");
        assert_eq!(Identity::parse(&identity.to_string()), Some(identity));
        for text in
            ["", "load-", "load-0-1-2", "load-0-1-2-3-4", "load-g-1-2-3", "x-0-1-2-3", "load-0-1-2--3"]
        {
            assert_eq!(Identity::parse(text), None, "{text}");
        }
    }
}
