//! A client that sends and reads stanzas as they are, so that a test sees each that a server sends, and that there is no
//! other. It knows no stream management: what the server has written is delivered.

use crate::element::{self, Element};
use crate::server::DOMAIN;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Against hanging alone.
const DEADLINE: Duration = Duration::from_secs(20);

const READ_BYTES: usize = 16 * 1024;

/// A client with a resource.
#[derive(Debug)]
pub struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    /// What was read and is no whole element yet.
    text: Vec<u8>,
}

impl Client {
    /// Logs in, with TLS from the first byte (XEP-0368), and binds the resource.
    ///
    /// # Errors
    /// What happened instead.
    pub fn log_in(
        address: SocketAddr,
        authority: &Path,
        localpart: &str,
        password: &str,
        resource: &str,
    ) -> Result<Self, String> {
        let socket = TcpStream::connect(address).map_err(|e| e.to_string())?;
        let settings = socket.set_read_timeout(Some(DEADLINE)).and_then(|()| socket.set_nodelay(true));
        settings.map_err(|e| e.to_string())?;
        let tls = tls(authority)?;
        let mut client = Self { stream: StreamOwned::new(tls, socket), text: Vec::new() };
        client.open()?;
        let initial = STANDARD.encode(format!("\0{localpart}\0{password}"));
        client.send(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{initial}</auth>"
        ))?;
        client.expect("success")?;
        client.open()?;
        client.send(&format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource>\
             </bind></iq>"
        ))?;
        let bound = client.expect("iq")?;
        let jid = bound.child("bind").and_then(|bind| bind.child("jid")).map(|jid| &*jid.text);
        match jid == Some(&format!("{localpart}@{DOMAIN}/{resource}")) {
            true => Ok(client),
            false => Err(format!("{bound:?} for {resource}")),
        }
    }

    /// Begins a stream, and reads what the server offers.
    fn open(&mut self) -> Result<(), String> {
        self.send(&format!(
            "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        ))?;
        self.text.clear();
        self.take(|text| {
            let text = match text.strip_prefix("<?xml") {
                Some(declared) => declared.split_once('>').map_or("", |(_, rest)| rest),
                None => text,
            };
            Ok(element::start(text.trim_start())?.map(|(_, rest, _)| ((), rest)))
        })?;
        self.expect("stream:features").map(drop)
    }

    fn expect(&mut self, name: &str) -> Result<Element, String> {
        let element = self.receive()?;
        if element.name == name { Ok(element) } else { Err(format!("{element:?} instead of <{name}/>")) }
    }

    /// Sends this text.
    pub fn send(&mut self, text: &str) -> Result<(), String> {
        self.stream.write_all(text.as_bytes()).and_then(|()| self.stream.flush()).map_err(|e| e.to_string())
    }

    /// Waits for the next stanza.
    ///
    /// # Errors
    /// The stream has ended, or nothing comes.
    pub fn receive(&mut self) -> Result<Element, String> {
        self.take(Element::read)
    }

    /// Ends the stream, and waits until the server has done so.
    pub fn leave(mut self) -> Result<(), String> {
        self.send("</stream:stream>")?;
        loop {
            match self.receive() {
                Ok(_) => {}
                Err(_) if self.text.starts_with(b"</stream:stream>") => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads until `take` has found what it is for, and leaves what stands behind that.
    fn take<T>(&mut self, take: impl Fn(&str) -> Result<Option<(T, &str)>, String>) -> Result<T, String> {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            // A character may not be whole yet.
            let text = match std::str::from_utf8(&self.text) {
                Ok(text) => text,
                Err(error) => std::str::from_utf8(self.text.get(..error.valid_up_to()).unwrap_or_default())
                    .map_err(|e| e.to_string())?,
            };
            if let Some((found, rest)) = take(text)? {
                let taken = text.len() - rest.len();
                self.text.drain(..taken);
                return Ok(found);
            }
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err("the connection was closed".to_owned()),
                Ok(count) => self.text.extend_from_slice(bytes.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("nothing more came: {error}")),
            }
        }
    }
}

fn tls(authority: &Path) -> Result<ClientConnection, String> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(authority).map_err(|e| e.to_string())?;
    roots.add(certificate).map_err(|e| e.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut settings =
        settings.map_err(|e| e.to_string())?.with_root_certificates(roots).with_no_client_auth();
    settings.alpn_protocols = vec![b"xmpp-client".to_vec()];
    let name = ServerName::try_from(DOMAIN).map_err(|e| e.to_string())?;
    ClientConnection::new(Arc::new(settings), name).map_err(|e| e.to_string())
}
