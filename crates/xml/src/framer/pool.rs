//! What the frame being read needs, shared by all streams of a thread, so that an idle stream holds none of it.

use crate::limits::{POOL_MAX, POOLED_BYTES_MAX};
use crate::scanner::Scanner;
use std::cell::RefCell;

/// The state of the scan, and the bytes of a frame that came in parts.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) scanner: Scanner,
    pub(super) buffer: Vec<u8>,
    /// The scanner knows the declarations of the stream it is used for.
    pub(super) has_inherited: bool,
}

thread_local! {
    #[expect(clippy::vec_box, reason = "a framer holds a pointer to its scratch, which moves between them as it is")]
    static POOL: RefCell<Vec<Box<Scratch>>> = const { RefCell::new(Vec::new()) };
}

/// A scratch that knows nothing of a stream.
pub(super) fn take() -> Box<Scratch> {
    // Without thread-locals (a thread that ends) a new one does as well.
    POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

/// Gives a scratch back for the next frame of any stream.
pub(super) fn give(mut scratch: Box<Scratch>) {
    scratch.buffer.clear();
    scratch.has_inherited = false;
    if scratch.buffer.capacity() > POOLED_BYTES_MAX || scratch.scanner.held_bytes() > POOLED_BYTES_MAX {
        return;
    }
    // Without thread-locals it is dropped.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < POOL_MAX {
            pool.push(scratch);
        }
    });
}
