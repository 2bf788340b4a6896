//! How a user is loaded, and what is answered while the store cannot be read.

use super::User;
use super::account::{Account, CREDENTIALS};
use super::collection::{ACCOUNT, ONLINE, ROSTER, SEEN, SENT, STATE, STREAMS};
use super::entry::{Entry, Way};
use super::inbox::{TAKEN, TAKEN_MAX};
use super::outbox::Outbox;
use super::resent::{Accepted, Mark};
use super::roster::{Item, Roster};
use super::{Inbox, timer};
use crate::Hosts;
use serde_json::Value;
use stentor_engine::{
    Effects, Epoch, Event, FromSession, Key, LogId, LogRow, Now, Query, Record, Reply, Rows, StreamId,
    ToSession,
};
use stentor_xmpp::{BareJid, Condition, StreamCondition, StreamError};

const RECORDS_MAX: u32 = 20_000;
/// Entries of the log that are counted nowhere.
const LOG_SPARE: usize = 4_096;
/// Milliseconds for which it is remembered how far a stream was handled that nobody resumed.
const STREAMS_KEPT: u64 = 24 * 3_600 * 1_000;
/// Streams of which that is remembered.
const STREAMS_MAX: usize = 256;

/// Bits of an attachment's number below those of the epoch.
const TIME_BITS: u32 = 40;
/// The last epoch that has numbers of its own.
const EPOCHS: u64 = (1 << (timer::ATTACHMENT_BITS - TIME_BITS)) - 1;

/// A stream that is over, of which its client may still ask how far it was handled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Over {
    /// So many of its stanzas, if that is known.
    pub handled: Option<u64>,
    /// When that was noted, milliseconds since 1970 UTC.
    pub at: u64,
    /// How many the record says, which outlives entries of the log.
    pub recorded: u64,
    /// The attachment that resumed it last or has its resource instead, in a cluster: sessions of before that attach have
    /// what their client has left.
    pub superseded_by: u64,
}

/// What a user asks of the store before its first event.
pub(crate) fn queries(hosts: &Hosts) -> Vec<Query> {
    let limits = &hosts.limits;
    // All that can be there: what waits, errors among it, what is under way, and what stays for others; and as much
    // again as makes up for what is settled and not yet removed, and for requests and answers of the roster.
    let waiting = limits.offline_messages_max + limits.outbox_max + limits.errors_max + TAKEN_MAX;
    let log = u32::try_from(waiting + limits.outbox_max + LOG_SPARE).unwrap_or(u32::MAX);
    let all = |collection| Query::Records { collection, after: None, limit: RECORDS_MAX };
    let mut queries = vec![
        Query::Record { collection: ACCOUNT, key: CREDENTIALS.into() },
        all(ROSTER),
        all(SEEN),
        all(SENT),
        all(STATE),
        all(STREAMS),
        Query::Tail,
        Query::LogAfter { after: LogId(0), limit: log },
    ];
    queries.extend(hosts.is_clustered.then(|| all(ONLINE)));
    queries
}

/// Puts on record how many stanzas of a stream were handled, if that is known, that this was noted now, and which
/// attachment took its place, if one did.
pub(crate) fn put_stream(
    now: Now,
    stream: StreamId,
    count: Option<u64>,
    superseded_by: u64,
    effects: &mut Effects,
) {
    let by = Some(superseded_by).filter(|by| *by > 0);
    let fields = [("v", Some(1)), ("handled", count), ("at", Some(now.unix)), ("by", by)];
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    effects.put(STREAMS, stream.to_string(), Value::Object(known.collect()).to_string());
}

/// The number after which those of attachments begin: greater than any that was given before, by whichever owner of the
/// slot, and however often the user is loaded afresh. The epoch comes first, since clocks of members differ; within one
/// the member is the same, and so is its clock. Sixteen a millisecond for two years in each of two million epochs.
fn attachments_from(epoch: Epoch, now: Now) -> u64 {
    (epoch.0.min(EPOCHS) << TIME_BITS) | now.monotonic.saturating_mul(16).min((1 << TIME_BITS) - 1)
}

/// The epoch in which an attachment got its number.
pub(crate) fn epoch_of(attachment: u64) -> u64 {
    attachment >> TIME_BITS
}

fn field(value: &[u8], name: &str) -> Option<u64> {
    let value: Value = serde_json::from_slice(value).ok()?;
    (value.get("v")? == 1).then(|| value.get(name)?.as_u64()).flatten()
}

impl User {
    /// Takes the state from the store's answers, in the order of [`queries`].
    pub(crate) fn load(&mut self, now: Now, rows: Vec<Rows>, effects: &mut Effects) {
        self.attachments = attachments_from(self.epoch, now);
        let mut rows = rows.into_iter();
        let mut next = || rows.next();
        match (next(), next(), next(), next(), next(), next(), next(), next()) {
            (
                Some(Rows::Record(account)),
                Some(Rows::Records(roster)),
                Some(Rows::Records(seen)),
                Some(Rows::Records(sent)),
                Some(Rows::Records(state)),
                Some(Rows::Records(streams)),
                Some(Rows::Tail(tail)),
                Some(Rows::Log(log)),
            ) => {
                self.account = account.map(|_| Account);
                self.tail = tail;
                self.load_roster(&roster);
                self.load_state(&state);
                for record in &seen {
                    if let Ok(jid) = BareJid::parse(&record.key) {
                        self.inbox.recover_seen(Key::User(jid), &record.value);
                    }
                }
                self.accepted.recover(&sent);
                self.load_streams(now, &streams, effects);
                match next() {
                    Some(Rows::Records(online)) => self.load_online(&online),
                    None if !self.hosts.is_clustered => {}
                    _ => return self.is_unreadable = true,
                }
                self.load_log(&log);
                if let Some(taken) = state.iter().find(|record| &*record.key == TAKEN) {
                    self.inbox.recover_taken(&taken.value);
                }
                self.repeat(now, None, effects);
            }
            _ => self.is_unreadable = true,
        }
    }

