//! Whoever comes to a member's ports, and is none.

use crate::authority::Authority;
use crate::world::{EMPTY, Member, World, create, settled, until, users};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use stentor_cluster::wire::{Hello, Received};
use stentor_engine::{Command, MemberId, MemberInfo, RegisterReply, RegisterRequest, Reply};
use stentor_runtime::cluster::{JoinError, TlsError, TlsMaterial};
use stentor_store::Register;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

fn cluster(name: &str) -> u64 {
    let digest: [u8; 32] = Sha256::new_with_prefix(b"stentor cluster ").chain_update(name).finalize().into();
    u64::from_be_bytes(digest[..8].try_into().expect("eight"))
}

/// What a member that connects says first.
fn hello(from: MemberId, name: &str, to: &Member) -> Hello {
    Hello {
        wire: (1, 1),
        cluster: cluster("c1"),
        from,
        to: to.id,
        name: name.into(),
        received: Received::default(),
    }
}

fn link(of: &Member) -> SocketAddr {
    of.handle.table().member(of.id).expect("a member").info.link
}

/// A connection that shows this, to the member of this name.
async fn connect(material: TlsMaterial, to: &Member, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(material.authority.first().expect("one").clone()).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("spoken")
        .with_root_certificates(roots)
        .with_client_auth_cert(material.chain, material.key)
        .expect("usable");
    let name = ServerName::try_from(format!("{name}.stentor-cluster")).expect("a name");
    let stream = TcpStream::connect(link(to)).await?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Says this, and reads until the end.
async fn say(mut stream: TlsStream<TcpStream>, what: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    // However far it comes.
    let _ = stream.write_all(what).await;
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

async fn refused(by: &Member, kind: &'static str) {
    until(kind, || async { by.status().await.refused_connections.get(kind).is_some_and(|count| *count > 0) })
        .await;
}

#[actix_rt::test]
async fn strangers_are_refused_for_what_they_are() {
    let world = World::new();
    let members = world.of(&["a", "b"]).await;
    let [a, b] = members.as_slice() else { panic!("two") };

    // By its own authority, which does not know us either.
    let stranger = Authority::new();
    assert!(connect(stranger.issue("a"), b, "b").await.is_err());
    refused(b, "tls").await;
    // By its own authority, but it would take us for whatever we are.
    let mut other = stranger.issue("a");
    other.authority = world.authority.issue("a").authority;
    if let Ok(stream) = connect(other, b, "b").await {
        assert_eq!(say(stream, b"").await, b"");
    }
    until("twice", || async { b.status().await.refused_connections.get("tls") == Some(&2) }).await;

    let said = [
        ("other-cluster", "a", Hello { cluster: cluster("c2"), ..hello(a.id, "a", b) }),
        ("other-member", "a", Hello { to: MemberId(99), ..hello(a.id, "a", b) }),
        ("unknown-member", "x", hello(a.id, "x", b)),
        ("name", "x", hello(a.id, "a", b)),
        ("no-version", "a", Hello { wire: (8, 9), ..hello(a.id, "a", b) }),
    ];
    for (kind, certificate, hello) in said {
        let stream = connect(world.authority.issue(certificate), b, "b").await.expect("of this cluster");
        let answer = say(stream, hello.encode().expect("short").bytes()).await;
        assert_eq!(answer.is_empty(), kind == "name", "{kind} is told, but not to who lies");
        refused(b, kind).await;
    }
    let stream = connect(world.authority.issue("a"), b, "b").await.expect("of this cluster");
    assert_eq!(say(stream, &[0xff; 64]).await, b"");
    refused(b, "no-greeting").await;
    settled(&[a, b]).await;
}

#[actix_rt::test]
async fn certificates_are_for_their_member_and_can_be_replaced() {
    let world = World::new();
    let mut config = world.config("a");
    config.tls = world.authority.issue("b");
    let refused = world.start_with(config).await.err();
    assert!(matches!(refused, Some(JoinError::Tls(TlsError::OtherName(_)))), "{refused:?}");
    let mut config = world.config("a");
    config.name = "a.b".into();
    let refused = world.start_with(config).await.err();
    assert!(matches!(refused, Some(JoinError::Tls(TlsError::Name(_)))), "{refused:?}");

    let a = world.start("a").await.expect("it joins");
    assert!(a.handle.set_tls(world.authority.issue("b")).is_err());
    let next = Authority::new();
    a.handle.set_tls(next.issue("a")).expect("its own");
    until("it has changed", || async { connect(next.issue("b"), &a, "a").await.is_ok() }).await;
    assert!(connect(world.authority.issue("b"), &a, "a").await.is_err());
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.next() % 600;
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Frames by their length, version and kind, and nothing else.
    fn frames(&mut self) -> Vec<u8> {
        let mut frames = Vec::new();
        for _ in 0..8 {
            let body = self.bytes();
            frames.extend((body.len() as u32 + 2).to_be_bytes());
            frames.extend([1, self.next() as u8]);
            frames.extend(body);
        }
        frames
    }
}

#[actix_rt::test]
async fn no_bytes_harm_a_member() {
    let world = World::new();
    let a = world.of(&["a"]).await.remove(0);
    // A member as far as the register knows, which links with those that come after it.
    let mut register = world.store.clone();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let a_info = a.handle.table().member(a.id).expect("a member").info.clone();
    let info = MemberInfo { name: "z".into(), link: nowhere, gossip: nowhere, ..a_info };
    let RegisterReply::Joined { member: z, .. } = register.ask(&RegisterRequest::Join(info)) else {
        panic!("its name is free")
    };
    let b = world.start("b").await.expect("it joins");
    let user = users().remove(0);
    assert_eq!(a.ask(&user, create()).await, Some(Reply::Done));
    let mut random = Random(1);
    let gossip = b.handle.table().member(b.id).expect("a member").info.gossip;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let material = world.authority.issue("z");
    let greeting = hello(z, "z", &b).encode().expect("short").bytes().to_vec();
    for round in 0..64 {
        register.ask(&RegisterRequest::Renew(z));
        socket.send_to(&random.bytes(), gossip).await.expect("sent");
        let mut clear = TcpStream::connect(link(&b)).await.expect("taken");
        let _ = clear.write_all(&random.bytes()).await;
        drop(clear);
        let what = match round % 4 {
            0 => random.bytes(),
            1 => random.frames(),
            2 => [greeting.as_slice(), &random.bytes()].concat(),
            _ => [greeting.as_slice(), &random.frames()].concat(),
        };
        let mut stream = connect(material.clone(), &b, "b").await.expect("of this cluster");
        let _ = stream.write_all(&what).await;
        let _ = stream.shutdown().await;
    }
    until("they were taken for what they are", || async {
        register.clone().ask(&RegisterRequest::Renew(z));
        let status = b.status().await;
        let z = status.members.iter().find(|member| member.member == z.0);
        z.is_some_and(|z| z.malformed_frames > 0)
            && status.refused_gossip.values().sum::<u64>() > 0
            && ["tls", "no-greeting"].iter().all(|kind| status.refused_connections.contains_key(kind))
    })
    .await;
    settled(&[&a, &b]).await;
    assert_eq!(b.ask(&user, Command::Describe).await, Some(EMPTY));
}
