//! Dropped tables that are kept for a while and can be brought back.
//!
//! - D1: a table that is kept has its entry, all its revisions and its files as they were; nothing purges them.
//! - D2: it is kept until its time, which is part of the drop; only an expiry with a later time or an
//!   administrator ends that. A purge that the drop asked for begins then (G1).
//! - D3: its name is free at once. It comes back under a name that is free, and is not changed by it.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use uuid::Uuid;

use super::{CatalogState, Conflict, Properties, Purge, TableEntry, TableIdent};

/// Property of a table or warehouse: how long a dropped table is kept, in seconds; 0 is not at all. The table's
/// stands over the warehouse's, that over the server's setting.
pub const KEEP_PROPERTY: &str = "tarn.keep-dropped-seconds";
/// Property of a table or namespace: `true` refuses to drop it.
pub const PROTECTED_PROPERTY: &str = "tarn.protected";
/// The longest that a dropped table may be kept, in seconds: ten years.
pub const KEEP_SECONDS_MAX: u64 = 10 * 365 * 24 * 3600;

/// A dropped table that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct DroppedTable {
    /// Of this drop: a name can be dropped many times.
    pub id: Uuid,
    /// The name it had.
    pub ident: TableIdent,
    /// The table as it was.
    pub entry: Arc<TableEntry>,
    /// When it was dropped; milliseconds since 1970.
    pub at: i64,
    /// When it goes; milliseconds since 1970.
    pub until: i64,
    /// What becomes of its files then.
    pub purge: Purge,
}

/// The dropped tables that are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DroppedTables {
    by_id: OrdMap<Uuid, Arc<DroppedTable>>,
    by_end: OrdSet<(i64, Uuid)>,
}

impl DroppedTables {
    pub(super) fn insert(&mut self, dropped: DroppedTable) {
        self.remove(&dropped.id);
        self.by_end.insert((dropped.until, dropped.id));
        self.by_id.insert(dropped.id, Arc::new(dropped));
    }

    pub(super) fn remove(&mut self, id: &Uuid) -> Option<Arc<DroppedTable>> {
        let dropped = self.by_id.remove(id)?;
        self.by_end.remove(&(dropped.until, dropped.id));
        Some(dropped)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<DroppedTable>> {
        self.by_id.values()
    }
}

impl CatalogState {
    /// The dropped tables that are kept, in order of id, those after `after`.
    pub fn dropped_tables(&self, after: Option<Uuid>) -> impl Iterator<Item = &Arc<DroppedTable>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.dropped.by_id.range((from, Bound::Unbounded)).map(|(_, dropped)| dropped)
    }

    /// A dropped table that is kept.
    pub fn dropped_table(&self, id: &Uuid) -> Option<&Arc<DroppedTable>> {
        self.dropped.by_id.get(id)
    }

    /// The table of this name that was dropped last.
    pub fn last_dropped(&self, ident: &TableIdent) -> Option<&Arc<DroppedTable>> {
        let of_name = self.dropped.iter().filter(|dropped| dropped.ident == *ident);
        of_name.max_by_key(|dropped| (dropped.at, dropped.until, dropped.id))
    }

    /// Those whose time is over at `now`, in order of their end.
    pub(crate) fn expired_tables(&self, now: i64) -> impl Iterator<Item = &Arc<DroppedTable>> {
        let ended = self.dropped.by_end.iter().take_while(move |(until, _)| *until <= now);
        ended.filter_map(|(_, id)| self.dropped.by_id.get(id))
    }

    /// When the next one's time is over; milliseconds since 1970.
    pub(crate) fn next_expiry(&self) -> Option<i64> {
        self.dropped.by_end.get_min().map(|(until, _)| *until)
    }

    /// How long a table of this warehouse is kept when it is dropped, in milliseconds. `table` are its properties,
    /// `default_ms` is the server's setting.
    pub(crate) fn keep_ms(
        &self,
        warehouse: &str,
        table: Option<&Properties>,
        default_ms: i64,
    ) -> Result<i64, Conflict> {
        let found = self.warehouse(warehouse).map(|found| &*found.properties);
        for properties in table.into_iter().chain(found) {
            if let Some(keep_ms) = keep_ms_of(properties)? {
                return Ok(keep_ms);
            }
        }
        Ok(default_ms)
    }
}

/// What properties say of the time to keep dropped tables, in milliseconds.
pub(crate) fn keep_ms_of(properties: &Properties) -> Result<Option<i64>, Conflict> {
    let Some(text) = properties.get(KEEP_PROPERTY) else { return Ok(None) };
    let seconds = text.trim().parse::<u64>().ok().filter(|&seconds| seconds <= KEEP_SECONDS_MAX);
    let seconds = seconds.ok_or_else(|| {
        Conflict::Invalid(format!(
            "property {KEEP_PROPERTY}='{text}' is no number of seconds up to {KEEP_SECONDS_MAX}"
        ))
    })?;
    Ok(Some(seconds as i64 * 1000))
}

/// Do these properties refuse a drop?
pub(crate) fn is_protected(properties: &Properties) -> bool {
    properties.get(PROTECTED_PROPERTY).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}
