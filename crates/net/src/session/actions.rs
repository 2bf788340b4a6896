//! What the stream's state machine asks for.

use super::{Phase, Session, token};
use crate::addresses::Attempt;
use actix::fut::{ActorFutureExt, wrap_future};
use actix::{AsyncContext, Context};
use std::time::{Duration, Instant};
use stentor_auth::SaslFailure;
use stentor_engine::{Asking, Key, StreamId};
use stentor_runtime::{EndReason, Figure};
use stentor_stream::{Action, Progress, limits as stream_limits};
use stentor_xmpp::{Condition, Counter, Stanza};

impl Session {
    /// Lets the stream take what it can of `rest`, and does what it asks.
    pub(super) fn step(&mut self, rest: &mut &[u8], actor: &mut Context<Self>) {
        loop {
            if !self.batch.is_empty() && self.batch.len() >= self.room() {
                // As many are under way as may be; the rest stays in `input` until some are confirmed.
                break;
            }
            if self.is_moving {
                break;
            }
            let Some(stream) = &mut self.stream else { break };
            match stream.receive(rest, &mut self.output) {
                Progress::Action(action) => self.act(action, rest, actor),
                Progress::More | Progress::Wait => break,
                Progress::Ended => {
                    self.end();
                    break;
                }
            }
        }
        self.send_batch();
        self.ask_what_is_handled();
    }

    fn room(&self) -> usize {
        self.attachment.as_ref().map_or(1, |attachment| attachment.room())
    }

    fn act(&mut self, action: Action, rest: &mut &[u8], actor: &mut Context<Self>) {
        match action {
            Action::Stanza(stanza) => self.batch.push(stanza),
            action => {
                // Everything else is in order behind the stanzas before it.
                self.send_batch();
                self.act_alone(action, rest, actor);
            }
        }
    }

    fn act_alone(&mut self, action: Action, rest: &mut &[u8], actor: &mut Context<Self>) {
        match action {
            Action::Stanza(stanza) => self.batch.push(stanza),
            Action::Answered(answer) => self.answered(answer.map(|answer| *answer)),
            Action::AckRequest => self.acknowledgement_requested(),
            Action::Ack(h) => self.acknowledged(Counter(h)),
            Action::Enable { resume, max } => self.enable(resume, max),
            Action::Bind { jid } => {
                self.user = Some(Key::User(jid.to_bare()));
                let resource = jid.resource().into();
                self.ask(Asking::Bind(resource));
            }
            Action::Resume { previd, h } => self.resume(&previd, Counter(h)),
            Action::StartTls { host } => {
                // RFC 6120 5.4.3.3: whatever came in clear after `<starttls/>` is not acted upon.
                *rest = &[];
                self.input.clear();
                self.starting = Some(host);
            }
            Action::NeedCredentials { account } => self.look_up(account, actor),
            Action::Verify(check) => self.verify(check, actor),
            Action::Authenticated { account, mechanism } => {
                stentor_runtime::tally(Figure::Authenticated, 1);
                tracing::info!(%account, mechanism = mechanism.name(), address = %self.address, "authenticated");
                if let Some(unauthenticated) = self.unauthenticated.take() {
                    unauthenticated.succeeded(&account, Instant::now());
                }
                let user = Key::User(account);
                self.is_moving = !stentor_runtime::is_here(&user);
                if let Some(session) = self.key.filter(|_| !self.is_moving) {
                    stentor_runtime::belongs_to(session, &user);
                }
                self.user = Some(user);
            }
            Action::AuthenticationFailed { account, failure } => {
                stentor_runtime::tally(Figure::NotAuthenticated, 1);
                if let Some(unauthenticated) = &self.unauthenticated {
                    unauthenticated.failed(account.as_ref(), Instant::now());
                }
                let account = account.map(|account| account.to_string()).unwrap_or_default();
                tracing::info!(%account, %failure, address = %self.address, "authentication failed");
            }
            Action::Register { host, request } => self.register(&host, *request, actor),
            Action::Closed => self.closed(),
            Action::Failed(error) => {
                let (condition, text) = (error.condition.name(), error.text.as_deref());
                tracing::debug!(condition, text, address = %self.address, "a stream ended with an error");
            }
        }
    }

