//! Settings as data: each has its key, the rule for its value, and whether it can change at run time. One
//! table per component drives reading, comparing, reloading and the tests over the example file.

use super::mistake::{Mistake, Place, Severity};
use super::suggest::suggestion;
use super::tree::{Node, Table, Value};

/// Whether a changed setting takes effect at a reload (SIGHUP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// At once; for what each stream or account has, from the next one on.
    Live,
    /// Only when the server starts.
    Restart,
}

/// A part of the configuration: one table of the file.
pub(super) trait Component: Clone + Default + 'static {
    /// Every setting of the table.
    const SETTINGS: &'static [Setting<Self>];
    /// The keys that have no default.
    const REQUIRED: &'static [&'static str] = &[];
}

/// One setting of component `C`.
pub(super) struct Setting<C: 'static> {
    pub(super) key: &'static str,
    pub(super) reload: Reload,
    pub(super) field: &'static dyn Field<C>,
}

/// A setting that takes effect at a reload.
pub(super) const fn live<C>(key: &'static str, field: &'static dyn Field<C>) -> Setting<C> {
    Setting { key, reload: Reload::Live, field }
}

/// A setting that takes effect at a start.
pub(super) const fn restart<C>(key: &'static str, field: &'static dyn Field<C>) -> Setting<C> {
    Setting { key, reload: Reload::Restart, field }
}

/// What is allowed for a value of type `T`.
pub(super) trait Rule<T>: Sync {
    /// What is allowed, for people.
    fn allowed(&self) -> String;

    /// Reads a value; on `None` the reader has at least one mistake more.
    fn read(&self, node: &Node, reader: &mut Reader) -> Option<T>;

    /// The value as text.
    fn show(&self, value: &T) -> String;

    /// Adds to `diff` what differs.
    fn compare(&self, path: &str, reload: Reload, old: &mut T, new: &mut T, diff: &mut Diff) {
        let (old, new) = (self.show(old), self.show(new));
        if old != new {
            let change = Change { setting: path.to_owned(), old, new };
            match reload {
                Reload::Live => diff.applied.push(change),
                Reload::Restart => diff.needs_restart.push(change),
            }
        }
    }

    /// Takes over from `new` what can change at run time.
    fn apply(&self, reload: Reload, running: &mut T, new: &mut T)
    where
        T: Clone,
    {
        if reload == Reload::Live {
            running.clone_from(new);
        }
    }

    /// Pushes the full names of the settings in here, `path` being that of the value.
    fn names(&self, path: &str, names: &mut Vec<String>) {
        names.push(path.to_owned());
    }
}

/// A component's field and its rule.
pub(super) struct At<C, T, R>(pub(super) fn(&mut C) -> &mut T, pub(super) R);

/// [`At`] with the field's type erased, so that a table can hold all of a component.
pub(super) trait Field<C>: Sync {
    fn allowed(&self) -> String;
    fn read(&self, component: &mut C, node: &Node, reader: &mut Reader);
    fn compare(&self, path: &str, reload: Reload, old: &mut C, new: &mut C, diff: &mut Diff);
    fn apply(&self, reload: Reload, running: &mut C, new: &mut C);
    fn names(&self, path: &str, names: &mut Vec<String>);
}

impl<C, T: Clone, R: Rule<T>> Field<C> for At<C, T, R> {
    fn allowed(&self) -> String {
        self.1.allowed()
    }

    fn read(&self, component: &mut C, node: &Node, reader: &mut Reader) {
        if let Some(value) = self.1.read(node, reader) {
            *(self.0)(component) = value;
        }
    }

    fn compare(&self, path: &str, reload: Reload, old: &mut C, new: &mut C, diff: &mut Diff) {
        self.1.compare(path, reload, (self.0)(old), (self.0)(new), diff);
    }

    fn apply(&self, reload: Reload, running: &mut C, new: &mut C) {
        self.1.apply(reload, (self.0)(running), (self.0)(new));
    }

    fn names(&self, path: &str, names: &mut Vec<String>) {
        self.1.names(path, names);
    }
}

/// One setting that differs between two configurations, with both values as text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Change {
    /// The setting's full name.
    pub setting: String,
    /// The value in force.
    pub old: String,
    /// The value in the file.
    pub new: String,
}

