//! What is told, by whoever knows.

use std::future::Future;
use std::pin::Pin;

use crate::Metric;

/// What a [`Source`] says in its time.
pub type Told<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The rest of the server, as it is asked from here. It is asked on the thread of HTTP and must not block it.
pub trait Source: Send + Sync + 'static {
    /// Whether clients should be sent here.
    ///
    /// # Errors
    /// Why not, in a line for operators.
    fn ready(&self) -> Told<'_, Result<(), String>>;

    /// Figures as of now, each name once.
    fn metrics(&self) -> Told<'_, Vec<Metric>>;
}
