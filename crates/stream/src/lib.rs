//! Client-to-server stream negotiation (RFC 6120 4 to 7, XEP-0077 3.1, XEP-0198 1.6.3, XEP-0440 1.0.0,
//! XEP-0478 0.2.0): bytes in, actions out.
//!
//! [`ClientStream`] is one client's stream as a state machine. It does no I/O, has no clock, and draws randomness from
//! where its caller says. The caller is a session with a socket; its loop is
//!
//! ```text
//! let mut input = bytes_read.as_slice();
//! loop {
//!     match stream.receive(&mut input, &mut output) {
//!         Progress::Action(action) => self.act(action),  // Each is documented at `Action`.
//!         Progress::More | Progress::Wait => break,      // Read on; or keep `input` until the answer is given.
//!         Progress::Ended => return self.flush_and_disconnect(),
//!     }
//! }
//! ```
//!
//! - **Back-pressure.** `receive` stops at each action. A caller that does not call it again, holds the client.
//! - **Answers.** An action that is a question is answered by the method named in its documentation, at any later
//!   time; then `receive` is called again. Until then it answers [`Progress::Wait`] and reads nothing.
//! - **TLS.** At [`Action::StartTls`] the input is emptied: what came in clear after `<starttls/>` is never acted on.
//!   The caller drops what it has read of the socket itself.
//! - **Stanzas** are sent by the caller, with `Stanza::write_to` into the same output. It counts them: each
//!   [`Action::Stanza`] and each [`Action::Answered`] is one received (XEP-0198 4), from [`Action::Enable`] on.
//! - **Time.** [`ClientStream::deadline`] names what the clock is to watch, [`limits`] has the times.
//! - **The end.** The client's comes as [`Action::Closed`], to be answered with [`ClientStream::close`]. Ours is `close`
//!   or [`ClientStream::fail`]. After [`Progress::Ended`] the output is flushed and the connection closed.
//! - **Rate.** [`RateLimit`] says after each read how long not to read again.
//!
//! Not here: SASL2, bind2 (XEP-0388, XEP-0386), servers' streams. Compression (XEP-0138) is refused for good.

mod action;
mod authentication;
mod binding;
mod bound;
mod client;
mod features;
mod header;
pub mod limits;
mod rate;
mod settings;
mod stage;
mod xep_0198;

pub use action::{Action, Deadline, Progress};
pub use client::{ClientStream, Entropy};
pub use rate::RateLimit;
pub use settings::{Connection, Host, Settings, TlsInfo};
pub use xep_0198::Enabled;
