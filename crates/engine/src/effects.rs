//! What an entity wants done, as data.

use crate::{Append, Collection, Event, Expect, Query, Reply, SessionKey, ToSession, Write};
use crate::{Ask, Key, LogId};
use bytes::Bytes;
use std::fmt;

/// Something that leaves the entity, once all it depends on is durable.
#[derive(Debug)]
pub enum Sent {
    /// An event to another entity.
    Event(Key, Event),
    /// To a session.
    Session(SessionKey, ToSession),
    /// The answer to an ask.
    Reply(Ask, Reply),
    /// A question to the store; its rows return as [`Event::Rows`] with this token.
    Query(u64, Vec<Query>),
    /// The keys of a password are to be derived, which takes long; they return as [`Event::Derived`].
    Derive(u64, Password),
}

/// A password on its way to where its keys are derived; never shown.
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// What one event led to. Filled by the entity, carried out by the shell.
#[derive(Debug, Default)]
pub struct Effects {
    pub(crate) writes: Vec<Write>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) timers: Vec<(u64, u64)>,
}

impl Effects {
    /// No effects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a record, whatever it was.
    pub fn put(&mut self, collection: Collection, key: impl Into<Box<str>>, value: impl Into<Bytes>) {
        let (key, value) = (key.into(), value.into());
        self.writes.push(Write::Put { collection, key, value, expect: Expect::Any });
    }

    /// Removes a record.
    pub fn delete(&mut self, collection: Collection, key: impl Into<Box<str>>) {
        self.writes.push(Write::Delete { collection, key: key.into() });
    }

    /// Appends to the log.
    pub fn append(&mut self, append: Append) {
        self.writes.push(Write::Append(append));
    }

    /// Takes an entry out of the log.
    pub fn remove(&mut self, id: LogId) {
        self.writes.push(Write::Amend { id, value: None });
    }

    /// Any other write.
    pub fn write(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// Sends an event to another entity, or to this one.
    pub fn send(&mut self, to: Key, event: Event) {
        self.sent.push(Sent::Event(to, event));
    }

    /// Sends to a session.
    pub fn session(&mut self, to: SessionKey, message: ToSession) {
        self.sent.push(Sent::Session(to, message));
    }

    /// Answers an ask.
    pub fn reply(&mut self, ask: Ask, reply: Reply) {
        self.sent.push(Sent::Reply(ask, reply));
    }

    /// Asks the store; the rows return as an event with `token`.
    pub fn query(&mut self, token: u64, queries: Vec<Query>) {
        self.sent.push(Sent::Query(token, queries));
    }

    /// Has the keys of a password derived; they return as an event with `token`.
    pub fn derive(&mut self, token: u64, password: String) {
        self.sent.push(Sent::Derive(token, Password(password)));
    }

    /// Returns as [`Event::Timer`] with `token`, not before `after` milliseconds. There is no cancelling: the
    /// entity ignores a token that means nothing any more.
    pub fn timer(&mut self, after: u64, token: u64) {
        self.timers.push((after, token));
    }

    /// Whether anything is to be written.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// What is to leave.
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }
}
