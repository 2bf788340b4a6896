//! The servers under load, and how one client logs in to one of them: TCP, STARTTLS or direct TLS, SASL, binding.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls_pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::element::{self, escape};
use crate::link::{Io, Link, LinkError};
use crate::scram::{Exchange, HashFunction, KeyCache};

/// The SASL mechanism to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mechanism {
    /// The best that the server offers of the others.
    Auto,
    #[value(name = "scram-sha-256")]
    ScramSha256,
    #[value(name = "scram-sha-1")]
    ScramSha1,
    Plain,
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "one of SCRAM-SHA-256, SCRAM-SHA-1, PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
        }
    }

    /// The mechanism to use of those offered.
    fn choose(self, offered: &[String]) -> Result<Self, LinkError> {
        let order = [Self::ScramSha256, Self::ScramSha1, Self::Plain];
        let is_offered = |mechanism: &Self| offered.iter().any(|name| name == mechanism.name());
        order
            .into_iter()
            .find(|mechanism| (self == Self::Auto || self == *mechanism) && is_offered(mechanism))
            .ok_or_else(|| LinkError::NoMechanism { offered: offered.to_vec(), wanted: self.name() })
    }
}

/// The servers under load and how to log in to them.
pub(crate) struct Target {
    pub(crate) domain: String,
    /// The members of one cluster, or one server alone; at least one.
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) is_direct_tls: bool,
    pub(crate) connector: TlsConnector,
    pub(crate) server_name: ServerName<'static>,
    /// Addresses to connect from, in turn; none leaves it to the system.
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) next_source: AtomicUsize,
    pub(crate) mechanism: Mechanism,
    pub(crate) keys: KeyCache,
    /// With stream management: ask for an acknowledgement after so many stanzas.
    pub(crate) stream_management: Option<u32>,
    /// `None` if a broken stream is never resumed.
    pub(crate) resumption: Option<Resumption>,
    pub(crate) login_timeout: Duration,
    /// `{}` stands for the account's number in both.
    pub(crate) user: String,
    pub(crate) password: String,
}

/// How long broken streams are to be resumable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resumption {
    pub(crate) seconds: u32,
    /// Every so many-th account, from account 0 on, stays away if it loses its connection; 0 for none.
    pub(crate) stay_away: u32,
    /// For how long the streams of those are.
    pub(crate) away_seconds: u32,
}

impl Resumption {
    /// Whether that account stays away if it loses its connection.
    pub(crate) fn stays_away(self, account: u32) -> bool {
        account.checked_rem(self.stay_away) == Some(0)
    }

    fn seconds(self, account: u32) -> u32 {
        if self.stays_away(account) { self.away_seconds } else { self.seconds }
    }
}

impl Target {
    /// The localpart of the account with that number.
    pub(crate) fn localpart(&self, account: u32) -> String {
        self.user.replace("{}", &account.to_string())
    }

    /// The password of the account with that number.
    pub(crate) fn password(&self, account: u32) -> String {
        self.password.replace("{}", &account.to_string())
    }

    /// The bare JID of the account with that number.
    pub(crate) fn bare_jid(&self, account: u32) -> String {
        format!("{}@{}", self.localpart(account), self.domain)
    }

    /// Index of the server where that account logs in: the next account logs in at the next one.
    pub(crate) fn home(&self, account: u32) -> usize {
        usize::try_from(account).unwrap_or(0) % self.servers.len().max(1)
    }

    /// Logs in at the account's home: connection, TLS, SASL, binding, stream management where asked for.
    pub(crate) async fn log_in(&self, account: u32, resource: Option<&str>) -> Result<Link, LinkError> {
        let login = async {
            let mut text = String::new();
            let mut link = self.authenticated(self.home(account), account, &mut text).await?;
            self.bind(&mut link, account, resource, &mut text).await?;
            Ok(link)
        };
        let timeout = self.login_timeout;
        tokio::time::timeout(timeout, login).await.unwrap_or(Err(LinkError::Timeout(timeout.as_secs())))
    }

