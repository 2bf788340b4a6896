//! The statement of a batch: of `sql/commit.sql` what the batch needs, since a part costs the database something also where
//! it has nothing to do. What a member with little to do commits is mostly one message, which needs no arrays either.

use std::fmt::Write;
use std::sync::LazyLock;

const TEMPLATE: &str = include_str!("sql/commit.sql");

/// How many parameters are before those of the rows: member, lane, number, moves, and whether the server is alone.
pub(super) const FIRST: usize = 5;

/// What a statement is for. There are few, since a connection prepares each that it meets, once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Of one owner, and no part has more than one row: they are no arrays.
    pub(super) is_one: bool,
    pub(super) has_appended: bool,
    pub(super) has_named: bool,
    pub(super) has_put: bool,
    pub(super) has_removed: bool,
    /// Has all parts, and arrays.
    pub(super) has_rare: bool,
}

/// Parts that a statement has, or has not, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Always,
    Appended,
    Named,
    Put,
    Removed,
    Rare,
}

/// Rows of a batch: a name, an alias, and the columns with their types.
type Part = (Group, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const IX: (&str, &str) = ("ix", "integer");
const OWNER: (&str, &str) = ("owner", "bytea");
const SLOT: (&str, &str) = ("slot", "integer");
const NAME: (&str, &str) = ("name", "bytea");
const COLLECTION: (&str, &str) = ("collection", "bytea");
const KEY: (&str, &str) = ("key", "bytea");
const LONG_KEY: (&str, &str) = ("long_key", "bytea");
const VERSION: (&str, &str) = ("version", "bigint");
const ID: (&str, &str) = ("id", "bigint");
const FIRST_ID: (&str, &str) = ("first_id", "bigint");
const VALUE: (&str, &str) = ("value", "bytea");
const RECORD: &[(&str, &str)] = &[IX, OWNER, COLLECTION, KEY, LONG_KEY, VERSION, VALUE];

/// In the order of their parameters.
const PARTS: &[Part] = &[
    (Group::Always, "owners", "o", &[IX, OWNER, SLOT, ("epoch", "bigint")]),
    (Group::Appended, "tails", "t", &[IX, OWNER, SLOT, NAME, FIRST_ID, ("tail", "bigint")]),
    (Group::Appended, "entries", "e", &[IX, OWNER, ID, VALUE]),
    (Group::Named, "named", "n", &[IX, OWNER, SLOT, NAME]),
    (Group::Put, "puts", "p", RECORD),
    (Group::Removed, "removed", "a", &[IX, OWNER, ID]),
    (Group::Rare, "amended", "m", &[IX, OWNER, ID, VALUE]),
    (Group::Rare, "replaced", "q", RECORD),
    (Group::Rare, "deleted", "d", &[IX, OWNER, COLLECTION, KEY]),
    (Group::Rare, "erased", "x", &[IX, OWNER, FIRST_ID, ("is_kept", "boolean")]),
    (Group::Rare, "guards", "g", &[IX, OWNER, COLLECTION, KEY, VERSION]),
];

static STATEMENTS: LazyLock<Vec<String>> = LazyLock::new(|| Shape::all().map(Shape::render).collect());

impl Shape {
    /// All of them, by their numbers.
    fn all() -> impl Iterator<Item = Self> {
        let common = (0..32).map(|bits| Self {
            is_one: bits & 1 != 0,
            has_appended: bits & 2 != 0,
            has_named: bits & 4 != 0,
            has_put: bits & 8 != 0,
            has_removed: bits & 16 != 0,
            has_rare: false,
        });
        common.chain([Self { has_rare: true, ..Self::default() }])
    }

    fn number(self) -> usize {
        let bits = [self.is_one, self.has_appended, self.has_named, self.has_put, self.has_removed];
        if self.has_rare {
            32
        } else {
            bits.iter().rev().fold(0, |number, bit| number * 2 + usize::from(*bit))
        }
    }

    /// The statement. Its parameters after the first are those of `Rows::parameters`.
    pub(super) fn statement(self) -> &'static str {
        STATEMENTS.get(self.number()).map_or("", |statement| statement)
    }

    fn has(self, group: Group) -> bool {
        self.has_rare
            || match group {
                Group::Always => true,
                Group::Appended => self.has_appended,
                Group::Named => self.has_named,
                Group::Put => self.has_put,
                Group::Removed => self.has_removed,
                Group::Rare => false,
            }
    }

    fn has_section(self, name: &str) -> bool {
        match name {
            "appended" => self.has(Group::Appended),
            "named" => self.has(Group::Named),
            "put" => self.has(Group::Put),
            "removed" => self.has(Group::Removed),
            _ => self.has_rare,
        }
    }

    fn render(self) -> String {
        let mut sql = String::new();
        let mut sections = vec![true];
        for line in TEMPLATE.lines() {
            let is_kept = sections.last() == Some(&true);
            match line.trim_start().strip_prefix("--") {
                None if is_kept => sql.extend([line, "\n"]),
                Some(section) if section.starts_with('[') => {
                    sections.push(is_kept && self.has_section(section.trim_start_matches(['[', ' '])));
                }
                Some("]") => {
                    sections.pop();
                }
                _ => {}
            }
        }
        let mut parameters = FIRST;
        for (group, name, alias, columns) in PARTS.iter().filter(|(group, ..)| self.has(*group)) {
            let rows = self.rows(*group, columns, &mut parameters);
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            sql = sql.replace(&format!("{{{name}}}"), &format!("{rows} AS {alias}({})", names.join(", ")));
        }
        sql
    }

    fn rows(self, group: Group, columns: &[(&str, &str)], parameters: &mut usize) -> String {
        let mut rows = String::from(if self.is_one { "(VALUES (" } else { "unnest(" });
        for (number, column) in columns.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            // The only owner is the first of the batch, and its own parameters are those after the common ones.
            let known = match *column {
                _ if !self.is_one => None,
                IX => Some("0".to_owned()),
                OWNER if group != Group::Always => Some(format!("${}", FIRST + 1)),
                SLOT if group != Group::Always => Some(format!("${}", FIRST + 2)),
                _ => None,
            };
            let value = known.unwrap_or_else(|| {
                *parameters += 1;
                format!("${parameters}")
            });
            let array = if self.is_one { "" } else { "[]" };
            // Writing into a string cannot fail.
            let _ = write!(rows, "{comma}{value}::{}{array}", column.1);
        }
        rows + if self.is_one { "))" } else { ")" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_shape_has_a_statement_with_parameters_in_a_row() {
        for (number, shape) in Shape::all().enumerate() {
            assert_eq!(shape.number(), number);
            let sql = shape.statement();
            assert!(!sql.contains(['{', '}']) && !sql.contains("--"), "{sql}");
            let used: BTreeSet<usize> = sql
                .split('$')
                .skip(1)
                .map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap())
                .collect();
            assert!(used.iter().copied().eq(1..=used.len()), "{sql}");
        }
    }

    #[test]
    fn a_message_is_no_more_than_it_is() {
        let shape = Shape { is_one: true, has_appended: true, ..Shape::default() };
        let sql = shape.statement();
        assert_eq!(sql.matches("INSERT").count(), 2, "{sql}");
        assert!(!sql.contains("unnest") && !sql.contains("DELETE") && !sql.contains("records"), "{sql}");
    }
}
