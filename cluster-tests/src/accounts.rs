//! Many accounts at once: a backup made by hand, and restored.

use crate::server::DOMAIN;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use pbkdf2::pbkdf2_hmac_array;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Of each account.
pub const PASSWORD: &str = "secret";

/// One salt serves all, since stretching takes its time.
const ITERATIONS: u32 = 10_000;
const SALT: &[u8] = b"cluster-tests";

/// A backup with `count` accounts, `load0` and so on, each a contact of the others in its group of that size.
pub fn backup(count: u32, group: u32) -> Result<String, String> {
    let credentials = credentials()?.to_string();
    let contact = json!({"v": 1, "subscription": "both", "listed": true}).to_string();
    let mut lines = vec![json!({"stentor_export": 1})];
    for number in 0..count {
        lines.push(record(number, "account", "credentials", &credentials));
        let first = number - number % group;
        for other in (first..(first + group).min(count)).filter(|other| *other != number) {
            lines.push(record(number, "roster", &jid(other), &contact));
        }
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let end = json!({"end": {"rows": lines.len() - 1, "sha256": hex(&Sha256::digest(&text))}});
    Ok(format!("{text}{end}\n"))
}

/// The bare JID of the account with that number.
pub fn jid(number: u32) -> String {
    format!("load{number}@{DOMAIN}")
}

fn record(number: u32, collection: &str, key: &str, value: &str) -> Value {
    json!({"record": {
        "kind": "u", "owner": jid(number), "collection": collection, "key": key, "version": 1, "value": value,
    }})
}

/// What SCRAM-SHA-256 (RFC 7677) checks the password by.
fn credentials() -> Result<Value, String> {
    let salted = pbkdf2_hmac_array::<Sha256, 32>(PASSWORD.as_bytes(), SALT, ITERATIONS);
    let keyed = |text: &[u8]| -> Result<Vec<u8>, String> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&salted).map_err(|e| e.to_string())?;
        mac.update(text);
        Ok(mac.finalize().into_bytes().to_vec())
    };
    Ok(json!({"v": 1, "SHA-256": {
        "salt": STANDARD.encode(SALT),
        "iterations": ITERATIONS,
        "stored_key": STANDARD.encode(Sha256::digest(keyed(b"Client Key")?)),
        "server_key": STANDARD.encode(keyed(b"Server Key")?),
    }}))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
