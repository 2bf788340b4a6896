//! Errors of stanzas and streams, by the names that RFC 6120 gives them.

use super::super::WireError;
use super::super::codec::{Reader, Writer};
use serde::{Deserialize, Serialize};
use stentor_xmpp::{Condition, ErrorType, StanzaError, StreamCondition, StreamError};

#[derive(Serialize, Deserialize)]
struct OfStanza<'a> {
    condition: &'a str,
    kind: &'a str,
    text: Option<&'a str>,
    uri: Option<&'a str>,
    application: Option<&'a str>,
}

pub(super) fn put_stanza_error(error: &StanzaError, writer: &mut Writer) {
    writer.put(&OfStanza {
        condition: error.condition.name(),
        kind: error.kind.name(),
        text: error.text.as_deref(),
        uri: error.uri.as_deref(),
        application: error.application.as_deref(),
    });
}

/// What is not known of it is read as [`StanzaError::parse`] reads it.
pub(super) fn get_stanza_error(reader: &mut Reader<'_>) -> Result<StanzaError, WireError> {
    let OfStanza { condition, kind, text, uri, application } = reader.get()?;
    let condition = Condition::from_name(condition).unwrap_or(Condition::UndefinedCondition);
    Ok(StanzaError {
        condition,
        kind: ErrorType::from_name(kind).unwrap_or(condition.default_type()),
        text: text.map(str::to_owned),
        uri: uri.map(Box::from),
        application: application.map(Box::from),
    })
}

#[derive(Serialize, Deserialize)]
struct OfStream<'a> {
    condition: &'a str,
    /// Of `see-other-host`.
    host: Option<&'a str>,
    text: Option<&'a str>,
    application: Option<&'a str>,
}

pub(super) fn put_stream_error(error: &StreamError, writer: &mut Writer) {
    let host = match &error.condition {
        StreamCondition::SeeOtherHost(host) => Some(host.as_str()),
        _ => None,
    };
    writer.put(&OfStream {
        condition: error.condition.name(),
        host,
        text: error.text.as_deref(),
        application: error.application.as_deref(),
    });
}

pub(super) fn get_stream_error(reader: &mut Reader<'_>) -> Result<StreamError, WireError> {
    let OfStream { condition, host, text, application } = reader.get()?;
    let condition = match StreamCondition::from_name(condition) {
        Some(StreamCondition::SeeOtherHost(_)) => {
            StreamCondition::SeeOtherHost(host.unwrap_or_default().to_owned())
        }
        known => known.unwrap_or(StreamCondition::UndefinedCondition),
    };
    Ok(StreamError { condition, text: text.map(str::to_owned), application: application.map(str::to_owned) })
}