    /// A stream at that server, as that account, with no resource yet; its features stand in `text`.
    pub(crate) async fn authenticated(
        &self,
        server: usize,
        account: u32,
        text: &mut String,
    ) -> Result<Link, LinkError> {
        let mut link = self.open(server, text).await?;
        let authenticated = self.authenticate(&mut link, account, text).await;
        authenticated.map_err(|error| login_error(error, || self.bare_jid(account)))?;
        link.restart();
        self.open_stream(&mut link, text).await?;
        Ok(link)
    }

    /// A connection to that server with TLS; the stream's features stand in `text`.
    async fn open(&self, server: usize, text: &mut String) -> Result<Link, LinkError> {
        let stream = self.connect(server).await?;
        stream.set_nodelay(true)?;
        let mut link = if self.is_direct_tls {
            Link::new(self.handshake(stream).await?)
        } else {
            let mut link = Link::new(Io::Plain(stream));
            self.open_stream(&mut link, text).await?;
            link.raw().extend_from_slice(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            expect(&mut link, "STARTTLS", "proceed", text).await?;
            let Io::Plain(stream) = link.take_io() else { return Err(LinkError::Closed) };
            link.put_io(self.handshake(stream).await?);
            link
        };
        self.open_stream(&mut link, text).await?;
        Ok(link)
    }

    async fn connect(&self, server: usize) -> Result<TcpStream, LinkError> {
        let Some(&address) = self.servers.get(server) else { return Err(LinkError::Closed) };
        let turn = self.next_source.fetch_add(1, Ordering::Relaxed);
        let Some(source) = self.sources.get(turn % self.sources.len().max(1)) else {
            return Ok(TcpStream::connect(address).await?);
        };
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(*source, 0))?;
        Ok(socket.connect(address).await?)
    }

    async fn handshake(&self, stream: TcpStream) -> Result<Io, LinkError> {
        Ok(Io::Tls(Box::new(self.connector.connect(self.server_name.clone(), stream).await?)))
    }

    async fn open_stream(&self, link: &mut Link, text: &mut String) -> Result<(), LinkError> {
        let header = format!(
            "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>",
            escape(&self.domain)
        );
        link.raw().extend_from_slice(header.as_bytes());
        expect(link, "stream features", "stream:features", text).await
    }

    /// SASL (RFC 6120 6) by the features in `text`.
    async fn authenticate(&self, link: &mut Link, account: u32, text: &mut String) -> Result<(), LinkError> {
        let offered: Vec<String> = element::texts(text, "mechanism").map(str::to_owned).collect();
        let (user, password) = (self.localpart(account), self.password(account));
        let hash = match self.mechanism.choose(&offered)? {
            Mechanism::ScramSha256 => HashFunction::Sha256,
            Mechanism::ScramSha1 => HashFunction::Sha1,
            Mechanism::Plain | Mechanism::Auto => {
                send_auth(link, "PLAIN", &format!("\0{user}\0{password}"));
                return expect(link, "SASL PLAIN", "success", text).await;
            }
        };
        let name = if hash == HashFunction::Sha1 { "SCRAM-SHA-1" } else { "SCRAM-SHA-256" };
        let exchange = Exchange::new(hash, &user, nonce()?);
        send_auth(link, name, &exchange.first());
        expect(link, "SASL SCRAM", "challenge", text).await?;
        let answer = exchange.answer(&payload(text, "challenge")?, &password, &self.keys)?;
        let response = BASE64.encode(&answer.message);
        let response = format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{response}</response>");
        link.raw().extend_from_slice(response.as_bytes());
        expect(link, "SASL SCRAM", "success", text).await?;
        Ok(answer.verify(&payload(text, "success")?)?)
    }

