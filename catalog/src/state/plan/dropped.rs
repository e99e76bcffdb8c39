//! Planning drops of tables, and what becomes of dropped ones (D1-D3).

use std::sync::Arc;

use uuid::Uuid;

use super::super::dropped::is_protected;
use super::super::limits::{DROPPED_TABLES_MAX, EXPIRED_PER_COMMIT_MAX};
use super::super::{
    CatalogState, Change, Conflict, DropTable, DroppedTable, Guard, Mark, Properties, Purge, Relation,
    TableIdent, UndropTable,
};
use super::namespaces::check_warehouse_properties;
use super::{FreshIds, Loaded, Plan};

impl CatalogState {
    pub(super) fn plan_drop_table(
        &self,
        drop: &DropTable,
        loaded: &Loaded,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<Plan, Conflict> {
        let DropTable { ident, purge, guard, keep_ms } = drop;
        let entry = self.find_table(ident)?;
        // A table whose metadata cannot be read has no properties, and can be dropped.
        let metadata = loaded.get_readable(ident, &entry.metadata_location)?;
        let properties = metadata.map(|metadata| metadata.properties());
        check_guard(*guard, properties, || Conflict::TableProtected(ident.clone()))?;
        let keep_ms = self.keep_ms(&ident.warehouse, properties, *keep_ms)?;
        if keep_ms == 0 {
            let mut changes = vec![Change::DropTable { ident: ident.clone() }];
            match purge {
                Purge::Keep => {}
                Purge::Files => changes.extend(self.begin_purge(ident, entry, at)),
            }
            changes.extend(self.release(entry.uuid));
            return Ok(Plan::of(at, changes));
        }
        if self.dropped.len() >= DROPPED_TABLES_MAX {
            return Err(Conflict::TooManyDropped);
        }
        let until = at.saturating_add(keep_ms);
        let change = Change::SetAside { id: ids.uuid(), ident: ident.clone(), until, purge: *purge };
        Ok(Plan::of(at, vec![change]))
    }

    pub(super) fn plan_undrop_table(&self, undrop: &UndropTable, at: i64) -> Result<Plan, Conflict> {
        let UndropTable { ident, id, to } = undrop;
        self.find_warehouse(&ident.warehouse)?;
        let found = match id {
            Some(id) => self.dropped_table(id).filter(|dropped| dropped.ident == *ident),
            None => self.last_dropped(ident),
        };
        let dropped = found.ok_or_else(|| Conflict::NotDropped(ident.clone()))?;
        let to = to.as_ref().unwrap_or(ident);
        if to.warehouse != ident.warehouse {
            return Err(Conflict::Invalid("a table is not undropped into another warehouse".to_owned()));
        }
        self.check_absent(Relation::Table, to)?;
        if self.is_taken(dropped, at) {
            return Err(Conflict::PlaceTaken(ident.clone()));
        }
        Ok(Plan::of(at, vec![Change::BringBack { id: dropped.id, to: to.clone() }]))
    }

    /// Ends the keeping of a dropped table before its time.
    pub(super) fn plan_remove_dropped(&self, id: Uuid, at: i64) -> Result<Plan, Conflict> {
        let dropped = self.dropped_table(&id).ok_or(Conflict::NoSuchDropped(id))?;
        Ok(Plan::of(at, self.forget(dropped, &[id], at)))
    }

    /// Ends the keeping of those whose time is over at `now`; of many, those that ended first.
    pub(super) fn plan_expire_dropped(&self, now: i64, at: i64) -> Result<Plan, Conflict> {
        let (mut changes, mut gone) = (Vec::new(), Vec::new());
        for dropped in self.expired_tables(now).take(EXPIRED_PER_COMMIT_MAX) {
            gone.push(dropped.id);
            changes.extend(self.forget(dropped, &gone, at));
        }
        Ok(Plan::of(at, changes))
    }

    /// `gone`: this one, and those that the same commit ends before it.
    fn forget(&self, dropped: &Arc<DroppedTable>, gone: &[Uuid], at: i64) -> Vec<Change> {
        let of = Change::Mark(Mark::Of(dropped.ident.clone()));
        let mut changes = vec![Change::Forget { id: dropped.id }, of];
        match dropped.purge {
            Purge::Keep => {}
            Purge::Files => changes.extend(self.begin_purge_of_dropped(dropped, gone, at)),
        }
        changes.extend(self.release(dropped.entry.uuid));
        changes
    }

    pub(super) fn plan_update_warehouse(
        &self,
        name: &Arc<str>,
        updates: &Properties,
        removals: &[String],
        at: i64,
    ) -> Result<Plan, Conflict> {
        if let Some(both) = removals.iter().find(|key| updates.contains_key(*key)) {
            return Err(Conflict::SetAndRemoved(both.clone()));
        }
        let before = &self.find_warehouse(name)?.properties;
        let mut properties = (**before).clone();
        let missing = removals.iter().filter(|key| properties.remove(*key).is_none()).cloned().collect();
        properties.extend(updates.iter().map(|(key, value)| (key.clone(), value.clone())));
        check_warehouse_properties(&properties)?;
        let changes = if properties == **before {
            Vec::new()
        } else {
            vec![Change::PutWarehouse { name: Arc::clone(name), properties }]
        };
        Ok(Plan { missing, ..Plan::of(at, changes) })
    }

    /// The kept tables of a warehouse.
    pub(super) fn keeps_dropped(&self, warehouse: &str) -> bool {
        self.dropped.iter().any(|dropped| *dropped.ident.warehouse == *warehouse)
    }
}

/// Refuses what `properties` protect.
pub(super) fn check_guard(
    guard: Guard,
    properties: Option<&Properties>,
    refusal: impl FnOnce() -> Conflict,
) -> Result<(), Conflict> {
    match guard {
        Guard::Respect if properties.is_some_and(is_protected) => Err(refusal()),
        Guard::Respect | Guard::Override => Ok(()),
    }
}

impl DropTable {
    /// The drop that a client asks for, where the server keeps dropped tables for `keep_ms`.
    pub fn asked(ident: TableIdent, purge: Purge, keep_ms: i64) -> Self {
        Self { ident, purge, guard: Guard::Respect, keep_ms }
    }
}
