//! A batch as the parameters of its statement: each part's rows as columns.

use super::fold::{Change, Folded, Version};
use super::names;
use super::statement::Shape;
use crate::backend::by_owner;
use bytes::BytesMut;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use stentor_engine::{Batch, CommitError, Epoch, Key, WriteSet};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

type Parameter<'a> = &'a (dyn ToSql + Sync);

/// The batch, with what is known of its refusals before it is asked for. The parts are those of `statement.rs`.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    /// By their places.
    pub(super) owners: Vec<(&'a Key, Option<CommitError>)>,
    set: Owners,
    tails: Tails,
    entries: Valued<'a>,
    named: Names,
    puts: Puts<'a>,
    removed: Numbered,
    amended: Valued<'a>,
    replaced: Puts<'a>,
    deleted: Named<'a>,
    erased: Erased,
    guards: Guards<'a>,
}

/// Whose a row is: the place in the batch, and the name as it is stored.
#[derive(Debug, Default)]
struct Whose {
    ix: Vec<i32>,
    owner: Vec<Owner>,
}

/// All rows of an owner have the same.
#[derive(Clone, Debug)]
struct Owner(Arc<[u8]>);

#[derive(Debug, Default)]
struct Owners {
    whose: Whose,
    slot: Vec<i32>,
    epoch: Vec<i64>,
}

#[derive(Debug, Default)]
struct Names {
    whose: Whose,
    slot: Vec<i32>,
    name: Vec<Vec<u8>>,
}

/// Of logs with another last id.
#[derive(Debug, Default)]
struct Tails {
    names: Names,
    first: Vec<i64>,
    tail: Vec<i64>,
}

#[derive(Debug, Default)]
struct Erased {
    whose: Whose,
    first: Vec<i64>,
    is_kept: Vec<bool>,
}

/// Records.
#[derive(Debug, Default)]
struct Named<'a> {
    whose: Whose,
    collection: Vec<&'a [u8]>,
    key: Vec<Cow<'a, [u8]>>,
}

#[derive(Debug, Default)]
struct Guards<'a> {
    named: Named<'a>,
    version: Vec<i64>,
}

#[derive(Debug, Default)]
struct Puts<'a> {
    named: Named<'a>,
    long_key: Vec<Option<&'a [u8]>>,
    version: Vec<i64>,
    value: Vec<&'a [u8]>,
}

/// Log entries.
#[derive(Debug, Default)]
struct Numbered {
    whose: Whose,
    id: Vec<i64>,
}

#[derive(Debug, Default)]
struct Valued<'a> {
    numbered: Numbered,
    value: Vec<&'a [u8]>,
}

/// What is compared only: no row has a negative one.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

impl<'a> Rows<'a> {
    pub(super) fn of(batch: &'a Batch) -> Self {
        let epochs = epochs(&batch.sets);
        let mut rows = Self::default();
        for (ix, (owner, sets)) in (0..).zip(by_owner(batch)) {
            let (folded, error) = match Folded::of(owner, sets.into_iter().flatten()) {
                Ok(folded) => (folded, None),
                // Only its slot is looked at then.
                Err(error) => (Folded::default(), Some(error)),
            };
            // One of two epochs is not the slot's.
            let epoch = epochs.get(owner).copied().flatten();
            rows.push(ix, owner, epoch.map_or(-1, |Epoch(epoch)| number(epoch)), folded);
            rows.owners.push((owner, error));
        }
        rows
    }

    fn push(&mut self, ix: i32, key: &Key, epoch: i64, folded: Folded<'a>) {
        let (kind, address) = key.parts();
        let (name, slot) = (names::name(kind, address), i32::from(key.slot().number()));
        let owner = &Owner(Arc::from(&*names::owner(&name)));
        self.set.whose.push(ix, owner);
        self.set.slot.push(slot);
        self.set.epoch.push(epoch);
        // Greater than any: nothing is expected of the log.
        let first = folded.first.map_or(i64::MAX, |id| number(id.0));
        let is_kept = folded.is_kept();
        if folded.is_erased {
            self.erased.whose.push(ix, owner);
            self.erased.first.push(first);
            self.erased.is_kept.push(is_kept);
        }
        if is_kept && (folded.is_erased || folded.tail.0 > 0) {
            self.tails.names.push(ix, owner, slot, name);
            self.tails.first.push(first);
            self.tails.tail.push(number(folded.tail.0));
        } else if is_kept {
            self.named.push(ix, owner, slot, name);
        }
        for ((collection, key), cell) in folded.records {
            if let Some(expected) = cell.expected {
                self.guards.named.push(ix, owner, collection, key);
                self.guards.version.push(number(expected));
            }
            match (cell.change, cell.version) {
                (Change::Put(value), Version::Added(n)) => {
                    self.puts.push(ix, owner, (collection, key), n, value)
                }
                (Change::Put(value), Version::Known(n)) => {
                    self.replaced.push(ix, owner, (collection, key), n, value)
                }
                (Change::Delete, _) if !folded.is_erased => self.deleted.push(ix, owner, collection, key),
                (Change::Delete | Change::None, _) => {}
            }
        }
        for (id, value) in folded.entries {
            if let Some(value) = value {
                self.entries.push(ix, owner, id.0, value);
            }
        }
        for (id, value) in folded.amended {
            match value {
                Some(value) => self.amended.push(ix, owner, id.0, value),
                None => self.removed.push(ix, owner, id.0),
            }
        }
    }

