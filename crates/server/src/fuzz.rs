//! Bodies of the fuzz targets: plain functions that assert a property of any bytes.

use std::path::Path;

use crate::config::{Config, ConfigError, Place};
use crate::control::{decode_reply, decode_request, encode_request};

/// Whatever a configuration's file and environment are, there is an answer, and each mistake stands at a place
/// that exists. The first line of `bytes` is `VARIABLE=value`, the rest is the file.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (variable, text) = text.split_once('\n').unwrap_or(("", text));
    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
    let environment = [(format!("STENTOR__{name}"), value.to_owned())];
    let Err(ConfigError::Mistakes(mistakes)) = Config::parse(Path::new("s.toml"), text, &environment) else {
        return;
    };
    assert!(mistakes.is_fatal());
    for mistake in mistakes.list() {
        if let Place::File { line, column } = mistake.place {
            let written = text.split('\n').nth(line - 1);
            assert!(written.is_some_and(|written| column <= written.chars().count() + 1), "{mistake:?}");
        }
    }
}

/// Whatever stands on the control socket, there is an answer, and what is taken as a request is the same
/// after another way.
pub fn control(line: &[u8]) {
    if let Ok(request) = decode_request(line) {
        assert_eq!(decode_request(&encode_request(&request)), Ok(request));
    }
    // A reply is read as such or is an error; either way it is not trusted.
    let _ = decode_reply(line);
}
