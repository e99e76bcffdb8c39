//! Planning a rollback: tables are moved back by new commits, and nothing is erased.
//!
//! - B1: a rollback of several tables is one commit, planned only while each has the metadata that the caller saw.
//! - B2: what never goes back stays: the UUID, the location and the paths that files are written to, the format version,
//!   the last sequence number, the next row id, all snapshots, other branches and tags, and properties of Tarn.
//! - B3: a snapshot that the table does not have any more is not gone back to: its files are gone or will be.

use std::sync::Arc;

use super::super::dropped::is_protected;
use super::super::places::is_write_path;
use super::super::{CatalogState, Conflict, Properties, RollbackTable, RollbackTarget, TableChange};
use super::{FreshIds, Loaded, Plan, repeated};
use crate::metadata::{MAIN_BRANCH, RequirementFailed, SnapshotRef, TableMetadata, TableUpdate};
use crate::state::limits::TABLES_PER_COMMIT_MAX;

/// What stands for the schema, spec or order that was added last.
const LAST_ADDED: i32 = -1;
/// Properties that concern the table's place in the catalog, not its content.
const OWN_PROPERTIES: &str = "tarn.";

impl CatalogState {
    pub(super) fn plan_rollback_tables(
        &self,
        tables: &[RollbackTable],
        loaded: &Loaded,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<Plan, Conflict> {
        if tables.len() > TABLES_PER_COMMIT_MAX {
            return Err(Conflict::Invalid(format!(
                "a rollback names at most {TABLES_PER_COMMIT_MAX} tables"
            )));
        }
        if let Some(twice) = repeated(tables.iter().map(|table| &table.ident)) {
            return Err(Conflict::Invalid(format!("table '{twice}' is named more than once")));
        }
        let mut plan = Plan::of(at, Vec::new());
        for RollbackTable { ident, seen, target } in tables {
            let entry = self.find_table(ident)?;
            if entry.metadata_location != *seen {
                let failed = RequirementFailed::new("the table has changed since it was looked at");
                return Err(Conflict::Requirement { table: ident.clone(), failed });
            }
            let base = loaded.get(ident, &entry.metadata_location)?;
            let updates = rollback_updates(base, target).map_err(|refusal| match refusal {
                RollbackRefusal::Protected => Conflict::TableProtected(ident.clone()),
                RollbackRefusal::SnapshotGone(_) => Conflict::Invalid(format!("table '{ident}': {refusal}")),
            })?;
            let change = TableChange { ident: ident.clone(), requirements: Vec::new(), updates };
            self.plan_update(&change, loaded, &mut plan, ids)?;
        }
        Ok(plan)
    }
}

/// Why a table is not rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RollbackRefusal {
    /// Its property forbids it.
    #[error("it is protected")]
    Protected,
    /// B3.
    #[error("it has no snapshot {0}: that expired, or there never was one")]
    SnapshotGone(i64),
}

/// What moves a table from `base` to `target` (B2).
pub(crate) fn rollback_updates(
    base: &TableMetadata,
    target: &RollbackTarget,
) -> Result<Vec<TableUpdate>, RollbackRefusal> {
    if is_protected(base.properties()) {
        return Err(RollbackRefusal::Protected);
    }
    let mut updates = Vec::new();
    let snapshot_id = match target {
        RollbackTarget::Snapshot(id) => Some(*id),
        RollbackTarget::Whole(then) => {
            shape(base, then, &mut updates);
            then.current_snapshot_id()
        }
    };
    if let Some(gone) = snapshot_id.filter(|id| base.snapshot(*id).is_none()) {
        return Err(RollbackRefusal::SnapshotGone(gone));
    }
    match (snapshot_id, base.current_snapshot_id()) {
        (Some(id), current) if current != Some(id) => {
            let main = base.refs().get(MAIN_BRANCH).cloned();
            let reference =
                main.map_or_else(|| SnapshotRef::branch(id), |main| SnapshotRef { snapshot_id: id, ..main });
            updates.push(TableUpdate::SetSnapshotRef { name: MAIN_BRANCH.to_owned(), reference });
        }
        (None, Some(_)) => updates.push(TableUpdate::RemoveSnapshotRef(MAIN_BRANCH.to_owned())),
        (Some(_), _) | (None, None) => {}
    }
    Ok(updates)
}

/// Schema first: spec and order are checked against it.
fn shape(base: &TableMetadata, then: &TableMetadata, updates: &mut Vec<TableUpdate>) {
    if let Some(schema) = then.current_schema()
        && !base.current_schema().is_some_and(|current| current.same_as(schema))
    {
        updates.push(TableUpdate::AddSchema(Arc::clone(schema)));
        updates.push(TableUpdate::SetCurrentSchema(LAST_ADDED));
    }
    if let Some(spec) = then.spec(then.default_spec_id())
        && !base.spec(base.default_spec_id()).is_some_and(|current| current.compatible_with(spec))
    {
        updates.push(TableUpdate::AddSpec((**spec).clone()));
        updates.push(TableUpdate::SetDefaultSpec(LAST_ADDED));
    }
    if let Some(order) = then.sort_order(then.default_sort_order_id())
        && !base
            .sort_order(base.default_sort_order_id())
            .is_some_and(|current| current.fields == order.fields)
    {
        updates.push(TableUpdate::AddSortOrder((**order).clone()));
        updates.push(TableUpdate::SetDefaultSortOrder(LAST_ADDED));
    }
    let goes_back = |key: &str| !key.starts_with(OWN_PROPERTIES) && !is_write_path(key);
    let set: Properties = then
        .properties()
        .iter()
        .filter(|(key, value)| goes_back(key) && base.properties().get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let removed: Vec<String> = base
        .properties()
        .keys()
        .filter(|key| goes_back(key) && !then.properties().contains_key(*key))
        .cloned()
        .collect();
    if !set.is_empty() {
        updates.push(TableUpdate::SetProperties(set));
    }
    if !removed.is_empty() {
        updates.push(TableUpdate::RemoveProperties(removed));
    }
}
