use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use stentor_xmpp::{BareJid, FullJid, Jid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::*;
use crate::limits::{CONTROL_CONNECTIONS_MAX, CONTROL_REPLY_BYTES_MAX, CONTROL_REQUEST_BYTES_MAX};

/// Remembers what it is asked; a request to shut down is never answered.
#[derive(Default)]
struct Fake {
    asked: Mutex<Vec<ControlRequest>>,
}

impl ControlHandler for Fake {
    fn handle(&self, request: ControlRequest) -> ControlFuture<'_> {
        self.asked.lock().expect("no panic holds it").push(request.clone());
        Box::pin(async move {
            match request {
                ControlRequest::UserAdd { .. } => Ok(ControlResponse::Done),
                ControlRequest::SessionKick { .. } => Ok(ControlResponse::Kicked(2)),
                ControlRequest::Shutdown { .. } => std::future::pending().await,
                _ => Err(ControlError::new(ControlErrorKind::NotFound, "no such account")),
            }
        })
    }
}

struct Server {
    folder: tempfile::TempDir,
    handler: Arc<Fake>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let handler = Arc::new(Fake::default());
        let server = ControlServer::bind(&folder.path().join("s")).expect("bound");
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(server.run(Arc::clone(&handler), stopped));
        Self { folder, handler, stop, task }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Sends `bytes` on a connection of its own and reads until the server closes or answers a line.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.path()).await.expect("connected");
        stream.write_all(bytes).await.expect("written");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\n") && stream.read_buf(&mut answer).await.expect("read") > 0 {}
        String::from_utf8(answer).expect("UTF-8")
    }
}

fn bare(text: &str) -> BareJid {
    BareJid::parse(text).expect("an address")
}

