//! What an arbiter bears in mind while slots and members come and go, beside [`crate::Slots`]: one of each for each
//! arbiter.

use crate::limits::{RETURNED_MAX, STALLED_MAX};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stentor_engine::{Epoch, Event, FromSession, Key, MemberId, Reply, Sent, Slot, ToSession};
use stentor_xmpp::{Condition, Kind, PresenceType, StreamCondition, StreamError};

#[derive(Debug)]
struct ByVersion {
    version: u64,
    sessions: BTreeSet<u64>,
    gone: BTreeSet<MemberId>,
}

/// What an arbiter has yet to hand over to new owners, by the version of the table that made them so.
#[derive(Debug, Default)]
pub struct Attaching(Vec<ByVersion>);

impl Attaching {
    /// By this version, these sessions of the arbiter attach anew, and these members are gone; there may be none. What a
    /// member did not take before it went is given back, and may be what a session that is over by now has said.
    pub fn begin(&mut self, version: u64, sessions: BTreeSet<u64>, gone: BTreeSet<MemberId>) {
        self.0.push(ByVersion { version, sessions, gone });
    }

    /// A session has attached, or is gone.
    pub fn done(&mut self, session: u64) {
        for waited_for in &mut self.0 {
            waited_for.sessions.remove(&session);
        }
    }

    /// What this member did not take has been given back.
    pub fn gone(&mut self, member: MemberId) {
        for waited_for in &mut self.0 {
            waited_for.gone.remove(&member);
        }
    }

    /// Whether this session was told to attach, and has not done so.
    pub fn awaits(&self, session: u64) -> bool {
        self.0.iter().any(|waited_for| waited_for.sessions.contains(&session))
    }

    /// The next version by which, and by all before it, all is handed over; once each.
    pub fn take_attached(&mut self) -> Option<u64> {
        let is_over = |waited_for: &ByVersion| waited_for.sessions.is_empty() && waited_for.gone.is_empty();
        self.0.first().is_some_and(is_over).then(|| self.0.remove(0).version)
    }
}

/// By which version the sessions of each arbiter of a member have attached, as far as is known in one place. Arbiters tell
/// each other, behind what they have sent: an attachment may have to go by another arbiter of its member, which may not
/// have seen it yet, and nothing may say that all is handed over before that one has sent it on.
#[derive(Debug)]
pub struct HandOvers {
    /// Of each arbiter: the table by which it said so, and the version.
    said: Vec<(u64, u64)>,
    told: u64,
}

impl HandOvers {
    /// Nothing is known of any.
    pub fn new(arbiters: usize) -> Self {
        Self { said: vec![(0, 0); arbiters], told: 0 }
    }

    /// An arbiter whose table is this says that its sessions have attached by a version.
    pub fn said(&mut self, arbiter: u16, table: u64, version: u64) {
        if let Some(said) = self.said.get_mut(usize::from(arbiter)) {
            *said = (table.max(said.0), version.max(said.1));
        }
    }

    /// By which version all have, if that is newer than the last that was taken. What was sent by a table that is not
    /// installed here waits for it, so this waits as well.
    pub fn take(&mut self, installed: u64) -> Option<u64> {
        let all = self.said.iter().map(|(_, version)| *version).min()?;
        let is_here = self.said.iter().all(|(table, _)| *table <= installed);
        (is_here && all > self.told).then(|| {
            self.told = all;
            all
        })
    }
}

/// Something that every arbiter of a member hears: what one of them said before, it said by then to all. Each has a clone.
#[derive(Clone, Debug)]
pub struct Round(Arc<AtomicUsize>);

