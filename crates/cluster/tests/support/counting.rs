//! What a thread allocates, counted by the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static TIMES: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(times: usize, bytes: isize) {
    // A thread that is ending counts no more.
    let _ = TIMES.try_with(|count| count.set(count.get() + times));
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

#[expect(unsafe_code, reason = "an allocator can be counted in no other way; each call goes on as it came")]
// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` gives, how often it allocated, and how many bytes it held at most beside what was there before.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let (times, held) = (TIMES.get(), HELD.get());
    MOST.set(held);
    let result = work();
    (result, TIMES.get() - times, usize::try_from(MOST.get() - held).unwrap_or(0))
}

/// How many bytes less are held after `work`.
pub(crate) fn freed(work: impl FnOnce()) -> usize {
    let held = HELD.get();
    work();
    usize::try_from(held - HELD.get()).unwrap_or(0)
}
