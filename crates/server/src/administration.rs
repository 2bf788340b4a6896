//! What the control socket asks of accounts, sessions and the store.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use stentor_auth::{Credentials, Hash};
use stentor_engine::{Command, Key, Reply, SessionInfo};
use stentor_runtime::Administration;
use stentor_store::Owner;
use stentor_xmpp::{BareJid, FullJid, Jid};

use crate::control::{
    BackupReport, ControlError, ControlErrorKind, ControlResponse, Password, SessionEntry, SessionPage,
    UserDetails, UserEntry, UserPage,
};
use crate::limits::{CONTROL_PAGE_ENTRIES_MAX, LOADED_PAGE};
use crate::peers;

type Answer = Result<ControlResponse, ControlError>;

fn error(kind: ControlErrorKind, message: impl Into<String>) -> ControlError {
    ControlError::new(kind, message)
}

/// Carries out what concerns accounts, sessions and the store.
pub(crate) struct Operator {
    administration: Administration,
    credentials: Arc<dyn Credentials>,
    domains: Vec<String>,
}

impl Operator {
    /// For the accounts of these domains.
    pub(crate) fn new(
        administration: Administration,
        credentials: Arc<dyn Credentials>,
        domains: Vec<String>,
    ) -> Self {
        Self { administration, credentials, domains }
    }

    async fn ask(&self, jid: &BareJid, command: Command) -> Result<Reply, ControlError> {
        match self.administration.ask(Key::User(jid.clone()), command).await {
            None | Some(Reply::Failed) => {
                Err(error(ControlErrorKind::Fault, "the server could not carry it out; its log says why"))
            }
            Some(Reply::NotFound) => {
                Err(error(ControlErrorKind::NotFound, format!("there is no account {jid}")))
            }
            Some(Reply::Exists) => {
                Err(error(ControlErrorKind::Conflict, format!("there is an account {jid} already")))
            }
            Some(reply) => Ok(reply),
        }
    }

    async fn keys(&self, password: Password) -> Result<bytes::Bytes, ControlError> {
        let refused = || {
            let message = "the password is empty or has characters that no password may have (RFC 8265)";
            error(ControlErrorKind::Refused, message)
        };
        self.administration.derive(password.0).await.ok_or_else(refused)
    }

    /// Refuses what is asked of a domain that is not served.
    pub(crate) fn expect_served(&self, domain: &str) -> Result<(), ControlError> {
        if self.domains.iter().any(|served| served == domain) {
            return Ok(());
        }
        let message = format!("{domain} is not served here; served are: {}", self.domains.join(", "));
        Err(error(ControlErrorKind::NotFound, message))
    }

    /// Creates an account.
    pub(crate) async fn add(&self, jid: BareJid, password: Password) -> Answer {
        self.expect_served(jid.domain())?;
        let keys = self.keys(password).await?;
        self.ask(&jid, Command::CreateAccount(keys)).await?;
        Ok(ControlResponse::Done)
    }

    /// Changes a password.
    pub(crate) async fn change_password(&self, jid: BareJid, password: Password) -> Answer {
        let keys = self.keys(password).await?;
        self.ask(&jid, Command::SetCredentials(keys, None)).await?;
        Ok(ControlResponse::Done)
    }

    /// Removes an account.
    pub(crate) async fn remove(&self, jid: BareJid) -> Answer {
        self.ask(&jid, Command::RemoveAccount).await?;
        Ok(ControlResponse::Done)
    }

    /// Puts two accounts on each other's rosters. Both must exist before either roster is changed.
    pub(crate) async fn befriend(&self, jid: BareJid, contact: BareJid) -> Answer {
        if jid == contact {
            return Err(error(ControlErrorKind::Refused, "an account is no contact of its own"));
        }
        for account in [&jid, &contact] {
            self.ask(account, Command::Describe).await?;
        }
        for (one, other) in [(&jid, &contact), (&contact, &jid)] {
            let name = other.local().unwrap_or_else(|| other.domain()).to_owned();
            self.ask(one, Command::AddContact { jid: other.clone(), name }).await?;
        }
        Ok(ControlResponse::Done)
    }

    /// Ends sessions.
    pub(crate) async fn kick(&self, jid: Jid, reason: Option<String>) -> Answer {
        let text = reason.unwrap_or_else(|| "ended by an administrator".to_owned());
        let user = jid.to_bare();
        let resource = jid.resource().map(Into::into);
        let before = self.sessions_of(&user).await?;
        let ended = before.iter().filter(|info| jid.is_bare() || jid == info.jid).count() as u64;
        if ended == 0 {
            return Err(error(ControlErrorKind::NotFound, format!("there is no session of {jid}")));
        }
        self.ask(&user, Command::Kick(resource, text)).await?;
        Ok(ControlResponse::Kicked(ended))
    }

    async fn sessions_of(&self, jid: &BareJid) -> Result<Vec<SessionInfo>, ControlError> {
        match self.ask(jid, Command::Sessions).await? {
            Reply::Sessions(sessions) => Ok(sessions),
            _ => Ok(Vec::new()),
        }
    }

    /// Accounts that exist, in the order of their addresses.
    async fn accounts(&self, after: Option<BareJid>, limit: usize) -> Result<Vec<BareJid>, ControlError> {
        let after = after.map(|jid| Owner::from(&Key::User(jid)));
        let owners = self.administration.accounts(after, limit).await;
        let owners = owners.map_err(|fault| error(ControlErrorKind::Fault, fault.to_string()))?;
        Ok(owners.iter().filter_map(|owner| BareJid::parse(&owner.address).ok()).collect())
    }

