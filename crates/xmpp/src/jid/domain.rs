//! Domainparts (RFC 7622 3.2): IP literals, and names by UTS #46 to U-labels.

use super::{JidError, precis};
use crate::limits::{PART_BYTES_MAX, PART_INPUT_BYTES_MAX};
use core::net::{Ipv4Addr, Ipv6Addr};
use idna::uts46::{AsciiDenyList, Hyphens, Uts46};
use std::borrow::Cow;

pub(super) fn prepare(domain: &str) -> Result<Cow<'_, str>, JidError> {
    if domain.len() > PART_INPUT_BYTES_MAX {
        return Err(JidError::Domain);
    }
    let prepared = match domain.strip_prefix('[') {
        Some(rest) => Cow::Owned(ipv6_literal(rest).ok_or(JidError::Domain)?),
        None => name(domain).ok_or(JidError::Domain)?,
    };
    if prepared.len() > PART_BYTES_MAX { Err(JidError::Domain) } else { Ok(prepared) }
}

/// `rest` is what follows the bracket. One address, one spelling (RFC 5952). A zone (RFC 6874) means nothing
/// on another host, and later versions of IP (RFC 3986 `IPvFuture`) do not exist: both are refused.
fn ipv6_literal(rest: &str) -> Option<String> {
    let address: Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
    Some(format!("[{address}]"))
}

fn name(domain: &str) -> Option<Cow<'_, str>> {
    // RFC 7622 3.2: the final dot goes before anything else.
    let stripped = domain.strip_suffix('.').unwrap_or(domain);
    // STD3 and the check of hyphens leave the NR-LDH labels and U-labels of RFC 5890; A-labels are decoded,
    // and refused where they hide ASCII.
    let (name, result) = Uts46::new().to_unicode(stripped.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    result.ok()?;
    let name = match domain.len() == stripped.len() && name.ends_with('.') {
        true => Cow::Owned(name.strip_suffix('.')?.to_owned()), // It was U+3002 or another full stop.
        false => name,
    };
    if !name.split('.').all(|label| !label.is_empty() && precis::is_u_label(label)) {
        return None;
    }
    let last = name.rsplit('.').next()?;
    let is_name_or_address = !is_number(last) || name.parse::<Ipv4Addr>().is_ok();
    is_name_or_address.then_some(name)
}

/// Whether resolvers take a last label for the end of an IPv4 address, such as `127.1` or `0x7f000001`, which
/// would be a second spelling of one.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").is_some_and(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    hexadecimal || label.bytes().all(|b| b.is_ascii_digit())
}
