//! Where the database is, and how it is spoken to.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where the database is, and how it is spoken to. Its `Debug` does not show the password.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgresql://user:password@host:port/database`, with several hosts if need be (`host1:port1,host2:port2`: the
    /// one that takes writes is used). Of the parameters of PostgreSQL's own programs, `sslmode` is `disable` or
    /// `require`; the latter verifies the server's certificate and name, as `verify-full` does. Without it TLS is
    /// required, but for sockets and addresses of this machine. `sslrootcert` is `ca_file`.
    pub url: String,
    /// The password, if it does not stand in the URL.
    pub password: Option<String>,
    /// Whether TLS is used, as `require` does; none: as the URL says.
    pub is_tls: Option<bool>,
    /// Certificates of the authorities that may vouch for the server, as PEM; else the system's.
    pub ca_file: Option<PathBuf>,
    /// The schema that has the tables, made if there is none. Several clusters can share one database by it.
    pub schema: String,
    /// How long a batch waits for a database that cannot be reached, before the store has failed. The default is two
    /// minutes: a restart, or the promotion of a stand-by.
    pub patience: Duration,
}

impl PostgresConfig {
    /// With the defaults.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            is_tls: None,
            ca_file: None,
            schema: "stentor".to_owned(),
            patience: Duration::from_secs(120),
        }
    }
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, password: _, is_tls, ca_file, schema, patience } = self;
        let place = url.rsplit_once('@').map_or(&**url, |(_, place)| place);
        f.debug_struct("PostgresConfig")
            .field("place", &place)
            .field("is_tls", is_tls)
            .field("ca_file", ca_file)
            .field("schema", schema)
            .field("patience", patience)
            .finish_non_exhaustive()
    }
}

/// Why the store cannot be had. The database is as it was, but for what an interrupted migration left, which the next
/// one goes on from.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The URL is not one, or names what is not supported.
    #[error("the URL of the database cannot be used: {0}")]
    Url(String),
    /// The certificates of the authorities cannot be read.
    #[error("the certificates that vouch for the database cannot be read: {0}")]
    Authorities(String),
    /// The database refuses, or is not there.
    #[error("the database at {place}: {reason}")]
    Database {
        /// Its hosts.
        place: String,
        /// What it said.
        reason: String,
    },
    /// The tables are those of a later version of this program.
    #[error(
        "the tables have version {found}, and this program knows versions up to {known}: \
         use a later version of this program"
    )]
    Newer {
        /// Theirs.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// A server that is no cluster opens the store of one.
    #[error(
        "the store belongs to a cluster that has the member {0}: start this server as a member of it, or drain its members first"
    )]
    HasMembers(String),
    /// A member of a cluster opens the store of another.
    #[error(
        "the store belongs to the cluster {0:?}, which has members in it, be they running or not: name another database, \
         or another schema, or drain those members first"
    )]
    OtherCluster(String),
    /// A thread or a timer cannot be had.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// What a connection needs to be made.
pub(super) struct Target {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: MakeRustlsConnect,
    pub(super) schema: String,
    pub(super) patience: Duration,
    /// How long a statement may take.
    pub(super) answer_time: Duration,
    /// The hosts, for messages.
    pub(super) place: String,
}

/// How long a statement may take. A lock is held no longer than another one.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

impl Target {
    pub(super) fn of(config: &PostgresConfig) -> Result<Self, PostgresError> {
        let (url, mode, ca_file) = split(&config.url)?;
        let bad = |error: tokio_postgres::Error| {
            // The error's own words have no password.
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            PostgresError::Url(format!("{error}{}", source.unwrap_or_default()))
        };
        let mut parsed = tokio_postgres::Config::from_str(&url).map_err(bad)?;
        if parsed.get_hosts().is_empty() {
            return Err(PostgresError::Url("it names no host".to_owned()));
        }
        if let Some(password) = &config.password {
            parsed.password(password);
        }
        if parsed.get_application_name().is_none() {
            parsed.application_name("stentor");
        }
        parsed.target_session_attrs(TargetSessionAttrs::ReadWrite);
        parsed.connect_timeout(Duration::from_secs(3));
        parsed.tcp_user_timeout(ANSWER_TIME_MAX);
        let is_tls = config.is_tls.or(mode).unwrap_or_else(|| !parsed.get_hosts().iter().all(is_here));
        parsed.ssl_mode(if is_tls { SslMode::Require } else { SslMode::Disable });
        let authorities = match (is_tls, config.ca_file.clone().or(ca_file)) {
            (false, _) => RootCertStore::empty(),
            (true, Some(file)) => of_file(&file)?,
            (true, None) => of_system()?,
        };
        let place = parsed.get_hosts().iter().map(shown).collect::<Vec<_>>().join(", ");
        let (schema, patience) = (config.schema.clone(), config.patience);
        let tls = MakeRustlsConnect::new(client_config(authorities)?);
        Ok(Self { config: parsed, tls, schema, patience, answer_time: ANSWER_TIME_MAX, place })
    }
}

