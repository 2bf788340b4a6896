//! Sessions that survive the loss of their user: each attaches to the user that is loaded in its place, which knows
//! nothing but what the store has, and hands over what it holds.
//!
//! Until all that are expected have attached, or have been waited for long enough, everything else waits: what is
//! decided by who is there must not be decided before that is known. Where another member owned the user, nobody knows
//! who is to be expected: it waits until the slot is gathered.

use super::load::epoch_of;
use super::resource::{Management, Pending, Reading, Resource, Source};
use super::{User, timer, xep_0334_hints};
use std::collections::VecDeque;
use std::sync::Arc;
use stentor_engine::limits::{ATTACH_TIME_MAX, ENTITY_EVENTS_MAX};
use stentor_engine::{
    Attach, Effects, Event, Expected, FromSession, LogId, Now, OutboundCopy, SessionKey, TakenOver,
    ToSession, Unconfirmed,
};
use stentor_xmpp::{Counter, Kind, Stanza, StreamCondition, StreamError, Unacknowledged};

/// Sessions that were told to attach and have not; a session that is forgotten is told again when it speaks again.
const STRANGERS_MAX: usize = 32;

/// What has come since the user was loaded in another's place.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// Others may come than those that are expected.
    pub(super) is_open: bool,
    /// Not here yet.
    pub(super) expected: Vec<Expected>,
    /// Until when they are waited for, by the monotonic clock.
    until: u64,
    /// They will not come.
    pub(super) gone: Vec<Expected>,
    /// What those that came had under way.
    replays: Vec<(u64, Replay)>,
    /// Events that wait, in order.
    pub(super) deferred: VecDeque<Event>,
}

/// Inbound stanzas that a session hands over.
#[derive(Debug)]
struct Replay {
    /// The number of the first.
    first: u64,
    copies: Vec<Unconfirmed>,
}

impl Gathering {
    /// What it has not dealt with.
    pub(crate) fn deferred(self) -> VecDeque<Event> {
        self.deferred
    }
}

impl User {
    /// Gives back the event if it is to be handled now.
    pub(crate) fn gather(&mut self, now: Now, event: Event, effects: &mut Effects) -> Option<Event> {
        if let Event::TakenOver(lost) = event {
            self.begin_gathering(now, lost, effects);
            return None;
        }
        let Some(gathering) = &mut self.gathering else { return Some(event) };
        match event {
            Event::Gathered => gathering.is_open = false,
            Event::Timer(_) | Event::Rows(..) | Event::Derived(..) => return Some(event),
            Event::Session(session, FromSession::Attach(attach)) => {
                gathering.expected.retain(|expected| expected.session != Some(session));
                if let Some(replay) = self.restore(now, session, *attach, effects)
                    && let Some(gathering) = &mut self.gathering
                {
                    gathering.replays.push(replay);
                }
            }
            // What can be refused is, beyond as many as a gate lets in.
            _ if event.is_gated() && gathering.deferred.len() >= ENTITY_EVENTS_MAX as usize => {
                self.decline(event, effects);
            }
            _ => {
                let gone = gathering.expected.extract_if(.., |expected| is_last_of(expected, &event));
                gathering.gone.extend(gone);
                gathering.deferred.push_back(event);
            }
        }
        self.gathered_if_all(now, effects);
        None
    }

    fn begin_gathering(&mut self, now: Now, lost: TakenOver, effects: &mut Effects) {
        self.attachments = self.attachments.max(lost.attachments);
        self.given_at = lost.is_given.then_some(now.monotonic);
        if !lost.gathers && lost.resources.is_empty() {
            return;
        }
        if !lost.resources.is_empty() {
            effects.timer(ATTACH_TIME_MAX, timer::GATHERED);
        }
        let (expected, gone) = lost.resources.into_iter().partition(|expected| expected.session.is_some());
        let (is_open, until) = (lost.gathers, now.monotonic.saturating_add(ATTACH_TIME_MAX));
        self.gathering = Some(Box::new(Gathering { is_open, expected, until, gone, ..Gathering::default() }));
        self.gathered_if_all(now, effects);
    }

