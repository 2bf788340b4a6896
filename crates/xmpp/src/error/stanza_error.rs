//! Errors that answer a stanza (RFC 6120 8.3).

use super::{content_of, write_condition, write_text};
use crate::ns;
use stentor_xml::Node;

/// What the sender can do about an error (RFC 6120 8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// Retry after providing credentials.
    Auth,
    /// Do not retry.
    Cancel,
    /// Proceed: it was only a warning.
    Continue,
    /// Retry after changing the data sent.
    Modify,
    /// Retry after waiting.
    Wait,
}

/// The defined conditions (RFC 6120 8.3.3), all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// RFC 6120 8.3.3.1. Does not conform to the schema, or cannot be processed.
    BadRequest,
    /// RFC 6120 8.3.3.2. Something of that name or address exists.
    Conflict,
    /// RFC 6120 8.3.3.3. Not implemented by the recipient or a server on the way.
    FeatureNotImplemented,
    /// RFC 6120 8.3.3.4. The sender lacks the permission.
    Forbidden,
    /// RFC 6120 8.3.3.5. No longer at this address; `uri` may name the new one.
    Gone,
    /// RFC 6120 8.3.3.6. A fault of the server's own.
    InternalServerError,
    /// RFC 6120 8.3.3.7. No such address or item.
    ItemNotFound,
    /// RFC 6120 8.3.3.8. An address that RFC 7622 does not allow.
    JidMalformed,
    /// RFC 6120 8.3.3.9. Does not meet the criteria of recipient or server.
    NotAcceptable,
    /// RFC 6120 8.3.3.10. Nobody may do this.
    NotAllowed,
    /// RFC 6120 8.3.3.11. Credentials are needed first.
    NotAuthorized,
    /// RFC 6120 8.3.3.12. Against a local policy.
    PolicyViolation,
    /// RFC 6120 8.3.3.13. The recipient is unavailable for a while.
    RecipientUnavailable,
    /// RFC 6120 8.3.3.14. To be sent elsewhere, for now; `uri` names where.
    Redirect,
    /// RFC 6120 8.3.3.15. The sender is not registered.
    RegistrationRequired,
    /// RFC 6120 8.3.3.16. The remote domain does not exist or does not resolve.
    RemoteServerNotFound,
    /// RFC 6120 8.3.3.17. The remote domain could not be reached in time.
    RemoteServerTimeout,
    /// RFC 6120 8.3.3.18. The server is busy or short of something.
    ResourceConstraint,
    /// RFC 6120 8.3.3.19. The service is not provided.
    ServiceUnavailable,
    /// RFC 6120 8.3.3.20. The sender is not subscribed.
    SubscriptionRequired,
    /// RFC 6120 8.3.3.21. Says nothing; an application-specific element does.
    UndefinedCondition,
    /// RFC 6120 8.3.3.22. Out of order.
    UnexpectedRequest,
}

/// Each condition with its name on the wire and the type that RFC 6120 8.3.3 associates with it; where it names
/// two, the first that fits a server, and `cancel` where it names any.
const CONDITIONS: [(Condition, &str, ErrorType); 22] = [
    (Condition::BadRequest, "bad-request", ErrorType::Modify),
    (Condition::Conflict, "conflict", ErrorType::Cancel),
    (Condition::FeatureNotImplemented, "feature-not-implemented", ErrorType::Cancel),
    (Condition::Forbidden, "forbidden", ErrorType::Auth),
    (Condition::Gone, "gone", ErrorType::Cancel),
    (Condition::InternalServerError, "internal-server-error", ErrorType::Cancel),
    (Condition::ItemNotFound, "item-not-found", ErrorType::Cancel),
    (Condition::JidMalformed, "jid-malformed", ErrorType::Modify),
    (Condition::NotAcceptable, "not-acceptable", ErrorType::Modify),
    (Condition::NotAllowed, "not-allowed", ErrorType::Cancel),
    (Condition::NotAuthorized, "not-authorized", ErrorType::Auth),
    (Condition::PolicyViolation, "policy-violation", ErrorType::Modify),
    (Condition::RecipientUnavailable, "recipient-unavailable", ErrorType::Wait),
    (Condition::Redirect, "redirect", ErrorType::Modify),
    (Condition::RegistrationRequired, "registration-required", ErrorType::Auth),
    (Condition::RemoteServerNotFound, "remote-server-not-found", ErrorType::Cancel),
    (Condition::RemoteServerTimeout, "remote-server-timeout", ErrorType::Wait),
    (Condition::ResourceConstraint, "resource-constraint", ErrorType::Wait),
    (Condition::ServiceUnavailable, "service-unavailable", ErrorType::Cancel),
    (Condition::SubscriptionRequired, "subscription-required", ErrorType::Auth),
    (Condition::UndefinedCondition, "undefined-condition", ErrorType::Cancel),
    (Condition::UnexpectedRequest, "unexpected-request", ErrorType::Wait),
];

