//! Whether a client is there (XEP-0198 4, XEP-0199 4.1).

use super::pump::uptime;
use super::{Session, token};
use std::time::Duration;
use stentor_stream::Deadline;
use stentor_xmpp::StreamCondition;

/// When a client was heard, and when it was asked for being silent. What is read sets no timer: one that runs out early
/// is set for the rest. All times are those of one clock.
#[derive(Debug)]
pub(super) struct Silence {
    heard: Duration,
    asked: Option<Duration>,
}

/// What is to be done about a client when its timer runs out.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing, until the timer runs out again after so long.
    Wait(Duration),
    /// It is to be asked, and has the time of an answer.
    Ask,
    /// It was asked, and is silent.
    Gone,
    /// It was asked, and is in the middle of an element again, or still.
    Stalled,
}

impl Silence {
    /// Of a client that is there now.
    pub(super) fn new(now: Duration) -> Self {
        Self { heard: now, asked: None }
    }

    /// Something was read.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    /// The timer ran out: a client that was silent for `idle` is asked, as is one that has begun an element.
    fn check(&mut self, now: Duration, idle: Duration, is_within_element: bool) -> Verdict {
        if let Some(asked) = self.asked {
            if is_within_element {
                return Verdict::Stalled;
            }
            if self.heard <= asked {
                return Verdict::Gone;
            }
            self.asked = None;
        }
        let rest = idle.saturating_sub(now.saturating_sub(self.heard));
        if is_within_element || rest.is_zero() {
            self.asked = Some(now);
            return Verdict::Ask;
        }
        Verdict::Wait(rest)
    }
}

impl Session {
    /// A client that was silent is asked; one that was asked and stays silent is gone.
    pub(super) fn check_idle(&mut self, deadline: Option<Deadline>) {
        let is_within_element = deadline == Some(Deadline::Element);
        let wait = match self.silence.check(uptime(), self.limits.idle, is_within_element) {
            Verdict::Wait(rest) => rest,
            Verdict::Ask => {
                self.ask_whether_there();
                self.limits.answer
            }
            Verdict::Gone => {
                tracing::debug!(address = %self.address, "a silent client is given up");
                return self.lose();
            }
            Verdict::Stalled => return self.fail(StreamCondition::PolicyViolation),
        };
        self.after(wait, token::IDLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(7);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_client_is_asked_once_it_was_silent_for_so_long() {
        let mut silence = Silence::new(at(0));
        silence.heard(at(5));
        // The timer that was set at the beginning.
        assert_eq!(silence.check(at(7), IDLE, false), Verdict::Wait(at(5)));
        assert_eq!(silence.check(at(12), IDLE, false), Verdict::Ask);
        silence.heard(at(13));
        assert_eq!(silence.check(at(15), IDLE, false), Verdict::Wait(at(5)), "it answered");
        assert_eq!(silence.check(at(20), IDLE, false), Verdict::Ask);
        assert_eq!(silence.check(at(23), IDLE, false), Verdict::Gone);
    }

    #[test]
    fn an_answer_counts_however_late_the_timer_is() {
        let mut silence = Silence::new(at(0));
        assert_eq!(silence.check(at(7), IDLE, false), Verdict::Ask);
        silence.heard(at(7) + Duration::from_nanos(1));
        assert_eq!(silence.check(at(60), IDLE, false), Verdict::Ask, "it was silent again since then");
        assert_eq!(silence.check(at(61), IDLE, false), Verdict::Gone);
    }

    #[test]
    fn an_element_that_does_not_end_is_no_life() {
        let mut silence = Silence::new(at(0));
        silence.heard(at(7));
        assert_eq!(silence.check(at(7), IDLE, true), Verdict::Ask);
        silence.heard(at(8));
        assert_eq!(silence.check(at(9), IDLE, true), Verdict::Stalled);
    }
}
