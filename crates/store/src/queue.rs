//! A bounded queue between threads, whose consumer takes all that waits in one go.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bounded by count and by weight (bytes). Never waits on the producer's side.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    items_max: usize,
    weight_max: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(usize, T)>,
    weight: usize,
    is_closed: bool,
    /// Producers, by number, that were refused since there was room last.
    refused: Vec<u16>,
}

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Full,
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(items_max: usize, weight_max: usize) -> Self {
        let (items, refused) = (VecDeque::new(), Vec::new());
        let state = Mutex::new(State { items, weight: 0, is_closed: false, refused });
        Self { state, filled: Condvar::new(), items_max, weight_max }
    }

    /// Adds an item, or gives it back. A producer that is refused for want of room stands in the next answer of
    /// [`Queue::take`]. One item is taken whatever it weighs.
    pub(crate) fn push(&self, producer: u16, weight: usize, item: T) -> Result<(), (NotTaken, T)> {
        let mut state = self.lock();
        if state.is_closed {
            return Err((NotTaken::Closed, item));
        }
        let is_full = state.items.len() >= self.items_max || state.weight + weight > self.weight_max;
        if is_full && !state.items.is_empty() {
            if !state.refused.contains(&producer) {
                state.refused.push(producer);
            }
            return Err((NotTaken::Full, item));
        }
        state.weight += weight;
        state.items.push_back((weight, item));
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Moves up to `most` items behind those in `into`. Waits for one if `waits`. Returns the producers that were
    /// refused and may try again, or none once the queue is closed and empty.
    pub(crate) fn take(&self, most: usize, waits: bool, into: &mut Vec<T>) -> Option<Vec<u16>> {
        let mut state = self.lock();
        while waits && state.items.is_empty() && !state.is_closed {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.items.is_empty() && state.is_closed {
            return None;
        }
        for _ in 0..most {
            let Some((weight, item)) = state.items.pop_front() else { break };
            state.weight -= weight;
            into.push(item);
        }
        Some(std::mem::take(&mut state.refused))
    }

    /// Nothing more is taken in; what is there is still handed out.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_all();
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// The state is whole between any two statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_bounded_in_items_and_in_weight() {
        let queue = Queue::new(2, 10);
        assert_eq!(queue.push(1, 50, 'a'), Ok(()), "a heavy one alone");
        assert_eq!(queue.push(1, 0, 'b'), Err((NotTaken::Full, 'b')));
        let mut taken = Vec::new();
        assert_eq!(queue.take(9, true, &mut taken), Some(vec![1]));
        assert_eq!(queue.push(1, 5, 'c'), Ok(()));
        assert_eq!(queue.push(7, 6, 'd'), Err((NotTaken::Full, 'd')));
        assert_eq!(queue.push(1, 5, 'e'), Ok(()));
        assert_eq!(queue.push(8, 0, 'f'), Err((NotTaken::Full, 'f')));
        assert_eq!(queue.push(7, 0, 'f'), Err((NotTaken::Full, 'f')));
        assert_eq!(queue.take(1, false, &mut taken), Some(vec![7, 8]));
        assert_eq!(queue.len(), 1);
        queue.close();
        assert_eq!(queue.push(1, 1, 'g'), Err((NotTaken::Closed, 'g')));
        assert_eq!(queue.take(9, true, &mut taken), Some(vec![]));
        assert_eq!(queue.take(9, true, &mut taken), None);
        assert_eq!(taken, ['a', 'c', 'e']);
    }
}
