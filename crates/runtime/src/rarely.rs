//! What would be logged again and again.

use crate::limits::SAID_AGAIN;
use std::time::Instant;

/// Says something once in [`SAID_AGAIN`], with how often it was not said meanwhile.
#[derive(Debug, Default)]
pub struct Rarely {
    said: Option<Instant>,
    unsaid: u64,
}

impl Rarely {
    /// It happened: how often it did unsaid, if it is to be said now.
    pub fn happened(&mut self, now: Instant) -> Option<u64> {
        if self.said.is_some_and(|said| now.saturating_duration_since(said) < SAID_AGAIN) {
            self.unsaid += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_is_said_once_in_a_while_with_the_number_in_between() {
        let begun = Instant::now();
        let mut rarely = Rarely::default();
        let mut said = Vec::new();
        for tenths in 0..=1_250 {
            if let Some(unsaid) = rarely.happened(begun + Duration::from_millis(100 * tenths)) {
                said.push((tenths, unsaid));
            }
        }
        assert_eq!(said, [(0, 0), (600, 599), (1_200, 599)]);
    }
}
