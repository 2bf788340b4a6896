//! What the server stands on: its store, and in a cluster its membership; and how it ends as a member.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use stentor_auth::ServerSecret;
use stentor_cluster::{Ending, GossipKeys};
use stentor_runtime::Membership;
use stentor_runtime::cluster::{
    Cluster, ClusterConfig, ClusterHandle, EndingError, Endpoint, JoinError, Joined, TlsMaterial,
};
use stentor_store::postgres::{Postgres, PostgresConfig};
use stentor_store::{LaneId, Shared, Store};
use tokio::sync::oneshot;

use crate::config::{self, Config, StoreTls, difference, read_gossip_keys, settings_digest};
use crate::limits::{LEASE_CHECK, LEAVE_TIME};
use crate::ports::listen_hint;
use crate::serve::ServeError;
use crate::start::{self, Unusable, chain, unusable};

/// What the runtime is started on.
pub(crate) struct Ground {
    pub(crate) store: Store,
    pub(crate) membership: Membership,
    /// Of a member, to be told of the runtime.
    pub(crate) joined: Option<Joined>,
    /// The same for all that serve from this store.
    pub(crate) secret: ServerSecret,
}

/// Opens the store; a member of a cluster joins first. That takes as long as a database does not answer, or a dead member
/// of this name holds its lease.
pub(crate) async fn ground(config: &Config) -> Result<Ground, ServeError> {
    if let Some(embedded) = config.store.embedded() {
        let store = Store::open(&embedded)?;
        let secret = start::secret(&config.data)?;
        return Ok(Ground { store, membership: Membership::alone(), joined: None, secret });
    }
    let database = database(config)?;
    let offered = start::offered_secret(&config.data)?;
    tracing::info!(url = config.store.url, "opening the store");
    let claimed_by = config.cluster.as_ref().map(|member| member.id.clone());
    let opened = blocking(move || {
        let postgres = Postgres::open(&database)?;
        claimed_by.map_or(Ok(()), |cluster| postgres.claim(&cluster))?;
        let secret = ServerSecret::new(postgres.secret(offered)?);
        Ok::<_, ServeError>((postgres, secret))
    });
    let (postgres, secret) = opened.await??;
    let Some(member) = &config.cluster else {
        let store = blocking(move || Ok::<_, ServeError>(Store::over(postgres.alone()?)?)).await??;
        return Ok(Ground { store, membership: Membership::alone(), joined: None, secret });
    };
    let joining = cluster(config, member)?;
    tracing::info!(name = member.name, cluster = member.id, "joining");
    let joined = Cluster::join(joining, Box::new(postgres.clone())).await;
    let joined = joined.map_err(|error| refused(error, config))?;
    tracing::info!(member = joined.member().0, "joined");
    let lane = LaneId { member: joined.member(), lane: 0 };
    let store = blocking(move || {
        Store::over(postgres.backend(lane).map_err(ServeError::Lane)?).map_err(ServeError::from)
    });
    Ok(Ground { store: store.await??, membership: joined.membership(), joined: Some(joined), secret })
}

/// Runs what waits for the store beside the signals: on a thread of its own, which nobody waits for if one of them ends
/// the start.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ServeError> {
    let (done, result) = oneshot::channel();
    let thread = thread::Builder::new().name("stentor-start".to_owned());
    let run = move || drop(done.send(work()));
    thread.spawn(run).map_err(|error| ServeError::Broken(error.to_string()))?;
    result.await.map_err(|_| ServeError::Broken("its thread panicked".to_owned()))
}

/// Where the shared store is, and how it is spoken to.
pub(crate) fn database(config: &Config) -> Result<PostgresConfig, Unusable> {
    let store = &config.store;
    let mode = match store.tls {
        StoreTls::Verify => "require",
        StoreTls::Off => "disable",
    };
    let mut database =
        PostgresConfig::new(format!("{}?sslmode={mode}", store.url.as_deref().unwrap_or_default()));
    database.ca_file.clone_from(&store.authority);
    database.password = store.password_file.as_deref().map(password).transpose()?;
    Ok(database)
}

fn password(path: &Path) -> Result<String, Unusable> {
    let text = fs::read_to_string(path).map_err(|error| unusable(path, error))?;
    text.lines()
        .next()
        .map(str::to_owned)
        .ok_or_else(|| unusable(path, "it has no password in its first line"))
}

fn cluster(config: &Config, member: &config::ClusterConfig) -> Result<ClusterConfig, Unusable> {
    let endpoint = |bind: SocketAddr, advertised: Option<SocketAddr>| Endpoint {
        bind,
        advertised: advertised.unwrap_or(bind),
    };
    Ok(ClusterConfig {
        name: member.name.as_str().into(),
        cluster: member.id.as_str().into(),
        link: endpoint(member.link, member.advertise_link),
        gossip: endpoint(member.gossip, member.advertise_gossip),
        weight: u16::try_from(member.weight).unwrap_or(u16::MAX),
        settings: settings_digest(config),
        tls: tls(member)?,
        keys: keys(member)?,
        wire: ClusterConfig::WIRE,
    })
}

