//! A batch as the parameters of its statement: each kind of row as columns.

use super::fold::{Change, Folded, Version};
use super::names;
use crate::backend::by_owner;
use std::borrow::Cow;
use std::collections::HashMap;
use stentor_engine::{Batch, CommitError, Epoch, Key, WriteSet};
use tokio_postgres::types::ToSql;

type Parameter<'a> = &'a (dyn ToSql + Sync);

/// The batch, with what is known of its refusals before it is asked for.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    /// By their places.
    pub(super) owners: Vec<(&'a Key, Option<CommitError>)>,
    set: Owners,
    guards: Guards<'a>,
    puts: Puts<'a>,
    deleted: Named<'a>,
    entries: Valued<'a>,
    amended: Valued<'a>,
    removed: Numbered,
}

#[derive(Debug, Default)]
struct Owners {
    ix: Vec<i32>,
    owner: Vec<Vec<u8>>,
    name: Vec<Vec<u8>>,
    slot: Vec<i32>,
    epoch: Vec<i64>,
    first: Vec<i64>,
    tail: Vec<i64>,
    is_erased: Vec<bool>,
    is_kept: Vec<bool>,
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
    is_added: Vec<bool>,
    value: Vec<&'a [u8]>,
}

#[derive(Debug, Default)]
struct Named<'a> {
    ix: Vec<i32>,
    collection: Vec<&'a [u8]>,
    key: Vec<Cow<'a, [u8]>>,
}

#[derive(Debug, Default)]
struct Numbered {
    ix: Vec<i32>,
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
        let mut rows = Self {
            owners: Vec::new(),
            set: Owners::default(),
            guards: Guards::default(),
            puts: Puts::default(),
            deleted: Named::default(),
            entries: Valued::default(),
            amended: Valued::default(),
            removed: Numbered::default(),
        };
        for (ix, (owner, sets)) in (0..).zip(by_owner(batch)) {
            let epoch = epochs.get(owner).copied().unwrap_or(None);
            let folded = Folded::of(owner, sets.into_iter().flatten());
            // One of two epochs is not the slot's.
            let epoch = epoch.map_or(-1, |Epoch(epoch)| number(epoch));
            let (folded, error) = match folded {
                Ok(folded) => (folded, None),
                // Only its slot is looked at then.
                Err(error) => (Folded::default(), Some(error)),
            };
            rows.set.push(ix, owner, epoch, &folded);
            rows.owners.push((owner, error));
            rows.push(ix, folded);
        }
        rows
    }

    fn push(&mut self, ix: i32, folded: Folded<'a>) {
        for ((collection, key), cell) in folded.records {
            if let Some(expected) = cell.expected {
                self.guards.named.push(ix, collection, key);
                self.guards.version.push(number(expected));
            }
            match cell.change {
                Change::Put(value) => {
                    let (version, is_added) = match cell.version {
                        Version::Added(version) => (version, true),
                        Version::Known(version) => (version, false),
                    };
                    self.puts.named.push(ix, collection, key);
                    self.puts.long_key.push(names::long_key(key));
                    self.puts.version.push(number(version));
                    self.puts.is_added.push(is_added);
                    self.puts.value.push(value);
                }
                Change::Delete if !folded.is_erased => self.deleted.push(ix, collection, key),
                Change::Delete | Change::None => {}
            }
        }
        for (id, value) in folded.entries {
            if let Some(value) = value {
                self.entries.push(ix, id.0, value);
            }
        }
        for (id, value) in folded.amended {
            match value {
                Some(value) => self.amended.push(ix, id.0, value),
                None => self.removed.push(ix, id.0),
            }
        }
    }

    /// Runs `with` on all parameters of `commit.sql` after the first five, in its order.
    pub(super) fn with_parameters<R>(&self, with: impl FnOnce(&[Parameter<'_>]) -> R) -> R {
        let set = &self.set;
        let owner = |ix: &[i32]| -> Vec<&[u8]> {
            ix.iter().map(|ix| set.owner.get(*ix as usize).map_or(&[][..], |owner| owner)).collect()
        };
        let (guards, puts, deleted) = (&self.guards, &self.puts, &self.deleted);
        let (entries, amended, removed) = (&self.entries, &self.amended, &self.removed);
        with(&[
            &set.ix,
            &set.owner,
            &set.name,
            &set.slot,
            &set.epoch,
            &set.first,
            &set.tail,
            &set.is_erased,
            &set.is_kept,
            &guards.named.ix,
            &owner(&guards.named.ix),
            &guards.named.collection,
            &guards.named.key,
            &guards.version,
            &puts.named.ix,
            &owner(&puts.named.ix),
            &puts.named.collection,
            &puts.named.key,
            &puts.long_key,
            &puts.version,
            &puts.is_added,
            &puts.value,
            &deleted.ix,
            &owner(&deleted.ix),
            &deleted.collection,
            &deleted.key,
            &entries.numbered.ix,
            &owner(&entries.numbered.ix),
            &entries.numbered.id,
            &entries.value,
            &amended.numbered.ix,
            &owner(&amended.numbered.ix),
            &amended.numbered.id,
            &amended.value,
            &removed.ix,
            &owner(&removed.ix),
            &removed.id,
        ])
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

impl Owners {
    fn push(&mut self, ix: i32, owner: &Key, epoch: i64, folded: &Folded<'_>) {
        let (kind, address) = owner.parts();
        let name = names::name(kind, address);
        self.ix.push(ix);
        self.owner.push(names::owner(&name).into_owned());
        self.name.push(name);
        self.slot.push(owner.slot().number().into());
        self.epoch.push(epoch);
        // Greater than any: nothing is expected of the log.
        self.first.push(folded.first.map_or(i64::MAX, |id| number(id.0)));
        self.tail.push(number(folded.tail.0));
        self.is_erased.push(folded.is_erased);
        self.is_kept.push(folded.is_kept());
    }
}

impl<'a> Named<'a> {
    fn push(&mut self, ix: i32, collection: &'a str, key: &'a str) {
        self.ix.push(ix);
        self.collection.push(collection.as_bytes());
        self.key.push(names::key(key));
    }
}

impl Numbered {
    fn push(&mut self, ix: i32, id: u64) {
        self.ix.push(ix);
        self.id.push(number(id));
    }
}

impl<'a> Valued<'a> {
    fn push(&mut self, ix: i32, id: u64, value: &'a [u8]) {
        self.numbered.push(ix, id);
        self.value.push(value);
    }
}
