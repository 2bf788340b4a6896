//! What an idle stream holds, and what its commonest elements cost.

#![allow(unsafe_code, reason = "only an allocator can count allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use stentor_auth::{ChannelBindings, ClientIdentities, Credential, Found, ServerSecret};
use stentor_stream::{Action, ClientStream, Connection, Enabled, Host, Progress, Settings, TlsInfo};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static HELD_BYTES: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: all is done by the system's allocator; the counts are a thread's own and need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        HELD_BYTES.set(HELD_BYTES.get() + layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD_BYTES.set(HELD_BYTES.get() - layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='im.example.com' version='1.0' xml:lang='en' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// Lets the stream read all of `input`; the last action.
fn feed(stream: &mut ClientStream, input: &str, out: &mut Vec<u8>) -> Option<Action> {
    let mut input = input.as_bytes();
    let mut last = None;
    while let Progress::Action(action) = stream.receive(&mut input, out) {
        last = Some(action);
    }
    assert!(input.is_empty());
    last
}

/// A stream that is bound, with stream management.
fn bound(settings: &Arc<Settings>, client: &ClientIdentities, out: &mut Vec<u8>) -> ClientStream {
    let bindings = ChannelBindings::new(Some([7; 32]), Some(vec![8; 32]));
    let tls = TlsInfo { bindings, client: Some(client.clone()), sni: Some("im.example.com".to_owned()) };
    let mut stream =
        ClientStream::new(Arc::clone(settings), Connection::Tls(tls), Box::new(|bytes| bytes.fill(0)));
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>";
    feed(&mut stream, &(HEADER.to_owned() + auth), out);
    stream.credentials(Ok(Found::Account(Credential::default())), out);
    let bind = "<iq id='b' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    let Some(Action::Bind { jid }) = feed(&mut stream, &(HEADER.to_owned() + bind), out) else {
        panic!("no resource was asked for")
    };
    stream.bound(&jid, out);
    feed(&mut stream, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>", out);
    stream.management_enabled(&Enabled { id: Some("id"), ..Enabled::default() }, out);
    stream
}

fn identities() -> ClientIdentities {
    let name = rcgen::OtherNameValue::Utf8String("juliet@im.example.com".to_owned());
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 5], name))];
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    ClientIdentities::from_certificate(certificate.der()).expect("identities")
}

#[test]
fn an_idle_stream_and_its_elements() {
    let settings = Arc::new(Settings::new(ServerSecret::new([3; 32]), [Host::new("im.example.com")]));
    let client = identities();
    let mut out = Vec::with_capacity(1 << 16);
    // The first one fills what threads keep for all streams.
    drop(bound(&settings, &client, &mut out));

    let before = HELD_BYTES.get();
    let mut stream = bound(&settings, &client, &mut out);
    let held = HELD_BYTES.get() - before + size_of::<ClientStream>().cast_signed();
    assert!(held <= 640, "an idle stream holds {held} bytes");

    let message =
        "<message to='romeo@example.net' xml:lang='en' id='1' type='chat'><body>Hi</body></message>";
    for (input, expected) in [
        ("<r xmlns='urn:xmpp:sm:3'/>", 0),
        ("<a xmlns='urn:xmpp:sm:3' h='0'/>", 0),
        (" ", 0),
        // The stanza's own: nothing is added to them here.
        (message, 3),
    ] {
        feed(&mut stream, input, &mut out);
        let before = ALLOCATIONS.get();
        drop(feed(&mut stream, input, &mut out));
        assert_eq!(ALLOCATIONS.get() - before, expected, "allocations: {input}");
    }
    out.clear();
    let before = ALLOCATIONS.get();
    stream.handled(7, &mut out);
    stream.request_ack(&mut out);
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
