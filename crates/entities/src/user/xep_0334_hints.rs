//! XEP-0334 Message Processing Hints, version 1.0.0: `<no-store/>` and `<store/>` say whether a message is kept for who
//! is away. Not here: `<no-copy/>`, which concerns carbons (XEP-0280), and `<no-permanent-store/>`, which concerns
//! archives (XEP-0313): until it is taken, such a message may wait (3.3).

use stentor_xmpp::{MessageType, Stanza, ns};

/// Whether a message is worth keeping for who is away, and so falls under the promise: chat and normal messages
/// that do not ask to be forgotten and say more than that somebody is typing (XEP-0085 5.4).
pub(crate) fn is_kept(stanza: &Stanza) -> bool {
    if !matches!(stanza.message_type(), MessageType::Chat | MessageType::Normal) {
        return false;
    }
    let mut says_something = false;
    for child in stanza.children() {
        match (child.namespace, child.name) {
            (ns::HINTS, "no-store") => return false,
            (ns::HINTS, "store") => says_something = true,
            (ns::HINTS | ns::CHAT_STATES, _) | (ns::CLIENT, "thread") => {}
            _ => says_something = true,
        }
    }
    says_something
}
