//! Attachments: sessions that bind a resource, resume a stream, acknowledge, go.

use super::collection::STREAMS;
use super::load::{Over, put_stream};
use super::owed::GIVEN_LATELY;
use super::resource::{Management, Pending, Resource, Source};
use super::{User, timer};
use core::net::IpAddr;
use stentor_engine::{
    Effects, FromSession, MemberId, Now, Planted, Resumed, SessionKey, StreamId, ToSession,
};
use stentor_xmpp::{Condition, Counter, StreamCondition, StreamError, Unacknowledged};

impl User {
    /// What a session asks or tells.
    pub(crate) fn session(
        &mut self,
        now: Now,
        session: SessionKey,
        event: FromSession,
        effects: &mut Effects,
    ) {
        match event {
            // It asked again, for fear that nobody would answer; the answer is on its way.
            FromSession::Bind { .. } | FromSession::Resume { .. } if self.has_session(session) => {}
            FromSession::Bind { resource, peer } => self.bind(now, session, &resource, peer, effects),
            FromSession::Resume { stream, h, peer } => self.resume(now, (session, peer), stream, h, effects),
            FromSession::Attach(attach) => self.attach(now, session, *attach, effects),
            FromSession::Inbound { attachment, first, stanzas } => {
                let Some(index) = self.attached(session, attachment, effects) else { return };
                self.inbound(now, index, first, stanzas, effects);
            }
            FromSession::Passed { attachment, number, answer } => {
                let Some(index) = self.attached(session, attachment, effects) else { return };
                self.passed(index, number, answer.as_ref(), effects);
            }
            FromSession::EnableManagement { attachment, stream, resume, max } => {
                let Some(index) = self.attached(session, attachment, effects) else { return };
                self.enable_management(index, stream, resume, max, effects);
            }
            FromSession::Request { attachment } => {
                let Some(index) = self.attached(session, attachment, effects) else { return };
                self.answer(now, index, effects);
            }
            FromSession::Acknowledged { attachment, h } => {
                let Some(index) = self.attached(session, attachment, effects) else { return };
                self.acknowledged(index, h, effects);
            }
            FromSession::Flushed { attachment, outbound } => {
                let Some(index) = self.attached(session, attachment, effects) else { return };
                if let Some(resource) = self.resources.get_mut(index) {
                    resource.flushed(outbound);
                }
                self.read_on(index, effects);
            }
            FromSession::Gone => self.detached(now, session, true, effects),
            // Whatever its number: the session may have attached again and not know it yet.
            FromSession::Detached { resumable, .. } => self.detached(now, session, resumable, effects),
        }
    }

    /// The session as well: a number may be given twice if the user is loaded twice in one millisecond.
    fn attached(&mut self, session: SessionKey, attachment: u64, effects: &mut Effects) -> Option<usize> {
        let is_it = |r: &Resource| r.attachment == attachment && r.session == Some(session);
        let index = self.resources.iter().position(is_it);
        if index.is_none() {
            self.met_stranger(session, attachment, effects);
        }
        index
    }

    fn has_session(&self, session: SessionKey) -> bool {
        self.resources.iter().any(|resource| resource.session == Some(session))
    }

    pub(crate) fn next_attachment(&mut self) -> u64 {
        self.attachments += 1;
        self.attachments
    }

