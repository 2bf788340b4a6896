//! XEP-0115 Entity Capabilities, version 1.6.0: the server's own, for its stream features (6.3) and for those who ask
//! what they stand for. Clients' capabilities pass through with their presence. Not here: the legacy format.

use crate::Host;
use crate::user::server_info;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::collections::BTreeSet;
use stentor_xml::{Element, ElementBuilder};
use stentor_xmpp::ns;

/// Names the program.
const NODE: &str = env!("CARGO_PKG_REPOSITORY");

/// What service discovery says of an entity.
#[derive(Debug, Default)]
pub(crate) struct Info<'a> {
    pub identities: Vec<Identity<'a>>,
    pub features: BTreeSet<&'a str>,
    pub forms: Vec<Form<'a>>,
}

/// An identity (XEP-0030 3.1), in the order by which they are sorted.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity<'a> {
    pub category: &'a str,
    pub kind: &'a str,
    pub lang: &'a str,
    pub name: &'a str,
}

/// A form of extended information (XEP-0128).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Form<'a> {
    pub form_type: &'a str,
    /// Fields but for `FORM_TYPE`: names and values.
    pub fields: Vec<(&'a str, Vec<&'a str>)>,
}

/// The host's capabilities as a stream feature.
pub fn server_caps(host: &Host) -> Element {
    let caps = ElementBuilder::new("c", ns::CAPS).attr("hash", "sha-1").attr("node", NODE);
    caps.attr("ver", verification_string(server_info(host))).build()
}

/// The node by which the capabilities of a host are asked for (6.2).
pub(crate) fn server_node(host: &Host) -> String {
    format!("{NODE}#{}", verification_string(server_info(host)))
}

/// The verification string (5.1).
fn verification_string(mut info: Info<'_>) -> String {
    let mut hash = Sha1::new();
    let mut add = |text: &str| {
        hash.update(text);
        hash.update("<");
    };
    info.identities.sort();
    for Identity { category, kind, lang, name } in info.identities {
        add(&format!("{category}/{kind}/{lang}/{name}"));
    }
    info.features.into_iter().for_each(&mut add);
    info.forms.sort();
    for mut form in info.forms {
        add(form.form_type);
        form.fields.sort();
        for (name, mut values) in form.fields {
            add(name);
            values.sort_unstable();
            values.into_iter().for_each(&mut add);
        }
    }
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity<'a>(lang: &'a str, name: &'a str) -> Identity<'a> {
        Identity { category: "client", kind: "pc", lang, name }
    }

    /// 5.2 and 5.3: the examples of the specification. None is in order as given.
    #[test]
    fn examples() {
        let features = [
            "http://jabber.org/protocol/muc",
            "http://jabber.org/protocol/disco#info",
            "http://jabber.org/protocol/disco#items",
            "http://jabber.org/protocol/caps",
        ];
        let features: BTreeSet<&str> = features.into_iter().collect();
        let identities = vec![identity("", "Exodus 0.9.1")];
        let simple = Info { identities, features: features.clone(), forms: Vec::new() };
        assert_eq!(verification_string(simple), "QgayPKawpkPSDYmwT/WM94uAlu0=");

        let fields = vec![
            ("software", vec!["Psi"]),
            ("ip_version", vec!["ipv6", "ipv4"]),
            ("os_version", vec!["10.5.1"]),
            ("os", vec!["Mac"]),
            ("software_version", vec!["0.11"]),
        ];
        let forms = vec![Form { form_type: "urn:xmpp:dataforms:softwareinfo", fields }];
        let identities = vec![identity("en", "Psi 0.11"), identity("el", "Ψ 0.11")];
        let complex = Info { identities, features, forms };
        assert_eq!(verification_string(complex), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
    }
}
