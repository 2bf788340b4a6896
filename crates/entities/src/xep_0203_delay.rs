//! XEP-0203 Delayed Delivery, version 2.0: when a message that waited was received.

use stentor_xml::ElementBuilder;
use stentor_xmpp::{Stanza, ns};

/// Milliseconds since 1970 UTC as XEP-0082 writes them; a time beyond the calendar becomes its end.
pub(crate) fn timestamp(unix: u64) -> String {
    let millis = i64::try_from(unix).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

/// Says since when the message was held by `domain`. One that says so already keeps its first.
pub(crate) fn stamp(stanza: &mut Stanza, domain: &str, unix: u64) {
    strip(stanza, |from| from == domain);
    let delay = ElementBuilder::new("delay", ns::DELAY).attr("from", domain).attr("stamp", timestamp(unix));
    stanza.push(&delay.build());
}

/// Removes delays whose `from` is one that only we may write.
pub(crate) fn strip(stanza: &mut Stanza, is_ours: impl Fn(&str) -> bool) {
    if !stanza.has_child("delay", ns::DELAY) {
        return;
    }
    let whole = stanza.clone();
    stanza.remove(|child| {
        child.is("delay", ns::DELAY) && whole.element(child).attribute("from").is_some_and(&is_ours)
    });
}
