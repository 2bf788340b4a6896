//! The configuration as a tree of values that know where they were written: the TOML file first, the
//! environment laid over it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::mend;
use super::mistake::{Mistake, Place, Severity};

/// What an environment variable's name begins with; what follows is the setting's name, its parts joined
/// by two underscores: `STENTOR__LIMITS__STANZA_BYTES_MAX`, `STENTOR__HOST__0__DOMAIN`.
pub const ENVIRONMENT_PREFIX: &str = "STENTOR__";

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
    /// For a value of the environment, its text: where text is wanted, `123` needs no quotes there.
    text: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Flag(bool),
    Integer(i64),
    Text(String),
    List(Vec<Node>),
    Table(Table),
    /// What no setting takes, by its name: "a date", "a fraction".
    Other(&'static str),
}

/// A table in the order of its keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

impl Node {
    fn new(place: Place, value: Value) -> Self {
        Self { place, value, text: None }
    }

    /// The text of it, where it is text.
    pub(super) fn text(&self) -> Option<&str> {
        match (&self.value, &self.text) {
            (Value::Text(text), _) | (_, Some(text)) => Some(text),
            _ => None,
        }
    }

    /// The value of that key, of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(table) => table.get(key),
            _ => None,
        }
    }

    /// The entry of that number, of a list.
    pub(super) fn item(&self, index: usize) -> Option<&Self> {
        match &self.value {
            Value::List(items) => items.get(index),
            _ => None,
        }
    }

    /// What kind of value this is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Flag(_) => "true or false",
            Value::Integer(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(name) => name,
        }
    }
}

impl Table {
    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// What is at the end of a path of keys.
    pub(super) fn node(&self, path: &[&str]) -> Option<&Node> {
        match path {
            [] => None,
            [key, rest @ ..] => rest.iter().try_fold(self.get(key)?, |node, key| node.get(key)),
        }
    }
}

/// Parses `text`. What is not TOML is pushed to `mistakes`, every place of it; the tree then holds what
/// could be read around those places.
pub(super) fn parse(text: &str, mistakes: &mut Vec<Mistake>) -> Table {
    let (root, errors) = read(text, text);
    if errors.is_empty() {
        return root;
    }
    let (root, mended) = parse_mended(text, &errors);
    mistakes.extend(if mended.is_empty() { errors } else { mended });
    root
}

/// Parses with what is open closed, and tells that instead of what the parser makes of it.
fn parse_mended(text: &str, errors: &[Mistake]) -> (Table, Vec<Mistake>) {
    let is_open = errors.iter().any(|error| UNCLOSED.iter().any(|unclosed| error.what.contains(unclosed)));
    let (closed, open) = if is_open { mend::close_values(text) } else { (text.to_owned(), Vec::new()) };
    let lines = Lines::new(text);
    let mut mistakes: Vec<_> = open
        .into_iter()
        .map(|open| error(lines.place(&(open.at..open.at)), open.setting, open.what.to_owned()))
        .collect();
    let (_, errors) = read(&closed, text);
    let broken = errors.iter().filter_map(|error| error.place.line()).collect();
    let (closed, headers) = mend::close_headers(&closed, &broken);
    // That a key is there twice is not so where it is known whose it is.
    mistakes.extend(errors.into_iter().filter(|error| {
        error.place.line().is_some_and(|line| headers.contains(&line))
            && !error.what.contains("duplicate key")
    }));
    let (root, errors) = read(&closed, text);
    mistakes.extend(errors);
    (root, mistakes)
}

/// What the parser says of a value that ends nowhere, once it has taken all the rest for a part of it.
const UNCLOSED: [&str; 2] = ["unclosed array", "unclosed inline table"];