    /// RFC 6120 7. A resource in use is taken over by the newer session (7.7.2.2, first choice): it is most often
    /// the same client, back before its old connection was missed.
    fn bind(
        &mut self,
        now: Now,
        session: SessionKey,
        name: &str,
        peer: Option<IpAddr>,
        effects: &mut Effects,
    ) {
        let refuse = |condition: Condition, effects: &mut Effects| {
            effects.session(session, ToSession::BindRefused(condition.into()));
        };
        if self.account.is_none() {
            return refuse(Condition::NotAllowed, effects);
        }
        let Ok(jid) = self.jid.with_resource(name) else {
            return refuse(Condition::BadRequest, effects);
        };
        if let Some(index) = self.resources.iter().position(|r| r.jid == jid) {
            let by = self.next_attachment();
            self.note_superseded(now, index, by, effects);
            self.end_resource(now, index, Some(StreamCondition::Conflict.into()), effects);
        }
        if self.resources.len() >= self.hosts.limits.resources_max {
            return refuse(Condition::ResourceConstraint, effects);
        }
        self.ended.retain(|ended| *ended != jid);
        let attachment = self.next_attachment();
        let mut resource = Resource::new(jid.clone(), Some(session), attachment, now.unix);
        resource.peer = peer;
        resource.reached = self.tail;
        // Most users have one or two: no room for four, of which each would take 200 bytes.
        self.resources.reserve_exact(1);
        self.resources.push(resource);
        effects.session(session, ToSession::Bound { attachment, jid });
    }

    /// XEP-0198 5: the stream goes on with another session.
    fn resume(
        &mut self,
        now: Now,
        (session, peer): (SessionKey, Option<IpAddr>),
        stream: StreamId,
        h: Counter,
        effects: &mut Effects,
    ) {
        let found = self.resources.iter().position(|resource| {
            resource.management.as_ref().is_some_and(|m| m.stream == stream && m.is_resumable)
        });
        let Some(index) = found else {
            let handled = self.close_stream(now, stream, effects);
            return effects.session(session, ToSession::ResumeFailed { handled });
        };
        let attachment = self.next_attachment();
        let Some(resource) = self.resources.get_mut(index) else { return };
        let Ok(settled) = resource.acknowledged(h) else {
            let handled = resource.counter().map(|(_, handled)| Counter(handled as u32));
            return effects.session(session, ToSession::ResumeFailed { handled });
        };
        if let Some(old) = resource.session {
            effects.session(old, ToSession::End(StreamCondition::Conflict.into()));
        }
        resource.attach(session, attachment);
        resource.peer = peer;
        self.settle_sources(settled);
        let taken = self.taken_in_log();
        let Some(resource) = self.resources.get_mut(index) else { return };
        let Some(management) = &resource.management else { return };
        let resends = !self.hosts.planted.is_on(Planted::RESUME_WITHOUT_RESENDING);
        let resumed = Resumed {
            attachment,
            jid: resource.jid.clone(),
            snapshot: Box::new(resource.snapshot()),
            handled: resource.handled,
            acknowledged: management.queue.acknowledged(),
            again: management.queue.iter().map(Pending::copy).filter(|_| resends).collect(),
            taken,
        };
        self.note_superseded(now, index, attachment, effects);
        effects.session(session, ToSession::Resumed(resumed));
        self.read_on(index, effects);
    }

    /// Nobody has the stream any more, as its client is to hear: so many of its stanzas were handled, if that is known, and
    /// none will be. In a cluster a session that had it may attach yet, from a member that was not reached; that it is
    /// refused then is on record before the client hears of it, and sends again what was not handled.
    fn close_stream(&mut self, now: Now, stream: StreamId, effects: &mut Effects) -> Option<Counter> {
        let over = self.streams.get(&stream).copied().unwrap_or_default();
        if self.hosts.is_clustered && self.account.is_some() {
            let (by, recorded) = (self.next_attachment(), over.handled.unwrap_or(0));
            if self.host.as_ref().is_some_and(|host| host.keep) {
                put_stream(now, stream, over.handled, by, effects);
            }
            self.stream_over(stream, Over { at: now.unix, recorded, superseded_by: by, ..over }, effects);
        }
        over.handled.map(|handled| Counter(handled as u32))
    }

    fn enable_management(
        &mut self,
        index: usize,
        stream: StreamId,
        resume: bool,
        max: Option<u32>,
        effects: &mut Effects,
    ) {
        let most = self.hosts.limits.resume_seconds;
        let Some(resource) = self.resources.get_mut(index) else { return };
        let Some(session) = resource.session else { return };
        if resource.management.is_some() {
            return;
        }
        let max = max.map_or(most, |max| max.min(most));
        let is_resumable = resume && max > 0;
        resource.management = Some(Box::new(Management::new(stream, is_resumable, max, resource.handled)));
        let resumable = is_resumable.then_some(stream);
        resource.show(effects);
        effects.session(session, ToSession::ManagementEnabled { resumable, max });
    }

