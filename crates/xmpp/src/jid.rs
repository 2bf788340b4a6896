//! Addresses (RFC 7622). An address is prepared once, where it enters, and is then only compared byte by byte.
//!
//! The three types share one allocation, however often they are cloned or cut: cloning counts a reference, and
//! the bare address of a full one is a shorter view of the same text.

mod address;
mod ascii;
mod bidi;
mod context;
mod domain;
mod precis;
mod prepare;

use address::Address;
use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

pub use prepare::{PasswordError, prepare_localpart, prepare_password, prepare_resourcepart};

/// Any address: `domain`, `local@domain`, either with `/resource`.
#[derive(Clone)]
pub struct Jid(Address);

/// An address without resource. Taking it from a `Jid` or `FullJid` shares the allocation.
#[derive(Clone)]
pub struct BareJid(Address);

/// An address with a resource.
#[derive(Clone)]
pub struct FullJid(Address);

/// What part of an address is wrong. On the wire it is `jid-malformed` (RFC 6120 8.3.3.8), or
/// `improper-addressing` in a stream header (4.9.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    /// RFC 7622 3.3.
    #[error("the localpart is empty, too long or has a character that is not allowed")]
    Local,
    /// RFC 7622 3.2.
    #[error("the domainpart is empty, too long or no domain name or IP address")]
    Domain,
    /// RFC 7622 3.4; also a resourcepart where there may be none.
    #[error("the resourcepart is empty, too long or has a character that is not allowed")]
    Resource,
}

impl Jid {
    /// Parses and prepares (PRECIS, IDNA) an address from the wire or a person.
    ///
    /// # Errors
    /// The first part that RFC 7622 does not allow, of domainpart, localpart and resourcepart.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        Address::parse(text).map(Self)
    }

    /// The whole address, prepared.
    pub fn as_str(&self) -> &str {
        self.0.whole()
    }

    /// The localpart, if there is one.
    pub fn local(&self) -> Option<&str> {
        self.0.local()
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// The resourcepart, if there is one.
    pub fn resource(&self) -> Option<&str> {
        self.0.resource()
    }

    /// The address without its resourcepart, as text.
    pub fn bare(&self) -> &str {
        self.0.bare()
    }

    /// Whether it has no resourcepart.
    pub fn is_bare(&self) -> bool {
        self.0.resource().is_none()
    }

    /// Whether it is known to need no escapes as the value of an attribute.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.is_plain()
    }

    /// The bare address; shares the allocation.
    pub fn to_bare(&self) -> BareJid {
        BareJid(self.0.clone())
    }

    /// The bare address, in place.
    pub fn into_bare(self) -> BareJid {
        BareJid(self.0)
    }

    /// The full address, if it has a resourcepart; shares the allocation.
    pub fn to_full(&self) -> Option<FullJid> {
        (!self.is_bare()).then(|| FullJid(self.0.clone()))
    }
}

impl BareJid {
    /// Like [`Jid::parse`], and refuses a resource.
    ///
    /// # Errors
    /// As [`Jid::parse`]; [`JidError::Resource`] for an address with a resourcepart.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        let address = Address::parse(text)?;
        if address.resource().is_some() { Err(JidError::Resource) } else { Ok(Self(address)) }
    }

    /// From parts that are prepared here.
    ///
    /// # Errors
    /// The first part that RFC 7622 does not allow.
    pub fn new(local: Option<&str>, domain: &str) -> Result<Self, JidError> {
        Address::from_parts(local, domain, None).map(Self)
    }

    /// The address, prepared.
    pub fn as_str(&self) -> &str {
        self.0.bare()
    }

    /// The localpart, if there is one.
    pub fn local(&self) -> Option<&str> {
        self.0.local()
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// The address of the domain alone.
    pub fn to_domain(&self) -> Self {
        Self(self.0.to_domain())
    }

    /// The same address as a `Jid`. Shares the allocation unless that holds a resourcepart too.
    pub fn to_jid(&self) -> Jid {
        Jid(self.0.to_bare())
    }

    /// Prepares `resource` (RFC 7622 3.4).
    ///
    /// # Errors
    /// [`JidError::Resource`].
    pub fn with_resource(&self, resource: &str) -> Result<FullJid, JidError> {
        let resource = prepare_resourcepart(resource)?;
        Ok(FullJid(self.0.with_resource(&resource)))
    }
}

impl FullJid {
    /// Like [`Jid::parse`], and demands a resource.
    ///
    /// # Errors
    /// As [`Jid::parse`]; [`JidError::Resource`] for an address without a resourcepart.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        Jid::parse(text)?.to_full().ok_or(JidError::Resource)
    }

    /// The whole address, prepared.
    pub fn as_str(&self) -> &str {
        self.0.whole()
    }

    /// The localpart, if there is one.
    pub fn local(&self) -> Option<&str> {
        self.0.local()
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// The resourcepart.
    pub fn resource(&self) -> &str {
        self.0.resource().unwrap_or_default()
    }

    /// The address without its resourcepart, as text.
    pub fn bare(&self) -> &str {
        self.0.bare()
    }

    /// The bare address; shares the allocation.
    pub fn to_bare(&self) -> BareJid {
        BareJid(self.0.clone())
    }

    /// The same address as a `Jid`; shares the allocation.
    pub fn to_jid(&self) -> Jid {
        Jid(self.0.clone())
    }
}

/// Prepares a domainpart (RFC 7622 3.2): U-labels, lower case, no final dot; IP addresses in one spelling.
///
/// # Errors
/// [`JidError::Domain`].
pub fn prepare_domainpart(domain: &str) -> Result<Cow<'_, str>, JidError> {
    domain::prepare(domain)
}

// All three compare, hash and print as their text, so that a map keyed by one can be asked with a `&str`.
macro_rules! as_text {
    ($($t:ty),*) => { $(
        impl PartialEq for $t {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }
        impl Eq for $t {}
        impl PartialOrd for $t {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $t {
            fn cmp(&self, other: &Self) -> Ordering {
                self.as_str().cmp(other.as_str())
            }
        }
        impl Hash for $t {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }
        impl Borrow<str> for $t {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }
        impl AsRef<str> for $t {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
        impl FromStr for $t {
            type Err = JidError;

            fn from_str(text: &str) -> Result<Self, JidError> {
                Self::parse(text)
            }
        }
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    )* }
}
as_text!(Jid, BareJid, FullJid);

impl From<BareJid> for Jid {
    fn from(jid: BareJid) -> Self {
        Self(jid.0.into_bare())
    }
}

impl From<FullJid> for Jid {
    fn from(jid: FullJid) -> Self {
        Self(jid.0)
    }
}

impl PartialEq<str> for Jid {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<BareJid> for Jid {
    fn eq(&self, other: &BareJid) -> bool {
        self.as_str() == other.as_str()
    }
}

impl PartialEq<FullJid> for Jid {
    fn eq(&self, other: &FullJid) -> bool {
        self.as_str() == other.as_str()
    }
}
