//! A session without a socket, on an arbiter of a member.

use crate::pair::Member;
use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message};
use stentor_engine::{Asking, Attachment, Event, FromSession, Key, SessionKey, StreamId, ToSession};
use stentor_runtime::{EndReason, SessionMessage};
use stentor_xmpp::{BareJid, Counter, Stanza};
use tokio::sync::mpsc;

/// A client, as a test holds it.
pub(crate) struct Client {
    session: Addr<Session>,
    told: mpsc::UnboundedReceiver<String>,
}

impl Client {
    /// Binds a resource at a member, and is available.
    pub(crate) async fn online(member: &Member, user: &str, resource: &'static str) -> Self {
        let mut client = Self::start(member, user, Asking::Bind(resource.into())).await;
        client.hears("bound").await;
        client.says("<presence/>").await;
        client.hears(&format!("/{resource}'")).await;
        client
    }

    /// Asks a member for a stream of which it has handled nothing.
    pub(crate) async fn resuming(member: &Member, user: &str, stream: StreamId) -> Self {
        Self::start(member, user, Asking::Resume(stream, Counter::default())).await
    }

    async fn start(member: &Member, user: &str, asking: Asking) -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        let (started, address) = tokio::sync::oneshot::channel();
        let user = Key::User(BareJid::parse(user).expect("a JID"));
        member.runtime.place(move |_load| {
            let session = Session { user, asking, key: None, attachment: None, told: sender };
            let _ = started.send(session.start());
        });
        Self { session: address.await.expect("it starts"), told }
    }

    /// Sends a stanza.
    pub(crate) async fn says(&self, xml: &str) {
        self.session.send(Say(Stanza::parse(xml).expect("a stanza"))).await.expect("it lives");
    }

    /// Has its stream managed, so that it can be resumed.
    pub(crate) async fn manages(&mut self, stream: StreamId) {
        self.session.send(Enable(stream)).await.expect("it lives");
        self.hears("managed").await;
    }

    /// Loses its connection.
    pub(crate) async fn loses_connection(self) {
        self.session.send(Lose).await.expect("it lives");
    }

    /// Waits until it is told something with this in it; gives back all that came until then.
    pub(crate) async fn hears(&mut self, part: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while !heard.last().is_some_and(|last: &String| last.contains(part)) {
            heard.push(self.told.recv().await.expect("it lives"));
        }
        heard
    }
}

struct Session {
    user: Key,
    asking: Asking,
    key: Option<SessionKey>,
    attachment: Option<Attachment>,
    told: mpsc::UnboundedSender<String>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Say(Stanza);

#[derive(Message)]
#[rtype(result = "()")]
struct Enable(StreamId);

#[derive(Message)]
#[rtype(result = "()")]
struct Lose;

impl Session {
    fn tell_user(&self, event: FromSession) {
        let session = self.key.expect("it has started");
        stentor_runtime::send(self.user.clone(), Event::Session(session, event));
    }

    fn told(&mut self, message: ToSession) {
        let heard = match (message, &mut self.attachment) {
            (ToSession::Bound { attachment, jid }, _) => {
                self.attachment = Some(Attachment::bound(attachment, jid));
                "bound".to_owned()
            }
            (ToSession::Outbound { attachment, stanza, entry, waiting }, Some(own)) => {
                assert_eq!(attachment, own.number());
                own.sent(&stanza, entry, waiting);
                String::from_utf8_lossy(&stanza).into_owned()
            }
            (ToSession::ManagementEnabled { resumable, .. }, Some(own)) => {
                own.enabled(resumable);
                "managed".to_owned()
            }
            (ToSession::Resumed(resumed), own) => {
                *own = Some(Attachment::resumed(&resumed));
                let again = resumed.again.iter().map(|copy| String::from_utf8_lossy(&copy.stanza));
                again.fold("resumed".to_owned(), |heard, stanza| heard + &stanza)
            }
            (ToSession::Confirmed { inbound, .. }, Some(own)) => return own.confirmed(inbound),
            (ToSession::Snapshot { snapshot, .. }, Some(own)) => return own.note(snapshot),
            (ToSession::Attached { attachment, inbound }, Some(own)) => {
                own.attached(attachment, inbound);
                "attached".to_owned()
            }
            (ToSession::Reattach, own) => {
                let again = own.as_ref().map(|own| own.attach(None).expect("no message is under way"));
                self.tell_user(again.unwrap_or_else(|| self.asking.event(None)));
                self.key.into_iter().for_each(stentor_runtime::reattached);
                "reattach".to_owned()
            }
            (message, _) => format!("{message:?}"),
        };
        // Nobody listens any more when the test is over.
        let _ = self.told.send(heard);
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.key = stentor_runtime::new_session(context.address().recipient(), Some(&self.user));
        self.tell_user(self.asking.event(None));
    }
}

impl Handler<SessionMessage> for Session {
    type Result = ();

    fn handle(&mut self, message: SessionMessage, _: &mut Self::Context) {
        match message {
            SessionMessage::User(message) => self.told(message),
            message => {
                let _ = self.told.send(format!("{message:?}"));
            }
        }
    }
}

impl Handler<Say> for Session {
    type Result = ();

    fn handle(&mut self, Say(stanza): Say, _: &mut Self::Context) {
        let event = self.attachment.as_mut().expect("it has a resource").receive(vec![stanza]);
        self.tell_user(event);
    }
}

impl Handler<Enable> for Session {
    type Result = ();

    fn handle(&mut self, Enable(stream): Enable, _: &mut Self::Context) {
        let attachment = self.attachment.as_mut().expect("it has a resource");
        let event = attachment.enable(stream, true, None).expect("for the first time");
        self.tell_user(event);
    }
}

impl Handler<Lose> for Session {
    type Result = ();

    fn handle(&mut self, _: Lose, context: &mut Self::Context) {
        let attachment = self.attachment.as_ref().expect("it has a resource");
        let session = self.key.expect("it has started");
        stentor_runtime::session_ends(session, &self.user, attachment, None, EndReason::Lost);
        self.key.into_iter().for_each(stentor_runtime::forget_session);
        context.stop();
    }
}