    /// `<r/>`: what `<a/>` says is durable first, also where the last stanzas left no entry in the log.
    fn answer(&mut self, now: Now, index: usize, effects: &mut Effects) {
        self.note_handled(now, index, effects);
        let Some(resource) = self.resources.get(index) else { return };
        let (attachment, inbound) = (resource.attachment, resource.handled);
        if let Some(session) = resource.session {
            effects.session(session, ToSession::Answer { attachment, inbound });
        }
    }

    /// Writes how many stanzas of a managed stream are handled, if the log does not say it.
    pub(crate) fn note_handled(&mut self, now: Now, index: usize, effects: &mut Effects) {
        let keeps = self.host.as_ref().is_some_and(|host| host.keep);
        let Some(resource) = self.resources.get_mut(index) else { return };
        let Some((stream, count)) = resource.counter() else { return };
        let Some(management) = &mut resource.management else { return };
        if keeps && management.durable < count {
            management.durable = count;
            self.record_handled(now, stream, count, effects);
        }
    }

    /// A stream is resumed, or its resource bound by another session. In a cluster that is on record before a client hears
    /// of it: should this member be lost, and the new session with it, then an earlier session of the stream, which was not
    /// reached with its end, must not be taken for it. What it holds is not what the client counts.
    fn note_superseded(&mut self, now: Now, index: usize, by: u64, effects: &mut Effects) {
        self.note_handled(now, index, effects);
        let keeps = self.host.as_ref().is_some_and(|host| host.keep);
        let Some(resource) = self.resources.get_mut(index).filter(|_| keeps && self.hosts.is_clustered)
        else {
            return;
        };
        let counted = resource.counter();
        if let (Some((stream, count)), Some(management)) = (counted, &mut resource.management) {
            management.superseded_by = by;
            management.recorded = management.recorded.max(count);
            put_stream(now, stream, Some(management.recorded), by, effects);
        }
    }

    /// The client has handled all up to `h` (XEP-0198 4).
    fn acknowledged(&mut self, index: usize, h: Counter, effects: &mut Effects) {
        let Some(resource) = self.resources.get_mut(index) else { return };
        match resource.acknowledged(h) {
            Ok(settled) => {
                self.settle_sources(settled);
                self.read_on(index, effects);
            }
            Err(error) => {
                // The session checks the count before; this is for what it could not know.
                if let Some(session) = resource.session.take() {
                    effects.session(session, ToSession::End(error.into()));
                    effects.timer(0, timer::expiry(resource.attachment));
                }
            }
        }
    }

    fn settle_sources(&mut self, settled: Vec<Source>) {
        for source in settled {
            source.taken();
            if let Source::Log(id) = source {
                self.taken(id);
            }
        }
    }

    /// The connection is lost, or the stream was closed.
    pub(crate) fn detached(&mut self, now: Now, session: SessionKey, resumable: bool, effects: &mut Effects) {
        self.strangers.retain(|stranger| *stranger != session);
        let index = self.resources.iter().position(|resource| resource.session == Some(session));
        let Some(index) = index else { return };
        let Some(resource) = self.resources.get_mut(index) else { return };
        let attachment = resource.attachment;
        match &mut resource.management {
            Some(management) if resumable && management.is_resumable => {
                resource.session = None;
                effects.timer(u64::from(management.max) * 1_000, timer::expiry(attachment));
            }
            _ => self.end_resource(now, index, None, effects),
        }
    }

