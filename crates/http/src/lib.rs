//! HTTP for those who run the server, on actix-web: `/health` (the process lives), `/ready` (clients should be
//! sent here), `/metrics` (the text format of Prometheus).
//!
//! It has a thread of its own and one worker, so a client of it, slow or hostile, never holds an arbiter of sessions;
//! connections are bounded, and each step has its time. It is plain HTTP without any authentication, meant for an
//! address that only operators and their tools reach: the loopback, or a network of their own. What it tells is
//! given by a [`Source`]; it knows nothing of users, and no label names one.
//!
//! Not here: WebSocket (RFC 7395) and BOSH (XEP-0124) as transports, uploads (XEP-0363), host-meta, an API for
//! administration, a console, invitations; nor TLS. Messages in and out are not counted anywhere yet, so neither are
//! they told.

pub mod limits;
mod metrics;
mod server;
mod source;

pub use metrics::{Kind, Metric};
pub use server::HttpServer;
pub use source::{Source, Told};
