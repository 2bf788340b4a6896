//! The shared text of an address and where its parts end.

use super::{JidError, ascii, domain, prepare_localpart, prepare_resourcepart};
use crate::limits::BARE_BYTES_MAX;
use std::sync::Arc;

/// A prepared address. Whether the text behind `bare_len` counts is for the type around it to say.
#[derive(Clone)]
pub(super) struct Address {
    text: Arc<str>,
    /// Bytes of the localpart; 0 for none.
    local_len: u16,
    /// Bytes before the resourcepart's `/`, or all.
    bare_len: u16,
    /// Known to need no escapes in XML.
    is_plain: bool,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, JidError> {
        match ascii::scan(text) {
            Some(split) => Ok(Self::from_ascii(text, &split)),
            None => Self::parse_any(text),
        }
    }

    /// What `parse` does for what is not the usual ASCII: it gives the same for that too.
    pub(super) fn parse_any(text: &str) -> Result<Self, JidError> {
        // RFC 7622 3.2: first the resourcepart goes, then the localpart, both before any mapping.
        let (rest, resource) = match text.split_once('/') {
            Some((rest, resource)) => (rest, Some(resource)),
            None => (text, None),
        };
        let (local, domain) = match rest.split_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, rest),
        };
        Self::from_parts(local, domain, resource)
    }

    /// From parts not yet prepared.
    pub(super) fn from_parts(
        local: Option<&str>,
        domain: &str,
        resource: Option<&str>,
    ) -> Result<Self, JidError> {
        let domain = domain::prepare(domain)?;
        let local = local.map(prepare_localpart).transpose()?;
        let resource = resource.map(prepare_resourcepart).transpose()?;
        Ok(Self::join(local.as_deref(), &domain, resource.as_deref()))
    }

    /// From prepared parts.
    fn join(local: Option<&str>, domain: &str, resource: Option<&str>) -> Self {
        let mut text = String::with_capacity(
            local.map_or(0, |l| l.len() + 1) + domain.len() + resource.map_or(0, |r| r.len() + 1),
        );
        if let Some(local) = local {
            text.push_str(local);
            text.push('@');
        }
        text.push_str(domain);
        let bare_len = text.len();
        if let Some(resource) = resource {
            text.push('/');
            text.push_str(resource);
        }
        let local_len = offset(local.map_or(0, str::len));
        Self { text: text.into(), local_len, bare_len: offset(bare_len), is_plain: false }
    }

    fn from_ascii(text: &str, split: &ascii::Split) -> Self {
        let mut text: Arc<str> = Arc::from(text);
        if split.has_upper_case
            && let Some(bare) = Arc::get_mut(&mut text).and_then(|text| text.get_mut(..split.bare_len))
        {
            bare.make_ascii_lowercase();
        }
        let (local_len, bare_len) = (offset(split.local_len), offset(split.bare_len));
        Self { text, local_len, bare_len, is_plain: split.is_plain }
    }

    /// Whether it is known to need no escapes as the value of an attribute.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    pub(super) fn whole(&self) -> &str {
        &self.text
    }

    pub(super) fn bare(&self) -> &str {
        &self.text[..usize::from(self.bare_len)]
    }

    pub(super) fn local(&self) -> Option<&str> {
        (self.local_len > 0).then(|| &self.text[..usize::from(self.local_len)])
    }

    pub(super) fn domain(&self) -> &str {
        let start = if self.local_len == 0 { 0 } else { usize::from(self.local_len) + 1 };
        &self.text[start..usize::from(self.bare_len)]
    }

    pub(super) fn resource(&self) -> Option<&str> {
        self.text.get(usize::from(self.bare_len) + 1..)
    }

    pub(super) fn to_domain(&self) -> Self {
        if self.local_len == 0 { self.to_bare() } else { Self::join(None, self.domain(), None) }
    }

    pub(super) fn to_bare(&self) -> Self {
        self.clone().into_bare()
    }

    /// Without text behind the bare address.
    pub(super) fn into_bare(self) -> Self {
        match self.resource() {
            None => self,
            Some(_) => Self { text: self.bare().into(), ..self },
        }
    }

    /// `resource` is prepared.
    pub(super) fn with_resource(&self, resource: &str) -> Self {
        Self::join(self.local(), self.domain(), Some(resource))
    }
}

fn offset(bytes: usize) -> u16 {
    debug_assert!(bytes <= BARE_BYTES_MAX);
    u16::try_from(bytes).expect("no part is longer than 1,023 bytes, so no bare address is than 2,047")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// The scan may decline; where it does not, it must say what the full preparation says.
    fn same(text: &str) {
        let full = Address::parse_any(text).map(|a| (a.text, a.local_len, a.bare_len));
        if let Some(split) = ascii::scan(text) {
            let Address { text: short, local_len, bare_len, is_plain } = Address::from_ascii(text, &split);
            let mut escaped = String::new();
            stentor_xml::escape_attribute(&short, &mut escaped);
            assert!(!is_plain || *escaped == *short, "{text:?}");
            assert_eq!(Ok((short, local_len, bare_len)), full, "{text:?}");
        }
    }

    #[test]
    fn the_scan_takes_the_usual_address() {
        for text in ["romeo@montague.example", "a.example/b@c/d", "R@X-Y.Z/ a b", "x!#$%*+=?^_`{|}~@a"] {
            assert!(ascii::scan(text).is_some(), "{text}");
            same(text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, rng_seed: RngSeed::Fixed(7622), ..ProptestConfig::default() })]

        #[test]
        fn the_scan_agrees_with_the_full_preparation(text in "[ -~]{0,24}") {
            same(&text);
        }

        #[test]
        fn the_scan_agrees_on_what_looks_like_an_address(
            text in "([a-zA-Z0-9!\"'._-]{0,6}@)?[a-zA-Z0-9xn.-]{0,12}(/[ -~]{0,6})?",
        ) {
            same(&text);
        }
    }
}