    /// A page of the accounts.
    pub(crate) async fn list(&self, host: Option<String>, after: Option<BareJid>) -> Answer {
        if let Some(host) = &host {
            self.expect_served(host)?;
        }
        let mut entries = Vec::new();
        let mut after = after;
        loop {
            let accounts = self.accounts(after.clone(), CONTROL_PAGE_ENTRIES_MAX + 1).await?;
            let loaded = self.loaded_among(after, &accounts).await?;
            after = accounts.last().cloned();
            let is_last = accounts.len() <= CONTROL_PAGE_ENTRIES_MAX;
            for jid in accounts {
                if host.as_deref().is_some_and(|host| host != jid.domain()) {
                    continue;
                }
                if entries.len() == CONTROL_PAGE_ENTRIES_MAX {
                    return Ok(ControlResponse::Users(UserPage { entries, has_more: true }));
                }
                // Others have none, and are not loaded to say so.
                let sessions = if loaded.contains(&jid) { self.sessions_of(&jid).await?.len() } else { 0 };
                entries.push(UserEntry { jid, sessions: sessions as u64 });
            }
            if is_last {
                return Ok(ControlResponse::Users(UserPage { entries, has_more: false }));
            }
        }
    }

    /// Of accounts in order, all of them behind `after`, those that some member has loaded.
    async fn loaded_among(
        &self,
        mut after: Option<BareJid>,
        accounts: &[BareJid],
    ) -> Result<BTreeSet<BareJid>, ControlError> {
        let mut found = BTreeSet::new();
        let Some(last) = accounts.last() else { return Ok(found) };
        loop {
            let page = peers::loaded(&self.administration, after, LOADED_PAGE).await?;
            let is_last = page.len() < LOADED_PAGE || page.last().is_some_and(|user| user >= last);
            after = page.last().cloned();
            found.extend(page);
            if is_last {
                return Ok(found);
            }
        }
    }

    /// One account.
    pub(crate) async fn show(&self, jid: BareJid) -> Answer {
        let details = self.ask(&jid, Command::Describe).await?;
        let Reply::Account { contacts, waiting } = details else {
            return Err(error(ControlErrorKind::NotFound, format!("there is no account {jid}")));
        };
        let sessions = self.sessions_of(&jid).await?;
        let credential = self.credentials.credential(&jid).await;
        let credential = credential.map_err(|fault| error(ControlErrorKind::Fault, fault.to_string()))?;
        let mechanisms = credential.into_account().map_or_else(Vec::new, |credential| {
            let named = [
                (Hash::Sha512, "SCRAM-SHA-512"),
                (Hash::Sha256, "SCRAM-SHA-256"),
                (Hash::Sha1, "SCRAM-SHA-1"),
            ];
            named
                .into_iter()
                .filter(|(hash, _)| credential.has(*hash))
                .map(|(_, name)| name.to_owned())
                .collect()
        });
        Ok(ControlResponse::User(UserDetails {
            jid,
            mechanisms,
            contacts,
            offline_messages: waiting,
            sessions: sessions.iter().map(entry).collect(),
        }))
    }

    /// A page of the sessions: of one user, or of all that some member has loaded.
    pub(crate) async fn sessions(&self, user: Option<BareJid>, after: Option<FullJid>) -> Answer {
        let mut entries = Vec::new();
        let is_named = user.is_some();
        let mut is_last = is_named;
        // The page before may have ended within a user's sessions.
        let mut behind = user.or_else(|| after.as_ref().map(FullJid::to_bare));
        let mut users: Vec<_> = behind.iter().cloned().collect();
        loop {
            for user in &users {
                let mut sessions = match self.sessions_of(user).await {
                    // Of those that are loaded, some are there because they were asked for, and have no account.
                    Err(error) if error.kind == ControlErrorKind::NotFound && !is_named => continue,
                    sessions => sessions?,
                };
                if let Some(after) = after.as_ref().filter(|after| after.to_bare() == *user) {
                    sessions.retain(|info| info.jid > *after);
                }
                sessions.sort_by(|one, other| one.jid.cmp(&other.jid));
                if entries.len() + sessions.len() > CONTROL_PAGE_ENTRIES_MAX {
                    sessions.truncate(CONTROL_PAGE_ENTRIES_MAX - entries.len());
                    entries.extend(sessions.iter().map(entry));
                    return Ok(ControlResponse::Sessions(SessionPage { entries, has_more: true }));
                }
                entries.extend(sessions.iter().map(entry));
            }
            if is_last {
                return Ok(ControlResponse::Sessions(SessionPage { entries, has_more: false }));
            }
            users = peers::loaded(&self.administration, behind, LOADED_PAGE).await?;
            is_last = users.len() < LOADED_PAGE;
            behind = users.last().cloned();
        }
    }

    /// Writes a copy of the store, as of one moment, into a new file.
    pub(crate) async fn backup(&self, path: PathBuf) -> Answer {
        let store = self.administration.store().clone();
        let written = tokio::task::spawn_blocking(move || crate::backup::write(&store, path)).await;
        let written: Result<BackupReport, ControlError> =
            written.map_err(|fault| error(ControlErrorKind::Fault, fault.to_string()))?;
        written.map(ControlResponse::BackedUp)
    }

    /// Bound sessions on all arbiters.
    pub(crate) async fn count_sessions(&self) -> u64 {
        self.administration.count().await.1 as u64
    }
}

fn entry(info: &SessionInfo) -> SessionEntry {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    SessionEntry {
        jid: info.jid.clone(),
        priority: info.priority,
        peer: info.peer.map(|peer| peer.to_string()),
        age_seconds: now.saturating_sub(info.since) / 1_000,
    }
}
