//! The list of specifications, the modules that implement them, and the table that is made of it.

use crate::assert_none;
use crate::repository::{root, rust};
use std::fmt::Write as _;
use std::fs;
use stentor_entities::specifications::{SPECIFICATIONS, Specification};

/// `rfc_6121_roster.rs` is of RFC 6121, `xep_0030_disco.rs` of XEP-0030.
fn number(path: &str) -> Option<String> {
    let name = path.rsplit('/').find(|part| part.starts_with("rfc_") || part.starts_with("xep_"))?;
    let digits: String = name[4..].chars().take_while(char::is_ascii_digit).collect();
    Some(if name.starts_with("rfc_") { format!("RFC {digits}") } else { format!("XEP-{digits}") })
}

/// The first paragraph of the module's documentation, as one line.
fn first_words(content: &str) -> String {
    let lines = content.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn modules_are_declared_and_cited() {
    let mut broken = Vec::new();
    for text in rust().filter(|text| text.path.starts_with("crates/") && text.path.contains("/src/")) {
        let Some(number) = number(&text.path) else { continue };
        let words = first_words(&text.content);
        let Some(specification) = SPECIFICATIONS.iter().find(|known| known.number == number) else {
            broken.push(format!("{}: {number} is not in SPECIFICATIONS", text.path));
            continue;
        };
        if !words.contains(&number) || !words.contains(specification.version) {
            let version = specification.version;
            broken.push(format!("{}: does not begin by citing {number} {version}", text.path));
        }
    }
    assert_none("a module of a specification", &broken);
}

#[test]
fn the_list_is_in_order() {
    for (a, b) in SPECIFICATIONS.iter().zip(&SPECIFICATIONS[1..]) {
        assert!(a.number < b.number, "{} before {}", a.number, b.number);
    }
    for Specification { number, version, .. } in SPECIFICATIONS {
        assert_eq!(
            number.starts_with("RFC "),
            version.is_empty(),
            "{number}: a XEP has a version, an RFC none"
        );
    }
}

fn table() -> String {
    let mut table = "| specification | version |\n|---|---|\n".to_owned();
    for Specification { number, title, version, .. } in SPECIFICATIONS {
        let address = match number.split_once([' ', '-']) {
            Some(("RFC", digits)) => format!("https://www.rfc-editor.org/rfc/rfc{digits}"),
            _ => format!("https://xmpp.org/extensions/{}.html", number.to_lowercase()),
        };
        let _ = writeln!(table, "| [{number}]({address}) {title} | {version} |");
    }
    table
}

/// With `TIDY_WRITE=1` the table is written, else it is compared.
#[test]
fn the_table_in_the_readme_is_in_step() {
    const START: &str = "<!-- specifications: made by TIDY_WRITE=1 cargo test --package stentor-tidy -->\n";
    const END: &str = "<!-- end of specifications -->";
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).expect("README.md is there");
    let (before, rest) = readme.split_once(START).expect("README.md has the start of the table");
    let (stands, after) = rest.split_once(END).expect("README.md has the end of the table");
    let wanted = table();
    if stands == wanted {
        return;
    }
    if std::env::var_os("TIDY_WRITE").is_some() {
        fs::write(&path, format!("{before}{START}{wanted}{END}{after}")).expect("README.md can be written");
        return;
    }
    let gone = stands.lines().filter(|line| !wanted.lines().any(|other| other == *line));
    let new = wanted.lines().filter(|line| !stands.lines().any(|other| other == *line));
    let lines: Vec<_> = gone.map(|l| format!("-{l}")).chain(new.map(|l| format!("+{l}"))).collect();
    panic!("README.md's table is not in step; TIDY_WRITE=1 writes it:\n{}", lines.join("\n"));
}
