//! Errors that end a stream (RFC 6120 4.9).

use super::{content_of, write_condition, write_text};
use crate::{StreamManagementError, ns};
use stentor_xml::{Limit, Node};

/// The defined conditions (RFC 6120 4.9.3), all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StreamCondition {
    /// RFC 6120 4.9.3.1. XML that cannot be processed.
    BadFormat,
    /// RFC 6120 4.9.3.2. A prefix that is not declared, or the wrong one.
    BadNamespacePrefix,
    /// RFC 6120 4.9.3.3. Replaced by another stream of the same resource, or may be.
    Conflict,
    /// RFC 6120 4.9.3.4. The peer fell silent.
    ConnectionTimeout,
    /// RFC 6120 4.9.3.5. `to` is no longer served here.
    HostGone,
    /// RFC 6120 4.9.3.6. `to` is not served here.
    HostUnknown,
    /// RFC 6120 4.9.3.7. `to` or `from` is missing or no address.
    ImproperAddressing,
    /// RFC 6120 4.9.3.8. A fault of the server's own.
    InternalServerError,
    /// RFC 6120 4.9.3.9. `from` is not the address that was authenticated.
    InvalidFrom,
    /// RFC 6120 4.9.3.10. The stream's or the content's namespace is another.
    InvalidNamespace,
    /// RFC 6120 4.9.3.11. Well-formed, but not what the schema allows.
    InvalidXml,
    /// RFC 6120 4.9.3.12. Stanzas before authentication, or none may be sent.
    NotAuthorized,
    /// RFC 6120 4.9.3.13. Not well-formed, or not namespace-well-formed.
    NotWellFormed,
    /// RFC 6120 4.9.3.14. Against a local policy, such as a limit.
    PolicyViolation,
    /// RFC 6120 4.9.3.15. A server that is needed could not be reached.
    RemoteConnectionFailed,
    /// RFC 6120 4.9.3.16. Security features changed: begin anew.
    Reset,
    /// RFC 6120 4.9.3.17. The server is short of something.
    ResourceConstraint,
    /// RFC 6120 4.9.3.18. XML that RFC 6120 11.1 forbids.
    RestrictedXml,
    /// RFC 6120 4.9.3.19. Connect there instead: `host` or `host:port`.
    SeeOtherHost(String),
    /// RFC 6120 4.9.3.20. The server is being shut down.
    SystemShutdown,
    /// RFC 6120 4.9.3.21. Says nothing; an application-specific element does.
    UndefinedCondition,
    /// RFC 6120 4.9.3.22. Not UTF-8.
    UnsupportedEncoding,
    /// RFC 6120 4.9.3.23. A mandatory feature is not supported.
    UnsupportedFeature,
    /// RFC 6120 4.9.3.24. A first-level child of no supported kind.
    UnsupportedStanzaType,
    /// RFC 6120 4.9.3.25. The version is not supported.
    UnsupportedVersion,
}

/// An error that ends a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// What happened.
    pub condition: StreamCondition,
    /// For a person.
    pub text: Option<String>,
    /// A whole application-specific element, serialised.
    pub application: Option<String>,
}

impl StreamCondition {
    /// All conditions, in the order of RFC 6120 4.9.3; `see-other-host` with no host.
    pub fn all() -> [Self; 25] {
        [
            Self::BadFormat,
            Self::BadNamespacePrefix,
            Self::Conflict,
            Self::ConnectionTimeout,
            Self::HostGone,
            Self::HostUnknown,
            Self::ImproperAddressing,
            Self::InternalServerError,
            Self::InvalidFrom,
            Self::InvalidNamespace,
            Self::InvalidXml,
            Self::NotAuthorized,
            Self::NotWellFormed,
            Self::PolicyViolation,
            Self::RemoteConnectionFailed,
            Self::Reset,
            Self::ResourceConstraint,
            Self::RestrictedXml,
            Self::SeeOtherHost(String::new()),
            Self::SystemShutdown,
            Self::UndefinedCondition,
            Self::UnsupportedEncoding,
            Self::UnsupportedFeature,
            Self::UnsupportedStanzaType,
            Self::UnsupportedVersion,
        ]
    }

    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BadFormat => "bad-format",
            Self::BadNamespacePrefix => "bad-namespace-prefix",
            Self::Conflict => "conflict",
            Self::ConnectionTimeout => "connection-timeout",
            Self::HostGone => "host-gone",
            Self::HostUnknown => "host-unknown",
            Self::ImproperAddressing => "improper-addressing",
            Self::InternalServerError => "internal-server-error",
            Self::InvalidFrom => "invalid-from",
            Self::InvalidNamespace => "invalid-namespace",
            Self::InvalidXml => "invalid-xml",
            Self::NotAuthorized => "not-authorized",
            Self::NotWellFormed => "not-well-formed",
            Self::PolicyViolation => "policy-violation",
            Self::RemoteConnectionFailed => "remote-connection-failed",
            Self::Reset => "reset",
            Self::ResourceConstraint => "resource-constraint",
            Self::RestrictedXml => "restricted-xml",
            Self::SeeOtherHost(_) => "see-other-host",
            Self::SystemShutdown => "system-shutdown",
            Self::UndefinedCondition => "undefined-condition",
            Self::UnsupportedEncoding => "unsupported-encoding",
            Self::UnsupportedFeature => "unsupported-feature",
            Self::UnsupportedStanzaType => "unsupported-stanza-type",
            Self::UnsupportedVersion => "unsupported-version",
        }
    }

    /// By its name on the wire; `see-other-host` with no host.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|condition| condition.name() == name)
    }
}

