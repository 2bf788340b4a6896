//! S010: the parsers that clients are made with, expat and libxml2, by way of Python. `scripts/test` brings lxml there;
//! where there is no Python, or not the module, the test is skipped.

use super::{Said, framed, ours};
use crate::support::{HEADER, Random, damage, stanza};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DOCUMENTS: u64 = 8_000;

/// The one that the scripts made, or any.
fn python() -> PathBuf {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("oracles").join("bin/python");
    if made.exists() { made } else { PathBuf::from("python3") }
}

fn program(parser: &str) -> Command {
    let mut command = Command::new(python());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/read.py");
    command.arg(script).arg(parser).stderr(Stdio::piped());
    command
}

/// What a parser says of each of these documents; an error is why it cannot be asked.
fn read(parser: &str, documents: &[String]) -> Result<Vec<String>, String> {
    let probe = program(parser).stdin(Stdio::null()).output().map_err(|error| format!("python3: {error}"))?;
    if !probe.status.success() {
        let error = String::from_utf8_lossy(&probe.stderr);
        return Err(error.lines().last().unwrap_or("python3 fails").to_owned());
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

/// In the words of `read.py`.
fn line_of(said: &[Said]) -> String {
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

/// What we accept, and what we write of it, says the same to them.
fn agrees(parser: &str) {
    let (mut documents, mut expected) = (Vec::new(), Vec::new());
    for seed in 0..DOCUMENTS {
        let mut random = Random::new(seed);
        let mut fragment = stanza(&mut random, seed % 2 == 0).into_bytes();
        if seed % 5 == 0 {
            damage(&mut random, &mut fragment);
        }
        let Some((element, text)) = framed(&fragment) else { continue };
        // Namespaces in XML 1.0 has the names of namespaces be URIs; libxml2 refuses others, where nobody else does.
        if parser == "libxml2" && !declares_uris(&text) {
            continue;
        }
        let mut said = Vec::new();
        ours(element.root(), &mut said);
        let mut written = String::new();
        element.write_to("", &mut written);
        let line = line_of(&said);
        // As it came, within its stream, whose own start and end are the first and the last event.
        documents.push(format!("{HEADER}{text}</stream:stream>"));
        expected.push(line.clone());
        documents.push(written);
        expected.push(line);
    }
    let lines = match read(parser, &documents) {
        Ok(lines) => lines,
        Err(why) => return println!("skipped: {parser}: {why}"),
    };
    for (n, (line, expected)) in lines.iter().zip(&expected).enumerate() {
        let inner = line.split_once('\u{1e}').and_then(|(_, rest)| rest.rsplit_once('\u{1e}'));
        let found = if n % 2 == 0 { inner.map_or("", |(inner, _)| inner) } else { line.as_str() };
        assert_eq!(found, expected, "{parser} reads {:?}", documents.get(n));
    }
    println!("{parser}: {} documents", documents.len());
    assert!(documents.len() > 4_000, "{}", documents.len());
}

#[test]
fn s010_expat_reads_the_same() {
    agrees("expat");
}

#[test]
fn s010_libxml2_reads_the_same() {
    agrees("libxml2");
}
