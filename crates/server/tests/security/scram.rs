//! SCRAM-SHA-256 (RFC 7677) as a client that can be told to do it wrong. That ours agrees with another
//! implementation is the subject of `crates/auth/tests/oracle.rs`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use pbkdf2::pbkdf2_hmac_array;
use sha2::{Digest, Sha256};

use crate::client::Client;

/// What the exchange is bound to.
#[derive(Clone, Debug)]
pub(crate) enum Binding {
    /// The client cannot: `n`.
    None,
    /// The client could, and thinks that the server cannot: `y`.
    Unused,
    /// By this type, with this data.
    To(&'static str, Vec<u8>),
}

impl Binding {
    fn header(&self) -> String {
        match self {
            Self::None => "n,,".to_owned(),
            Self::Unused => "y,,".to_owned(),
            Self::To(kind, _) => format!("p={kind},,"),
        }
    }

    fn input(&self) -> String {
        let mut input = self.header().into_bytes();
        if let Self::To(_, data) = self {
            input.extend_from_slice(data);
        }
        BASE64.encode(input)
    }

    /// RFC 9266.
    pub(crate) fn exporter(client: &mut Client) -> Self {
        let connection = &client.tls().conn;
        let data = connection.export_keying_material([0_u8; 32], b"EXPORTER-Channel-Binding", None);
        Self::To("tls-exporter", data.expect("TLS is up").to_vec())
    }

    /// RFC 5929 4, for certificates signed with SHA-256.
    pub(crate) fn end_point(client: &mut Client) -> Self {
        let chain = client.tls().conn.peer_certificates().expect("TLS is up");
        Self::To("tls-server-end-point", Sha256::digest(&chain[0]).to_vec())
    }
}

const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";

/// Sends the first message; answers the server's.
pub(crate) fn begin(
    client: &mut Client,
    mechanism: &str,
    local: &str,
    binding: &Binding,
) -> Result<String, String> {
    let first = format!("{}n={local},r={NONCE}", binding.header());
    client.send(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{}</auth>",
        BASE64.encode(first)
    ));
    let text = answer(client)?;
    Ok(String::from_utf8(BASE64.decode(text).expect("base64")).expect("UTF-8"))
}

/// The final message, right if `password` is.
pub(crate) fn finish(challenge: &str, local: &str, password: &str, binding: &Binding) -> String {
    let field = |name: &str| {
        challenge.split(',').find_map(|f| f.strip_prefix(name)).expect("the server sends it").to_owned()
    };
    let (nonce, salt, iterations) = (field("r="), field("s="), field("i="));
    let salt = BASE64.decode(salt).expect("base64");
    let salted = salted(password, &salt, iterations.parse().expect("a count"));
    let client_key = mac(&salted, b"Client Key");
    let without_proof = format!("c={},r={nonce}", binding.input());
    let message = format!("n={local},r={NONCE},{challenge},{without_proof}");
    let signature = mac(&Sha256::digest(client_key), message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, byte)| key ^ byte).collect();
    format!("{without_proof},p={}", BASE64.encode(proof))
}

/// As clients do it that log in more than once (RFC 5802 5.1): derived once.
fn salted(password: &str, salt: &[u8], iterations: u32) -> [u8; 32] {
    type Of = (String, Vec<u8>, u32);
    static KNOWN: Mutex<BTreeMap<Of, [u8; 32]>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let derive = || pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, iterations);
    *known.entry((password.to_owned(), salt.to_owned(), iterations)).or_insert_with(derive)
}

pub(crate) fn respond(client: &mut Client, message: &str) -> Result<(), String> {
    client.send(&format!(
        "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>",
        BASE64.encode(message)
    ));
    answer(client).map(drop)
}

/// The whole exchange; the error is the failure's element.
pub(crate) fn run(
    client: &mut Client,
    mechanism: &str,
    local: &str,
    password: &str,
    binding: &Binding,
) -> Result<(), String> {
    let challenge = begin(client, mechanism, local, binding)?;
    let message = finish(&challenge, local, password, binding);
    respond(client, &message)
}

/// The text of what the server says next; the error is a whole `<failure/>`.
pub(crate) fn answer(client: &mut Client) -> Result<String, String> {
    let tag = client.until(">");
    if tag.contains("<failure") {
        return Err(tag + &client.until("</failure>"));
    }
    assert!(tag.contains("<challenge") || tag.contains("<success"), "{tag}");
    let text = client.until("</");
    client.until(">");
    Ok(text.trim_end_matches("</").to_owned())
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("any key will do");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
