//! A client that says what it likes.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use socket2::{Domain, Socket, Type};

use crate::scram::{self, Binding};
use crate::server::{DEADLINE, PASSWORD, Server};

/// After which a socket is taken to have nothing to give, and no room.
const MOMENT: Duration = Duration::from_millis(200);

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

enum Wire {
    Clear(TcpStream),
    Tls(Box<Tls>),
    Gone,
}

/// A connection and what was read of it.
pub(crate) struct Client {
    wire: Wire,
    read: String,
    pub(crate) domain: String,
}

/// How TLS is to be set up.
#[derive(Clone)]
pub(crate) struct TlsSetup {
    pub(crate) server_name: String,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) certificate: Option<(CertificateDer<'static>, Arc<PrivateKeyDer<'static>>)>,
    pub(crate) versions: &'static [&'static rustls::SupportedProtocolVersion],
}

impl TlsSetup {
    pub(crate) fn new(server_name: &str) -> Self {
        let server_name = server_name.to_owned();
        Self { server_name, alpn: Vec::new(), certificate: None, versions: rustls::ALL_VERSIONS }
    }

    pub(crate) fn connection(&self) -> ClientConnection {
        let name = ServerName::try_from(self.server_name.clone()).expect("a name");
        ClientConnection::new(Arc::new(self.config()), name).expect("a connection")
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .expect("versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone));
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(vec![certificate.clone()], key.clone_key())
                .expect("a certificate with its key"),
        };
        config.alpn_protocols = self.alpn.clone();
        config
    }
}

/// A socket from this address.
pub(crate) fn connect(to: SocketAddr, from: IpAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::new(from, 0).into()).expect("an address of ours");
    socket.connect(&to.into()).expect("the server listens");
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true).expect("a socket");
    socket.set_read_timeout(Some(DEADLINE)).expect("a socket");
    socket.set_write_timeout(Some(DEADLINE)).expect("a socket");
    socket
}

pub(crate) fn header(domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    )
}

impl Client {
    /// A connection in clear; nothing is sent.
    pub(crate) fn clear(server: &Server, from: IpAddr) -> Self {
        let wire = Wire::Clear(connect(server.clear, from));
        Self { wire, read: String::new(), domain: "example.org".to_owned() }
    }

    /// TLS from the first byte; no stream yet.
    pub(crate) fn direct(server: &Server, from: IpAddr, setup: &TlsSetup) -> io::Result<Self> {
        Self::direct_with(server, from, setup.connection())
    }

    /// TLS from the first byte, by a connection that was set up elsewhere.
    pub(crate) fn direct_with(
        server: &Server,
        from: IpAddr,
        connection: ClientConnection,
    ) -> io::Result<Self> {
        let wire = Wire::Clear(connect(server.direct, from));
        let mut client = Self { wire, read: String::new(), domain: "example.org".to_owned() };
        client.secure_with(connection)?;
        Ok(client)
    }

    /// Does the handshake.
    pub(crate) fn secure(&mut self, setup: &TlsSetup) -> io::Result<()> {
        self.secure_with(setup.connection())
    }

    fn secure_with(&mut self, mut connection: ClientConnection) -> io::Result<()> {
        let Wire::Clear(mut socket) = std::mem::replace(&mut self.wire, Wire::Gone) else {
            panic!("it has TLS already")
        };
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        self.wire = Wire::Tls(Box::new(StreamOwned::new(connection, socket)));
        Ok(())
    }

    /// A stream inside TLS by STARTTLS, with SASL offered. Answers the features.
    pub(crate) fn starttls(server: &Server, from: IpAddr, domain: &str) -> (Self, String) {
        let mut client = Self::clear(server, from);
        client.domain = domain.to_owned();
        client.open();
        client.until("</stream:features>");
        client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        client.until("<proceed");
        client.until(">");
        client.secure(&TlsSetup::new(domain)).expect("a handshake");
        client.open();
        let features = client.until("</stream:features>");
        (client, features)
    }

    /// Authenticated, with a restarted stream. Answers its features, too.
    pub(crate) fn authenticated(server: &Server, from: IpAddr, jid: &str) -> Self {
        let (local, domain) = jid.split_once('@').expect("a bare JID");
        let (mut client, _) = Self::starttls(server, from, domain);
        client.log_in("SCRAM-SHA-256", local, PASSWORD, &Binding::None).expect("the password is right");
        client
    }

    /// SCRAM, and the restart.
    pub(crate) fn log_in(
        &mut self,
        mechanism: &str,
        local: &str,
        password: &str,
        binding: &Binding,
    ) -> Result<(), String> {
        scram::run(self, mechanism, local, password, binding)?;
        self.open();
        self.until("</stream:features>");
        Ok(())
    }

    /// Bound, available, with nothing unread.
    pub(crate) fn online(server: &Server, from: IpAddr, full: &str) -> Self {
        let mut client = Self::bound(server, from, full);
        client.send("<presence/>");
        client.settle();
        client
    }

    /// Bound.
    pub(crate) fn bound(server: &Server, from: IpAddr, full: &str) -> Self {
        let (bare, resource) = full.split_once('/').expect("a full JID");
        let mut client = Self::authenticated(server, from, bare);
        client.bind(resource);
        client
    }

