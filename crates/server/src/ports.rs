//! The ports of clients: taken as the configuration names them, or why not.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use stentor_net::{Port, Security};

use crate::config::Config;
use crate::serve::ServeError;

/// A port of the configuration, by the setting that names it.
pub(crate) struct Bound {
    pub(crate) setting: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) port: Port,
}

/// Every port is taken before anything else is begun: that another process has one is the most frequent mistake. Nobody is
/// let in before there is a store.
pub(crate) fn bind_ports(config: &Config) -> Result<Vec<Bound>, ServeError> {
    let ports = [
        ("listen.c2s", &config.listen.c2s, Security::StartTls),
        ("listen.c2s_tls", &config.listen.c2s_tls, Security::Direct),
    ];
    let mut bound = Vec::new();
    for (setting, addresses, security) in ports {
        for &address in addresses {
            match Port::bind(address, security) {
                Ok(port) => bound.push(Bound { setting, address, port }),
                Err(error) if is_without_ipv6(address, addresses, &error) => {
                    tracing::warn!(%address, setting, "this machine has no IPv6: not listened on");
                }
                Err(source) => return Err(ServeError::Listen { setting, address, source }),
            }
        }
    }
    Ok(bound)
}

/// Whether an address is only not there because the kernel has no IPv6, and all of IPv4 is listened on at its port, as by
/// the settings that a new server has.
fn is_without_ipv6(address: SocketAddr, addresses: &[SocketAddr], error: &io::Error) -> bool {
    let ipv4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
    error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
        && address.ip() == Ipv6Addr::UNSPECIFIED
        && addresses.contains(&ipv4)
}

/// What whoever starts the server can do about a port that it cannot have.
pub(crate) fn listen_hint(address: SocketAddr, why: &io::Error, setting: &str) -> String {
    let port = address.port();
    match why.kind() {
        io::ErrorKind::AddrInUse => format!(
            ". `ss -tulnp 'sport = :{port}'`, as root, tells which process has the port; end that one, or name another \
             port in {setting}"
        ),
        io::ErrorKind::PermissionDenied if port < 1_024 => format!(
            ". Ports below 1024 need the capability CAP_NET_BIND_SERVICE; grant it, or name another port in {setting}"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            ". No interface of this machine has the address; `ip address` lists those that it has, to be named in \
             {setting}"
        ),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_ipv6_is_enough_where_ipv4_is_listened_on() {
        let [all4, all6, one6, other4] = ["0.0.0.0:5222", "[::]:5222", "[::1]:5222", "0.0.0.0:5223"]
            .map(|address| address.parse::<SocketAddr>().expect("an address"));
        let none = io::Error::from_raw_os_error(Errno::AFNOSUPPORT.raw_os_error());
        assert!(is_without_ipv6(all6, &[all4, all6], &none));
        assert!(!is_without_ipv6(all6, &[all6, other4], &none), "nothing else has the port");
        assert!(!is_without_ipv6(one6, &[all4, one6], &none), "it was named");
        let taken = io::Error::from_raw_os_error(Errno::ADDRINUSE.raw_os_error());
        assert!(!is_without_ipv6(all6, &[all4, all6], &taken));
    }
}
