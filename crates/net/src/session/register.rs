//! XEP-0077 2.4, 3.1: accounts made by strangers, where a host allows it. Change of password and removal are the
//! user's.

use super::Session;
use actix::fut::{ActorFutureExt, wrap_future};
use actix::{AsyncContext, Context};
use std::time::Instant;
use stentor_engine::{Command, Key, Reply};
use stentor_runtime::Administration;
use stentor_xml::{Element, ElementBuilder};
use stentor_xmpp::{BareJid, Condition, IqType, Stanza, ns};

impl Session {
    /// The form, or an account.
    pub(super) fn register(&mut self, host: &str, request: Stanza, actor: &mut Context<Self>) {
        if request.iq_type() == IqType::Get {
            return self.registration_answered(&request, Ok(Some(form())));
        }
        let (account, password) = match account(host, &request) {
            Ok(wanted) => wanted,
            Err(condition) => return self.registration_answered(&request, Err(condition)),
        };
        if !self.unauthenticated.as_ref().is_some_and(|one| one.register(Instant::now())) {
            // XEP-0077 3.1.1 leaves the error open; this one says `wait`.
            return self.registration_answered(&request, Err(Condition::ResourceConstraint));
        }
        let made = make(self.services.administration.clone(), account, password);
        let answer = wrap_future::<_, Self>(made).map(move |made, session, actor| {
            session.registration_answered(&request, made.map(|()| None));
            session.answer_given(actor);
        });
        actor.spawn(answer);
    }

    fn registration_answered(&mut self, request: &Stanza, answer: Result<Option<Element>, Condition>) {
        let answer = match answer {
            Ok(payload) => Some(request.result_reply(payload.as_ref())),
            Err(condition) => request.error_reply(condition.into()),
        };
        if let (Some(stream), Some(mut answer)) = (&mut self.stream, answer) {
            // The addresses of a client that has none say nothing.
            answer.set_to(None);
            stream.registration_answered(&answer, &mut self.output);
        }
    }
}

fn form() -> Element {
    let query = ElementBuilder::new("query", ns::REGISTER)
        .open("instructions", ns::REGISTER)
        .text("Choose a username and a password.")
        .close();
    query.open("username", ns::REGISTER).close().open("password", ns::REGISTER).build()
}

/// Which account is asked for, and its password.
fn account(host: &str, request: &Stanza) -> Result<(BareJid, String), Condition> {
    let query = request.payload().ok_or(Condition::BadRequest)?;
    let text = |name| query.child(name, ns::REGISTER).map(|field| field.text());
    let (Some(username), Some(password)) = (text("username"), text("password")) else {
        return Err(Condition::NotAcceptable);
    };
    let username = stentor_xmpp::prepare_localpart(&username).map_err(|_| Condition::NotAcceptable)?;
    let account = BareJid::parse(&format!("{username}@{host}")).map_err(|_| Condition::NotAcceptable)?;
    let is_local = account.local() == Some(&*username) && account.domain() == host;
    if !is_local || password.is_empty() || stentor_xmpp::prepare_password(&password).is_err() {
        return Err(Condition::NotAcceptable);
    }
    Ok((account, password))
}

async fn make(administration: Administration, account: BareJid, password: String) -> Result<(), Condition> {
    let keys = administration.derive(password).await.ok_or(Condition::NotAcceptable)?;
    match administration.ask(Key::User(account.clone()), Command::CreateAccount(keys)).await {
        Some(Reply::Done) => {
            tracing::info!(%account, "registered");
            Ok(())
        }
        Some(Reply::Exists) => Err(Condition::Conflict),
        _ => Err(Condition::InternalServerError),
    }
}