/// An error that answers a stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StanzaError {
    /// What happened.
    pub condition: Condition,
    /// What can be done about it.
    pub kind: ErrorType,
    /// For a person.
    pub text: Option<String>,
    /// With [`Condition::Gone`] and [`Condition::Redirect`]: the new address, a URI.
    pub uri: Option<Box<str>>,
    /// A whole application-specific element, serialised.
    pub application: Option<Box<str>>,
}

impl ErrorType {
    const ALL: [Self; 5] = [Self::Auth, Self::Cancel, Self::Continue, Self::Modify, Self::Wait];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Continue => "continue",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }

    /// By its name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Condition {
    /// All conditions, in the order of RFC 6120 8.3.3.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        CONDITIONS.iter().map(|(condition, ..)| *condition)
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// By its name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        CONDITIONS.iter().find(|(_, n, _)| *n == name).map(|(condition, ..)| *condition)
    }

    /// The type that RFC 6120 8.3.3 associates with it.
    pub fn default_type(self) -> ErrorType {
        self.row().2
    }

    fn row(self) -> &'static (Self, &'static str, ErrorType) {
        CONDITIONS
            .get(self as usize)
            .expect("the table has a row for each condition, in order: a test compares")
    }
}

impl StanzaError {
    /// With the type that RFC 6120 8.3.3 associates with the condition.
    pub fn new(condition: Condition) -> Self {
        Self { condition, kind: condition.default_type(), text: None, uri: None, application: None }
    }

    /// With another type.
    pub fn with_type(self, kind: ErrorType) -> Self {
        Self { kind, ..self }
    }

    /// With a text for a person, in English.
    pub fn with_text(self, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..self }
    }

    /// With the new address, for [`Condition::Gone`] and [`Condition::Redirect`]; others do not write it.
    pub fn with_uri(self, uri: impl Into<Box<str>>) -> Self {
        Self { uri: Some(uri.into()), ..self }
    }

    /// With an application-specific element, serialised and with its own namespace declaration.
    pub fn with_application(self, element: impl Into<Box<str>>) -> Self {
        Self { application: Some(element.into()), ..self }
    }

    /// Appends the `<error/>` element, in the stanza's own namespace.
    pub fn write_to(&self, out: &mut String) {
        out.push_str("<error type='");
        out.push_str(self.kind.name());
        out.push_str("'>");
        let uri = self.uri.as_deref().filter(|_| self.condition.has_uri());
        write_condition(self.condition.name(), ns::STANZAS, uri, out);
        if let Some(text) = &self.text {
            write_text(text, ns::STANZAS, out);
        }
        if let Some(application) = &self.application {
            out.push_str(application);
        }
        out.push_str("</error>");
    }

    /// Reads an `<error/>` element. `None` if it is none, or has no condition. A condition that RFC 6120 does not
    /// define is read as [`Condition::UndefinedCondition`] (8.3.1), an unknown type as the condition's own.
    pub fn parse(error: Node<'_>) -> Option<Self> {
        if error.name() != "error" {
            return None;
        }
        let defined = |node: &Node<'_>| node.namespace() == ns::STANZAS && node.name() != "text";
        let node = error.children().find(defined)?;
        let condition = Condition::from_name(node.name()).unwrap_or(Condition::UndefinedCondition);
        let kind = error.attribute("type").and_then(ErrorType::from_name);
        let application =
            error.children().find(|node| !matches!(node.namespace(), "" | ns::STANZAS)).map(|node| {
                let mut element = String::new();
                node.write_to("", &mut element);
                element.into_boxed_str()
            });
        Some(Self {
            condition,
            kind: kind.unwrap_or(condition.default_type()),
            text: error.child("text", ns::STANZAS).and_then(content_of),
            uri: content_of(node).filter(|_| condition.has_uri()).map(String::into_boxed_str),
            application,
        })
    }
}

impl Condition {
    fn has_uri(self) -> bool {
        matches!(self, Self::Gone | Self::Redirect)
    }
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> Self {
        Self::new(condition)
    }
}