fn tls(member: &config::ClusterConfig) -> Result<TlsMaterial, Unusable> {
    Ok(TlsMaterial {
        authority: chain(&member.authority)?,
        chain: chain(&member.certificate)?,
        key: PrivateKeyDer::from_pem_file(&member.key).map_err(|error| unusable(&member.key, error))?,
    })
}

fn keys(member: &config::ClusterConfig) -> Result<GossipKeys, Unusable> {
    let path = &member.gossip_keys;
    let keys = read_gossip_keys(path).map_err(|error| unusable(path, error))?;
    GossipKeys::new(&keys).ok_or_else(|| unusable(path, "it has no keys, or too many"))
}

/// Puts the certificates and keys of gossip in force that the configuration's files have now.
pub(crate) fn renew(handle: &ClusterHandle, member: &config::ClusterConfig) -> Result<(), Unusable> {
    let keys = keys(member)?;
    handle.set_tls(tls(member)?).map_err(|error| unusable(&member.certificate, error))?;
    handle.set_gossip_keys(keys);
    Ok(())
}

/// Moves the member's slots to others, within that time.
pub(crate) async fn drain(handle: &ClusterHandle, time: Duration) {
    handle.drain();
    tokio::select! {
        () = handle.drained() => {}
        _ = handle.ended() => {}
        () = lease_out(handle) => {
            tracing::warn!("the lease has run out, so accounts cannot be moved now; they move with the end");
        }
        () = tokio::time::sleep(time) => tracing::warn!("not all accounts were moved in time; they move with the end"),
    }
}

/// Resolves when the store has not renewed this member's lease: it does not answer, and nothing can be moved by it.
async fn lease_out(handle: &ClusterHandle) {
    while handle.status().await.is_some_and(|status| status.lease_ms > 0) {
        tokio::time::sleep(LEASE_CHECK).await;
    }
}

/// Takes the member out, so that nobody has to wait for its lease to run out.
pub(crate) async fn leave(handle: &ClusterHandle) {
    handle.leave();
    if tokio::time::timeout(LEAVE_TIME, handle.ended()).await.is_err() {
        handle.abandon();
        tracing::warn!(
            "the store did not answer: the others take this member out once its lease has run out"
        );
    }
}

/// What to do about a cluster that does not have this member.
pub(crate) fn join_hint(error: &JoinError) -> String {
    match error {
        JoinError::Bind(address, why) => listen_hint(*address, why, "cluster.link or cluster.gossip"),
        _ => String::new(),
    }
}

/// A cluster does not have this member; where it is for a setting, by which.
fn refused(error: JoinError, config: &Config) -> ServeError {
    let JoinError::Ended(EndingError(Ending::SettingsDiffer { theirs, .. })) = error else {
        return error.into();
    };
    ServeError::Differs(error, difference(config, theirs))
}

/// Replaces this process by a new one of the same program, arguments and environment, which joins as a new incarnation:
/// nothing of what was here can leave any more. Returns only if the system refuses.
pub(crate) fn begin_anew() -> std::io::Error {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "stentor".into());
    // The file may have been replaced by a newer one since, or removed.
    let program = std::env::current_exe().ok().filter(|path| path.exists());
    let program = program.unwrap_or_else(|| "/proc/self/exe".into());
    Command::new(program).arg0(name).args(arguments).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_the_cluster_that_is_taken_is_told_with_what_to_do() {
        let error = JoinError::Bind(([10, 0, 0, 1], 5280).into(), std::io::ErrorKind::AddrInUse.into());
        let told = ServeError::from(error).to_string();
        let expected = "cluster: the cluster's address 10.0.0.1:5280 cannot be bound: address in use. \
                        `ss -tulnp 'sport = :5280'`, as root, tells which process has the port; end that one, or name \
                        another port in cluster.link or cluster.gossip";
        assert_eq!(told, expected);
    }

    #[test]
    fn settings_that_differ_are_named() {
        let config = |keep: &str| {
            let text = format!(
                "[[host]]\ndomain = 'a.example'\ncertificate = 'a.crt'\nkey = 'a.key'\nkeep = {keep}\n"
            );
            Config::parse(Path::new("s.toml"), &text, &[]).expect("no mistakes").config
        };
        let theirs = settings_digest(&config("true"));
        let ending = Ending::SettingsDiffer { name: "b".into(), other: "a".into(), theirs };
        let told = refused(JoinError::Ended(EndingError(ending)), &config("false")).to_string();
        let expected = "cluster: the settings that all members must share differ between \"b\" and the member \"a\": \
                        `keep` of the host a.example is false here and true there; `stentor check` on both tells the \
                        number of these settings, and docs/cluster.md which they are";
        assert_eq!(told, expected);
    }
}
