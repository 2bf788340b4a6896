//! Connections between members break, and come back.

use crate::proxy::Proxy;
use crate::world::{EMPTY, Member, World, create, settled, until, users};
use actix::{Actor, Context, Handler};
use std::net::Ipv4Addr;
use stentor_cluster::GossipKeys;
use stentor_engine::{Command, Key, Reply};
use stentor_runtime::SessionMessage;
use stentor_runtime::cluster::{Endpoint, Liveness};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Two members; the link of the first with the second goes by a proxy.
async fn pair(world: &World) -> (Member, Member, Proxy) {
    let proxy = Proxy::new().await;
    let a = world.start("a").await.expect("it joins");
    let mut config = world.config("b");
    // A port that the system has just given out, and gives nobody else so soon.
    let bound = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let bind = bound.local_addr().expect("bound");
    drop(bound);
    config.link = Endpoint { bind, advertised: proxy.address };
    proxy.leads_to(bind);
    let b = world.start_with(config).await.expect("it joins");
    settled(&[&a, &b]).await;
    (a, b, proxy)
}

#[actix_rt::test]
async fn a_connection_that_breaks_loses_nothing() {
    let world = World::new();
    let (a, b, proxy) = pair(&world).await;
    for user in users() {
        assert_eq!(a.ask(&user, create()).await, Some(Reply::Done));
    }
    let theirs: Vec<Key> = users().into_iter().filter(|user| b.owns(user)).collect();
    let mut waiting = Vec::new();
    for round in 0..400 {
        let user = theirs.get(round % theirs.len()).expect("some").clone();
        let administration = a.runtime.administration();
        waiting.push(actix_rt::spawn(async move { administration.ask(user, Command::Describe).await }));
        if round % 40 == 39 {
            // Some are under way in either direction.
            waiting.remove(0).await.expect("it ran");
            proxy.cut();
        }
    }
    for asked in waiting {
        assert_eq!(asked.await.expect("it ran"), Some(EMPTY));
    }
    let before = a.handle.table();
    settled(&[&a, &b]).await;
    assert_eq!(a.handle.table(), before, "a broken link moves nothing");
}

/// A session, as far as the runtime knows.
struct Client(mpsc::UnboundedSender<SessionMessage>);

impl Actor for Client {
    type Context = Context<Self>;
}

impl Handler<SessionMessage> for Client {
    type Result = ();

    fn handle(&mut self, message: SessionMessage, _: &mut Self::Context) {
        let _ = self.0.send(message);
    }
}

#[actix_rt::test]
async fn sessions_of_users_at_a_member_that_is_not_reached_end() {
    let world = World::new();
    let (a, b, proxy) = pair(&world).await;
    let user_of = |member: &Member| users().into_iter().find(|user| member.owns(user)).expect("there is one");
    let mut clients = Vec::new();
    for user in [user_of(&a), user_of(&b)] {
        let (sender, receiver) = mpsc::unbounded_channel();
        a.runtime.place(move |_| {
            let client = Client(sender).start().recipient();
            assert!(stentor_runtime::new_session(client, Some(&user)).is_some());
        });
        clients.push(receiver);
    }
    proxy.close();
    let [ours, theirs] = clients.as_mut_slice() else { panic!("two") };
    let told = theirs.recv().await.expect("it is there");
    assert!(matches!(told, SessionMessage::Lost), "{told:?}");
    assert!(ours.try_recv().is_err(), "its user is here");
    proxy.open();
    settled(&[&a, &b]).await;
}

#[actix_rt::test]
async fn keys_of_gossip_can_be_replaced() {
    let world = World::new();
    let members = world.of(&["a", "b"]).await;
    let [a, b] = members.as_slice() else { panic!("two") };
    let next = Zeroizing::new([9; 32]);
    a.handle.set_gossip_keys(GossipKeys::new(std::slice::from_ref(&next)).expect("a key"));
    for member in [a, b] {
        until("each refuses what the other seals", || async {
            member.status().await.refused_gossip.contains_key("key")
        })
        .await;
    }
    b.handle.set_gossip_keys(GossipKeys::new(&[next]).expect("a key"));
    until("they hear each other", || async {
        let [a, b] = [a.status().await, b.status().await];
        [a, b].iter().flat_map(|status| &status.members).all(|member| member.liveness == Liveness::Alive)
    })
    .await;
}
