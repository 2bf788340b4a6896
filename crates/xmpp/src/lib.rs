//! Addresses, stanzas, errors, namespaces and stream-management counters of XMPP.
pub mod limits;
pub mod ns;

mod error;
mod jid;
mod sm;
mod stanza;

pub use error::{Condition, ErrorType, StanzaError, StreamCondition, StreamError};
pub use jid::{
    BareJid, FullJid, Jid, JidError, PasswordError, prepare_domainpart, prepare_localpart, prepare_password,
    prepare_resourcepart,
};
pub use sm::{Counter, StreamManagementError, Unacknowledged};
pub use stanza::{IqType, Kind, MessageType, PresenceType, Stanza, StanzaFault, StanzaType};