impl StreamError {
    /// With neither text nor application-specific element.
    pub fn new(condition: StreamCondition) -> Self {
        Self { condition, text: None, application: None }
    }

    /// With a text for a person, in English.
    pub fn with_text(self, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..self }
    }

    /// With an application-specific element, serialised and with its own namespace declaration.
    pub fn with_application(self, element: impl Into<String>) -> Self {
        Self { application: Some(element.into()), ..self }
    }

    /// Appends `<stream:error>...</stream:error>` for a stream whose header declared the `stream` prefix.
    pub fn write_to(&self, out: &mut String) {
        out.push_str("<stream:error>");
        let host = match &self.condition {
            StreamCondition::SeeOtherHost(host) => Some(host.as_str()),
            _ => None,
        };
        write_condition(self.condition.name(), ns::STREAMS, host, out);
        if let Some(text) = &self.text {
            write_text(text, ns::STREAMS, out);
        }
        if let Some(application) = &self.application {
            out.push_str(application);
        }
        out.push_str("</stream:error>");
    }

    /// Reads a `<stream:error/>` element. `None` if it is none. Without a condition that RFC 6120 defines it is
    /// read as [`StreamCondition::UndefinedCondition`]: the stream is over either way.
    pub fn parse(error: Node<'_>) -> Option<Self> {
        if !error.is("error", ns::STREAM) {
            return None;
        }
        let defined = |node: &Node<'_>| node.namespace() == ns::STREAMS && node.name() != "text";
        let node = error.children().find(defined);
        let condition = match node.and_then(|node| StreamCondition::from_name(node.name())) {
            Some(StreamCondition::SeeOtherHost(_)) => {
                StreamCondition::SeeOtherHost(node.and_then(content_of).unwrap_or_default())
            }
            Some(condition) => condition,
            None => StreamCondition::UndefinedCondition,
        };
        let application =
            error.children().find(|node| !matches!(node.namespace(), "" | ns::STREAMS)).map(|node| {
                let mut element = String::new();
                node.write_to("", &mut element);
                element
            });
        Some(Self { condition, text: error.child("text", ns::STREAMS).and_then(content_of), application })
    }
}

impl From<StreamCondition> for StreamError {
    fn from(condition: StreamCondition) -> Self {
        Self::new(condition)
    }
}

impl From<stentor_xml::Error> for StreamError {
    fn from(error: stentor_xml::Error) -> Self {
        use stentor_xml::Error;
        match error {
            Error::NotWellFormed(_) => StreamCondition::NotWellFormed.into(),
            Error::BadNamespacePrefix(_) => StreamCondition::BadNamespacePrefix.into(),
            Error::Restricted(_) => StreamCondition::RestrictedXml.into(),
            Error::Nested(_) => StreamCondition::InvalidXml.into(),
            Error::UnsupportedEncoding => StreamCondition::UnsupportedEncoding.into(),
            // XEP-0205 4.1 names the element for stanza errors; what was not read to its end has no answer.
            Error::Limit(Limit::StanzaBytes) => Self::new(StreamCondition::PolicyViolation)
                .with_text("too many bytes in one stanza")
                .with_application("<stanza-too-big xmlns='urn:xmpp:errors'/>"),
            Error::Limit(limit) => Self::new(StreamCondition::PolicyViolation).with_text(match limit {
                Limit::StanzaBytes => "too many bytes in one stanza",
                Limit::Depth => "elements nested too deeply",
                Limit::Attributes => "too many attributes in one element",
                Limit::Namespaces => "too many namespace declarations in one element",
                Limit::Elements => "too many elements in one stanza",
            }),
        }
    }
}

/// XEP-0198 7: `undefined-condition` with `<handled-count-too-high/>`.
impl From<StreamManagementError> for StreamError {
    fn from(error: StreamManagementError) -> Self {
        let StreamManagementError { h, sent } = error;
        Self::new(StreamCondition::UndefinedCondition)
            .with_text(format!("You acknowledged {h} stanzas, but I only sent you {sent} so far."))
            .with_application(format!(
                "<handled-count-too-high xmlns='{}' h='{h}' send-count='{sent}'/>",
                ns::STREAM_MANAGEMENT
            ))
    }
}