impl Round {
    /// So many arbiters are to hear.
    pub fn new(arbiters: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(arbiters)))
    }

    /// An arbiter has heard: whether it is the last that has. To be asked once by each.
    pub fn is_last(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

/// Slots that are to move, and how many of their entities have not ended.
#[derive(Debug, Default)]
pub struct Retiring(BTreeMap<Slot, usize>);

impl Retiring {
    /// This slot is to move, and so many of its entities are loaded.
    pub fn begin(&mut self, slot: Slot, entities: usize) {
        self.0.insert(slot, entities);
    }

    /// It has moved.
    pub fn forget(&mut self, slot: Slot) {
        self.0.remove(&slot);
    }

    /// An entity of the slot has ended.
    pub fn ended(&mut self, slot: Slot) {
        if let Some(left) = self.0.get_mut(&slot) {
            *left = left.saturating_sub(1);
        }
    }

    /// The next slot of which nothing is under way any more; once each.
    pub fn take_quiet(&mut self) -> Option<Slot> {
        let slot = self.0.iter().find(|(_, left)| **left == 0).map(|(slot, _)| *slot)?;
        self.forget(slot);
        Some(slot)
    }
}

/// What entities let go while the lease of this member is over: it waits until the lease goes on.
#[derive(Debug, Default)]
pub struct Stalled(VecDeque<(Key, Epoch, Sent)>);

impl Stalled {
    /// Whether nothing waits; else what is let go waits behind it, also while the lease holds.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether so much waits that nothing more is to be taken in.
    pub fn is_full(&self) -> bool {
        self.0.len() >= STALLED_MAX
    }

    /// Said by an entity in this epoch of its slot.
    pub fn push(&mut self, owner: Key, epoch: Epoch, sent: Sent) {
        self.0.push_back((owner, epoch, sent));
    }

    /// The next, in order, which may leave if the lease holds and the owner's slot is still in that epoch.
    pub fn pop(&mut self) -> Option<(Key, Epoch, Sent)> {
        self.0.pop_front()
    }
}

/// Events that another member gave back, by a table that is not here yet.
#[derive(Debug, Default)]
pub struct Returned(Vec<(u64, Key, Event)>);

impl Returned {
    /// Keeps one until this version is here. If so many wait already, the event comes back, for its stated answer.
    pub fn keep(&mut self, version: u64, key: Key, event: Event) -> Option<(Key, Event)> {
        if self.0.len() >= RETURNED_MAX {
            return Some((key, event));
        }
        self.0.push((version, key, event));
        None
    }

    /// A member is gone: nothing that its sessions said is heard any more.
    pub fn gone(&mut self, member: MemberId) {
        self.0.retain(|(.., event)| event.session().is_none_or(|session| session.member != member));
    }

    /// Those that this version, or an earlier one, was awaited for, in order.
    pub fn take(&mut self, version: u64) -> Vec<(Key, Event)> {
        let due = self.0.extract_if(.., |(awaited, _, _)| *awaited <= version);
        due.map(|(_, key, event)| (key, event)).collect()
    }
}

/// Whether an event that came back must not be sent again as it is: what its sender said since, by a newer table, may have
/// overtaken it. So it is with presence; it is [declined], and its sender says what is so by then. Messages name the one
/// before them, and the rest stands in no order.
pub fn is_overtaken(event: &Event) -> bool {
    use PresenceType::{Available, Probe, Unavailable};
    let Event::Relay(stanza) = event else { return false };
    stanza.kind() == Kind::Presence && matches!(stanza.presence_type(), Available | Unavailable | Probe)
}

/// The stated answer to an event for which there is no room, as its target would say it: nothing is lost without its
/// sender knowing.
pub fn declined(event: Event) -> Option<Sent> {
    match event {
        // The sender's outbox has it, and sends it again.
        Event::Forward(_) => None,
        Event::Session(session, FromSession::Bind { .. }) => {
            Some(Sent::Session(session, ToSession::BindRefused(Condition::ResourceConstraint.into())))
        }
        // Cut off, its client resumes and sends again what was not handled.
        Event::Session(session, _) => {
            let error = StreamError::new(StreamCondition::ResourceConstraint);
            Some(Sent::Session(session, ToSession::End(error)))
        }
        Event::Relay(stanza) => {
            let reply = stanza.error_reply(Condition::ResourceConstraint.into())?;
            let to = reply.to()?.to_bare();
            Some(Sent::Event(Key::User(to), Event::Relay(reply)))
        }
        Event::Command(ask, _) => Some(Sent::Reply(ask, Reply::Failed)),
        Event::Confirm(_)
        | Event::Rows(..)
        | Event::Derived(..)
        | Event::Timer(_)
        | Event::TakenOver(_)
        | Event::Gathered
        | Event::MemberGone { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Attaching, HandOvers, Round, is_overtaken};
    use std::collections::BTreeSet;
    use stentor_engine::{Event, MemberId};
    use stentor_xmpp::Stanza;

    #[test]
    fn presence_that_came_back_may_be_older_than_what_went_since() {
        let check = |xml: &str, expected: bool| {
            let event = Event::Relay(Stanza::parse(xml).expect("a stanza"));
            assert_eq!(is_overtaken(&event), expected, "{xml}");
        };
        check("<presence/>", true);
        check("<presence type='unavailable'/>", true);
        check("<presence type='probe'/>", true);
        // Its sender would hear nothing of it.
        check("<presence type='error'/>", false);
        check("<presence type='subscribe'/>", false);
        check("<message/>", false);
    }

    #[test]
    fn an_arbiter_has_handed_over_once_its_sessions_have_attached_and_what_was_given_back_is_on_its_way() {
        let member = MemberId(7);
        let mut attaching = Attaching::default();
        attaching.begin(5, BTreeSet::from([1, 2]), BTreeSet::from([member]));
        attaching.begin(6, BTreeSet::from([2]), BTreeSet::new());
        attaching.done(2);
        attaching.done(1);
        assert_eq!(
            attaching.take_attached(),
            None,
            "a session that is over has said something to the member"
        );
        attaching.gone(member);
        assert_eq!([(); 3].map(|()| attaching.take_attached()), [Some(5), Some(6), None]);
    }

    #[test]
    fn a_round_is_over_once_the_last_has_heard() {
        let round = Round::new(3);
        let heard = [round.clone(), round.clone(), round].map(|round| round.is_last());
        assert_eq!(heard, [false, false, true]);
    }

    #[test]
    fn all_is_handed_over_once_every_arbiter_has_said_so_and_what_it_sent_is_not_held() {
        let mut heard = HandOvers::new(2);
        heard.said(0, 5, 5);
        assert_eq!(heard.take(5), None, "the other has not");
        heard.said(1, 6, 5);
        assert_eq!(heard.take(5), None, "what it sent waits for the table by which it was sent");
        assert_eq!(heard.take(6), Some(5));
        assert_eq!(heard.take(6), None, "once");
        heard.said(0, 7, 7);
        heard.said(1, 7, 6);
        assert_eq!(heard.take(7), Some(6));
    }
}