    /// Resource binding (RFC 6120 7) by the features in `text`, then what else a session begins with.
    pub(crate) async fn bind(
        &self,
        link: &mut Link,
        account: u32,
        resource: Option<&str>,
        text: &mut String,
    ) -> Result<(), LinkError> {
        // RFC 3921's session, where a server still insists on it.
        let is_session_due =
            element::descendant(text, "session").is_some_and(|rest| !rest.contains("<optional"));
        let resource = resource.map(|resource| format!("<resource>{}</resource>", escape(resource)));
        let request = format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{}</bind></iq>",
            resource.unwrap_or_default()
        );
        link.raw().extend_from_slice(request.as_bytes());
        expect_result(link, "resource binding", text).await?;
        link.jid = element::unescape(element::text(text, "jid").unwrap_or_default()).into_owned();
        if is_session_due {
            link.raw().extend_from_slice(
                b"<iq type='set' id='session'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
            );
            expect_result(link, "session", text).await?;
        }
        if let Some(ack_every) = self.stream_management {
            let max = self.resumption.map(|resumption| format!(" max='{}'", resumption.seconds(account)));
            let max = max.unwrap_or_default();
            let enable = format!("<enable xmlns='urn:xmpp:sm:3' resume='true'{max}/>");
            link.raw().extend_from_slice(enable.as_bytes());
            // Counting begins at once: nothing is sent before the answer, and what comes after it counts.
            expect(link, "stream management", "enabled", text).await?;
            link.enable_stream_management(ack_every);
            let is_resumable = matches!(element::attribute(text, "resume"), Some("true" | "1"));
            let id = element::attribute(text, "id").filter(|_| is_resumable && self.resumption.is_some());
            if let Some(id) = id {
                link.keep_for_resumption(id.to_owned());
            }
        }
        Ok(())
    }

    /// Creates the account by in-band registration (XEP-0077 3.1). `false`: it was there already.
    pub(crate) async fn register(&self, account: u32) -> Result<bool, LinkError> {
        let mut text = String::new();
        let mut link = self.open(self.home(account), &mut text).await?;
        let request = format!(
            "<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>{}</username>\
             <password>{}</password></query></iq>",
            escape(&self.localpart(account)),
            escape(&self.password(account)),
        );
        link.raw().extend_from_slice(request.as_bytes());
        let result = expect_result(&mut link, "registration", &mut text).await;
        link.close().await;
        match result {
            Ok(()) => Ok(true),
            Err(LinkError::Refused { answer, .. }) if answer.contains("<conflict") => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// That the server does not know an account, or its password, is said with the account (RFC 6120 6.5.10).
fn login_error(error: LinkError, jid: impl Fn() -> String) -> LinkError {
    match error {
        LinkError::Refused { answer, .. } if answer.contains("<not-authorized") => {
            LinkError::NotAuthorized { jid: jid() }
        }
        other => other,
    }
}

fn send_auth(link: &mut Link, mechanism: &str, initial: &str) {
    let initial = BASE64.encode(initial);
    let auth =
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{initial}</auth>");
    link.raw().extend_from_slice(auth.as_bytes());
}

/// The SASL payload of the element in `text`.
fn payload(text: &str, name: &str) -> Result<String, LinkError> {
    // The element itself is what `descendant` finds once something stands before it.
    let found = element::text(&format!(" {text}"), name).unwrap_or_default().to_owned();
    let bytes = BASE64.decode(found.trim()).map_err(|_| LinkError::Malformed)?;
    String::from_utf8(bytes).map_err(|_| LinkError::Malformed)
}

fn nonce() -> Result<String, LinkError> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(BASE64.encode(bytes))
}

/// Waits for the next element, which must have that name.
async fn expect(
    link: &mut Link,
    stage: &'static str,
    name: &str,
    text: &mut String,
) -> Result<(), LinkError> {
    link.element(text).await?;
    if element::name(text) == name { Ok(()) } else { Err(LinkError::Refused { stage, answer: text.clone() }) }
}

/// Waits for an iq of type result, skipping other stanzas.
pub(crate) async fn expect_result(
    link: &mut Link,
    stage: &'static str,
    text: &mut String,
) -> Result<(), LinkError> {
    loop {
        link.element(text).await?;
        match (element::name(text), element::attribute(text, "type")) {
            ("iq", Some("result")) => return Ok(()),
            ("iq", Some("error")) => return Err(LinkError::Refused { stage, answer: text.clone() }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_is_refused_is_told_with_its_account() {
        let check = |condition: &str, expected: &str| {
            let answer =
                format!("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}/></failure>");
            let error = LinkError::Refused { stage: "SASL SCRAM", answer };
            let told = login_error(error, || "load4@example.org".to_owned()).to_string();
            assert!(told.contains(expected), "{told}");
        };
        check("not-authorized", "the first was load4@example.org");
        check("temporary-auth-failure", "SASL SCRAM: refused: <failure");
    }
}
