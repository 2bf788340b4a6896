//! What administration asks of arbiters and of other members themselves, and not of an entity. Between members the
//! questions and answers are opaque here.

use crate::asks::Asker;
use crate::limits::{MEMBER_ANSWER_TIME, MEMBER_QUESTIONS_MAX};
use crate::local::{self, Local};
use crate::members::ToMember;
use crate::router::Router;
use crate::start::{Administration, Shared};
use actix::{Handler, Message, MessageResult};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use stentor_engine::{Ask, Key, MemberId};
use stentor_xmpp::BareJid;
use tokio::sync::{Semaphore, oneshot};

/// Answers what another member asks this one; with nothing, if it has no answer.
pub type Answer = fn(Administration, Bytes) -> Pin<Box<dyn Future<Output = Bytes> + Send>>;

/// How answers are found, and how many are under way.
pub(crate) struct Answering {
    answer: OnceLock<Answer>,
    under_way: Arc<Semaphore>,
}

impl Answering {
    pub(crate) fn new() -> Self {
        Self { answer: OnceLock::new(), under_way: Arc::new(Semaphore::new(MEMBER_QUESTIONS_MAX)) }
    }
}

/// Whose entities are here, behind this one, and so many?
#[derive(Message)]
#[rtype(result = "Vec<BareJid>")]
pub(crate) struct Users {
    after: Option<Key>,
    limit: usize,
}

/// A name, and what comes of it; nothing if the sender of the answer goes.
type Asked = Vec<(Box<str>, oneshot::Receiver<Bytes>)>;

/// A question to every other member that has slots.
#[derive(Message)]
#[rtype(result = "Asked")]
pub(crate) struct AskMembers(Bytes);

impl Handler<Users> for Router {
    type Result = MessageResult<Users>;

    fn handle(&mut self, Users { after, limit }: Users, _: &mut Self::Context) -> Self::Result {
        let page = |local: &mut Local| {
            local.entities.page(after.as_ref(), limit).map(|key| key.jid().clone()).collect()
        };
        MessageResult(local::with(page).unwrap_or_default())
    }
}

impl Handler<AskMembers> for Router {
    type Result = MessageResult<AskMembers>;

    fn handle(&mut self, AskMembers(question): AskMembers, _: &mut Self::Context) -> Self::Result {
        MessageResult(local::with(|local| local.ask_members(&question)).unwrap_or_default())
    }
}

impl Local {
    fn ask_members(&mut self, question: &Bytes) -> Asked {
        let (table, me) = (Arc::clone(self.slots.table()), self.shared.member);
        // One without slots has no entities, and perhaps no link: whoever could not be reached would fail the whole.
        let has_slots = |member: MemberId| table.slots_of(member).next().is_some();
        let others = table.members().iter().filter(|(member, _)| **member != me && has_slots(**member));
        let asked = others.map(|(member, entry)| {
            let (answer, answered) = oneshot::channel();
            if let Some(ask) = self.shared.asks.enter(Asker::Members(answer)) {
                self.shared.asks.went_to(ask, Some(*member));
                self.tell_member(*member, ToMember::Question(ask, question.clone()));
            }
            (entry.info.name.clone(), answered)
        });
        let asked: Asked = asked.collect();
        self.flush();
        asked
    }

    /// Another member asks; it is answered even if that is nothing.
    pub(crate) fn asked(&mut self, member: MemberId, ask: Ask, question: Bytes) {
        let shared = Arc::clone(&self.shared);
        let permit = Arc::clone(&shared.answering.under_way).try_acquire_owned();
        let (Some(answer), Ok(permit)) = (shared.answering.answer.get(), permit) else {
            return self.tell_member(member, ToMember::Answer(ask, Bytes::new()));
        };
        let answer = answer(Administration { shared: Arc::clone(&shared) }, question);
        tokio::task::spawn_local(async move {
            let answer = answer.await;
            drop(permit);
            local::with(|local| {
                local.tell_member(member, ToMember::Answer(ask, answer));
                local.flush();
            });
        });
    }

    /// Another member has answered, or was not asked after all.
    pub(crate) fn answered(&self, ask: Ask, answer: Option<Bytes>) {
        if let (Some(Asker::Members(waiting)), Some(answer)) = (self.shared.asks.take(ask), answer) {
            let _ = waiting.send(answer);
        }
    }
}

impl Shared {
    /// How to answer what other members ask; before this, there is no answer.
    pub fn answer_by(&self, answer: Answer) {
        // It is told once.
        let _ = self.answering.answer.set(answer);
    }
}

impl Administration {
    /// Users whose entities are loaded at this member, in the order of their addresses: those behind `after`, at most
    /// `limit`; fewer means that there are no more. All who have a session of theirs here are among them.
    pub async fn loaded(&self, after: Option<BareJid>, limit: usize) -> Vec<BareJid> {
        let after = after.map(Key::User);
        let mut users = Vec::new();
        for router in &self.shared.routers {
            users.extend(router.0.send(Users { after: after.clone(), limit }).await.unwrap_or_default());
        }
        users.sort();
        users.truncate(limit);
        users
    }

    /// Asks every other member of the table that has slots: its name and its answer, none if there is none or it is empty.
    pub async fn ask_members(&self, question: Bytes) -> Vec<(Box<str>, Option<Bytes>)> {
        let Some(router) = self.shared.routers.first() else { return Vec::new() };
        let asked = router.0.send(AskMembers(question)).await.unwrap_or_default();
        let mut answers = Vec::new();
        let end = tokio::time::Instant::now() + MEMBER_ANSWER_TIME;
        for (name, answered) in asked {
            let answer = tokio::time::timeout_at(end, answered).await.ok().and_then(Result::ok);
            answers.push((name, answer.filter(|answer| !answer.is_empty())));
        }
        answers
    }
}
