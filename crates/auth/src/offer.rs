//! What a server offers on a stream (RFC 6120 6.3.3), and the stream features that say so.

use stentor_xmpp::BareJid;

use crate::channel_binding::{ChannelBindingType, ChannelBindings};
use crate::credential::Iterations;
use crate::failure::NS_SASL;
use crate::{ClientIdentities, Family, Hash, Mechanism, SaslFailure};

/// The namespace of the channel-binding feature (XEP-0440).
pub const NS_CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";

/// What an operator can choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is offered, each once, the preferred ones first (RFC 6120 6.3.3). EXTERNAL, where the client's certificate names an
    /// account here (XEP-0178 2), then SCRAM with each hash, of which SHA-1 is what RFC 6120 13.8 has every server
    /// implement. No PLAIN.
    pub families: Vec<Family>,
    /// The `-PLUS` variants. On; to be turned off only where something else ends TLS.
    pub channel_binding: bool,
    /// XEP-0474's attribute in SCRAM's first answer. On; a client that mistakes it can be let in by turning it off.
    pub downgrade_protection: bool,
    /// Iterations that are announced for accounts that do not exist: what new credentials are derived with.
    pub iterations: Iterations,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            families: vec![
                Family::External,
                Family::Scram(Hash::Sha512),
                Family::Scram(Hash::Sha256),
                Family::Scram(Hash::Sha1),
            ],
            channel_binding: true,
            downgrade_protection: true,
            iterations: Iterations::default(),
        }
    }
}

impl Settings {
    /// In the order of preference; but no SCRAM without channel binding stands before one with it, which is never the
    /// weaker.
    fn mechanisms(&self) -> Vec<Mechanism> {
        let scram = |hash, is_plus| Mechanism::Scram { hash, is_plus };
        let with_binding = self.families.iter().filter_map(|family| match family {
            Family::Scram(hash) if self.channel_binding => Some(scram(*hash, true)),
            _ => None,
        });
        let mut with_binding: Vec<_> = with_binding.collect();
        let mut mechanisms = Vec::new();
        for family in &self.families {
            match family {
                Family::External => mechanisms.push(Mechanism::External),
                Family::Plain => mechanisms.push(Mechanism::Plain),
                Family::Scram(hash) => {
                    mechanisms.append(&mut with_binding);
                    mechanisms.push(scram(*hash, false));
                }
            }
        }
        mechanisms
    }
}

/// What protects a stream.
#[derive(Clone, Debug)]
pub enum Security {
    /// Nothing: no mechanism is offered.
    Clear,
    /// TLS.
    Tls {
        /// What can be bound to.
        bindings: ChannelBindings,
        /// Whom the client's verified certificate names, if it sent one.
        client: Option<ClientIdentities>,
    },
}

/// What is offered on one stream. It depends on the stream and the settings, never on who the client says it is, and
/// stays as it was announced until the stream is restarted.
#[derive(Clone, Debug)]
pub struct Offer {
    pub(crate) domain: String,
    pub(crate) is_tls: bool,
    pub(crate) bindings: ChannelBindings,
    pub(crate) identities: Vec<BareJid>,
    pub(crate) iterations: Iterations,
    pub(crate) downgrade_protection: bool,
    mechanisms: Vec<Mechanism>,
}

impl Offer {
    /// What to offer to a client of `domain` (a prepared domainpart).
    pub fn new(settings: &Settings, domain: &str, security: Security) -> Self {
        let (is_tls, bindings, client) = match security {
            Security::Clear => (false, ChannelBindings::default(), None),
            Security::Tls { bindings, client } => (true, bindings, client),
        };
        let bindings = if settings.channel_binding { bindings } else { ChannelBindings::default() };
        let identities = client.map(|identities| identities.at(domain)).unwrap_or_default();
        let is_offered = |mechanism: &Mechanism| match mechanism {
            _ if !is_tls => false,
            Mechanism::External => !identities.is_empty(),
            Mechanism::Scram { is_plus: true, .. } => bindings.types().next().is_some(),
            Mechanism::Scram { is_plus: false, .. } | Mechanism::Plain => true,
        };
        let mut mechanisms = settings.mechanisms();
        mechanisms.retain(is_offered);
        Self {
            domain: domain.to_owned(),
            is_tls,
            mechanisms,
            bindings,
            identities,
            iterations: settings.iterations,
            downgrade_protection: settings.downgrade_protection,
        }
    }

    /// The mechanisms, in the order in which they are announced.
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// The types of channel binding to announce (XEP-0440): none where no mechanism uses them.
    pub fn channel_bindings(&self) -> Vec<ChannelBindingType> {
        if self.offers_plus() { self.bindings.types().collect() } else { Vec::new() }
    }

    /// Whether a mechanism with channel binding is offered.
    pub(crate) fn offers_plus(&self) -> bool {
        self.mechanisms.iter().any(|mechanism| matches!(mechanism, Mechanism::Scram { is_plus: true, .. }))
    }

    /// The mechanism of a name, if it is offered.
    ///
    /// # Errors
    /// `encryption-required` before TLS, else `invalid-mechanism`.
    pub(crate) fn mechanism(&self, name: &str) -> Result<Mechanism, SaslFailure> {
        match Mechanism::from_name(name) {
            Some(mechanism) if self.mechanisms.contains(&mechanism) => Ok(mechanism),
            Some(_) if !self.is_tls => Err(SaslFailure::EncryptionRequired),
            _ => Err(SaslFailure::InvalidMechanism),
        }
    }

    /// Appends the stream features: `<mechanisms/>` (RFC 6120 6.4.1) and, before it, XEP-0440's
    /// `<sasl-channel-binding/>`. Nothing if no mechanism is offered.
    pub fn write_features(&self, out: &mut String) {
        if self.mechanisms.is_empty() {
            return;
        }
        let mut list = |open: [&str; 3], names: &[&str], item: [&str; 2], close: &str| {
            open.iter().for_each(|part| out.push_str(part));
            for name in names {
                [item[0], name, item[1]].iter().for_each(|part| out.push_str(part));
            }
            out.push_str(close);
        };
        let bindings: Vec<_> = self.channel_bindings().into_iter().map(ChannelBindingType::name).collect();
        if !bindings.is_empty() {
            let open = ["<sasl-channel-binding xmlns='", NS_CHANNEL_BINDING, "'>"];
            list(open, &bindings, ["<channel-binding type='", "'/>"], "</sasl-channel-binding>");
        }
        let names: Vec<_> = self.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
        let open = ["<mechanisms xmlns='", NS_SASL, "'>"];
        list(open, &names, ["<mechanism>", "</mechanism>"], "</mechanisms>");
    }
}
