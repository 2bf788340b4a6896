//! `[http]`: health and metrics, for those who run the server.

use std::net::SocketAddr;

use super::mistake::{Mistake, Severity};
use super::rule::{ListenAddress, Several};
use super::setting::{At, Component, Reader, Rule, Setting, restart};
use super::tree::Node;

/// HTTP for operators. Off as long as there is no address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where it listens, in clear and without authentication.
    pub listen: Vec<SocketAddr>,
}

impl Component for HttpConfig {
    const SETTINGS: &'static [Setting<Self>] = &[restart(
        "listen",
        &At(|config: &mut Self| &mut config.listen, Several { item: OperatorAddress, min: 0, max: 16 }),
    )];
}

/// An address to listen on, that should be one which only operators reach.
struct OperatorAddress;

impl Rule<SocketAddr> for OperatorAddress {
    fn allowed(&self) -> String {
        "addresses with a port, such as \"127.0.0.1:5280\" or \"[::1]:5280\"".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<SocketAddr> {
        let address = ListenAddress.read(node, reader)?;
        if !address.ip().is_loopback() {
            let setting = reader.setting();
            let what =
                format!("{address} is reached from other machines, in clear and without authentication");
            let place = node.place.clone();
            let allowed = String::new();
            reader.mistakes.push(Mistake { severity: Severity::Warning, place, setting, what, allowed });
        }
        Some(address)
    }

    fn show(&self, value: &SocketAddr) -> String {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use std::path::Path;

    /// The mistakes and warnings of a section.
    fn told(section: &str) -> Vec<String> {
        let host = "[[host]]\ndomain = 'example.org'\ncertificate = 'a.crt'\nkey = 'a.key'";
        match Config::parse(Path::new("s.toml"), &format!("{section}\n{host}\n"), &[]) {
            Ok(loaded) => loaded.warnings.lines(),
            Err(error) => error.to_string().lines().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn where_it_may_listen() {
        let check = |section: &str, expected: &[&str]| assert_eq!(told(section), expected, "{section}");
        check("", &[]);
        check("[http]", &[]);
        check("http.listen = ['127.0.0.1:5280', '[::1]:5280']", &[]);
        check(
            "http.listen = ['0.0.0.0:5280']",
            &[
                "s.toml:1:16: warning: http.listen: 0.0.0.0:5280 is reached from other machines, in clear and without \
               authentication",
            ],
        );
        check(
            "http.listen = ['127.0.0.1:5222']\n[listen]\nc2s = ['127.0.0.1:5222']",
            &[
                "s.toml:3:8: listen.c2s: 127.0.0.1:5222 is in conflict with 127.0.0.1:5222 of http.listen; allowed: \
               each address and port once",
            ],
        );
        check(
            "http.listen = ['localhost']",
            &["s.toml:1:16: http.listen: is \"localhost\"; allowed: addresses with a port, such as \
               \"0.0.0.0:5222\" or \"[::]:5222\""],
        );
        check("http.port = 5280", &["s.toml:1:6: http.port: is no setting; allowed: listen"]);
    }
}
