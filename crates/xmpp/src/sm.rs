//! Contract; the implementation follows. XEP-0198 counters and the queue of what the peer has not acknowledged.
/// A count of handled stanzas modulo 2^32 (XEP-0198 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counter(pub u32);
impl Counter {
    pub fn next(self) -> Self { Self(self.0.wrapping_add(1)) }
    /// How far `self` is ahead of `earlier`, modulo 2^32.
    pub fn since(self, earlier: Self) -> u32 { self.0.wrapping_sub(earlier.0) }
}
/// The peer acknowledged more than was sent (XEP-0198 4, `handled-count-too-high`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("acknowledged {h}, but only {sent} were sent")]
pub struct StreamManagementError { pub h: u32, pub sent: u32 }
/// Items numbered from 1 that the peer has not acknowledged, oldest first.
#[derive(Debug)]
pub struct Unacknowledged<T> { _t: std::marker::PhantomData<T> }
impl<T> Unacknowledged<T> {
    pub fn new() -> Self { todo!() }
    /// Empty, with all up to `acknowledged` sent and acknowledged before (a resumed stream).
    pub fn starting_at(acknowledged: Counter) -> Self { let _ = acknowledged; todo!() }
    pub fn push(&mut self, item: T, bytes: usize) -> Counter { let _ = (item, bytes); todo!() }
    /// Drops all up to `h`, giving each to `settled`. An `h` behind the last one is refused as well: it cannot be told from 2^32 ahead.
    pub fn acknowledge(&mut self, h: Counter, settled: impl FnMut(T)) -> Result<(), StreamManagementError> { let _ = (h, settled); todo!() }
    pub fn len(&self) -> usize { todo!() }
    pub fn is_empty(&self) -> bool { todo!() }
    pub fn bytes(&self) -> usize { todo!() }
    /// The count of the last item pushed.
    pub fn sent(&self) -> Counter { todo!() }
    pub fn acknowledged(&self) -> Counter { todo!() }
    pub fn iter(&self) -> impl Iterator<Item = &T> { std::iter::empty() }
    pub fn into_iter(self) -> impl Iterator<Item = T> { std::iter::empty() }
}
