use super::*;
use crate::cluster::links::TlsMaterial;
use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::net::Ipv4Addr;
use tokio::sync::mpsc::unbounded_channel;

fn info(name: &str) -> MemberInfo {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    MemberInfo {
        name: name.into(),
        link: address,
        gossip: address,
        weight: 1,
        wire: Version::RANGE,
        settings: 0,
    }
}

fn tls(name: &str) -> Tls {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![format!("{name}.stentor-cluster")]).expect("a name");
    let chain = vec![params.self_signed(&key).expect("signed").der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    Tls::new(name, TlsMaterial { authority: chain.clone(), chain, key }).expect("it is for that name")
}

async fn core() -> Core {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    Core::new(Parts {
        info: info("a"),
        cluster: "c1".into(),
        keys: GossipKeys::new(&[[7; 32].into()]).expect("a key"),
        socket: Rc::new(socket),
        ways: Arc::new(Ways::new(tls("a"), unbounded_channel().0)),
        published: Arc::new(Published::new()),
        register: mpsc::channel().0,
        joining: oneshot::channel().0,
    })
}

/// A member that answers datagrams and is not linked with, be it for hours, is told by gossip every few seconds.
#[actix_rt::test]
async fn what_gossip_tells_does_not_pile_up_where_there_is_no_link() {
    let (mut core, other) = (core().await, MemberId(2));
    core.joined(MemberId(1));
    core.connect(other, info("b"));
    let swap = || GossipOutput::Tell(other, PeerMessage::Membership(Bytes::from_static(b"all")));
    let waiting = |core: &Core| core.members.get(&other).expect("it is known").channel.waiting().0;
    core.gossip(|_, _, out| out.push(swap()));
    assert_eq!(waiting(&core), 0, "another follows once they are linked");
    core.tell(other, PeerMessage::Version(1));
    assert_eq!(waiting(&core), 1, "what the steward says waits for the link");
    core.members.get_mut(&other).expect("it is known").is_linked = true;
    core.gossip(|_, _, out| out.push(swap()));
    assert_eq!(waiting(&core), 2);
}