    pub(crate) fn bind(&mut self, resource: &str) -> String {
        self.send(&format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        ));
        self.until("</iq>")
    }

    /// Turns stream management on; answers the id.
    pub(crate) fn enable(&mut self) -> String {
        self.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        let enabled = self.until("<enabled") + &self.until(">");
        attribute(&enabled, "id").unwrap_or_else(|| panic!("no id: {enabled}"))
    }

    /// Asks something that is answered behind all before it, and answers what came before the answer.
    pub(crate) fn settle(&mut self) -> String {
        self.send("<iq type='get' id='settle-7'><ping xmlns='urn:xmpp:ping'/></iq>");
        let before = self.until("settle-7");
        self.until(">");
        before
    }

    /// By a headline, of which nothing is kept.
    pub(crate) fn talk_to_itself(&mut self, full: &str) {
        self.send(&format!("<message to='{full}' type='headline'><body>well</body></message>"));
        self.until("<body>well</body>");
    }

    /// Opens a stream.
    pub(crate) fn open(&mut self) {
        let header = header(&self.domain);
        self.send(&header);
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes()).unwrap_or_else(|error| {
            panic!("{error} while sending {:?}; unread: {:?}", text.get(..200.min(text.len())), self.read)
        });
    }

    /// Sends what the server may refuse by closing.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.wire {
            Wire::Clear(socket) => socket.write_all(bytes),
            Wire::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Wire::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// All up to and with `text`.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.read.find(text) {
                let rest = self.read.split_off(at + text.len());
                return std::mem::replace(&mut self.read, rest);
            }
            assert!(begun.elapsed() < DEADLINE, "no {text:?} in time, but {:?}", self.read);
            match self.more() {
                Ok(0) => panic!("the server closed before {text:?}, after {:?}", self.read),
                Ok(_) => {}
                Err(error) => panic!("{error} before {text:?}, after {:?}", self.read),
            }
        }
    }

    /// All up to the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        while self.more().is_ok_and(|read| read > 0) {}
        std::mem::take(&mut self.read)
    }

    /// All that is there to be read inside TLS, until nothing comes for a moment; also while something is yet to be sent,
    /// which would go first otherwise.
    pub(crate) fn available(&mut self) -> String {
        self.be_patient(MOMENT);
        let mut read = std::mem::take(&mut self.read).into_bytes();
        let tls = self.tls();
        loop {
            let state = tls.conn.process_new_packets().expect("TLS");
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            tls.conn.reader().read_exact(&mut plain).expect("it is there");
            read.append(&mut plain);
            if !matches!(tls.conn.read_tls(&mut tls.sock), Ok(1..)) {
                break;
            }
        }
        self.be_patient(DEADLINE);
        String::from_utf8(read).expect("whole characters")
    }

    /// Sends of this inside TLS what the server takes until it takes nothing for a moment; answers how much.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) -> usize {
        self.be_patient(MOMENT);
        let mut sent = 0;
        // What was taken is on its way, and sent later if not now: so nothing of it is sent twice.
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty())
            && let Ok(taken) = self.tls().write(rest)
        {
            sent += taken;
        }
        self.be_patient(DEADLINE);
        sent
    }

    /// For how long its socket waits until something can be read or written.
    fn be_patient(&self, time: Duration) {
        self.socket().set_read_timeout(Some(time)).expect("a socket");
        self.socket().set_write_timeout(Some(time)).expect("a socket");
    }

    /// Whether the server offers anything before it closes.
    pub(crate) fn has_features(&mut self) -> bool {
        while !self.read.contains("</stream:features>") {
            if !self.more().is_ok_and(|read| read > 0) {
                return false;
            }
        }
        true
    }

    /// One read.
    fn more(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 64 * 1024];
        let read = match &mut self.wire {
            Wire::Clear(socket) => socket.read(&mut buffer),
            Wire::Tls(stream) => stream.read(&mut buffer),
            Wire::Gone => Ok(0),
        }?;
        self.read.push_str(&String::from_utf8_lossy(&buffer[..read]));
        Ok(read)
    }

    pub(crate) fn tls(&mut self) -> &mut Tls {
        match &mut self.wire {
            Wire::Tls(stream) => stream,
            Wire::Clear(_) | Wire::Gone => panic!("there is no TLS"),
        }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match &self.wire {
            Wire::Tls(stream) => &stream.sock,
            Wire::Clear(socket) => socket,
            Wire::Gone => panic!("there is no socket"),
        }
    }

    /// Cuts the connection by RST, as a client does whose network is gone.
    pub(crate) fn cut(self) {
        let linger = Some(Duration::ZERO);
        socket2::SockRef::from(self.socket()).set_linger(linger).expect("a socket");
    }
}

/// The value of an attribute of the last start tag in `text`.
pub(crate) fn attribute(text: &str, name: &str) -> Option<String> {
    let tag = text.get(text.rfind('<')?..)?;
    let (_, rest) = tag.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next()?;
    rest.get(1..)?.split(quote).next().map(str::to_owned)
}

/// Takes every certificate: whose it is, is no question here.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