    /// Those that were expected and are not here do not come.
    pub(crate) fn stop_expecting(&mut self, now: Now, effects: &mut Effects) {
        if let Some(gathering) = &mut self.gathering {
            if let left @ 1.. = gathering.until.saturating_sub(now.monotonic) {
                // The timer is of a user that was lost in its turn, and in whose place this one is.
                return effects.timer(left, timer::GATHERED);
            }
            gathering.gone.append(&mut gathering.expected);
        }
        self.gathered_if_all(now, effects);
    }

    fn gathered_if_all(&mut self, now: Now, effects: &mut Effects) {
        let is_over = |gathering: &Gathering| gathering.expected.is_empty() && !gathering.is_open;
        if self.gathering.as_deref().is_some_and(is_over) {
            self.gathered(now, effects);
        }
    }

    /// All have come that will.
    fn gathered(&mut self, now: Now, effects: &mut Effects) {
        let Some(gathering) = self.gathering.take() else { return };
        for lost in gathering.gone {
            self.never_came(now, lost, effects);
        }
        for (attachment, replay) in gathering.replays {
            self.replay(now, attachment, replay, effects);
        }
        self.take_back_lost(now, effects);
        let before = epoch_of(self.attachments).saturating_sub(1);
        // One that was not attached to the owner before, since its member was not reached, has missed what that heard.
        let is_of_before = |resource: &Resource| epoch_of(resource.origin) >= before;
        self.given_at = self.given_at.filter(|_| self.resources.iter().all(is_of_before));
        for index in 0..self.resources.len() {
            self.record_online(now, index, false, effects);
            self.read_on(index, effects);
        }
        self.exchange_soon(effects);
        for event in gathering.deferred {
            self.take(now, event, effects);
        }
        self.settle_taken();
    }

    /// A session speaks as if it were attached, and is not. If it is not known at all, it attached to nobody: its
    /// event crossed the move of the slot, or this user was loaded afresh since. It is told once.
    pub(crate) fn met_stranger(&mut self, session: SessionKey, attachment: u64, effects: &mut Effects) {
        if self.resources.iter().any(|resource| resource.session == Some(session)) {
            // It attached again, and did not know yet when it said this.
            return;
        }
        if self.resources.iter().any(|resource| resource.attachment == attachment) {
            // It was given up, since something for it was lost on the way: its client is better off to resume.
            let error = StreamError::new(StreamCondition::ConnectionTimeout);
            return effects.session(session, ToSession::End(error));
        }
        if !self.strangers.contains(&session) {
            if self.strangers.len() >= STRANGERS_MAX {
                self.strangers.remove(0);
            }
            self.strangers.push(session);
            effects.session(session, ToSession::Reattach);
        }
    }

    /// A session attaches that was not expected, or not any more.
    pub(crate) fn attach(&mut self, now: Now, session: SessionKey, attach: Attach, effects: &mut Effects) {
        let Some((attachment, replay)) = self.restore(now, session, attach, effects) else { return };
        self.replay(now, attachment, replay, effects);
        let index = self.resources.iter().position(|resource| resource.attachment == attachment);
        let Some((index, resource)) = index.and_then(|index| Some((index, self.resources.get(index)?)))
        else {
            return;
        };
        if let Some(stanza) = resource.presence.as_ref().map(|presence| presence.stanza.clone()) {
            // Contacts may have been told that it is gone.
            self.broadcast(&stanza, effects);
            // Of those that went before it came nobody has told it.
            let own = self.jid.to_jid();
            for mut gone in self.ended().collect::<Vec<_>>() {
                gone.set_to(Some(own.clone()));
                self.reply(index, &gone, effects);
            }
        }
        self.record_online(now, index, false, effects);
        // What contacts said since it was to attach did not reach it.
        self.given_at = None;
        self.exchange_soon(effects);
        self.read_on(index, effects);
    }

