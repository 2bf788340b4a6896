//! A file in which something was left open, read as if it had been closed. What is open is told once, where it begins,
//! and not by what stands behind it; that is read for what it says.
//!
//! Lines stay where they are, and so does what stands in them up to where something is closed.

use std::collections::{BTreeMap, BTreeSet};

/// Something that nothing closes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// Where it begins, in bytes of the text as it was.
    pub(super) at: usize,
    /// The full name of the setting.
    pub(super) setting: String,
    pub(super) what: &'static str,
}

/// `text` with the lists and tables closed that are values and still open where the next statement begins, or where all
/// ends.
pub(super) fn close_values(text: &str) -> (String, Vec<Open>) {
    let (mut closed, mut found) = (String::with_capacity(text.len()), Vec::new());
    let (mut copied, mut at) = (0, 0);
    let mut section = Section::default();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let line = rest.lines().next().unwrap_or_default();
        let statement = line.trim_start();
        let mut end = at + line.len();
        if statement.starts_with('[') {
            section.enter(statement);
        } else if let Some((key, _)) = line.split_once('=').filter(|_| !statement.starts_with('#')) {
            let value = Value::scan(text, at + key.len() + 1);
            end = value.end;
            if let Some((begins, kind)) = value.open.last().copied() {
                closed.push_str(text.get(copied..value.last).unwrap_or_default());
                closed.extend(value.open.iter().rev().map(|(_, kind)| closing(*kind)));
                copied = value.last;
                let setting = section.setting(key.trim());
                found.push(Open { at: begins, setting, what: what(kind) });
            }
        }
        let line_end = text.get(end..).and_then(|rest| rest.find('\n'));
        at = line_end.map_or(text.len(), |length| end + length + 1);
    }
    closed.push_str(text.get(copied..).unwrap_or_default());
    (closed, found)
}

fn closing(kind: u8) -> char {
    match kind {
        b'[' => ']',
        b'{' => '}',
        quote => char::from(quote),
    }
}

fn what(kind: u8) -> &'static str {
    match kind {
        b'[' => "the list that begins here is not closed",
        b'{' => "the table that begins here is not closed",
        _ => "the text that begins here is not closed",
    }
}

/// Where a value ends, and what of it is open there.
struct Value {
    end: usize,
    /// The end of the last of it that is neither space nor a comment.
    last: usize,
    /// What is not closed, outermost first: where it begins, and by what.
    open: Vec<(usize, u8)>,
}

impl Value {
    /// The value in `text` that begins at `start`, or behind some space there.
    fn scan(text: &str, start: usize) -> Self {
        let bytes = text.as_bytes();
        let mut value = Self { end: start, last: start, open: Vec::new() };
        while let Some(&byte) = bytes.get(value.end) {
            let at = value.end;
            if byte == b'\n' && (value.open.is_empty() || value.is_left_at(text)) {
                return value;
            }
            value.end += 1;
            match byte {
                b'\n' | b'\r' | b' ' | b'\t' => continue,
                b'#' => {
                    value.end = line_end(text, at);
                    continue;
                }
                b'"' | b'\'' => match text_end(text, at, byte) {
                    Some(end) => value.end = end,
                    // Whatever else is open may be closed in the text that goes too far.
                    None => {
                        value.end = line_end(text, at);
                        value.last = value.end;
                        if !value.open.is_empty() {
                            value.open.push((at, byte));
                        }
                        return value;
                    }
                },
                b'[' | b'{' => value.open.push((at, byte)),
                b']' | b'}' => {
                    value.open.pop();
                    if value.open.is_empty() {
                        return value;
                    }
                }
                _ => {}
            }
            value.last = value.end;
        }
        value
    }

    /// Whether the line after this one is none of the value, but a statement of its own.
    fn is_left_at(&self, text: &str) -> bool {
        let next = text.get(self.end + 1..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
        let is_in_table = matches!(self.open.last(), Some((_, b'{')));
        let is_key = |key: &str| !key.trim().is_empty() && key.chars().all(is_bare);
        let is_statement = next.split_once('=').is_some_and(|(key, _)| is_key(key));
        (is_statement && !is_in_table) || Header::read(next).is_some_and(|header| header.is_plain())
    }
}

/// Of a key without quotes, its dots, and the space around these.
fn is_bare(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_-. \t".contains(letter)
}

fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |length| at + length)
}

/// Where the text in quotes ends that begins at `at`.
fn text_end(text: &str, at: usize, quote: u8) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    let quotes = rest.iter().take_while(|byte| **byte == quote).count();
    let is_long = quotes >= 3;
    if quotes == 2 || quotes >= 6 {
        return Some(at + quotes);
    }
    let mut index = if is_long { 3 } else { 1 };
    loop {
        let byte = *rest.get(index)?;
        if byte == b'\\' && quote == b'"' {
            index += 1;
        } else if byte == b'\n' && !is_long {
            return None;
        } else if byte == quote {
            let run = rest.iter().skip(index).take_while(|byte| **byte == quote).count();
            if !is_long {
                return Some(at + index + 1);
            }
            if run >= 3 {
                return Some(at + index + run);
            }
        }
        index += 1;
    }
}

/// The table that settings stand in.
#[derive(Default)]
struct Section {
    name: String,
    /// How many tables of that name there are, of those that are a list.
    lists: BTreeMap<String, usize>,
}

