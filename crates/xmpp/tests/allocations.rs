//! What an address costs: a stanza has two of them.

#![allow(unsafe_code, reason = "only an allocator can count allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use stentor_xmpp::{BareJid, Jid, prepare_localpart};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is done by the system's allocator; the count is a thread's own and needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn usual_addresses() {
    fn check<T>(what: &str, expected: usize, work: impl FnOnce() -> T) -> T {
        let before = ALLOCATIONS.get();
        let result = work();
        assert_eq!(ALLOCATIONS.get() - before, expected, "allocations: {what}");
        result
    }
    let full = check("a full address", 1, || Jid::parse("romeo@montague.example/orchard")).unwrap();
    check("upper case", 1, || Jid::parse("Romeo@Montague.Example/orchard")).unwrap();
    check("a domain", 1, || Jid::parse("montague.example")).unwrap();
    check("a bare address", 1, || BareJid::parse("romeo@montague.example")).unwrap();
    check("none", 0, || Jid::parse("romeo@")).unwrap_err();
    check("clone", 0, || full.clone());
    check("to_bare", 0, || full.to_bare());
    check("to_full", 0, || full.to_full());
    check("into_bare", 0, || full.into_bare());
    check("a localpart", 0, || prepare_localpart("romeo").is_ok());
}