    /// The resource is here again, as its session knows it.
    fn restore(
        &mut self,
        now: Now,
        session: SessionKey,
        attach: Attach,
        effects: &mut Effects,
    ) -> Option<(u64, Replay)> {
        let mut refuse = |condition: StreamCondition| {
            effects.session(session, ToSession::End(condition.into()));
            None
        };
        if self.account.is_none() || attach.jid.to_bare() != self.jid {
            return refuse(StreamCondition::NotAuthorized);
        }
        let managed = attach.snapshot.management.as_ref();
        let over = managed.and_then(|managed| self.streams.get(&managed.stream));
        if over.is_some_and(|over| over.superseded_by > attach.attachment) {
            // Its client has resumed the stream elsewhere since, or bound the resource.
            return refuse(StreamCondition::Conflict);
        }
        if let Some(index) = self.resources.iter().position(|resource| resource.session == Some(session)) {
            let resource = self.resources.get(index)?;
            if resource.origin == attach.attachment && resource.attachment != attach.attachment {
                // It was told to attach twice, and has been answered: what it hands over is older than what it was
                // given since.
                return None;
            }
            self.forget_resource(index);
        }
        if let Some(index) = self.resources.iter().position(|resource| resource.jid == attach.jid) {
            let other = self.resources.get_mut(index)?;
            if other.origin > attach.attachment {
                return refuse(StreamCondition::Conflict);
            }
            if other.origin == attach.attachment {
                return self.restore_again(now, session, index, attach, effects);
            }
            if self.gathering.is_some() && attach.snapshot.presence.is_some() {
                // Contacts know the newer one by now, and hear nothing of the change.
                other.presence = None;
            }
            self.end_resource(now, index, Some(StreamCondition::Conflict.into()), effects);
        } else if self.resources.len() >= self.hosts.limits.resources_max {
            return refuse(StreamCondition::ResourceConstraint);
        }
        self.strangers.retain(|stranger| *stranger != session);
        self.ended.retain(|ended| *ended != attach.jid);
        self.attachments = self.attachments.max(attach.attachment);
        let attachment = self.next_attachment();
        let mut resource = Resource::new(attach.jid, Some(session), attachment, now.unix);
        resource.origin = attach.attachment;
        resource.peer = attach.peer;
        resource.reading = Reading::CatchingUp(None);
        resource.handled = attach.confirmed;
        let managed = attach.snapshot.management;
        resource.restore(attach.snapshot);
        resource.is_recorded = resource.is_shown() && self.online.take(resource.name());
        if let Some(managed) = managed {
            let mut management =
                Management::new(managed.stream, managed.is_resumable, managed.max, managed.unmanaged);
            if let Some(over) = self.streams.remove(&managed.stream) {
                (management.durable, management.recorded) = (over.handled.unwrap_or(0), over.recorded);
                management.superseded_by = over.superseded_by;
            }
            management.queue = self.queue(attach.acknowledged, attach.unacknowledged);
            // What the log or the record says was handled must not be handled again: `h` never goes back.
            resource.handled = resource.handled.max(managed.unmanaged + management.durable);
            resource.management = Some(Box::new(management));
        }
        effects.session(session, ToSession::Attached { attachment, inbound: resource.handled });
        self.resources.push(resource);
        attach.taken.into_iter().for_each(|entry| self.inbox.take(entry));
        Some((attachment, Replay { first: attach.confirmed + 1, copies: attach.unconfirmed }))
    }

    /// The same attachment is handed over twice: by the owner before, as a stream that waits to be resumed, and by the
    /// member of its session, which could not know that. Who knows more of it is taken at his word.
    fn restore_again(
        &mut self,
        now: Now,
        session: SessionKey,
        index: usize,
        attach: Attach,
        effects: &mut Effects,
    ) -> Option<(u64, Replay)> {
        let known = self.resources.get(index)?;
        let queue = known.management.as_deref().map(|management| &management.queue);
        let sent = queue.map_or_else(Counter::default, |queue| queue.acknowledged().plus(queue.len() as u32));
        let told = attach.acknowledged.plus(attach.unacknowledged.len() as u32);
        // Counters wrap around.
        let is_behind = sent != told && told.since(sent) < u32::MAX / 2;
        if known.handled > attach.confirmed || known.handled == attach.confirmed && !is_behind {
            return None;
        }
        self.forget_resource(index);
        self.restore(now, session, attach, effects)
    }

