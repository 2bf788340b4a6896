//! The entities of an arbiter, by key; and their keys in order, so that who is here is told page by page.

use crate::local::Handle;
use std::collections::{BTreeSet, HashMap};
use std::ops::{Bound, Deref};
use stentor_engine::Key;

/// See the module. It is looked into as a map.
#[derive(Default)]
pub(crate) struct Entities {
    handles: HashMap<Key, Handle>,
    order: BTreeSet<Key>,
}

impl Entities {
    pub(crate) fn insert(&mut self, key: Key, handle: Handle) {
        self.order.insert(key.clone());
        self.handles.insert(key, handle);
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        self.order.remove(key);
        self.handles.remove(key);
    }

    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&Key, &Handle) -> bool) {
        let order = &mut self.order;
        self.handles.retain(|key, handle| {
            let stays = stays(key, handle);
            if !stays {
                order.remove(key);
            }
            stays
        });
    }

    /// The first so many behind `after`, or of all.
    pub(crate) fn page(&self, after: Option<&Key>, limit: usize) -> impl Iterator<Item = &Key> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range::<Key, _>((after, Bound::Unbounded)).take(limit)
    }
}

impl Deref for Entities {
    type Target = HashMap<Key, Handle>;

    fn deref(&self) -> &Self::Target {
        &self.handles
    }
}
