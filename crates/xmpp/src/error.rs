//! Contract; the implementation follows. Stanza errors (RFC 6120 8.3) and stream errors (RFC 6120 4.9).
/// RFC 6120 8.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType { Auth, Cancel, Continue, Modify, Wait }
/// RFC 6120 8.3.3, all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition { BadRequest, Conflict, FeatureNotImplemented, Forbidden, Gone, InternalServerError, ItemNotFound,
    JidMalformed, NotAcceptable, NotAllowed, NotAuthorized, PolicyViolation, RecipientUnavailable, Redirect,
    RegistrationRequired, RemoteServerNotFound, RemoteServerTimeout, ResourceConstraint, ServiceUnavailable,
    SubscriptionRequired, UndefinedCondition, UnexpectedRequest }
/// An error that answers a stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StanzaError { pub condition: Condition, pub kind: ErrorType, pub text: Option<String> }
impl StanzaError {
    /// With the type that RFC 6120 8.3.3 associates with the condition.
    pub fn new(condition: Condition) -> Self { let _ = condition; todo!() }
    pub fn with_text(self, text: impl Into<String>) -> Self { let _ = text; todo!() }
    /// Appends the `<error/>` element.
    pub fn write_to(&self, out: &mut String) { let _ = out; todo!() }
    pub fn parse(error: stentor_xml::Node<'_>) -> Option<Self> { let _ = error; todo!() }
}
impl From<Condition> for StanzaError { fn from(condition: Condition) -> Self { Self::new(condition) } }
/// RFC 6120 4.9.3, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamCondition { BadFormat, BadNamespacePrefix, Conflict, ConnectionTimeout, HostGone, HostUnknown,
    ImproperAddressing, InternalServerError, InvalidFrom, InvalidNamespace, InvalidXml, NotAuthorized, NotWellFormed,
    PolicyViolation, RemoteConnectionFailed, Reset, ResourceConstraint, RestrictedXml, SeeOtherHost(String),
    SystemShutdown, UndefinedCondition, UnsupportedEncoding, UnsupportedFeature, UnsupportedStanzaType, UnsupportedVersion }
/// An error that ends a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError { pub condition: StreamCondition, pub text: Option<String>, /// Whole application-specific element, serialised.
    pub application: Option<String> }
impl StreamError {
    pub fn new(condition: StreamCondition) -> Self { let _ = condition; todo!() }
    pub fn with_text(self, text: impl Into<String>) -> Self { let _ = text; todo!() }
    /// Appends `<stream:error>...</stream:error>` for a stream whose header declared the `stream` prefix.
    pub fn write_to(&self, out: &mut String) { let _ = out; todo!() }
}
impl From<StreamCondition> for StreamError { fn from(condition: StreamCondition) -> Self { Self::new(condition) } }
impl From<stentor_xml::Error> for StreamError { fn from(error: stentor_xml::Error) -> Self { let _ = error; todo!() } }