    fn load_roster(&mut self, records: &[Record]) {
        for item in records.iter().filter_map(|record| Item::parse(&record.key, &record.value)) {
            self.roster.recover(item);
        }
        self.roster.shrink();
    }

    fn load_state(&mut self, records: &[Record]) {
        for record in records {
            match &*record.key {
                "roster" => self.roster.version = field(&record.value, "version").unwrap_or(0),
                "created" => self.begin_at(field(&record.value, "at").unwrap_or(0)),
                "last" => {
                    let status = serde_json::from_slice::<Value>(&record.value).ok();
                    let status =
                        status.as_ref().and_then(|value| value.get("status")?.as_str()).unwrap_or("");
                    self.last_activity = field(&record.value, "at").map(|at| (at, status.into()));
                }
                _ => {}
            }
        }
    }

    fn load_log(&mut self, rows: &[LogRow]) {
        for row in rows {
            let Ok(entry) = Entry::parse(&row.value) else { continue };
            let mark = Mark::of(&entry.stanza).filter(|_| !matches!(entry.way, Way::In(_)));
            if let Some(mark) = mark {
                self.accepted.add(entry.at, mark);
            }
            if let Some((stream, count)) = entry.way.counted() {
                self.note_stream(stream, count, entry.at);
            }
            match (&entry.way, entry.stanza.to().map(|to| to.to_bare())) {
                (Way::In(_) | Way::Own(..), _) => self.inbox.recover(row.id, &entry, row.value.len()),
                (Way::Out(counted), Some(to)) => {
                    self.outbox.recover(row.id, Key::User(to), entry.stanza, *counted, mark);
                }
                (Way::Out(_), None) => {}
            }
        }
    }

    fn load_streams(&mut self, now: Now, records: &[Record], effects: &mut Effects) {
        for record in records {
            let field = |name| field(&record.value, name);
            match (StreamId::parse(&record.key), field("at")) {
                (Some(stream), Some(at)) if at + STREAMS_KEPT >= now.unix => {
                    let (handled, by) = (field("handled"), field("by"));
                    let (recorded, superseded_by) = (handled.unwrap_or(0), by.unwrap_or(0));
                    self.streams.insert(stream, Over { handled, at, recorded, superseded_by });
                }
                _ => effects.delete(STREAMS, record.key.clone()),
            }
        }
    }

    /// At least so many stanzas of a stream that is over were handled.
    fn note_stream(&mut self, stream: StreamId, count: u64, at: u64) {
        let over = self.streams.entry(stream).or_default();
        over.handled = over.handled.max(Some(count));
        over.at = at.max(over.at);
    }

    /// A stream is over. Of an account's many the latest are remembered.
    pub(crate) fn stream_over(&mut self, stream: StreamId, over: Over, effects: &mut Effects) {
        self.streams.insert(stream, over);
        if self.streams.len() > STREAMS_MAX
            && let Some((&oldest, _)) = self.streams.iter().min_by_key(|(_, over)| over.at)
        {
            self.streams.remove(&oldest);
            effects.delete(STREAMS, oldest.to_string());
        }
    }

    /// Everything of the account, as it is when there is none.
    pub(crate) fn forget_all(&mut self) {
        self.roster = Roster::default();
        self.outbox = Outbox::default();
        self.accepted = Accepted::default();
        self.inbox = Inbox::default();
        self.settled.clear();
        self.online.clear();
        self.streams.clear();
        self.last_activity = None;
    }

    /// The store could not be read: whoever asks is told to come again, nothing is taken, nothing is lost.
    pub(crate) fn decline(&mut self, event: Event, effects: &mut Effects) {
        match event {
            Event::Session(session, FromSession::Bind { .. }) => {
                effects.session(session, ToSession::BindRefused(Condition::InternalServerError.into()));
            }
            Event::Session(session, _) => {
                let error = StreamError::new(StreamCondition::InternalServerError);
                effects.session(session, ToSession::End(error));
            }
            // No answer: the sender's outbox keeps it and sends it again.
            Event::Forward(_) => {}
            Event::Command(ask, _) => effects.reply(ask, Reply::Failed),
            Event::Relay(stanza) => {
                if let Some(reply) = stanza.error_reply(Condition::InternalServerError.into()) {
                    self.route(reply, effects);
                }
            }
            Event::Confirm(_)
            | Event::Rows(..)
            | Event::Timer(_)
            | Event::Derived(..)
            | Event::TakenOver(_)
            | Event::Gathered
            | Event::MemberGone { .. } => {}
        }
    }

    /// A page of the log could not be read: the resource tries again when it next has reason to.
    pub(crate) fn page_failed(&mut self, attachment: u64, effects: &mut Effects) {
        effects.timer(timer::READ_AGAIN_AFTER, timer::read_again(attachment));
    }
}