    /// What statement it takes.
    pub(super) fn shape(&self) -> Shape {
        let is_rare = !self.amended.numbered.id.is_empty()
            || !self.replaced.version.is_empty()
            || !self.deleted.key.is_empty()
            || !self.erased.first.is_empty()
            || !self.guards.version.is_empty();
        if is_rare {
            return Shape { has_rare: true, ..Shape::default() };
        }
        let [tails, entries, named, puts, removed] = [
            self.tails.tail.len(),
            self.entries.value.len(),
            self.named.slot.len(),
            self.puts.version.len(),
            self.removed.id.len(),
        ];
        Shape {
            is_one: self.owners.len() == 1 && tails == entries && entries.max(puts).max(removed) <= 1,
            has_appended: tails > 0,
            has_named: named > 0,
            has_put: puts > 0,
            has_removed: removed > 0,
            has_rare: false,
        }
    }

    /// The parameters of that statement after the first, which are given.
    pub(super) fn parameters<'r>(&'r self, shape: Shape, first: Vec<Parameter<'r>>) -> Vec<Parameter<'r>> {
        let mut to = Parameters { is_one: shape.is_one, all: first };
        match shape.is_one {
            true => to.column(&self.set.whose.owner),
            false => self.set.whose.give(&mut to),
        }
        to.column(&self.set.slot);
        to.column(&self.set.epoch);
        if shape.has_appended || shape.has_rare {
            self.tails.names.give(&mut to);
            to.column(&self.tails.first);
            to.column(&self.tails.tail);
            self.entries.give(&mut to);
        }
        if shape.has_named || shape.has_rare {
            self.named.give(&mut to);
        }
        if shape.has_put || shape.has_rare {
            self.puts.give(&mut to);
        }
        if shape.has_removed || shape.has_rare {
            self.removed.give(&mut to);
        }
        if shape.has_rare {
            self.amended.give(&mut to);
            self.replaced.give(&mut to);
            self.deleted.give(&mut to);
            self.erased.whose.give(&mut to);
            to.column(&self.erased.first);
            to.column(&self.erased.is_kept);
            self.guards.named.give(&mut to);
            to.column(&self.guards.version);
        }
        to.all
    }
}

/// The epoch of each owner's sets; none if they are of several.
fn epochs(sets: &[WriteSet]) -> HashMap<&Key, Option<Epoch>> {
    let mut epochs = HashMap::with_capacity(sets.len());
    for set in sets {
        let epoch = epochs.entry(&set.owner).or_insert(Some(set.epoch));
        if *epoch != Some(set.epoch) {
            *epoch = None;
        }
    }
    epochs
}

/// Columns, or the values of the only row.
struct Parameters<'r> {
    is_one: bool,
    all: Vec<Parameter<'r>>,
}

impl<'r> Parameters<'r> {
    fn column<T: ToSql + Sync>(&mut self, values: &'r Vec<T>) {
        match values.first() {
            Some(value) if self.is_one => self.all.push(value),
            _ => self.all.push(values),
        }
    }

    /// What is said of the only owner once.
    fn column_of_owners<T: ToSql + Sync>(&mut self, values: &'r Vec<T>) {
        if !self.is_one {
            self.all.push(values);
        }
    }
}

impl Whose {
    fn push(&mut self, ix: i32, owner: &Owner) {
        self.ix.push(ix);
        self.owner.push(owner.clone());
    }

    fn give<'r>(&'r self, to: &mut Parameters<'r>) {
        to.column_of_owners(&self.ix);
        to.column_of_owners(&self.owner);
    }
}

impl Names {
    fn push(&mut self, ix: i32, owner: &Owner, slot: i32, name: Vec<u8>) {
        self.whose.push(ix, owner);
        self.slot.push(slot);
        self.name.push(name);
    }

    fn give<'r>(&'r self, to: &mut Parameters<'r>) {
        self.whose.give(to);
        to.column_of_owners(&self.slot);
        to.column(&self.name);
    }
}

impl<'a> Named<'a> {
    fn push(&mut self, ix: i32, owner: &Owner, collection: &'a str, key: &'a str) {
        self.whose.push(ix, owner);
        self.collection.push(collection.as_bytes());
        self.key.push(names::key(key));
    }

    fn give<'r>(&'r self, to: &mut Parameters<'r>) {
        self.whose.give(to);
        to.column(&self.collection);
        to.column(&self.key);
    }
}

impl<'a> Puts<'a> {
    fn push(&mut self, ix: i32, owner: &Owner, name: (&'a str, &'a str), version: u64, value: &'a [u8]) {
        self.named.push(ix, owner, name.0, name.1);
        self.long_key.push(names::long_key(name.1));
        self.version.push(number(version));
        self.value.push(value);
    }

    fn give<'r>(&'r self, to: &mut Parameters<'r>) {
        self.named.give(to);
        to.column(&self.long_key);
        to.column(&self.version);
        to.column(&self.value);
    }
}

impl Numbered {
    fn push(&mut self, ix: i32, owner: &Owner, id: u64) {
        self.whose.push(ix, owner);
        self.id.push(number(id));
    }

    fn give<'r>(&'r self, to: &mut Parameters<'r>) {
        self.whose.give(to);
        to.column(&self.id);
    }
}

impl<'a> Valued<'a> {
    fn push(&mut self, ix: i32, owner: &Owner, id: u64, value: &'a [u8]) {
        self.numbered.push(ix, owner, id);
        self.value.push(value);
    }

    fn give<'r>(&'r self, to: &mut Parameters<'r>) {
        self.numbered.give(to);
        to.column(&self.value);
    }
}

impl ToSql for Owner {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        (&*self.0).to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <&[u8] as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}
