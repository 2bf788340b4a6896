//! The rules of settings that only members have.

use std::net::SocketAddr;

use crate::config::setting::{Reader, Rule};
use crate::config::tree::Node;

/// A name that can stand in a DNS name as one label (RFC 1035 2.3.1, RFC 1123 2.1), in small letters.
pub(super) struct Label;

impl Rule<String> for Label {
    fn allowed(&self) -> String {
        "1 to 63 small letters, digits and -, none of these at either end".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<String> {
        let Some(text) = node.text() else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        if !is_label(text) {
            reader.mistake(&node.place, format!("is {text:?}"), self.allowed());
            return None;
        }
        Some(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }
}

/// Whether `text` is a [`Label`].
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// An address where datagrams are taken: its ports are others than those of [`super::ListenAddress`].
pub(super) struct DatagramAddress;

impl Rule<SocketAddr> for DatagramAddress {
    fn allowed(&self) -> String {
        "an address with a port, such as \"10.0.0.1:5281\" or \"[fd00::1]:5281\"".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<SocketAddr> {
        address(node, reader, &self.allowed(), |_| true)
    }

    fn show(&self, value: &SocketAddr) -> String {
        value.to_string()
    }
}

/// An address at which other members find this one.
pub(super) struct OtherAddress;

impl Rule<SocketAddr> for OtherAddress {
    fn allowed(&self) -> String {
        "an address and port that other members can reach, such as \"10.0.0.1:5280\"".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<SocketAddr> {
        address(node, reader, &self.allowed(), |address| {
            address.port() != 0 && !address.ip().is_unspecified()
        })
    }

    fn show(&self, value: &SocketAddr) -> String {
        value.to_string()
    }
}

fn address(
    node: &Node,
    reader: &mut Reader,
    allowed: &str,
    is_right: impl Fn(&SocketAddr) -> bool,
) -> Option<SocketAddr> {
    let Some(text) = node.text() else {
        reader.wrong_type(node, allowed.to_owned());
        return None;
    };
    let address = text.parse::<SocketAddr>().ok().filter(is_right);
    if address.is_none() {
        reader.mistake(&node.place, format!("is {text:?}"), allowed.to_owned());
    }
    address
}