/// The URL without what is understood here: whether TLS is asked for, and by whose certificates.
fn split(url: &str) -> Result<(String, Option<bool>, Option<PathBuf>), PostgresError> {
    if !url.starts_with("postgresql://") && !url.starts_with("postgres://") {
        return Err(PostgresError::Url("it must begin with postgresql://".to_owned()));
    }
    let Some((place, query)) = url.split_once('?') else { return Ok((url.to_owned(), None, None)) };
    let (mut rest, mut mode, mut ca_file) = (Vec::new(), None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", "disable")) => mode = Some(false),
            Some(("sslmode", "require" | "verify-full")) => mode = Some(true),
            Some(("sslmode", other)) => {
                let reason =
                    format!("sslmode={other} protects nothing; use require, which verifies, or disable");
                return Err(PostgresError::Url(reason));
            }
            Some(("sslrootcert", file)) => ca_file = Some(PathBuf::from(file)),
            _ => rest.push(pair),
        }
    }
    let url = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
    Ok((url, mode, ca_file))
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback()),
    }
}

fn shown(host: &Host) -> String {
    match host {
        Host::Unix(path) => path.display().to_string(),
        Host::Tcp(name) => name.clone(),
    }
}

fn client_config(authorities: RootCertStore) -> Result<ClientConfig, PostgresError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| PostgresError::Authorities(error.to_string()))?;
    Ok(builder.with_root_certificates(authorities).with_no_client_auth())
}

fn of_file(file: &std::path::Path) -> Result<RootCertStore, PostgresError> {
    let bad = |reason: String| PostgresError::Authorities(format!("{}: {reason}", file.display()));
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        store.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if store.is_empty() { Err(bad("it has no certificate".to_owned())) } else { Ok(store) }
}

fn of_system() -> Result<RootCertStore, PostgresError> {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let reason = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(PostgresError::Authorities(format!("of this system: {reason}; name a file (ca_file)")));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, is_tls) in [
            ("postgresql://a:b@127.0.0.1:5432/c", Some(false)),
            ("postgres://a@[::1]/c?sslmode=disable", Some(false)),
            ("postgresql://a@/c?host=/run/postgresql", Some(false)),
            ("postgresql://a@db.example.org/c?sslmode=disable&connect_timeout=1", Some(false)),
            ("postgresql://a@127.0.0.1/c?sslmode=prefer", None),
            ("host=127.0.0.1 user=a", None),
            ("postgresql://a@127.0.0.1/c?what=this", None),
            ("postgresql://a@127.0.0.1/c?sslmode=require&sslrootcert=/nowhere/at/all.pem", None),
        ] {
            let target = Target::of(&PostgresConfig::new(url));
            let is = target.ok().map(|target| target.config.get_ssl_mode() == SslMode::Require);
            assert_eq!(is, is_tls, "{url}");
        }
        let (_, mode, file) =
            split("postgresql://a@b/c?sslmode=verify-full&sslrootcert=/x&application_name=y").unwrap();
        assert_eq!((mode, file), (Some(true), Some(PathBuf::from("/x"))));
    }

    #[test]
    fn passwords_are_not_shown() {
        let mut config = PostgresConfig::new("postgresql://romeo:secret@db.example.org/c");
        config.password = Some("secret".to_owned());
        let shown = format!("{config:?}");
        assert!(!shown.contains("secret") && shown.contains("db.example.org"), "{shown}");
    }
}
