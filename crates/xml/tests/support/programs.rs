//! The parsers that clients are made with, as programs: expat and libxml2 by way of Python, and Java's, as Smack sets it
//! up. `scripts/test` brings what they need; a test that finds one missing is skipped, and says so.

use super::said::Said;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What [`read`] knows.
pub(crate) const PARSERS: [&str; 3] = ["expat", "libxml2", "stax"];

/// The one that the scripts made, or any.
fn python() -> PathBuf {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("oracles").join("bin/python");
    if made.exists() { made } else { PathBuf::from("python3") }
}

fn program(parser: &str) -> Command {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../xml/tests/differential"));
    let mut command = if parser == "stax" {
        let mut command = Command::new("java");
        command.arg(folder.join("Read.java"));
        command
    } else {
        let mut command = Command::new(python());
        command.arg(folder.join("read.py")).arg(parser);
        command
    };
    command.stderr(Stdio::piped());
    command
}

/// What a parser says of each of these documents, in the words of [`line_of`], or `refused`; an error is why it cannot
/// be asked.
pub(crate) fn read(parser: &str, documents: &[String]) -> Result<Vec<String>, String> {
    let probe =
        program(parser).stdin(Stdio::null()).output().map_err(|error| format!("no program: {error}"))?;
    if !probe.status.success() {
        let error = String::from_utf8_lossy(&probe.stderr);
        return Err(error.lines().last().unwrap_or("it fails").to_owned());
    }
    let mut process =
        program(parser).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("as before");
    let mut input = process.stdin.take().expect("it is piped");
    let lines = std::thread::scope(|scope| {
        scope.spawn(move || {
            for document in documents {
                let _ = write!(input, "{}\n{document}", document.len());
            }
        });
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        output.lines().map(|line| line.expect("UTF-8")).collect::<Vec<_>>()
    });
    assert!(process.wait().expect("it ends").success(), "{parser} ended early");
    assert_eq!(lines.len(), documents.len(), "{parser} ended early");
    Ok(lines)
}

/// In the words of `read.py` and `Read.java`.
pub(crate) fn line_of(said: &[Said]) -> String {
    let events = said.iter().map(|event| match event {
        Said::Start(namespace, name, attributes) => {
            let attributes = attributes.iter().flat_map(|(namespace, name, value)| [namespace, name, value]);
            let fields = [namespace, name].into_iter().chain(attributes).map(String::as_str);
            std::iter::once("start").chain(fields).collect::<Vec<_>>().join("\u{1f}")
        }
        Said::Text(text) => format!("text\u{1f}{text}"),
        Said::End => "end".to_owned(),
    });
    events.collect::<Vec<_>>().join("\u{1e}").replace('\n', "\u{11}").replace('\r', "\u{12}")
}

/// Whether a parser takes what is well-formed in all else for what it is. Namespaces in XML 1.0 has the names of
/// namespaces be URIs; libxml2 refuses others, where nobody else does.
pub(crate) fn takes(parser: &str, text: &str) -> bool {
    parser != "libxml2" || declares_uris(text)
}

/// Whether all namespaces that are declared look like URIs.
fn declares_uris(text: &str) -> bool {
    let values = text.split("xmlns").skip(1).filter_map(|rest| {
        let quote = rest.find(['\'', '"'])?;
        rest.get(quote + 1..)?.split(rest.get(quote..=quote)?).next()
    });
    let is_of_uris = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&()*+,;=".contains(&byte);
    let has_scheme =
        |value: &str| ["urn:", "http://", "jabber:"].iter().any(|scheme| value.starts_with(scheme));
    values.into_iter().all(|value| has_scheme(value) && value.bytes().all(is_of_uris))
}
