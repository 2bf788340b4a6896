//! Contract; the implementation follows. RFC 7622 addresses; cheap to clone (one shared allocation), hash, compare.
use std::fmt;
/// Any address: `domain`, `local@domain`, either with `/resource`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jid {}
/// An address without resource. Taking it from a `Jid` shares the allocation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BareJid {}
/// An address with a resource.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FullJid {}
/// What part of an address is wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    #[error("the localpart is empty, too long or has a character that is not allowed")] Local,
    #[error("the domainpart is empty, too long or no domain name or IP address")] Domain,
    #[error("the resourcepart is empty, too long or has a character that is not allowed")] Resource,
}
impl Jid {
    /// Parses and prepares (PRECIS, IDNA) an address from the wire or a person.
    pub fn parse(text: &str) -> Result<Self, JidError> { let _ = text; todo!() }
    pub fn as_str(&self) -> &str { todo!() }
    pub fn local(&self) -> Option<&str> { todo!() }
    pub fn domain(&self) -> &str { todo!() }
    pub fn resource(&self) -> Option<&str> { todo!() }
    pub fn is_bare(&self) -> bool { todo!() }
    pub fn to_bare(&self) -> BareJid { todo!() }
    pub fn to_full(&self) -> Option<FullJid> { todo!() }
}
impl BareJid {
    /// Refuses a resource.
    pub fn parse(text: &str) -> Result<Self, JidError> { let _ = text; todo!() }
    /// From parts that are prepared here.
    pub fn new(local: Option<&str>, domain: &str) -> Result<Self, JidError> { let _ = (local, domain); todo!() }
    pub fn as_str(&self) -> &str { todo!() }
    pub fn local(&self) -> Option<&str> { todo!() }
    pub fn domain(&self) -> &str { todo!() }
    pub fn to_jid(&self) -> Jid { todo!() }
    /// Prepares `resource` (RFC 7622 3.4).
    pub fn with_resource(&self, resource: &str) -> Result<FullJid, JidError> { let _ = resource; todo!() }
}
impl FullJid {
    pub fn as_str(&self) -> &str { todo!() }
    pub fn local(&self) -> Option<&str> { todo!() }
    pub fn domain(&self) -> &str { todo!() }
    pub fn resource(&self) -> &str { todo!() }
    pub fn to_bare(&self) -> BareJid { todo!() }
    pub fn to_jid(&self) -> Jid { todo!() }
}
macro_rules! text { ($($t:ty),*) => { $(
impl fmt::Display for $t { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) } }
impl fmt::Debug for $t { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) } }
)* } }
text!(Jid, BareJid, FullJid);
impl From<BareJid> for Jid { fn from(jid: BareJid) -> Self { jid.to_jid() } }
impl From<FullJid> for Jid { fn from(jid: FullJid) -> Self { jid.to_jid() } }