/// Reads `text`, of which each line begins as it is `written`.
fn read(text: &str, written: &str) -> (Table, Vec<Mistake>) {
    let (lines, written) = (Lines::new(text), Lines::new(written));
    let place = |span: Range<usize>| written.nearest(lines.place(&span));
    let (document, errors) = DeTable::parse_recoverable(text);
    let mistake = |found: toml::de::Error| {
        let place = found.span().map_or(Place::Whole, place);
        let what = format!("this is not TOML: {}", found.message().trim().replace('\n', ", "));
        error(place, String::new(), what)
    };
    let errors = errors.into_iter().map(mistake).collect();
    (table(document.get_ref(), &place), errors)
}

fn error(place: Place, setting: String, what: String) -> Mistake {
    Mistake { severity: Severity::Error, place, setting, what, allowed: String::new() }
}

// The recursion is as deep as the nesting, which toml limits to 80.
fn table(source: &DeTable<'_>, place: &dyn Fn(Range<usize>) -> Place) -> Table {
    let entries = source.iter().map(|(key, value)| Entry {
        key: key.get_ref().to_string(),
        key_place: place(key.span()),
        node: node(value.get_ref(), value.span(), place),
    });
    Table { entries: entries.collect() }
}

fn node(source: &DeValue<'_>, span: Range<usize>, place: &dyn Fn(Range<usize>) -> Place) -> Node {
    let value = match source {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number that is too big"), Value::Integer),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| node(item.get_ref(), item.span(), place)).collect())
        }
        DeValue::Table(entries) => Value::Table(table(entries, place)),
    };
    Node::new(place(span), value)
}

/// Lays the variables of `environment` whose name begins with [`ENVIRONMENT_PREFIX`] over `root`.
pub(super) fn overlay(root: &mut Table, environment: &[(String, String)], mistakes: &mut Vec<Mistake>) {
    let mut variables: Vec<_> = environment
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix(ENVIRONMENT_PREFIX)?, name, text)))
        .collect();
    // In the order of their names, so that entry 0 of a list is there before entry 1.
    variables.sort();
    for (rest, name, text) in variables {
        let place = Place::Environment(name.clone());
        let path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
        if let Err(what) = insert(root, &path, &place, variable(text, &place)) {
            mistakes.push(Mistake {
                severity: Severity::Error,
                place,
                setting: path.join("."),
                what,
                allowed: format!("{ENVIRONMENT_PREFIX}SECTION__SETTING, the names as in the file"),
            });
        }
    }
}

/// A variable's text is a TOML value where it parses as one, otherwise text.
fn variable(text: &str, place: &Place) -> Node {
    let parsed = DeValue::parse(text).ok();
    let mut node = match &parsed {
        Some(value) => node(value.get_ref(), 0..0, &|_| place.clone()),
        None => Node::new(place.clone(), Value::Text(text.to_owned())),
    };
    if !matches!(node.value, Value::Text(_) | Value::List(_) | Value::Table(_)) {
        node.text = Some(text.to_owned());
    }
    node
}

fn insert(table: &mut Table, path: &[String], place: &Place, value: Node) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else {
        return Err("names no setting".to_owned());
    };
    if key.is_empty() {
        return Err("has an empty part in its name".to_owned());
    }
    let index = table.position(key).unwrap_or_else(|| {
        let value = if rest.first().is_some_and(|part| part.parse::<usize>().is_ok()) {
            Value::List(Vec::new())
        } else {
            Value::Table(Table::default())
        };
        let node = Node::new(place.clone(), value);
        table.entries.push(Entry { key: key.clone(), key_place: place.clone(), node });
        table.entries.len() - 1
    });
    let entry = table.entries.get_mut(index).expect("found or pushed just above");
    if rest.is_empty() {
        entry.node = value;
        entry.key_place = place.clone();
        return Ok(());
    }
    insert_below(&mut entry.node, rest, place, value)
}

