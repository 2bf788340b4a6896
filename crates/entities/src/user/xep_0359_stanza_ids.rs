//! XEP-0359 Unique and Stable Stanza IDs, version 0.7.0: the id that this account gave a message, the same in every
//! delivery. Not here: the archive that lists them (XEP-0313).

use crate::Hosts;
use stentor_engine::LogId;
use stentor_xml::ElementBuilder;
use stentor_xmpp::{BareJid, Stanza, ns};

/// Puts the account's id on a message, in place of any that claims to be the account's (5, business rule 3).
pub(crate) fn stamp(stanza: &mut Stanza, by: &BareJid, id: LogId) {
    strip(stanza, |claimed| BareJid::parse(claimed).map_or(true, |claimed| claimed == *by));
    let element =
        ElementBuilder::new("stanza-id", ns::STANZA_IDS).attr("by", by.as_str()).attr("id", id.0.to_string());
    stanza.push(&element.build());
}

/// Removes ids that a client put in the name of any host or account here, before the message goes anywhere.
pub(crate) fn strip_forged(stanza: &mut Stanza, hosts: &Hosts) {
    let is_ours = |by: &str| stentor_xmpp::Jid::parse(by).map_or(true, |by| hosts.get(by.domain()).is_some());
    strip(stanza, is_ours);
    crate::xep_0203_delay::strip(stanza, is_ours);
}

fn strip(stanza: &mut Stanza, is_ours: impl Fn(&str) -> bool) {
    if !stanza.has_child("stanza-id", ns::STANZA_IDS) {
        return;
    }
    let whole = stanza.clone();
    stanza.remove(|child| {
        child.is("stanza-id", ns::STANZA_IDS) && whole.element(child).attribute("by").is_none_or(&is_ours)
    });
}
