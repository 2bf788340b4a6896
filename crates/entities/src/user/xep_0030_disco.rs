//! XEP-0030 Service Discovery, version 2.5.0, for accounts and for the server; XEP-0157 Contact Addresses, version
//! 1.1.1, in a form by XEP-0128 Service Discovery Extensions, version 1.0.1, and XEP-0004 Data Forms, version 2.13.2;
//! XEP-0092 Software Version, version 1.1; XEP-0202 Entity Time, version 2.0. Forms are shown here; none are taken.

use super::User;
use super::iq::{Answer, Request, only_get};
use crate::Host;
use crate::specifications::SPECIFICATIONS;
use crate::xep_0115_caps::{Form, Identity, Info, server_node};
use crate::xep_0203_delay::timestamp;
use stentor_xml::ElementBuilder;
use stentor_xmpp::{Condition, ns};

impl User {
    /// What the account is. A stranger learns no more of one that exists than of one that does not (XEP-0030 8).
    pub(crate) fn account_info(&self, request: &Request<'_>) -> Answer {
        self.check_trusted(request)?;
        let identities = vec![Identity { category: "account", kind: "registered", lang: "", name: "" }];
        let features = SPECIFICATIONS.iter().flat_map(|s| s.account_features).copied().collect();
        info(request, Info { identities, features, forms: Vec::new() }, None)
    }

    /// An account's items: none are published.
    pub(crate) fn account_items(&self, request: &Request<'_>) -> Answer {
        self.check_trusted(request)?;
        items(request)
    }

    /// The identity, features and contact addresses of the server that is asked.
    pub(crate) fn server_info(&self, request: &Request<'_>) -> Answer {
        let host = self.hosts.get(request.to_domain).ok_or(Condition::ItemNotFound)?;
        info(request, server_info(host), Some(server_node(host)))
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

/// What a host is and has.
pub(crate) fn server_info(host: &Host) -> Info<'_> {
    let identities = vec![Identity { category: "server", kind: "im", lang: "", name: "Stentor" }];
    let features = SPECIFICATIONS.iter().flat_map(|s| s.server_features).copied().collect();
    let contacts = host.contacts.iter().map(|(name, addresses)| (name, addresses.iter().map(String::as_str)));
    let fields = contacts.map(|(name, addresses)| (name.as_str(), addresses.collect())).collect();
    let form = Form { form_type: ns::SERVER_INFO, fields };
    let forms = if form.fields.is_empty() { Vec::new() } else { vec![form] };
    Info { identities, features, forms }
}

/// A result, for a request without a node, or for the one node that there is.
fn info(request: &Request<'_>, info: Info<'_>, node: Option<String>) -> Answer {
    only_get(request)?;
    let mut query = ElementBuilder::new("query", ns::DISCO_INFO);
    match request.payload.attribute("node") {
        None => {}
        Some(asked) if Some(asked) == node.as_deref() => query = query.attr("node", asked),
        Some(_) => return Err(Condition::ItemNotFound.into()),
    }
    for Identity { category, kind, name, .. } in info.identities {
        query = query.open("identity", ns::DISCO_INFO).attr("category", category).attr("type", kind);
        if !name.is_empty() {
            query = query.attr("name", name);
        }
        query = query.close();
    }
    for feature in info.features {
        query = query.open("feature", ns::DISCO_INFO).attr("var", feature).close();
    }
    let query = info.forms.into_iter().fold(query, write_form);
    Ok(Some(query.build()))
}

/// XEP-0157 2, XEP-0128.
fn write_form(query: ElementBuilder, form: Form<'_>) -> ElementBuilder {
    let value = |field: ElementBuilder, text: &str| field.open("value", ns::DATA_FORMS).text(text).close();
    let field = |form: ElementBuilder, name: &str, kind: &str| {
        form.open("field", ns::DATA_FORMS).attr("var", name).attr("type", kind)
    };
    let mut written = query.open("x", ns::DATA_FORMS).attr("type", "result");
    written = value(field(written, "FORM_TYPE", "hidden"), form.form_type).close();
    for (name, values) in form.fields {
        written = values.into_iter().fold(field(written, name, "list-multi"), value).close();
    }
    written.close()
}

fn items(request: &Request<'_>) -> Answer {
    only_get(request)?;
    match request.payload.attribute("node") {
        None => Ok(Some(ElementBuilder::new("query", ns::DISCO_ITEMS).build())),
        Some(_) => Err(Condition::ItemNotFound.into()),
    }
}
