//! XEP-0077 2.4, 3.1: accounts made by strangers, where a host allows it. Change of password and removal are the
//! user's.

use super::{Services, Session};
use actix::fut::{ActorFutureExt, wrap_future};
use actix::{AsyncContext, Context};
use std::sync::Arc;
use std::time::Instant;
use stentor_engine::{Command, Key, Reply};
use stentor_xml::{Element, ElementBuilder};
use stentor_xmpp::{BareJid, Condition, IqType, Stanza, StanzaError, ns};

impl Session {
    /// The form, or an account.
    pub(super) fn register(&mut self, host: &str, request: Stanza, actor: &mut Context<Self>) {
        if request.iq_type() == IqType::Get {
            return self.registration_answered(&request, Ok(Some(form())));
        }
        let (account, password) = match account(host, &request) {
            Ok(wanted) => wanted,
            Err(error) => return self.registration_answered(&request, Err(error)),
        };
        if !self.unauthenticated.as_ref().is_some_and(|one| one.register(Instant::now())) {
            // 3.1.1 names no condition that one must use; this one says `wait`.
            let error = StanzaError::from(Condition::ResourceConstraint);
            let text = "There were too many registrations from this address. Try again in an hour.";
            return self.registration_answered(&request, Err(error.with_text(text)));
        }
        let made = make(Arc::clone(&self.services), account, password);
        let answer = wrap_future::<_, Self>(made).map(move |made, session, actor| {
            if let (Err(Condition::Conflict), Some(one)) = (&made, &session.unauthenticated) {
                one.name_was_taken(Instant::now());
            }
            let made = made.map_err(StanzaError::from);
            session.registration_answered(&request, made.map(|()| None));
            session.answer_given(actor);
        });
        actor.spawn(answer);
    }

    fn registration_answered(&mut self, request: &Stanza, answer: Result<Option<Element>, StanzaError>) {
        let answer = match answer {
            Ok(payload) => Some(request.result_reply(payload.as_ref())),
            Err(error) => request.error_reply(error),
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
fn account(host: &str, request: &Stanza) -> Result<(BareJid, String), StanzaError> {
    let query = request.payload().ok_or(Condition::BadRequest)?;
    if query.child("remove", ns::REGISTER).is_some() {
        // 3.2: nobody is registered here yet.
        return Err(Condition::UnexpectedRequest.into());
    }
    let refused = |text: &str| StanzaError::from(Condition::NotAcceptable).with_text(text);
    let text =
        |name| query.child(name, ns::REGISTER).map(|field| field.text()).filter(|text| !text.is_empty());
    let (Some(username), Some(password)) = (text("username"), text("password")) else {
        return Err(refused("A username and a password are needed."));
    };
    let wrong = |_| refused("The username has characters that no address may have, or is too long.");
    let username = stentor_xmpp::prepare_localpart(&username).map_err(wrong)?;
    let account = BareJid::parse(&format!("{username}@{host}")).map_err(wrong)?;
    if account.local() != Some(&*username) || account.domain() != host {
        return Err(refused("The username is the part of the address before the @."));
    }
    if stentor_xmpp::prepare_password(&password).is_err() {
        return Err(refused("The password has characters that no password may have."));
    }
    Ok((account, password))
}

async fn make(services: Arc<Services>, account: BareJid, password: String) -> Result<(), Condition> {
    // Before the keys are derived, which costs most.
    if matches!(services.credentials.credential(&account).await, Ok(stentor_auth::Found::Account(_))) {
        return Err(Condition::Conflict);
    }
    let administration = &services.administration;
    let is_refused =
        services.settings.load().host(account.domain()).is_some_and(|host| host.refuse_lookalikes);
    // Held until the account is there: of two at once that look alike, the second is refused. At two members at once they
    // are not.
    let _permit = if is_refused { services.lookalikes.acquire().await.ok() } else { None };
    if is_refused {
        match administration.has_lookalike(&account).await {
            Ok(true) => return Err(Condition::Conflict),
            Ok(false) => {}
            Err(fault) => {
                tracing::error!(%fault, "the names of accounts cannot be read");
                return Err(Condition::InternalServerError);
            }
        }
    }
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
