//! Rows S054, S065 and S095 of the security catalogue, as far as the sources show them: secrets are compared in constant
//! time, chance comes from the system, and nothing that a client sends is kept for good.

use crate::assert_none;
use crate::repository::{Text, members, rust, short};
use cargo_metadata::DependencyKind;

/// Crates through which secrets pass.
const SECRETIVE: &[&str] = &["auth", "cluster", "engine", "entities", "net", "runtime", "server", "stream"];

/// What secrets are called: a whole name, or a word of one.
const SECRET_WORDS: &[&str] = &["hmac", "password", "passwords", "proof", "secret", "signature", "token"];
const SECRET_NAMES: &[&str] =
    &["stored_key", "server_key", "client_key", "channel_binding", "binding_input", "nonce"];

/// Types that hold secrets: whatever has a field of one holds one too.
const SECRET_TYPES: &[&str] =
    &["Key", "Zeroizing", "ScramKeys", "Credential", "ServerSecret", "ChannelBindings"];

/// Where a name on the list is no secret: the file, what the line has, and why.
const NO_SECRETS: &[(&str, &str, &str)] = &[(
    "crates/entities/src/user/",
    ".token == token",
    "tokens of queries are numbers, seen by the user's entity alone",
)];

/// Who compares secrets by a `PartialEq` of its own, in constant time: the file, and the type.
const CONSTANT_TIME: &[(&str, &str)] = &[("crates/server/src/control/protocol.rs", "Password")];

fn shipped() -> impl Iterator<Item = &'static Text> {
    rust().filter(|text| text.owner().is_some_and(|owner| SECRETIVE.contains(&owner)) && !text.is_test())
}

fn is_secret(name: &str) -> bool {
    SECRET_NAMES.contains(&name) || name.split('_').any(|word| SECRET_WORDS.contains(&word))
}

/// Whether `==` or `!=` stands beside something with the name of a secret.
fn compares_a_secret(line: &str) -> bool {
    let belongs = |c: char| c.is_ascii_alphanumeric() || "_.()&*?[]:".contains(c);
    let reads = |operand: &str| {
        // How long it is, is no secret, nor whether it is there.
        let is_about_it =
            ["len()", "is_empty()", "is_some()", "is_none()"].iter().any(|end| operand.ends_with(end));
        !is_about_it && operand.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(is_secret)
    };
    ["==", "!="].iter().flat_map(|operator| line.match_indices(operator)).any(|(at, operator)| {
        let (left, right) = (line[..at].trim_end(), line[at + operator.len()..].trim_start());
        let left = left.rsplit(|c: char| !belongs(c)).next().unwrap_or_default();
        let right = right.split(|c: char| !belongs(c)).next().unwrap_or_default();
        // A constant in capitals is known to everybody.
        let is_constant = right.chars().all(|c| c.is_ascii_uppercase() || c == '_') && !right.is_empty();
        !is_constant && (reads(left) || reads(right))
    })
}

#[test]
fn secrets_are_not_compared_by_operators() {
    let mut broken = Vec::new();
    for text in shipped() {
        for (number, line) in text.code().ships {
            let is_excepted =
                NO_SECRETS.iter().any(|(path, has, _)| text.path.starts_with(path) && line.contains(has));
            if compares_a_secret(line) && !is_excepted {
                broken.push(format!("{}:{number}: {}", text.path, line.trim()));
            }
        }
    }
    assert_none("a secret is compared by an operator, whose time tells how much is right", &broken);
}

#[test]
fn comparisons_of_secrets_are_seen() {
    for line in [
        "if self.proof == proof {",
        "    x && last.proof != expected",
        "let is_right = password.as_bytes() == given;",
        "if given == *self.stored_key.as_bytes() {",
        "(a, b.nonce) == c",
        "self.server_secret != other",
    ] {
        assert!(compares_a_secret(line), "{line}");
    }
    for line in [
        "proof.len() == 20",
        "if x == 1 { proof }",
        "token.is_empty() == y",
        "let password = a == b;",
        "a <= nonce",
    ] {
        assert!(!compares_a_secret(line), "{line}");
    }
}

/// A type's name, what it derives, and what it is made of. Written as rustfmt writes it.
fn types(text: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut derives = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        if code.starts_with("#[derive(") {
            derives.push_str(code);
            continue;
        }
        let declared = code.split_once("struct ").or_else(|| code.split_once("enum "));
        if let Some((_, rest)) = declared.filter(|(before, _)| before.is_empty() || before.starts_with("pub"))
        {
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned();
            let indent = line.len() - code.len();
            let mut body = rest[name.len()..].to_owned();
            if line.trim_end().ends_with('{') {
                let close = format!("{}}}", " ".repeat(indent));
                body.extend(
                    lines
                        .by_ref()
                        .take_while(|line| *line != close)
                        .filter(|line| !line.trim_start().starts_with("//")),
                );
            }
            found.push((name, std::mem::take(&mut derives), body));
        } else if !code.starts_with("#[") && !code.starts_with("//") {
            derives.clear();
        }
    }
    found
}

