//! `[listen]`: where clients connect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Config;
use super::mistake::{Mistake, Severity};
use super::rule::{ListenAddress, Several};
use super::setting::{At, Component, Reader, Setting, restart};
use super::tree::Table;

/// The addresses listened on. A socket of IPv6 takes no IPv4 connections: both families are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// Clients, STARTTLS required (RFC 6120 5).
    pub c2s: Vec<SocketAddr>,
    /// Clients, TLS from the first byte (XEP-0368).
    pub c2s_tls: Vec<SocketAddr>,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self { c2s: any_address(5222), c2s_tls: any_address(5223) }
    }
}

fn any_address(port: u16) -> Vec<SocketAddr> {
    let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    any.map(|ip| SocketAddr::new(ip, port)).to_vec()
}

const ADDRESSES: Several<ListenAddress> = Several { item: ListenAddress, min: 0, max: 16 };

impl Component for ListenConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        restart("c2s", &At(|config: &mut Self| &mut config.c2s, ADDRESSES)),
        restart("c2s_tls", &At(|config: &mut Self| &mut config.c2s_tls, ADDRESSES)),
    ];
}

/// A server that nobody can connect to runs, but hardly on purpose.
pub(super) fn check(config: &Config, root: &Table, reader: &mut Reader) {
    let Some(last) = root.node(&["listen", "c2s_tls"]) else { return };
    if config.listen.c2s.is_empty() && config.listen.c2s_tls.is_empty() {
        reader.mistakes.push(Mistake {
            severity: Severity::Warning,
            place: last.place.clone(),
            setting: "listen".to_owned(),
            what: "has no address: no client can connect".to_owned(),
            allowed: "an address in c2s or c2s_tls".to_owned(),
        });
    }
}
