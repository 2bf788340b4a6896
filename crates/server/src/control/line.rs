//! Requests and replies as lines.
//!
//! Each is one line of JSON: `{"version":1,"request":{"user-show":{"jid":"juliet@example.org"}}}`, answered
//! by `{"version":1,"response":...}` or `{"version":1,"error":{"kind":"not-found","message":"..."}}`. The
//! version is that of the form; program and server are of one build as a rule, so there is no negotiation: an
//! unknown version is an error that says so.

use serde::{Deserialize, Serialize};

use super::protocol::{ControlError, ControlErrorKind, ControlRequest, ControlResponse};
use crate::limits::{CONTROL_REPLY_BYTES_MAX, CONTROL_REQUEST_BYTES_MAX};

/// The version of the form of requests and replies.
pub const PROTOCOL_VERSION: u16 = 1;

#[derive(Serialize)]
struct RequestLine<'a> {
    version: u16,
    request: &'a ControlRequest,
}

#[derive(Deserialize)]
struct Version {
    version: u16,
}

#[derive(Deserialize)]
struct RequestBody {
    request: ControlRequest,
}

#[derive(Serialize)]
struct ReplyLine<'a> {
    version: u16,
    #[serde(flatten)]
    outcome: OutcomeRef<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum OutcomeRef<'a> {
    Response(&'a ControlResponse),
    Error(&'a ControlError),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ReplyBody {
    response: Option<ControlResponse>,
    error: Option<ControlError>,
}

/// A request as a line.
pub fn encode_request(request: &ControlRequest) -> Vec<u8> {
    line(&RequestLine { version: PROTOCOL_VERSION, request })
}

/// The request in a line.
///
/// # Errors
/// `BadRequest`, with what is wrong.
pub fn decode_request(line: &[u8]) -> Result<ControlRequest, ControlError> {
    let body: RequestBody = decode(line, CONTROL_REQUEST_BYTES_MAX)?;
    Ok(body.request)
}

/// A reply as a line; one that is too large goes without its list of mistakes, or else becomes a `Fault`.
pub fn encode_reply(reply: &Result<ControlResponse, ControlError>) -> Vec<u8> {
    let outcome = match reply {
        Ok(response) => OutcomeRef::Response(response),
        Err(error) => OutcomeRef::Error(error),
    };
    let encoded = line(&ReplyLine { version: PROTOCOL_VERSION, outcome });
    if encoded.len() <= CONTROL_REPLY_BYTES_MAX {
        return encoded;
    }
    if let Err(error) = reply
        && !error.mistakes.is_empty()
    {
        return encode_reply(&Err(ControlError { mistakes: Vec::new(), ..error.clone() }));
    }
    let error = ControlError::new(ControlErrorKind::Fault, "the answer is too large");
    line(&ReplyLine { version: PROTOCOL_VERSION, outcome: OutcomeRef::Error(&error) })
}

/// The reply in a line.
///
/// # Errors
/// `BadRequest` for what is no reply; otherwise the server's own error.
pub fn decode_reply(line: &[u8]) -> Result<ControlResponse, ControlError> {
    let body: ReplyBody = decode(line, CONTROL_REPLY_BYTES_MAX)?;
    match (body.response, body.error) {
        (Some(response), None) => Ok(response),
        (None, Some(error)) => Err(error),
        _ => Err(ControlError::new(ControlErrorKind::BadRequest, "neither a response nor an error")),
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Serialisation to memory fails for maps with keys that are no text, and for paths that are none.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

fn decode<'a, T: Deserialize<'a>>(line: &'a [u8], bytes_max: usize) -> Result<T, ControlError> {
    let bad = |message: String| ControlError::new(ControlErrorKind::BadRequest, message);
    if line.len() > bytes_max {
        return Err(bad(format!("longer than {bytes_max} bytes")));
    }
    let Version { version } = serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
    if version != PROTOCOL_VERSION {
        return Err(bad(format!("version {version}, but only {PROTOCOL_VERSION} is known here")));
    }
    serde_json::from_slice(line).map_err(|error| bad(error.to_string()))
}
