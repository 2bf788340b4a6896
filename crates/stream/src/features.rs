//! Stream features (RFC 6120 4.3.2), and the stage to which each header leads.

use std::fmt::Write;
use std::sync::Arc;

use stentor_auth::{Offer, Security};
use stentor_xml::{Limits, RawElement};
use stentor_xmpp::{StreamCondition, StreamError, ns};

use crate::authentication::Authenticating;
use crate::binding::Binding;
use crate::header::Header;
use crate::settings::{Host, Settings, TlsInfo};
use crate::stage::{Layer, Shared, Stage, append};

/// Answers the client's header with ours and with the features of what comes next.
pub(crate) fn header(
    layer: Layer,
    root: &RawElement<'_>,
    shared: &mut Shared,
    out: &mut Vec<u8>,
) -> Result<Stage, StreamError> {
    let header = Header::read(root)?;
    let host = Some(&header.to).filter(|to| to.local().is_none() && to.is_bare());
    let host = host.and_then(|to| shared.settings.host(to.domain())).cloned();
    // 4.9.3.6, also for addresses that are no domain of ours at all, such as IP addresses.
    let host = host.ok_or(StreamCondition::HostUnknown)?;
    shared.lang = header.lang;
    shared.open(Some(&host.domain), header.from.as_ref(), out);
    if !header.has_version {
        let text = "Streams before XMPP 1.0 have neither TLS nor SASL.";
        return Err(StreamError::new(StreamCondition::UnsupportedVersion).with_text(text));
    }
    let settings = Arc::clone(&shared.settings);
    match layer {
        Layer::Clear => {
            append(out, |out| {
                out.push_str(
                    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>",
                );
                out.push_str("</starttls></stream:features>");
            });
            Ok(Stage::Clear(host))
        }
        Layer::Tls { tls, host: first } => {
            check_host(&host, first.as_ref(), &tls, &settings)?;
            if let Some(other) = &host.see_other_host {
                return Err(StreamCondition::SeeOtherHost(other.clone()).into());
            }
            let security = Security::Tls { bindings: tls.bindings, client: tls.client };
            let offer = Offer::new(&host.authentication, &host.domain, security);
            append(out, |out| {
                write_features(out, settings.unbound_limits, settings.unbound_idle_seconds, |out| {
                    offer.write_features(out);
                    if host.registration {
                        let _ = write!(out, "<register xmlns='{}'/>", ns::REGISTER_FEATURE);
                    }
                });
            });
            Ok(Stage::Authenticating(Box::new(Authenticating::new(host, offer))))
        }
        Layer::Authenticated { host: first, account } => {
            if host.domain != first.domain {
                return Err(another_host());
            }
            if header.from.is_some_and(|from| from != account) {
                return Err(StreamCondition::InvalidFrom.into());
            }
            append(out, |out| {
                write_features(out, settings.bound_limits, settings.idle_seconds, |out| {
                    write_bind(out, &host)
                })
            });
            Ok(Stage::Binding(Box::new(Binding::new(host, account))))
        }
    }
}

/// The host after TLS is that of before, and the one whose certificate was asked for. A server name that we do not
/// serve got the default certificate, and the client has judged that.
fn check_host(
    host: &Host,
    first: Option<&Arc<Host>>,
    tls: &TlsInfo,
    settings: &Settings,
) -> Result<(), StreamError> {
    if first.is_some_and(|first| first.domain != host.domain) {
        return Err(another_host());
    }
    let by_sni = tls.sni.as_deref().and_then(|name| settings.host(name));
    if by_sni.is_some_and(|named| named.domain != host.domain) {
        let text = "TLS was set up for another domain.";
        return Err(StreamError::new(StreamCondition::HostUnknown).with_text(text));
    }
    Ok(())
}

fn another_host() -> StreamError {
    let text = "The 'to' of a stream header must not change on a restart.";
    StreamError::new(StreamCondition::NotAuthorized).with_text(text)
}

/// Writes `<stream:features/>` with XEP-0478's limits.
fn write_features(
    out: &mut String,
    limits: Limits,
    idle_seconds: Option<u32>,
    features: impl FnOnce(&mut String),
) {
    out.push_str("<stream:features>");
    features(out);
    let _ = write!(
        out,
        "<limits xmlns='{}'><max-bytes>{}</max-bytes>",
        ns::STREAM_LIMITS,
        limits.stanza_bytes_max
    );
    if let Some(seconds) = idle_seconds {
        let _ = write!(out, "<idle-seconds>{seconds}</idle-seconds>");
    }
    out.push_str("</limits></stream:features>");
}

/// What an authenticated client is offered.
fn write_bind(out: &mut String, host: &Host) {
    let _ = write!(out, "<bind xmlns='{}'/>", ns::BIND);
    // RFC 6121 dropped it; clients that ask all the same are told that they need not.
    let _ = write!(out, "<session xmlns='{}'><optional/></session>", ns::SESSION);
    if host.stream_management {
        let _ = write!(out, "<sm xmlns='{}'/>", ns::STREAM_MANAGEMENT);
    }
    for feature in &host.features {
        feature.write_to(ns::CLIENT, out);
    }
}
