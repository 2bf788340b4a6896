//! What hostile bytes cost in memory, counted by the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use stentor_xml::{Frame, Framer, Limits};

/// Counts the bytes that each thread holds, and the most it ever held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending counts no more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

#[expect(unsafe_code, reason = "an allocator can be counted in no other way; each call goes on as it came")]
// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// Sends one unit over and over after some first bytes, in pieces, until the framer refuses it or so much was sent.
/// How many bytes were sent, and the most that were held at once while they were.
fn flood(start: &str, unit: &str, piece_bytes: usize) -> (usize, usize) {
    let document = format!("{HEADER}{start}{}", unit.repeat(1_000_000 / unit.len()));
    let before = HELD.get();
    MOST.set(before);
    let mut framer = Framer::new(Limits::CLIENT);
    let mut sent = 0;
    'stream: for mut piece in document.as_bytes().chunks(piece_bytes) {
        sent += piece.len();
        loop {
            match framer.next(&mut piece) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => break 'stream,
            }
        }
    }
    (sent, usize::try_from(MOST.get() - before).expect("more than before"))
}

/// Memory that a stream costs before it has sent anything worth counting: a scan's first vectors.
const FLOOR_BYTES: usize = 8 * 1024;

#[test]
fn s021_no_stream_holds_more_than_eight_times_what_it_sent() {
    let floods = [
        ("<a>", "<b/>"),
        ("<a>", "<b>"),
        ("<a><b>", "<c/>"),
        ("<a>", "x"),
        ("<a ", "b='' "),
        ("<a", " xmlns:b='c'"),
        ("<a>", "<b c='' d='' e='' f='' g='' h='' i=''/>"),
        ("<a>", "<b xmlns:c='&amp;'/>"),
        ("<a>", "<b><c xmlns='&#x41;'/></b>"),
        ("<a b='", "x"),
        ("<", "x"),
        ("", "<a/>"),
        ("", " "),
    ];
    for (start, unit) in floods {
        for piece_bytes in [1, 1000, 100_000] {
            let (sent, most) = flood(start, unit, piece_bytes);
            assert!(most <= 8 * sent + FLOOR_BYTES, "S021: {start}{unit}: {sent} bytes sent, {most} held");
        }
    }
}

#[test]
fn s017_a_stanza_is_held_once() {
    let (sent, most) = flood("<a>", "x", 1);
    assert!(sent <= Limits::CLIENT.stanza_bytes_max as usize + HEADER.len(), "S017: {sent}");
    assert!(most < 1024 * 1024, "S017: {most}");
}

#[test]
fn s020_an_idle_stream_holds_its_declarations_only() {
    let read = |framer: &mut Framer, bytes: &str| {
        let mut input = bytes.as_bytes();
        while framer.next(&mut input).expect("well-formed").is_some() {}
    };
    // The thread's pool is filled by a first one.
    read(&mut Framer::new(Limits::CLIENT), HEADER);
    let before = HELD.get();
    let mut framers: Vec<Framer> = (0..100).map(|_| Framer::new(Limits::CLIENT)).collect();
    for framer in &mut framers {
        read(framer, &format!("{HEADER}<message><body>x</body></message> "));
        read(framer, "<mess");
        read(framer, "age/>\n");
        assert!(!framer.is_partial());
    }
    let each = (HELD.get() - before) / 100;
    assert!(each <= 200, "S020: {each} bytes");
}

/// Beyond eight times its bytes, what the tree of a stanza with as many elements as it may have takes.
const TREE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What a request is looked into by. It is no connection's: an arbiter has one at a time, of one stanza, and it is gone
/// with the answer. Small elements cost up to 32 times their bytes; the limit on their number bounds all of it.
#[test]
fn s021_a_tree_is_bounded_by_its_bytes() {
    for unit in
        ["<b/>", "<b></b>", "x<b/>", "<b c=''/>", "<b c='' d='' e='' f=''/>", "<b xmlns='c'/>", "x", "&lt;"]
    {
        let count = (200_000 / unit.len()).min(9_900);
        // As in a request: few children are allowed at the first level.
        let document = format!("{HEADER}<a><q>{}</q></a>", unit.repeat(count));
        let mut framer = Framer::new(Limits::CLIENT);
        let mut input = document.as_bytes();
        framer.next(&mut input).expect("a header");
        let Ok(Some(Frame::Element(raw))) = framer.next(&mut input) else { panic!("{unit}: no element") };
        let before = HELD.get();
        MOST.set(before);
        let element = raw.to_element();
        let most = usize::try_from(MOST.get() - before).expect("more than before");
        drop(element);
        assert_eq!(HELD.get(), before, "S021: {unit}: gone with the tree");
        println!("S021: {unit}: {:.1} for each byte", most as f64 / document.len() as f64);
        assert!(
            most <= 8 * document.len() + TREE_BYTES_MAX,
            "S021: {unit}: {} bytes, {most} held",
            document.len()
        );
    }
}
