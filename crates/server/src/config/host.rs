//! `[[host]]`: a domain that is served.

use std::path::PathBuf;

use super::rule::{ContactUri, DomainName, File, Flag, OneOf, Optional, OtherHost, Several};
use super::setting::{
    At, Change, Component, Diff, Reader, Reload, Rule, Section, Setting, join, live, restart,
};
use super::tree::{Node, Value};
use crate::limits::{CRLS_MAX, HOSTS_MAX};

/// Who may create an account over XMPP (XEP-0077).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Nobody; accounts are made with `stentor user add`.
    #[default]
    Off,
    /// Everybody, at the rate that `limits` gives.
    Open,
}

/// A domain that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// The domain, prepared (RFC 7622 3.2).
    pub domain: String,
    /// PEM file of the certificate chain, the host's own first. Its content is read again at each reload.
    pub certificate: PathBuf,
    /// PEM file of the certificate's private key.
    pub key: PathBuf,
    /// PEM file of the authorities whose certificates clients may log in with (SASL EXTERNAL).
    pub client_authorities: Option<PathBuf>,
    /// PEM files of the lists of what those authorities have revoked. Read again at each reload.
    pub client_crls: Vec<PathBuf>,
    /// Whether an acknowledged message is durable. If not, messages live in memory, as in other servers.
    pub keep: bool,
    /// Who may create an account.
    pub registration: Registration,
    /// Whether nobody may create an account whose name looks like that of another.
    pub refuse_lookalikes: bool,
    /// Where clients are told to connect instead: `host`, or `host:port` (RFC 6120 4.9.3.19).
    pub see_other_host: Option<String>,
    /// Whom to turn to.
    pub contact: ContactConfig,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            domain: String::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            client_authorities: None,
            client_crls: Vec::new(),
            keep: true,
            registration: Registration::Off,
            refuse_lookalikes: false,
            see_other_host: None,
            contact: ContactConfig::default(),
        }
    }
}

impl Component for HostConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        restart("domain", &At(|host: &mut Self| &mut host.domain, DomainName)),
        live("certificate", &At(|host: &mut Self| &mut host.certificate, File)),
        live("key", &At(|host: &mut Self| &mut host.key, File)),
        live("client_authorities", &At(|host: &mut Self| &mut host.client_authorities, Optional(File))),
        live(
            "client_crls",
            &At(|host: &mut Self| &mut host.client_crls, Several { item: File, min: 0, max: CRLS_MAX }),
        ),
        // What is not on disk cannot become durable afterwards.
        restart("keep", &At(|host: &mut Self| &mut host.keep, Flag)),
        live(
            "registration",
            &At(
                |host: &mut Self| &mut host.registration,
                OneOf(&[("off", Registration::Off), ("open", Registration::Open)]),
            ),
        ),
        live("refuse_lookalikes", &At(|host: &mut Self| &mut host.refuse_lookalikes, Flag)),
        live("see_other_host", &At(|host: &mut Self| &mut host.see_other_host, Optional(OtherHost))),
        live("contact", &At(|host: &mut Self| &mut host.contact, Section)),
    ];
    const REQUIRED: &'static [&'static str] = &["domain", "certificate", "key"];
}

/// `[host.contact]`: the addresses of XEP-0157, each list a field of its form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactConfig {
    /// `abuse-addresses`
    pub abuse: Vec<String>,
    /// `admin-addresses`
    pub admin: Vec<String>,
    /// `feedback-addresses`
    pub feedback: Vec<String>,
    /// `sales-addresses`
    pub sales: Vec<String>,
    /// `security-addresses`
    pub security: Vec<String>,
    /// `status-addresses`
    pub status: Vec<String>,
    /// `support-addresses`
    pub support: Vec<String>,
}

const URIS: Several<ContactUri> = Several { item: ContactUri, min: 0, max: 16 };

impl Component for ContactConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        live("abuse", &At(|contact: &mut Self| &mut contact.abuse, URIS)),
        live("admin", &At(|contact: &mut Self| &mut contact.admin, URIS)),
        live("feedback", &At(|contact: &mut Self| &mut contact.feedback, URIS)),
        live("sales", &At(|contact: &mut Self| &mut contact.sales, URIS)),
        live("security", &At(|contact: &mut Self| &mut contact.security, URIS)),
        live("status", &At(|contact: &mut Self| &mut contact.status, URIS)),
        live("support", &At(|contact: &mut Self| &mut contact.support, URIS)),
    ];
}

/// The list of hosts: each domain once, and told apart by it.
pub(super) struct Hosts;

impl Rule<Vec<HostConfig>> for Hosts {
    fn allowed(&self) -> String {
        format!("1 to {HOSTS_MAX} tables, each headed [[host]]")
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Vec<HostConfig>> {
        let Value::List(items) = &node.value else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        if !(1..=HOSTS_MAX).contains(&items.len()) {
            reader.mistake(&node.place, format!("has {} entries", items.len()), self.allowed());
            return None;
        }
        let mut hosts: Vec<HostConfig> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let host: Option<HostConfig> =
                reader.within(&index.to_string(), |reader| Section.read(item, reader));
            let Some(host) = host else { continue };
            if hosts.iter().any(|other| other.domain == host.domain) && !host.domain.is_empty() {
                let place = item.get("domain").map_or(&item.place, |domain| &domain.place);
                let what = format!("{} is there twice", host.domain);
                reader.within(&index.to_string(), |reader| {
                    reader.within("domain", |reader| {
                        reader.mistake(place, what, "each domain once".to_owned())
                    });
                });
            }
            hosts.push(host);
        }
        (hosts.len() == items.len()).then_some(hosts)
    }

    fn show(&self, value: &Vec<HostConfig>) -> String {
        let domains: Vec<_> = value.iter().map(|host| host.domain.as_str()).collect();
        format!("[{}]", domains.join(", "))
    }

    fn compare(
        &self,
        path: &str,
        _: Reload,
        old: &mut Vec<HostConfig>,
        new: &mut Vec<HostConfig>,
        diff: &mut Diff,
    ) {
        for host in old.iter_mut() {
            let name = join(path, &host.domain);
            match new.iter_mut().find(|other| other.domain == host.domain) {
                Some(other) => Section.compare(&name, Reload::Restart, host, other, diff),
                None => diff.needs_restart.push(change(name, "served", "not served")),
            }
        }
        for host in new {
            if !old.iter().any(|other| other.domain == host.domain) {
                diff.needs_restart.push(change(join(path, &host.domain), "not served", "served"));
            }
        }
    }

    fn apply(&self, _: Reload, running: &mut Vec<HostConfig>, new: &mut Vec<HostConfig>) {
        for host in running {
            if let Some(other) = new.iter_mut().find(|other| other.domain == host.domain) {
                Section.apply(Reload::Restart, host, other);
            }
        }
    }

    fn names(&self, path: &str, names: &mut Vec<String>) {
        Rule::<HostConfig>::names(&Section, path, names);
    }
}

fn change(setting: String, old: &str, new: &str) -> Change {
    Change { setting, old: old.to_owned(), new: new.to_owned() }
}