/// What a reload does with the settings that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Diff {
    /// In force after the reload.
    pub applied: Vec<Change>,
    /// In force only after the next start.
    pub needs_restart: Vec<Change>,
}

/// Reads a tree and collects every mistake on the way.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) mistakes: Vec<Mistake>,
    /// The addresses listened on so far, with the settings that name them.
    pub(super) addresses: Vec<(std::net::SocketAddr, String)>,
    /// Whether parts of the file could not be read, so that nothing can be said to be missing.
    pub(super) is_partial: bool,
    path: Vec<String>,
}

impl Reader {
    /// The full name of what is being read.
    pub(super) fn setting(&self) -> String {
        self.path.join(".")
    }

    /// Notes a mistake in what is being read.
    pub(super) fn mistake(&mut self, place: &Place, what: String, allowed: String) {
        let setting = self.setting();
        self.mistakes.push(Mistake {
            severity: Severity::Error,
            place: place.clone(),
            setting,
            what,
            allowed,
        });
    }

    /// Notes a mistake in the setting at `path` of `root`; of one that is not written, where the table is that lacks it.
    pub(super) fn at(&mut self, root: &Table, path: &[&str], what: &str, allowed: &str) {
        let written = (1..=path.len()).rev().find_map(|length| root.node(path.get(..length)?));
        let place = written.map_or(Place::Whole, |node| node.place.clone());
        self.within(&path.join("."), |reader| reader.mistake(&place, what.to_owned(), allowed.to_owned()));
    }

    /// Notes that a value has the wrong type.
    pub(super) fn wrong_type(&mut self, node: &Node, allowed: String) {
        self.mistake(&node.place, format!("is {}", node.kind()), allowed);
    }

    /// Reads with `part` added to the path.
    pub(super) fn within<T>(&mut self, part: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(part.to_owned());
        let value = read(self);
        self.path.pop();
        value
    }

    /// Reads one table as a component; `place` is the table's.
    pub(super) fn component<C: Component>(&mut self, table: &Table, place: &Place) -> C {
        let mut component = C::default();
        for entry in &table.entries {
            let setting = C::SETTINGS.iter().find(|setting| setting.key == entry.key);
            self.within(&entry.key, |reader| match setting {
                Some(setting) => setting.field.read(&mut component, &entry.node, reader),
                None => reader.unknown::<C>(&entry.key, &entry.key_place),
            });
        }
        for setting in C::SETTINGS.iter().filter(|setting| C::REQUIRED.contains(&setting.key)) {
            if table.get(setting.key).is_none() && !self.is_partial {
                self.mistake(place, format!("lacks {}", setting.key), setting.field.allowed());
            }
        }
        component
    }

    fn unknown<C: Component>(&mut self, key: &str, place: &Place) {
        let keys = C::SETTINGS.iter().map(|setting| setting.key);
        let what = format!("is no setting{}", suggestion(key, keys.clone(), ""));
        self.mistake(place, what, keys.collect::<Vec<_>>().join(", "));
    }
}

/// A component inside another one: a table in a table.
pub(super) struct Section;

impl<C: Component> Rule<C> for Section {
    fn allowed(&self) -> String {
        "a table".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<C> {
        let Value::Table(table) = &node.value else {
            reader.wrong_type(node, Rule::<C>::allowed(self));
            return None;
        };
        Some(reader.component(table, &node.place))
    }

    fn show(&self, _value: &C) -> String {
        String::new()
    }

    fn compare(&self, path: &str, _reload: Reload, old: &mut C, new: &mut C, diff: &mut Diff) {
        for setting in C::SETTINGS {
            setting.field.compare(&join(path, setting.key), setting.reload, old, new, diff);
        }
    }

    fn apply(&self, _reload: Reload, running: &mut C, new: &mut C) {
        for setting in C::SETTINGS {
            setting.field.apply(setting.reload, running, new);
        }
    }

    fn names(&self, path: &str, names: &mut Vec<String>) {
        for setting in C::SETTINGS {
            setting.field.names(&join(path, setting.key), names);
        }
    }
}

/// The full name of `key` below `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