/// Whether a type's fields hold a secret: by their names, with bytes or text in them, or by their types.
fn holds_a_secret(body: &str) -> bool {
    let mut words =
        body.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let has_type = words.any(|word| SECRET_TYPES.contains(&word));
    let has_name = body.split(',').any(|field| {
        let Some((name, kind)) = field.split_once(": ") else { return false };
        let name = name.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default();
        let is_bytes = ["Vec<u8>", "[u8", "String", "str", "Bytes"].iter().any(|bytes| kind.contains(bytes));
        is_secret(name) && is_bytes
    });
    has_type || has_name
}

#[test]
fn what_holds_secrets_is_not_compared() {
    let mut broken = Vec::new();
    let mut seen = 0;
    for text in shipped()
        .filter(|text| ["auth", "net", "stream", "server"].contains(&text.owner().unwrap_or_default()))
    {
        for (name, derives, body) in types(&text.content) {
            let is_named = SECRET_TYPES.contains(&name.as_str()) || name == "Password";
            if !is_named && !holds_a_secret(&body) {
                continue;
            }
            seen += 1;
            let is_derived =
                ["PartialEq", "PartialOrd", "Hash"].iter().any(|derived| derives.contains(derived));
            let is_written = text.content.contains(&format!("PartialEq for {name}"));
            let is_allowed = CONSTANT_TIME.contains(&(text.path.as_str(), name.as_str()));
            if is_derived || is_written && !is_allowed {
                broken.push(format!("{}: {name} can be compared", text.path));
            }
        }
    }
    assert!(seen > 8, "the types that hold secrets are found: {seen}");
    assert_none("a type that holds a secret can be compared in a time that tells of it", &broken);
}

/// Generators of numbers that are no secrets' source.
const GENERATORS: &[&str] =
    &["fastrand", "nanoid", "nanorand", "oorandom", "rand", "rand_core", "ulid", "uuid"];

/// Who may use one nevertheless, and for what.
const MAY_DRAW: &[(&str, &str, &str)] = &[(
    "cluster",
    "rand",
    "foca asks for a generator, to choose whom it probes; no name and no key comes of it",
)];

/// S065: ids, salts, nonces and keys are of the system's generator; there is no other to take by mistake.
#[test]
fn chance_comes_from_the_system() {
    let mut broken = Vec::new();
    for package in members() {
        for needed in package.dependencies.iter().filter(|needed| needed.kind == DependencyKind::Normal) {
            let name = short(&package.name);
            let may = MAY_DRAW.iter().any(|(by, of, _)| *by == name && *of == needed.name);
            if GENERATORS.contains(&needed.name.as_str()) && !may {
                broken.push(format!("{name} needs {}", needed.name));
            }
        }
    }
    let names = ["thread_rng", "SmallRng", "seed_from_u64", "RandomState::", "DefaultHasher"];
    for text in shipped() {
        for (number, line) in text.code().ships {
            let found = names.iter().filter(|name| line.contains(**name));
            broken.extend(found.map(|name| format!("{}:{number}: {name}", text.path)));
        }
    }
    assert_none("what is to be unguessable comes from getrandom alone", &broken);
}

/// S095: names that clients choose are not kept beyond what they belong to. What lives as long as the process is either
/// made once or holds what is listed here.
const FOR_GOOD: &[(&str, &str)] = &[
    ("crates/net/src/session/pump.rs", "a buffer of an arbiter"),
    ("crates/runtime/src/local.rs", "the registry of an arbiter: actors that live, each behind its gate"),
    ("crates/xml/src/framer/pool.rs", "scratch space of a few framers, of bounded size"),
];

#[test]
fn nothing_is_interned() {
    let interners = ["lasso", "string_cache", "string-interner", "internment", "ustr", "intaglio"];
    let mut broken = Vec::new();
    for package in members() {
        let found = package.dependencies.iter().filter(|needed| interners.contains(&needed.name.as_str()));
        broken.extend(found.map(|needed| format!("{} needs {}", package.name, needed.name)));
    }
    let changing = ["Mutex<", "RwLock<", "DashMap<", "RefCell<", "ArcSwap<", "SkipMap<"];
    for text in rust().filter(|text| text.path.starts_with("crates/") && !text.is_test()) {
        for (number, line) in text.code().ships {
            let leaks = ["Box::leak", "String::leak", ".leak()", "mem::forget"]
                .iter()
                .any(|name| line.contains(name));
            let is_static = line.trim_start().starts_with("static ") || line.contains(" static ");
            let is_known = FOR_GOOD.iter().any(|(path, _)| *path == text.path);
            if leaks || is_static && changing.iter().any(|kind| line.contains(kind)) && !is_known {
                broken.push(format!("{}:{number}: {}", text.path, line.trim()));
            }
        }
    }
    assert_none("something lives as long as the process and grows", &broken);
}
