//! Localparts, resourceparts and passwords: the PRECIS profiles of RFC 8265 that RFC 7622 names.

use super::{JidError, ascii, precis};
use crate::limits::{PART_BYTES_MAX, PART_INPUT_BYTES_MAX, PASSWORD_BYTES_MAX};
use std::borrow::Cow;

/// A password that RFC 8265 4.2 does not allow: empty, too long, or with a control or unassigned character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password is empty, too long or has a character that is not allowed")]
pub struct PasswordError;

/// RFC 7622 3.3.1: characters that PRECIS would allow in a localpart.
const EXCLUDED: [char; 8] = ['"', '&', '\'', '/', ':', '<', '>', '@'];

/// Prepares a localpart, or the user name of a SASL exchange, which becomes one (RFC 7622 3.3,
/// UsernameCaseMapped of RFC 8265 3.3).
///
/// # Errors
/// [`JidError::Local`].
pub fn prepare_localpart(local: &str) -> Result<Cow<'_, str>, JidError> {
    if local.is_empty() || local.len() > PART_INPUT_BYTES_MAX {
        return Err(JidError::Local);
    }
    let prepared = if ascii::is_localpart(local) {
        if local.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(local.to_ascii_lowercase())
        } else {
            Cow::Borrowed(local)
        }
    } else {
        Cow::Owned(precis::username_case_mapped(local).ok_or(JidError::Local)?)
    };
    // After the mapping: U+FF20 becomes `@`.
    if prepared.len() > PART_BYTES_MAX || prepared.contains(EXCLUDED) {
        return Err(JidError::Local);
    }
    Ok(prepared)
}

/// Prepares a resourcepart (RFC 7622 3.4, OpaqueString of RFC 8265 4.2).
///
/// # Errors
/// [`JidError::Resource`].
pub fn prepare_resourcepart(resource: &str) -> Result<Cow<'_, str>, JidError> {
    if resource.len() > PART_INPUT_BYTES_MAX {
        return Err(JidError::Resource);
    }
    let prepared = opaque_string(resource).ok_or(JidError::Resource)?;
    if prepared.len() > PART_BYTES_MAX { Err(JidError::Resource) } else { Ok(prepared) }
}

/// Prepares a password (OpaqueString, RFC 8265 4.2) for hashing or comparison.
///
/// # Errors
/// [`PasswordError`].
pub fn prepare_password(password: &str) -> Result<Cow<'_, str>, PasswordError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError);
    }
    let prepared = opaque_string(password).ok_or(PasswordError)?;
    if prepared.len() > PASSWORD_BYTES_MAX { Err(PasswordError) } else { Ok(prepared) }
}

fn opaque_string(text: &str) -> Option<Cow<'_, str>> {
    if text.is_empty() {
        return None;
    }
    if ascii::is_resourcepart(text) {
        return Some(Cow::Borrowed(text));
    }
    precis::opaque_string(text).map(Cow::Owned)
}