    /// What the client of a resource has not acknowledged. An entry that is not in the log any more was settled by
    /// another client; it stays the entry that it was.
    fn queue(&mut self, acknowledged: Counter, copies: Vec<OutboundCopy>) -> Unacknowledged<Pending> {
        let mut queue = Unacknowledged::starting_at(acknowledged);
        for OutboundCopy { stanza: bytes, entry } in copies {
            let source = match entry {
                Some(entry) => {
                    self.held(entry);
                    Source::Log(entry)
                }
                None if is_kept_message(&bytes) => Source::Memory(Arc::default()),
                None => Source::Passing,
            };
            let size = bytes.len();
            queue.push(Pending { bytes, source }, size);
        }
        queue
    }

    /// A client that may still acknowledge it has it.
    fn held(&mut self, entry: LogId) {
        if let Some(waiting) = self.inbox.waiting.get_mut(&entry) {
            waiting.holders += 1;
        }
    }

    /// Handles what a session had under way. A message up to the count that is durable stands in the log, or was
    /// refused there. Of what leaves no entry that count says only that it was handled, not that anything came of it;
    /// it is handled again, which changes nothing if it did.
    fn replay(&mut self, now: Now, attachment: u64, replay: Replay, effects: &mut Effects) {
        for (number, copy) in (replay.first..).zip(replay.copies) {
            // A stanza may end a resource.
            let Some(index) = self.resources.iter().position(|r| r.attachment == attachment) else { return };
            let Some(resource) = self.resources.get_mut(index) else { return };
            let is_new = number > resource.handled;
            resource.handled = number.max(resource.handled);
            match copy {
                Unconfirmed::Passed(Some(answer)) => self.reply(index, &answer, effects),
                Unconfirmed::Passed(None) => {}
                Unconfirmed::Stanza(stanza) if is_new || stanza.kind() != Kind::Message => {
                    self.sent(now, index, stanza, effects);
                }
                Unconfirmed::Stanza(_) => {}
            }
            if self.is_held_back(attachment, number) {
                return;
            }
        }
        if let Some(index) = self.resources.iter().position(|r| r.attachment == attachment) {
            self.tell_handled(index, true, effects);
        }
    }

    /// The resource is to be made anew: what it holds is held by nobody, and nobody is told.
    fn forget_resource(&mut self, index: usize) {
        let resource = self.resources.swap_remove(index);
        if resource.is_recorded {
            self.leave_record(resource.name());
        }
        let Some(management) = resource.management else { return };
        let Management { durable, recorded, superseded_by, .. } = *management;
        let over = super::load::Over { handled: Some(durable), at: 0, recorded, superseded_by };
        self.streams.insert(management.stream, over);
        for pending in management.queue {
            if let Source::Log(id) = pending.source {
                self.given_back(id);
            }
        }
    }

    /// A session of before did not attach: its resource is gone, as contacts are to know.
    fn never_came(&mut self, now: Now, lost: Expected, effects: &mut Effects) {
        if self.account.is_none() || self.resources.iter().any(|resource| resource.jid == lost.jid) {
            return;
        }
        let mut resource = Resource::new(lost.jid, None, 0, now.unix);
        resource.restore(lost.snapshot);
        resource.is_recorded = self.online.take(resource.name());
        self.resources.push(resource);
        self.end_resource(now, self.resources.len() - 1, None, effects);
    }
}

/// Whether the event says that the session does not attach.
fn is_last_of(expected: &Expected, event: &Event) -> bool {
    use FromSession::{Bind, Detached, Gone, Resume};
    let Some(session) = expected.session else { return false };
    match event {
        Event::Session(of, Bind { .. } | Resume { .. } | Detached { .. } | Gone) => *of == session,
        Event::MemberGone { member, .. } => *member == session.member,
        _ => false,
    }
}

fn is_kept_message(bytes: &[u8]) -> bool {
    let stanza = bytes.starts_with(b"<message").then(|| std::str::from_utf8(bytes).ok()).flatten();
    stanza.and_then(|text| Stanza::parse(text).ok()).is_some_and(|stanza| xep_0334_hints::is_kept(&stanza))
}