impl Section {
    fn enter(&mut self, line: &str) {
        let Some(header) = Header::read(line) else { return };
        let (first, rest) = header.name.split_once('.').unwrap_or((header.name, ""));
        if header.depth == 2 && rest.is_empty() {
            *self.lists.entry(first.to_owned()).or_default() += 1;
        }
        let number = self.lists.get(first).map(|count| (count - 1).to_string());
        let parts = [Some(first), number.as_deref(), Some(rest).filter(|rest| !rest.is_empty())];
        self.name = parts.into_iter().flatten().collect::<Vec<_>>().join(".");
    }

    fn setting(&self, key: &str) -> String {
        super::setting::join(&self.name, key)
    }
}

/// A table's header, as far as it can be read.
struct Header<'a> {
    /// Of brackets.
    depth: usize,
    name: &'a str,
    /// What follows on the name.
    rest: &'a str,
}

impl<'a> Header<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let depth = line.bytes().take(2).take_while(|byte| *byte == b'[').count();
        let inside = line.get(depth..).filter(|_| depth > 0)?;
        let end = inside.find(|letter| !is_bare(letter)).unwrap_or(inside.len());
        let (name, rest) = inside.split_at(end);
        let name = name.trim();
        (!name.is_empty()).then_some(Self { depth, name, rest: rest.trim() })
    }

    /// Whether it is closed as it was begun.
    fn is_whole(&self) -> bool {
        let after = self.rest.trim_start_matches(']');
        self.rest.len() - after.len() == self.depth && Self::is_over(after)
    }

    /// Whether nothing is wrong with it but that brackets may lack: no list looks like that.
    fn is_plain(&self) -> bool {
        self.name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && Self::is_over(self.rest.trim_start_matches(']'))
    }

    fn is_over(after: &str) -> bool {
        after.trim_start().is_empty() || after.trim_start().starts_with('#')
    }
}

/// `text` with the headers mended that stand on one of the `broken` lines, counted from one. Where that is not possible,
/// what stands below the header is left out, for nobody knows whose it is. Also the lines that were changed.
pub(super) fn close_headers(text: &str, broken: &BTreeSet<usize>) -> (String, BTreeSet<usize>) {
    let (mut mended, mut changed) = (String::with_capacity(text.len()), BTreeSet::new());
    let mut is_left_out = false;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let end = if line.ends_with('\n') { "\n" } else { "" };
        let is_header = line.trim_start().starts_with('[');
        let is_broken = is_header && broken.contains(&number);
        let header = Header::read(line);
        is_left_out = if is_broken { header.is_none() } else { is_left_out && !is_header };
        match header.filter(|header| is_broken && !header.is_whole()) {
            Some(Header { depth, name, .. }) => {
                let indent = line.get(..line.len() - line.trim_start().len()).unwrap_or_default();
                mended.push_str(&format!("{indent}{}{name}{}{end}", "[".repeat(depth), "]".repeat(depth)));
                changed.insert(number);
            }
            None if is_left_out => {
                mended.push_str(end);
                changed.insert(number);
            }
            None => mended.push_str(line),
        }
    }
    (mended, changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_closed_before_the_next_statement() {
        let check = |text: &str, expected: &str, open: &[(usize, &str, &str)]| {
            let (closed, found) = close_values(text);
            assert_eq!(closed, expected, "{text}");
            let found: Vec<_> = found.iter().map(|open| (open.at, &*open.setting, open.what)).collect();
            assert_eq!(found, open, "{text}");
        };
        let (list, table) = (what(b'['), what(b'{'));
        for whole in [
            "",
            "a = 1",
            "a = [\n  [\"b\"], # [x\n  ['c = ['],\n]\n[d]\n",
            "a = \"\"\"\n[b\nc = [\n\"\"\"\nd = \"\\\"[\"\n",
            "a = { b = [1],\n c = '}' }\n[d]\n",
        ] {
            check(whole, whole, &[]);
        }
        check("a = [1\n[b]\nc = 2\n", "a = [1]\n[b]\nc = 2\n", &[(4, "a", list)]);
        check("[x]\na = [ # b\n  1, # c\nd = 2", "[x]\na = [ # b\n  1,] # c\nd = 2", &[(8, "x.a", list)]);
        check("[[x]]\n[[x]]\n[x.y]\na = [[1]", "[[x]]\n[[x]]\n[x.y]\na = [[1]]", &[(22, "x.1.y.a", list)]);
        check("a = { b = 1\n[c]\n", "a = { b = 1}\n[c]\n", &[(4, "a", table)]);
        check("a = ['b]\nc = [\n", "a = ['b]']\nc = []\n", &[(5, "a", what(b'\'')), (13, "c", list)]);
    }

    #[test]
    fn a_broken_header_is_closed_or_nothing_stands_below_it() {
        let check = |text: &str, broken: &[usize], expected: &str, lines: &[usize]| {
            let (mended, changed) = close_headers(text, &broken.iter().copied().collect());
            assert_eq!((mended.as_str(), changed), (expected, lines.iter().copied().collect()), "{text}");
        };
        check("[a\nb = 1\n", &[1], "[a]\nb = 1\n", &[1]);
        check(" [[a]  # b\n", &[1], " [[a]]\n", &[1]);
        check("[a] b\n[c\n", &[1], "[a]\n[c\n", &[1]);
        check("[a] # b\n", &[1], "[a] # b\n", &[]);
        check("[a]\nb = \n", &[2], "[a]\nb = \n", &[]);
        check("[\nb = 1\n[c]\nd = 1", &[1], "\n\n[c]\nd = 1", &[1, 2]);
    }
}
