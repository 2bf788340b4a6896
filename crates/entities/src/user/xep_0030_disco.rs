//! XEP-0030 Service Discovery, version 2.5.0, for accounts and for the server; XEP-0157 Contact Addresses, version
//! 1.1.1; XEP-0092 Software Version, version 1.1; XEP-0202 Entity Time, version 2.0.

use super::User;
use super::iq::{Answer, Request, only_get};
use crate::specifications::SPECIFICATIONS;
use crate::xep_0203_delay::timestamp;
use stentor_xml::ElementBuilder;
use stentor_xmpp::{Condition, ns};

impl User {
    /// What the account is. A stranger learns no more of one that exists than of one that does not (XEP-0030 8).
    pub(crate) fn account_info(&self, request: &Request<'_>) -> Answer {
        self.check_trusted(request)?;
        let mut info = info(request, "account", "registered", None)?;
        for feature in SPECIFICATIONS.iter().flat_map(|s| s.account_features) {
            info = info.open("feature", ns::DISCO_INFO).attr("var", feature).close();
        }
        Ok(Some(info.build()))
    }

    /// An account's items: none are published.
    pub(crate) fn account_items(&self, request: &Request<'_>) -> Answer {
        self.check_trusted(request)?;
        items(request)
    }

    /// The server's identity, features and contact addresses.
    pub(crate) fn server_info(&self, request: &Request<'_>) -> Answer {
        let mut info = info(request, "server", "im", Some("Stentor"))?;
        for feature in SPECIFICATIONS.iter().flat_map(|s| s.server_features) {
            info = info.open("feature", ns::DISCO_INFO).attr("var", feature).close();
        }
        let Some(host) = self.host.as_ref().filter(|host| !host.contacts.is_empty()) else {
            return Ok(Some(info.build()));
        };
        info = info.open("x", ns::DATA_FORMS).attr("type", "result");
        let field = |form: ElementBuilder, var: &str| form.open("field", ns::DATA_FORMS).attr("var", var);
        let value = |form: ElementBuilder, text: &str| form.open("value", ns::DATA_FORMS).text(text).close();
        info = value(field(info, "FORM_TYPE").attr("type", "hidden"), ns::SERVER_INFO).close();
        for (name, addresses) in &host.contacts {
            info = addresses.iter().fold(field(info, name), |form, address| value(form, address)).close();
        }
        Ok(Some(info.close().build()))
    }

    /// The server's items: no services yet.
    pub(crate) fn server_items(&self, request: &Request<'_>) -> Answer {
        items(request)
    }

    /// XEP-0092.
    pub(crate) fn server_version(&self, request: &Request<'_>) -> Answer {
        only_get(request)?;
        let query =
            ElementBuilder::new("query", ns::VERSION).open("name", ns::VERSION).text("Stentor").close();
        Ok(Some(query.open("version", ns::VERSION).text(&self.hosts.version).close().build()))
    }

    /// XEP-0202.
    pub(crate) fn server_time(&self, request: &Request<'_>) -> Answer {
        only_get(request)?;
        let time = ElementBuilder::new("time", ns::TIME).open("tzo", ns::TIME).text("+00:00").close();
        Ok(Some(time.open("utc", ns::TIME).text(&timestamp(request.now.unix)).close().build()))
    }

    /// Only the account itself and those who see its presence may ask; for others it is as if it did not exist.
    pub(crate) fn check_trusted(&self, request: &Request<'_>) -> Result<(), Condition> {
        if self.sees_presence(request.from) { Ok(()) } else { Err(Condition::ServiceUnavailable) }
    }
}

/// A result with an identity, for a request that names no node (there are none).
fn info(
    request: &Request<'_>,
    category: &str,
    kind: &str,
    name: Option<&str>,
) -> Result<ElementBuilder, Condition> {
    only_get(request)?;
    if request.payload.attribute("node").is_some() {
        return Err(Condition::ItemNotFound);
    }
    let mut info = ElementBuilder::new("query", ns::DISCO_INFO).open("identity", ns::DISCO_INFO);
    info = info.attr("category", category).attr("type", kind);
    if let Some(name) = name {
        info = info.attr("name", name);
    }
    Ok(info.close())
}

fn items(request: &Request<'_>) -> Answer {
    only_get(request)?;
    match request.payload.attribute("node") {
        None => Ok(Some(ElementBuilder::new("query", ns::DISCO_ITEMS).build())),
        Some(_) => Err(Condition::ItemNotFound.into()),
    }
}
