//! The limits of this crate, with their reasons.

use std::time::Duration;

/// Connections at a time: some probes and scrapers, each with a few. More wait in the listener's backlog.
pub const CONNECTIONS_MAX: usize = 64;

/// Connections that wait to be accepted, for whoever opens the listeners.
pub const BACKLOG: i32 = 64;

/// From a connection, or from the answer before, until the head of a request is there.
pub const REQUEST_TIME: Duration = Duration::from_secs(5);

/// How long a connection may stay without a request: longer than from one scrape to the next, in most places.
pub const IDLE: Duration = Duration::from_secs(30);

/// How long the rest of the server may take to say what is asked; after that it is not ready.
pub const SOURCE_TIME: Duration = Duration::from_secs(5);

/// How long connections may take to end.
pub const LINGER: Duration = Duration::from_secs(1);