    /// The sessions of a member are gone with it. If it gave the slot away just before it was lost, not all of what it said
    /// then has arrived.
    pub(crate) fn member_gone(&mut self, now: Now, member: MemberId, gave: bool, effects: &mut Effects) {
        self.strangers.retain(|stranger| stranger.member != member);
        let sessions = self.resources.iter().filter_map(|resource| resource.session);
        let gone: Vec<SessionKey> = sessions.filter(|session| session.member == member).collect();
        for session in gone {
            self.detached(now, session, true, effects);
        }
        let is_recent = |at: &mut u64| gave && now.monotonic < at.saturating_add(GIVEN_LATELY);
        if self.given_at.take_if(is_recent).is_some() {
            self.exchange_later(effects);
        }
    }

    /// A stream that was lost was not resumed in time.
    pub(crate) fn expired(&mut self, now: Now, attachment: u64, effects: &mut Effects) {
        let index = self.resources.iter().position(|r| r.attachment == attachment && r.session.is_none());
        if let Some(index) = index {
            self.end_resource(now, index, None, effects);
        }
    }

    /// Ends the stream of a resource whose client lets too much pile up that only memory has. What the log has waits
    /// there, and is no reason.
    pub(crate) fn check_queue(&mut self, index: usize, effects: &mut Effects) {
        let limits = &self.hosts.limits;
        let Some(resource) = self.resources.get_mut(index) else { return };
        let Some(management) = &mut resource.management else { return };
        let is_over = |stanzas, bytes| {
            stanzas > limits.unacknowledged_stanzas_max || bytes > limits.unacknowledged_bytes_max
        };
        let of_memory = || {
            let others = management.queue.iter().filter(|pending| !matches!(pending.source, Source::Log(_)));
            others.fold((0, 0), |(count, bytes), pending| (count + 1, bytes + pending.bytes.len()))
        };
        let is_full = is_over(management.queue.len(), management.queue.bytes()) && {
            let (stanzas, bytes) = of_memory();
            is_over(stanzas, bytes)
        };
        if is_full && !std::mem::replace(&mut management.is_overfull, true) {
            management.is_resumable = false;
            if let Some(session) = resource.session.take() {
                let text = "too many stanzas wait for your acknowledgement";
                let error = StreamError::new(StreamCondition::ResourceConstraint).with_text(text);
                effects.session(session, ToSession::End(error));
            }
            // As if its time were over; others are being sent to just now.
            effects.timer(0, timer::expiry(resource.attachment));
        }
    }

    /// The resource is no more: presence goes out, what its client did not take is given back.
    pub(crate) fn end_resource(
        &mut self,
        now: Now,
        index: usize,
        error: Option<StreamError>,
        effects: &mut Effects,
    ) {
        self.note_handled(now, index, effects);
        self.becomes_unavailable(now, index, None, effects);
        let resource = self.resources.swap_remove(index);
        if let (Some(session), Some(error)) = (resource.session, error) {
            effects.session(session, ToSession::End(error));
        }
        let over = resource.counter();
        if let Some(management) = resource.management {
            let (recorded, superseded_by) = (management.recorded, management.superseded_by);
            match over {
                Some((stream, count)) if management.is_named => {
                    let over = Over { handled: Some(count), at: now.unix, recorded, superseded_by };
                    self.stream_over(stream, over, effects);
                }
                // Nobody can ask for it.
                Some((stream, _)) if recorded > 0 => effects.delete(STREAMS, stream.to_string()),
                _ => {}
            }
            self.give_back(now, management.queue, effects);
        }
        self.settle_taken();
        self.offer_waiting(effects);
    }

    /// What a client that is gone did not acknowledge.
    fn give_back(&mut self, now: Now, queue: Unacknowledged<Pending>, effects: &mut Effects) {
        if self.hosts.planted.is_on(Planted::FORGET_ON_DISCONNECT) {
            return self.settle_sources(queue.into_iter().map(|pending| pending.source).collect());
        }
        for pending in queue {
            match pending.source {
                Source::Log(id) => self.given_back(id),
                Source::Memory(is_taken) if Source::is_last(&is_taken) => {
                    self.store_returned(now, &pending.bytes, effects);
                }
                Source::Memory(_) | Source::Passing => {}
            }
        }
    }
}