#[tokio::test]
async fn requests_are_carried_out_and_answered() {
    let server = Server::start();
    let path = server.path();
    let mode = std::fs::metadata(&path).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let juliet = bare("juliet@example.org");
    let requests = vec![
        ControlRequest::UserAdd { jid: juliet.clone(), password: Password("secret".to_owned()) },
        ControlRequest::SessionKick { jid: juliet.to_jid(), reason: Some("line\nbreak".to_owned()) },
        ControlRequest::UserShow { jid: juliet },
    ];
    let asked = requests.clone();
    let answers = tokio::task::spawn_blocking(move || {
        let mut client = ControlClient::connect(&path).expect("connected");
        requests.iter().map(|request| client.ask(request)).collect::<Vec<_>>()
    });
    let answers = answers.await.expect("no panic");
    assert!(
        matches!(
            &answers[..],
            [
                Ok(ControlResponse::Done),
                Ok(ControlResponse::Kicked(2)),
                Err(ClientError::Refused(ControlError { kind: ControlErrorKind::NotFound, .. })),
            ]
        ),
        "{answers:?}"
    );
    assert_eq!(*server.handler.asked.lock().expect("no panic"), asked);

    let path = server.path();
    server.stop.send(()).expect("it runs");
    server.task.await.expect("it ends");
    assert!(!path.exists());
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_nothing_is_done() {
    let server = Server::start();
    let long = format!("{{\"version\":1,\"request\":\"{}\"}}\n", "x".repeat(CONTROL_REQUEST_BYTES_MAX));
    let cases: [(&[u8], &str); 8] = [
        (b"\n", "EOF while parsing"),
        (b"nonsense\n", "expected"),
        (b"\xff\xfe\n", "expected"),
        (b"{\"version\":2,\"request\":\"status\"}\n", "version 2, but only 1 is known here"),
        (b"{\"request\":\"status\"}\n", "missing field `version`"),
        (b"{\"version\":1,\"request\":\"explode\"}\n", "unknown variant"),
        (b"{\"version\":1,\"request\":{\"user-show\":{\"jid\":\"a@b@c\"}}}\n", "\\\"a@b@c\\\": "),
        (long.as_bytes(), "longer than 65536 bytes"),
    ];
    for (line, expected) in cases {
        let answer = server.raw(line).await;
        assert!(answer.starts_with("{\"version\":1,\"error\":{\"kind\":\"bad-request\""), "{answer}");
        assert!(answer.contains(expected), "{answer} has no {expected}");
    }
    assert_eq!(*server.handler.asked.lock().expect("no panic"), []);
}

#[tokio::test(start_paused = true)]
async fn silence_and_endless_work_have_a_limit() {
    let server = Server::start();
    assert_eq!(server.raw(b"{\"version\":1,").await, "", "a silent peer is left");
    let answer = server.raw(b"{\"version\":1,\"request\":{\"shutdown\":{\"drain\":true}}}\n").await;
    assert!(answer.contains("\"kind\":\"timed-out\""), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let server = Server::start();
    let mut held = Vec::new();
    for _ in 0..CONTROL_CONNECTIONS_MAX {
        let mut stream = UnixStream::connect(server.path()).await.expect("connected");
        // An answer shows that this one is served, not only in the backlog.
        stream.write_all(b"{\"version\":1,\"request\":\"reload\"}\n").await.expect("written");
        assert!(stream.read_u8().await.is_ok());
        held.push(stream);
    }
    let mut waiting = UnixStream::connect(server.path()).await.expect("in the backlog");
    waiting.write_all(b"{\"version\":1,\"request\":\"status\"}\n").await.expect("written");
    let asked = || server.handler.asked.lock().expect("no panic").len();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked(), CONTROL_CONNECTIONS_MAX);
    held.pop();
    assert!(waiting.read_u8().await.is_ok());
    assert_eq!(asked(), CONTROL_CONNECTIONS_MAX + 1);
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    assert!(matches!(ControlClient::connect(&path), Err(ClientError::NotRunning { .. })));
    let server = ControlServer::bind(&path).expect("the dead one is replaced");
    assert!(matches!(ControlServer::bind(&path), Err(BindError::Running { .. })));
    assert!(path.exists());
    drop(server);
    assert!(matches!(ControlClient::connect(&path), Err(ClientError::NotRunning { .. })));
    assert!(matches!(ControlServer::bind(Path::new("/nowhere/s")), Err(BindError::Io { .. })));
}

#[test]
fn an_answer_that_is_too_large_becomes_an_error() {
    let status = ServerStatus {
        version: "x".repeat(CONTROL_REPLY_BYTES_MAX),
        process: 1,
        uptime_seconds: 1,
        hosts: Vec::new(),
        is_draining: false,
        sessions: None,
    };
    let line = encode_reply(&Ok(ControlResponse::Status(status)));
    let error = decode_reply(&line).expect_err("too large");
    assert_eq!((error.kind, error.message.as_str()), (ControlErrorKind::Fault, "the answer is too large"));
    let told = ControlError::new(ControlErrorKind::Refused, "mistakes");
    let mistakes = vec!["x".repeat(CONTROL_REPLY_BYTES_MAX).into()];
    let line = encode_reply(&Err(ControlError { mistakes, ..told.clone() }));
    assert_eq!(decode_reply(&line), Err(told), "the text of it is worth more");
}

#[test]
fn passwords_are_not_shown() {
    let request = ControlRequest::UserPasswd { jid: bare("a@b"), password: Password("secret".to_owned()) };
    assert!(!format!("{request:?}").contains("secret"));
}

fn requests() -> impl Strategy<Value = ControlRequest> {
    let jid = || "[a-z]{1,8}@[a-z]{1,8}".prop_map(|text| bare(&text));
    let full = "[a-z]{1,8}@[a-z]{1,8}/[ -~]{1,8}[a-z]"
        .prop_filter_map("a full address", |text| Jid::parse(&text).ok().and_then(|jid| jid.to_full()));
    let full: BoxedStrategy<FullJid> = full.boxed();
    prop_oneof![
        Just(ControlRequest::Status),
        Just(ControlRequest::Reload),
        Just(ControlRequest::ClusterStatus),
        Just(ControlRequest::ClusterSlots),
        Just(ControlRequest::ClusterDrain),
        jid().prop_map(|jid| ControlRequest::ClusterLocate { jid }),
        any::<bool>().prop_map(|drain| ControlRequest::Shutdown { drain }),
        (jid(), any::<String>())
            .prop_map(|(jid, password)| ControlRequest::UserAdd { jid, password: Password(password) }),
        (any::<Option<String>>(), proptest::option::of(jid()))
            .prop_map(|(host, after)| ControlRequest::UserList { host, after }),
        (proptest::option::of(jid()), proptest::option::of(full))
            .prop_map(|(user, after)| ControlRequest::SessionList { user, after }),
        (jid(), any::<Option<String>>())
            .prop_map(|(jid, reason)| ControlRequest::SessionKick { jid: jid.to_jid(), reason }),
        "/[ -~]{0,20}".prop_map(|path| ControlRequest::Backup { path: path.into() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_survive_the_way(request in requests()) {
        let line = encode_request(&request);
        prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        prop_assert_eq!(decode_request(&line), Ok(request));
    }

    #[test]
    fn any_spoilt_request_is_read_without_panic(
        request in requests(), at in 0..200_usize, length in 0..20_usize, put in any::<Vec<u8>>(),
    ) {
        let mut line = encode_request(&request);
        let at = at.min(line.len());
        let end = (at + length).min(line.len());
        line.splice(at..end, put);
        crate::fuzz::control(&line);
    }
}
