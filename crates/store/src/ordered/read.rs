//! Questions and exports over one state of a table.

use super::layout::{self, Keys, Place};
use super::{Order, Span, View};
use crate::backend::{Fault, Having};
use crate::row::{OwnedRow, Owner, Row};
use std::ops::{Bound, ControlFlow};
use stentor_engine::{Collection, LogId, LogRow, Query, Record, Rows};

/// The answer to one question.
pub(super) fn query(view: &impl View, keys: &Keys, query: &Query) -> Result<Rows, Fault> {
    match query {
        Query::Record { collection, key } => {
            let row = view.get(&keys.row(Place::Record(collection.0, key)))?;
            let record = |(version, value)| Record { key: key.clone(), version, value };
            let stored = row.map(|row| layout::read_record(&row)).transpose()?;
            Ok(Rows::Record(stored.map(record)))
        }
        Query::Records { collection, after, limit } => {
            let first = keys.row(Place::Record(collection.0, after.as_deref().unwrap_or_default()));
            let end = layout::after_prefix(keys.row(Place::Record(collection.0, "")));
            let start = if after.is_some() { Bound::Excluded(&*first) } else { Bound::Included(&*first) };
            records(view, (start, Bound::Excluded(&end)), *limit).map(Rows::Records)
        }
        Query::LogAfter { after, limit } => {
            let (first, last) = (keys.row(Place::Log(*after)), keys.row(Place::Log(LogId(u64::MAX))));
            log(view, (Bound::Excluded(&first), Bound::Included(&last)), Order::Up, *limit).map(Rows::Log)
        }
        Query::LogBefore { before, limit } => {
            let first = keys.row(Place::Log(LogId(0)));
            let last = keys.row(Place::Log(before.unwrap_or(LogId(u64::MAX))));
            let end = if before.is_some() { Bound::Excluded(&*last) } else { Bound::Included(&*last) };
            log(view, (Bound::Included(&first), end), Order::Down, *limit).map(Rows::Log)
        }
        Query::Tail => Ok(Rows::Tail(id(view, &keys.row(Place::Tail))?.unwrap_or_default())),
    }
}

fn id(view: &impl View, key: &[u8]) -> Result<Option<LogId>, Fault> {
    view.get(key)?.map(|row| layout::read_id(&row)).transpose()
}

fn records(view: &impl View, span: Span<'_>, limit: u32) -> Result<Vec<Record>, Fault> {
    let mut found = Vec::new();
    at_most(view, span, Order::Up, limit, |key, row| {
        let (_, Place::Record(_, name)) = layout::parse(key)? else {
            return Err(Fault::Corrupt("a row that is no record among records"));
        };
        let (version, value) = layout::read_record(row)?;
        found.push(Record { key: name.into(), version, value });
        Ok(())
    })?;
    Ok(found)
}

fn log(view: &impl View, span: Span<'_>, order: Order, limit: u32) -> Result<Vec<LogRow>, Fault> {
    let mut found = Vec::new();
    if is_empty(span) {
        return Ok(found);
    }
    at_most(view, span, order, limit, |key, row| {
        let (_, Place::Log(id)) = layout::parse(key)? else {
            return Err(Fault::Corrupt("a row that is no entry in a log"));
        };
        let value = layout::read_entry(row)?;
        found.push(LogRow { id, value });
        Ok(())
    })?;
    Ok(found)
}

/// Whether nothing can be between them; engines panic at ranges that end before they start.
fn is_empty(span: Span<'_>) -> bool {
    match span {
        (Bound::Excluded(start), Bound::Included(end)) | (Bound::Included(start), Bound::Excluded(end)) => {
            start >= end
        }
        _ => false,
    }
}

fn at_most(
    view: &impl View,
    span: Span<'_>,
    order: Order,
    limit: u32,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut left = limit;
    if left == 0 {
        return Ok(());
    }
    view.scan(span, order, &mut |key, row| {
        visit(key, row)?;
        left -= 1;
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
}

/// Gives every row, in the order of keys, until `each` answers false.
pub(super) fn rows(view: &impl View, each: &mut dyn FnMut(OwnedRow) -> bool) -> Result<(), Fault> {
    view.scan((Bound::Unbounded, Bound::Unbounded), Order::Up, &mut |key, value| {
        let (owner, place) = layout::parse(key)?;
        let row = match place {
            Place::Record(collection, key) => {
                let (version, value) = layout::read_record(value)?;
                Row::Record { collection: collection.into(), key: key.into(), version, value }
            }
            Place::Log(id) => Row::Entry { id, value: layout::read_entry(value)? },
            Place::Tail => Row::Tail(layout::read_id(value)?),
        };
        Ok(if each(OwnedRow { owner, row }) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })
}

/// Two seeks an owner, whatever it has: to its first row, and to one that is asked for.
pub(super) fn owners(
    view: &impl View,
    after: Option<&Owner>,
    limit: usize,
    having: Having,
) -> Result<Vec<Owner>, Fault> {
    let mut owners = Vec::new();
    let mut start = after.map(|owner| Keys::from(owner).end()).unwrap_or_default();
    while owners.len() < limit {
        let Some(first) = first_key(view, (Bound::Included(&start), Bound::Unbounded))? else { break };
        let (owner, _) = layout::parse(&first)?;
        let keys = Keys::from(&owner);
        let (first, last) = match having {
            Having::Record(Collection(name)) => {
                let first = keys.row(Place::Record(name, ""));
                (first.clone(), layout::after_prefix(first))
            }
            Having::Entry => (keys.row(Place::Log(LogId(0))), keys.row(Place::Log(LogId(u64::MAX)))),
        };
        if first_key(view, (Bound::Included(&first), Bound::Included(&last)))?.is_some() {
            owners.push(owner);
        }
        start = keys.end();
    }
    Ok(owners)
}

fn first_key(view: &impl View, span: Span<'_>) -> Result<Option<Vec<u8>>, Fault> {
    let mut found = None;
    at_most(view, span, Order::Up, 1, |key, _| {
        found = Some(key.to_vec());
        Ok(())
    })?;
    Ok(found)
}
