//! RFC 6121 section 8.5: what a server does with a stanza for a local account. Its table 1, and the rules for
//! presence and iq around it.

use stentor_xmpp::MessageType;

/// How the stanza is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addressed {
    /// To the bare JID.
    Bare,
    /// To the full JID of a resource that is here.
    Match,
    /// To a full JID that no resource has.
    NoMatch,
}

/// What resources of the account are available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Available {
    /// None.
    None,
    /// Only with negative priority.
    Negative,
    /// At least one that takes messages.
    NonNegative,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// To every resource whose priority is not negative (8.5.2.1.1 leaves the choice; all of them, since a person
    /// has one conversation on several devices).
    All,
    /// To the resource it names.
    Named,
    /// Kept until a resource takes messages (XEP-0160).
    Offline,
    /// `<service-unavailable/>` to the sender.
    Refuse,
    /// Silently nothing.
    Ignore,
}

/// RFC 6121 8.5.4, table 1, for an account that exists.
pub(crate) fn of_message(kind: MessageType, addressed: Addressed, available: Available) -> Delivery {
    use MessageType::{Chat, Error, Groupchat, Headline, Normal};
    match (addressed, kind) {
        // 8.5.3.1: whatever its type.
        (Addressed::Match, _) => Delivery::Named,
        (_, Error) => Delivery::Ignore,
        // 8.5.2.1.1, 8.5.2.2.1.
        (Addressed::Bare, Groupchat) => Delivery::Refuse,
        (Addressed::Bare, Headline) if available == Available::NonNegative => Delivery::All,
        (Addressed::Bare, Headline) => Delivery::Ignore,
        (Addressed::Bare, Normal | Chat) | (Addressed::NoMatch, Chat) => match available {
            Available::NonNegative => Delivery::All,
            Available::Negative | Available::None => Delivery::Offline,
        },
        // 8.5.3.2.1: ignored or refused; refused, so that nothing is lost without its sender knowing.
        (Addressed::NoMatch, Normal | Groupchat) => Delivery::Refuse,
        (Addressed::NoMatch, Headline) => Delivery::Ignore,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MessageType::{Chat, Error, Groupchat, Headline, Normal};

    /// Table 1, row by row: normal, chat, groupchat, headline; and error, of the text before it. `S` silently ignore,
    /// `E` error, `O` offline, `D` deliver to the resource, `M` deliver to all that take messages: those are the most
    /// available here, whether one or more (so chat is not the table's `A`, for which clients would have to opt in).
    /// An account that does not exist is decided before this.
    const TABLE: &[(&str, Addressed, Available, &str)] = &[
        ("no active resources, bare", Addressed::Bare, Available::None, "OOESS"),
        ("no active resources, full no match", Addressed::NoMatch, Available::None, "EOESS"),
        ("only connected, full match (8.5.3.1)", Addressed::Match, Available::None, "DDDDD"),
        ("only negative, bare", Addressed::Bare, Available::Negative, "OOESS"),
        ("only negative, full match", Addressed::Match, Available::Negative, "DDDDD"),
        ("only negative, full no match", Addressed::NoMatch, Available::Negative, "EOESS"),
        ("non-negative, bare", Addressed::Bare, Available::NonNegative, "MMEMS"),
        ("non-negative, full match", Addressed::Match, Available::NonNegative, "DDDDD"),
        ("non-negative, full no match", Addressed::NoMatch, Available::NonNegative, "EMESS"),
    ];

    #[test]
    fn table_1() {
        let mut rows = 0;
        for (row, addressed, available, expected) in TABLE {
            for (kind, letter) in [Normal, Chat, Groupchat, Headline, Error].into_iter().zip(expected.chars())
            {
                let given = match of_message(kind, *addressed, *available) {
                    Delivery::All => 'M',
                    Delivery::Named => 'D',
                    Delivery::Offline => 'O',
                    Delivery::Refuse => 'E',
                    Delivery::Ignore => 'S',
                };
                assert_eq!(given, letter, "RFC 6121 8.5.4: {row}, {kind:?}");
                rows += 1;
            }
        }
        assert_eq!(rows, 45);
    }
}
