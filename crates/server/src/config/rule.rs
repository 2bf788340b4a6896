//! The rules that settings' values obey.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use super::setting::{Reader, Rule};
use super::suggest::suggestion;
use super::tree::{Node, Value};

/// A whole number, both ends included.
pub(super) struct Integer {
    pub(super) min: u64,
    pub(super) max: u64,
    /// What is counted: "bytes", "seconds".
    pub(super) unit: &'static str,
}

impl Rule<u64> for Integer {
    fn allowed(&self) -> String {
        format!("{} to {} {}", self.min, self.max, self.unit)
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<u64> {
        let Value::Integer(number) = node.value else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        let value = u64::try_from(number).ok().filter(|value| (self.min..=self.max).contains(value));
        if value.is_none() {
            reader.mistake(&node.place, format!("is {number}"), self.allowed());
        }
        value
    }

    fn show(&self, value: &u64) -> String {
        value.to_string()
    }
}

/// True or false.
pub(super) struct Flag;

impl Rule<bool> for Flag {
    fn allowed(&self) -> String {
        "true or false".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<bool> {
        let Value::Flag(flag) = node.value else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        Some(flag)
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// One of several names.
pub(super) struct OneOf<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy + PartialEq + Sync> Rule<T> for OneOf<T> {
    fn allowed(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|(name, _)| format!("{name:?}")).collect();
        names.join(", ")
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<T> {
        let Some(text) = node.text() else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        let value = self.0.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if value.is_none() {
            let hint = suggestion(text, self.0.iter().map(|(name, _)| *name), "\"");
            reader.mistake(&node.place, format!("is {text:?}{hint}"), self.allowed());
        }
        value
    }

    fn show(&self, value: &T) -> String {
        let name = self.0.iter().find(|(_, candidate)| candidate == value);
        name.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }
}

/// A list without repetitions of what `item` allows, of at least `min` and at most `max` of them.
pub(super) struct Several<R> {
    pub(super) item: R,
    pub(super) min: usize,
    pub(super) max: usize,
}

impl<T: Clone + PartialEq, R: Rule<T>> Rule<Vec<T>> for Several<R> {
    fn allowed(&self) -> String {
        format!("a list of {} to {} of: {}", self.min, self.max, self.item.allowed())
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Vec<T>> {
        let Value::List(items) = &node.value else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        let mut values: Vec<T> = Vec::with_capacity(items.len().min(self.max));
        let mut is_whole = true;
        for item in items {
            match self.item.read(item, reader) {
                Some(value) if values.contains(&value) => {
                    reader.mistake(
                        &item.place,
                        format!("names {} twice", self.item.show(&value)),
                        "each once".to_owned(),
                    );
                    is_whole = false;
                }
                Some(value) => values.push(value),
                None => is_whole = false,
            }
        }
        if !(self.min..=self.max).contains(&items.len()) {
            reader.mistake(&node.place, format!("has {} entries", items.len()), self.allowed());
            return None;
        }
        is_whole.then_some(values)
    }

    fn show(&self, value: &Vec<T>) -> String {
        let items: Vec<_> = value.iter().map(|item| self.item.show(item)).collect();
        format!("[{}]", items.join(", "))
    }
}

/// What may be left out.
pub(super) struct Optional<R>(pub(super) R);

impl<T: Clone, R: Rule<T>> Rule<Option<T>> for Optional<R> {
    fn allowed(&self) -> String {
        self.0.allowed()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Option<T>> {
        self.0.read(node, reader).map(Some)
    }

    fn show(&self, value: &Option<T>) -> String {
        value.as_ref().map_or_else(|| "not set".to_owned(), |value| self.0.show(value))
    }
}

/// A path in the file system.
pub(super) struct File;

impl Rule<PathBuf> for File {
    fn allowed(&self) -> String {
        "a path".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<PathBuf> {
        let Some(text) = node.text() else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        if text.is_empty() || text.contains('\0') {
            reader.mistake(&node.place, format!("is {text:?}"), self.allowed());
            return None;
        }
        Some(PathBuf::from(text))
    }

    fn show(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }
}

/// An address to listen on. Two listeners on one address and port are a mistake wherever they are written.
pub(super) struct ListenAddress;

impl Rule<SocketAddr> for ListenAddress {
    fn allowed(&self) -> String {
        "addresses with a port, such as \"0.0.0.0:5222\" or \"[::]:5222\"".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<SocketAddr> {
        let Some(text) = node.text() else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        let Ok(address) = text.parse::<SocketAddr>() else {
            reader.mistake(&node.place, format!("is {text:?}"), self.allowed());
            return None;
        };
        let setting = reader.setting();
        let other = reader.addresses.iter().find(|(other, _)| conflict(*other, address));
        if let Some((other, owner)) = other {
            let what = format!("{address} is in conflict with {other} of {owner}");
            reader.mistake(&node.place, what, "each address and port once".to_owned());
            return None;
        }
        reader.addresses.push((address, setting));
        Some(address)
    }

    fn show(&self, value: &SocketAddr) -> String {
        value.to_string()
    }
}

/// Whether the second of two sockets could not be bound. Sockets of IPv6 take no IPv4 connections here.
fn conflict(a: SocketAddr, b: SocketAddr) -> bool {
    // Port 0 asks the system for a free one.
    a.port() == b.port()
        && a.port() != 0
        && a.is_ipv4() == b.is_ipv4()
        && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

/// A domain name, prepared as in addresses (RFC 7622 3.2).
pub(super) struct DomainName;

impl Rule<String> for DomainName {
    fn allowed(&self) -> String {
        "a domain name, such as \"example.org\"".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<String> {
        let Some(text) = node.text() else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        // Only a bare address without localpart is a domain; the parser would take more.
        let is_bare = !text.contains(['@', '/']);
        match stentor_xmpp::BareJid::parse(text) {
            Ok(jid) if is_bare => Some(jid.domain().to_owned()),
            _ => {
                reader.mistake(&node.place, format!("is {text:?}"), self.allowed());
                None
            }
        }
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }
}

/// Where clients are sent: a domain or an IP address, that of IPv6 in brackets, and a port where it is another than
/// the domain's own (RFC 6120 4.9.3.19).
pub(super) struct OtherHost;

impl Rule<String> for OtherHost {
    fn allowed(&self) -> String {
        "a host or a host with a port, such as \"xmpp.example.org\" or \"[2001:db8::7]:5222\"".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<String> {
        let Some(text) = node.text() else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        let other = other_host(text);
        if other.is_none() {
            reader.mistake(&node.place, format!("is {text:?}"), self.allowed());
        }
        other
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }
}

fn other_host(text: &str) -> Option<String> {
    // Within brackets, colons are the address's own.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse::<NonZeroU16>().ok()?)),
        _ => (text, None),
    };
    if host.contains(['@', '/']) {
        return None;
    }
    let host = stentor_xmpp::BareJid::parse(host).ok()?;
    let host = host.domain();
    Some(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// An address to write to (XEP-0157): a URI of one of the schemes that people can follow.
pub(super) struct ContactUri;

impl Rule<String> for ContactUri {
    fn allowed(&self) -> String {
        "URIs that begin with mailto:, xmpp:, https: or tel:, of at most 1024 bytes".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<String> {
        let Some(text) = node.text() else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        let rest = ["mailto:", "xmpp:", "https:", "tel:"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let is_uri = rest.is_some_and(|rest| !rest.is_empty())
            && text.len() <= 1024
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_uri {
            reader.mistake(&node.place, format!("is {text:?}"), self.allowed());
        }
        is_uri.then(|| text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }
}

/// What is logged, in the words of tracing's `EnvFilter`.
pub(super) struct LogFilter;

impl Rule<String> for LogFilter {
    fn allowed(&self) -> String {
        "error, warn, info, debug or trace, and exceptions such as \"info,stentor_net=debug\"".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<String> {
        let Some(text) = node.text() else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(text) {
            reader.mistake(&node.place, format!("is {text:?}: {error}"), self.allowed());
            return None;
        }
        Some(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }
}