    /// Stanzas of this read go to the user together.
    pub(super) fn send_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let stanzas: Vec<Stanza> = std::mem::take(&mut self.batch);
        for stanza in &stanzas {
            stentor_runtime::tally(Figure::received(stanza.kind()), 1);
        }
        if let Some(attachment) = &mut self.attachment {
            let event = attachment.receive(stanzas);
            self.tell_user(event);
        }
    }

    /// A stanza that the stream dealt with itself: it counts as received and handled, in its place, and its answer
    /// is numbered by the user like all others.
    fn answered(&mut self, answer: Option<Stanza>) {
        if let Some(attachment) = &mut self.attachment {
            let event = attachment.passed(answer);
            self.tell_user(event);
        }
    }

    fn look_up(&mut self, account: stentor_xmpp::BareJid, actor: &mut Context<Self>) {
        let attempt = self.unauthenticated.as_ref().map(|one| one.attempt(&account, Instant::now()));
        let wait = match attempt {
            Some(Attempt::After(wait)) => wait,
            Some(Attempt::Barred) | None => {
                if let Some(stream) = &mut self.stream {
                    stream.refuse_authentication(SaslFailure::TemporaryAuthFailure, &mut self.output);
                }
                return;
            }
        };
        let found = self.services.credentials.credential(&account);
        let found = async move {
            if wait > Duration::ZERO {
                tokio::time::sleep(wait).await;
            }
            found.await
        };
        let answer = wrap_future::<_, Self>(found).map(|found, session, actor| {
            if let Some(stream) = &mut session.stream {
                stream.credentials(found, &mut session.output);
            }
            session.answer_given(actor);
        });
        actor.spawn(answer);
    }

    fn verify(&mut self, check: stentor_auth::PlainCheck, actor: &mut Context<Self>) {
        let services = std::sync::Arc::clone(&self.services);
        let work = async move {
            let _permit = services.checks.acquire().await.ok();
            tokio::task::spawn_blocking(move || check.run()).await
        };
        let answer = wrap_future::<_, Self>(work).map(|verdict, session, actor| {
            if let Some(stream) = &mut session.stream {
                match verdict {
                    Ok(verdict) => stream.verified(verdict, &mut session.output),
                    Err(_) => {
                        stream.refuse_authentication(SaslFailure::TemporaryAuthFailure, &mut session.output);
                    }
                }
            }
            session.answer_given(actor);
        });
        actor.spawn(answer);
    }

    /// What the stream waited for is there; it goes on with what it has not read.
    pub(super) fn answer_given(&mut self, actor: &mut Context<Self>) {
        self.go_on(actor);
        // A future that ends does not have the pump polled.
        self.wake();
    }

    fn enable(&mut self, resume: bool, max: Option<u32>) {
        let mut random = [0; 16];
        if getrandom::fill(&mut random).is_err() {
            return self.fail(stentor_xmpp::StreamCondition::InternalServerError);
        }
        let stream = StreamId(u128::from_le_bytes(random));
        if let Some(event) = self.attachment.as_mut().and_then(|a| a.enable(stream, resume, max)) {
            self.tell_user(event);
        }
    }

    fn ask(&mut self, asking: Asking) {
        self.tell_user(asking.event(Some(self.address)));
        self.asking = Some(Box::new(asking));
    }

    fn resume(&mut self, previd: &str, h: Counter) {
        match (StreamId::parse(previd), self.account()) {
            (Some(stream), Some(account)) => {
                self.user = Some(Key::User(account));
                self.ask(Asking::Resume(stream, h));
            }
            _ => {
                if let Some(stream) = &mut self.stream {
                    stentor_runtime::tally(Figure::NotResumed, 1);
                    stream.resume_failed(Condition::ItemNotFound, None, &mut self.output);
                }
            }
        }
    }

    /// The client closed its stream: what it sent is handled, and it hears how much, before ours is closed.
    fn closed(&mut self) {
        match self.attachment.as_ref().map(|a| a.number()) {
            Some(attachment) => {
                // A last `<a/>` comes back in order behind what the user still sends.
                self.is_closing = true;
                self.ask_at_last(attachment);
                self.after(stream_limits::CLOSE_TIME_MAX, token::CLOSE);
            }
            None => self.close(),
        }
    }

    /// Closes our side.
    pub(super) fn close(&mut self) {
        self.detach(EndReason::Closed);
        if let Some(stream) = &mut self.stream {
            stream.close(&mut self.output);
            self.is_settling = true;
            self.after(stream_limits::CLOSE_TIME_MAX, token::CLOSE);
        }
    }

    /// Both sides are closed, or one failed.
    fn end(&mut self) {
        self.detach(EndReason::Closed);
        if self.phase == Phase::Open {
            self.phase = Phase::Ending;
            self.after(stream_limits::CLOSE_TIME_MAX, token::CLOSE);
        }
    }
}
