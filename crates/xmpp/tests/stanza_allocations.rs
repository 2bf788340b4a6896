//! What a stanza on its way through costs the allocator, counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use stentor_xml::{Frame, Framer, Limits};
use stentor_xmpp::{Jid, Stanza, ns};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no count any more.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator can be counted in no other way; each call goes on as it came")]
// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

const CHAT: &str = "<message to='juliet@example.net' type='chat' id='d4b1c2e3' xml:lang='en'>\
                    <body>Wherefore art thou?</body><active xmlns='http://jabber.org/protocol/chatstates'/>\
                    <request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='d4b1c2e3'/></message>";

/// Allocations from the read bytes to the bytes to send, of each of some stanzas that come in pieces of a size.
fn allocations(piece_bytes: usize) -> Vec<usize> {
    let from = Jid::parse("romeo@example.net/orchard").expect("an address");
    let document = format!("{HEADER}{}", CHAT.repeat(8));
    let mut framer = Framer::new(Limits::CLIENT);
    let mut counts = Vec::with_capacity(16);
    let mut before = COUNT.get();
    for mut piece in document.as_bytes().chunks(piece_bytes) {
        while let Some(frame) = framer.next(&mut piece).expect("valid") {
            if let Frame::Element(raw) = frame {
                let mut stanza = Stanza::from_raw(&raw, ns::CLIENT).expect("a stanza");
                stanza.set_from(Some(from.clone()));
                assert!(!stanza.has_child("private", "urn:xmpp:carbons:2"));
                let bytes = stanza.to_bytes();
                counts.push(COUNT.get() - before);
                drop(bytes);
            }
            before = COUNT.get();
        }
    }
    counts
}

#[test]
fn a_chat_stanza_allocates_four_times() {
    // The text, the content, the recipient's address, the bytes to send.
    for piece_bytes in [usize::MAX, 100, 1] {
        // The first stanzas fill the pool.
        assert_eq!(allocations(piece_bytes).get(4..), Some([4; 4].as_slice()), "pieces of {piece_bytes}");
    }
}