fn insert_below(node: &mut Node, path: &[String], place: &Place, value: Node) -> Result<(), String> {
    match &mut node.value {
        Value::Table(table) => insert(table, path, place, value),
        Value::List(items) => {
            let (part, rest) = path.split_first().expect("insert() hands on what is not empty");
            let length = items.len();
            let index = part.parse::<usize>().ok().filter(|index| *index <= length);
            let Some(index) = index else {
                return Err(format!(
                    "names entry {part}, where the entries are 0 to {length}, the last one new"
                ));
            };
            if index == length {
                items.push(Node::new(place.clone(), Value::Table(Table::default())));
            }
            let item = items.get_mut(index).expect("index <= length, and one more was pushed for equal");
            if rest.is_empty() {
                *item = value;
                return Ok(());
            }
            insert_below(item, rest, place, value)
        }
        _ => Err(format!("names something inside of {}", node.kind())),
    }
}

/// Where each line of a text begins.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let line = self.starts.partition_point(|start| *start <= span.start);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..span.start).unwrap_or_default();
        Place::File { line, column: before.chars().count() + 1 }
    }

    /// The place in this text that is nearest to one on the same line of another.
    fn nearest(&self, place: Place) -> Place {
        let Place::File { line, column } = place else { return place };
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..).and_then(|rest| rest.split('\n').next()).unwrap_or_default();
        Place::File { line, column: column.min(text.chars().count() + 1) }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};

    /// The lines of all mistakes, without the file's name.
    fn check(text: &str, expected: &[&str]) {
        let parsed = Config::parse(std::path::Path::new("s"), text, &[]);
        let Err(ConfigError::Mistakes(mistakes)) = parsed else { panic!("{text}: no mistake") };
        let lines = mistakes.lines();
        assert_eq!(lines.len(), expected.len(), "{text}: {lines:#?}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(&format!("s:{expected}")), "{text}: {lines:#?}");
        }
    }

    #[test]
    fn a_list_without_an_end_is_told_where_it_begins() {
        check(
            "[listen]\nc2s = [\"127.0.0.1:5222\"\n[limits]\nidle_seconds=\"x\"\ndepth_maxx=3\n[[host]]\ndomain=\"a.org\"\n",
            &[
                "2:7: listen.c2s: the list that begins here is not closed",
                "4:14: limits.idle_seconds: is text; allowed: ",
                "5:1: limits.depth_maxx: is no setting; did you mean depth_max?",
            ],
        );
        check(
            "[[host]]\ndomain = 'a.org'\n[host.contact]\nadmin = ['mailto:a@a.org',\n  'b', # both\nabuse = [\n",
            &[
                "4:9: host.0.contact.admin: the list that begins here is not closed",
                "5:3: host.0.contact.admin: is \"b\"; allowed: URIs",
                "6:9: host.0.contact.abuse: the list that begins here is not closed",
            ],
        );
        check(
            "[listen]\nc2s = ['127.0.0.1:5222' '[::]:5222'\n[limits\n",
            &[
                "2:7: listen.c2s: the list that begins here is not closed",
                "2:25: this is not TOML: missing comma",
                "3:8: this is not TOML: unclosed table",
            ],
        );
        check(
            "[listen]\nc2s = ['127.0.0.1:5222]\n[limits]\nidle_seconds = 1\n",
            &[
                "2:8: listen.c2s: the text that begins here is not closed",
                "4:16: limits.idle_seconds: is 1; ",
            ],
        );
    }

    #[test]
    fn what_stands_under_a_broken_header_is_not_elsewhere() {
        check("[listen\nc2s = \n", &["1:8: this is not TOML: unclosed table", "2:7: this is not TOML: "]);
        check(
            "[log]\nformat = 'json'\n[limits\ndepth_max = 1\nformat = 1\n",
            &[
                "3:8: this is not TOML: unclosed table",
                "4:13: limits.depth_max: is 1; allowed: ",
                "5:1: limits.format: is no setting; ",
            ],
        );
        check(
            "data = 'd'\n[]\nc2s = 1\ndata = 'e'\n[log]\nlevel = 1\n",
            &["2:2: this is not TOML: ", "6:1: log.level: is no setting; "],
        );
    }
}
