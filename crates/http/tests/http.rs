//! HTTP as a client sees it, its bytes written by hand.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use stentor_http::limits::CONNECTIONS_MAX;
use stentor_http::{HttpServer, Metric, Source, Told};

/// Against hanging alone.
const DEADLINE: Duration = Duration::from_secs(120);

#[derive(Default)]
struct Server {
    is_ready: AtomicBool,
    never_answers: AtomicBool,
    asked: AtomicU32,
}

impl Source for Server {
    fn ready(&self) -> Told<'_, Result<(), String>> {
        Box::pin(async {
            if self.never_answers.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.is_ready.load(Ordering::SeqCst) { Ok(()) } else { Err("the lease is lost".to_owned()) }
        })
    }

    fn metrics(&self) -> Told<'_, Vec<Metric>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { vec![Metric::gauge("asked", "How often", f64::from(asked))] })
    }
}

fn start() -> (HttpServer, Arc<Server>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Arc::new(Server::default());
    let http = HttpServer::start(vec![listener], Arc::clone(&server) as Arc<dyn Source>).unwrap();
    (http, server, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// All that the server sends until it closes.
fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    rest(&mut stream)
}

fn rest(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    let answer = send(address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

#[test]
fn whether_it_lives_and_is_ready() {
    let (_http, server, address) = start();
    let (status, head, body) = get(address, "/health");
    assert_eq!((status, body.as_str()), (200, "ok\n"));
    assert!(
        head.contains("\r\ncache-control: no-store") && head.contains("content-type: text/plain"),
        "{head}"
    );
    let (status, _, body) = get(address, "/ready");
    assert_eq!((status, body.as_str()), (503, "the lease is lost\n"));
    server.is_ready.store(true, Ordering::SeqCst);
    let (status, _, body) = get(address, "/ready");
    assert_eq!((status, body.as_str()), (200, "ready\n"));
    server.never_answers.store(true, Ordering::SeqCst);
    let (status, _, body) = get(address, "/ready");
    assert_eq!((status, body.as_str()), (503, "no answer within 5 seconds\n"));
    // And the process still lives.
    assert_eq!(get(address, "/health").0, 200);
}

#[test]
fn metrics_are_of_the_moment() {
    let (_http, _, address) = start();
    for asked in 0..2 {
        let (status, head, body) = get(address, "/metrics");
        assert_eq!(status, 200);
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        assert_eq!(body, format!("# HELP asked How often\n# TYPE asked gauge\nasked {asked}\n"));
    }
}

#[test]
fn what_else_is_asked() {
    let (_http, _, address) = start();
    let check = |request: &str, expected: &str| {
        let answer = send(address, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{request:?}: {answer:?}");
    };
    check("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "404");
    check("GET /health/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "404");
    check("HEAD /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "503");
    check("POST /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "405");
    check("<?xml version='1.0'?><stream:stream>\r\n\r\n", "400");
}

/// Whether it is one long field or many of them: it is not read to its end.
#[test]
fn heads_are_bounded() {
    let (_http, _, address) = start();
    for fields in ["a".repeat(1 << 20), "b\r\na: ".repeat(1_000)] {
        let mut stream = connect(address);
        // It may close before all is written, and what it said is lost then.
        let _ =
            stream.write_all(format!("GET /health HTTP/1.1\r\nHost: a\r\na: {fields}\r\n\r\n").as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(get(address, "/health").0, 200);
}

/// Two requests in one write, on one connection: two answers.
#[test]
fn a_connection_is_kept() {
    let (_http, _, address) = start();
    let one = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(send(address, &format!("{one}{last}")).matches("HTTP/1.1 200").count(), 2);
}

#[test]
fn half_a_request_is_not_waited_for() {
    let (_http, _, address) = start();
    let answer = send(address, "GET /health HTTP/1.1\r\nHost:");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

/// More connections than there may be: who comes late is served once others are gone, and not before.
#[test]
fn connections_are_bounded() {
    let (_http, server, address) = start();
    server.never_answers.store(true, Ordering::SeqCst);
    // Each holds its place until its time is over.
    let mut holding: Vec<_> = (0..CONNECTIONS_MAX).map(|_| connect(address)).collect();
    for stream in &mut holding {
        stream.write_all(b"GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    }
    let mut late = connect(address);
    late.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert!(rest(&mut late).starts_with("HTTP/1.1 200"));
    // Somebody's place was given up before.
    let given_up = holding.into_iter().filter(|stream| {
        stream.set_nonblocking(true).unwrap();
        stream.peek(&mut [0; 16]).is_ok()
    });
    assert!(given_up.count() > 0);
}

#[test]
fn it_ends() {
    let (http, _, address) = start();
    assert_eq!(get(address, "/health").0, 200);
    drop(http);
    // The thread closes its sockets; until then a connection is taken and closed.
    let end = std::time::Instant::now() + DEADLINE;
    while TcpStream::connect(address).is_ok() {
        assert!(std::time::Instant::now() < end, "it still listens");
        std::thread::yield_now();
    }
}
