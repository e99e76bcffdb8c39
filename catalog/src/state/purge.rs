//! Purges that are not finished: places whose files are being deleted.
//!
//! - G1: a purge begins in the commit that drops its table, or that ends its keeping, and only if no other table or
//!   view, and no dropped table that is kept, lies at, in or around the place.
//! - G2: while it is pending no table or view comes to lie at, in or around its place, and no metadata file in it.
//!
//! So whoever deletes the files needs to look at nothing else. A purge is a document, so it survives a restart.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CatalogState, Change, Commit, Conflict, DroppedTable, Mark, TableEntry, TableIdent};

/// The kind of the documents.
pub(crate) const PURGE_KIND: &str = "table-purge";

/// A purge that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PurgeOrder {
    pub(crate) uuid: Uuid,
    pub(crate) warehouse: String,
    /// Without a trailing slash.
    pub(crate) location: String,
    pub(crate) metadata_location: String,
    /// Files written later stay; milliseconds since 1970.
    pub(crate) at: i64,
}

impl PurgeOrder {
    fn of(ident: &TableIdent, entry: &TableEntry, at: i64) -> Self {
        Self {
            uuid: entry.uuid,
            warehouse: ident.warehouse.to_string(),
            location: entry.location.trim_end_matches('/').to_owned(),
            metadata_location: entry.metadata_location.to_string(),
            at,
        }
    }

    /// Does this file lie below the place?
    pub(crate) fn holds(&self, file: &str) -> bool {
        is_inside(file, &self.location)
    }

    /// Is this place the same, inside or around?
    fn meets(&self, place: &str) -> bool {
        let place = place.trim_end_matches('/');
        place == self.location || is_inside(place, &self.location) || is_inside(&self.location, place)
    }
}

fn is_inside(place: &str, outer: &str) -> bool {
    place.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

impl CatalogState {
    /// The pending purges with the ids of their documents; those that cannot be read are told apart.
    pub(crate) fn purges(&self) -> impl Iterator<Item = (&Arc<str>, Result<PurgeOrder, serde_json::Error>)> {
        self.documents(PURGE_KIND, None).map(|(id, document)| (id, serde_json::from_str(&document.json)))
    }

    /// Does a table, a view or a dropped table that is kept lie at, in or around the place of `order`? `but` is not
    /// looked at.
    pub(crate) fn is_in_use(&self, order: &PurgeOrder, but: But<'_>) -> bool {
        let (but, gone) = match but {
            But::Nothing => (None, [].as_slice()),
            But::Table(ident) => (Some(ident), [].as_slice()),
            But::Dropped(gone) => (None, gone),
        };
        let kept = self.dropped.iter().filter(|dropped| *dropped.ident.warehouse == *order.warehouse);
        let mut kept = kept.filter(|dropped| !gone.contains(&dropped.id)).map(|dropped| &dropped.entry);
        if kept.any(|entry| order.meets(&entry.location) || order.holds(&entry.metadata_location)) {
            return true;
        }
        if self.is_claimed_by_another(&format!("{}/", order.location), order.uuid) {
            return true;
        }
        let Some(warehouse) = self.warehouses.get(order.warehouse.as_str()) else { return false };
        warehouse.namespaces.iter().any(|(namespace, space)| {
            space.tables.iter().any(|(name, entry)| {
                let left_out = but.is_some_and(|but| but.name == *name && but.namespace == *namespace);
                !left_out && (order.meets(&entry.location) || order.holds(&entry.metadata_location))
            }) || space
                .views
                .values()
                .any(|entry| order.meets(&entry.location) || order.holds(&entry.metadata_location))
        })
    }

    /// What a drop with purge adds to its commit (G1).
    pub(super) fn begin_purge(&self, ident: &TableIdent, entry: &TableEntry, at: i64) -> Vec<Change> {
        let order = PurgeOrder::of(ident, entry, at);
        self.put_order(order, ident, But::Table(ident))
    }

    /// The same when the keeping of a dropped table ends: `gone` are this one and those that end before it.
    pub(super) fn begin_purge_of_dropped(
        &self,
        dropped: &DroppedTable,
        gone: &[Uuid],
        at: i64,
    ) -> Vec<Change> {
        let order = PurgeOrder::of(&dropped.ident, &dropped.entry, at);
        self.put_order(order, &dropped.ident, But::Dropped(gone))
    }

    /// Nothing while the place is in use.
    fn put_order(&self, order: PurgeOrder, ident: &TableIdent, but: But<'_>) -> Vec<Change> {
        if self.is_in_use(&order, but) {
            return Vec::new();
        }
        let mut id = order.uuid.to_string();
        if self.document(PURGE_KIND, &id).is_some() {
            // Two tables can have one UUID, when one was registered from the other's file.
            let number = match but {
                But::Nothing | But::Table(_) => 0,
                But::Dropped(gone) => gone.len(),
            };
            id = format!("{id}-{}-{number}", self.commits);
        }
        let json = serde_json::json!(order).to_string();
        let put = Change::PutDocument { kind: PURGE_KIND.into(), id: id.into(), json: json.into() };
        vec![put, Change::Mark(Mark::Of(ident.clone()))]
    }

    /// Refuses a commit that brings a table or view where files are being deleted (G2).
    pub(super) fn check_purges(&self, commit: &Commit) -> Result<(), Conflict> {
        let puts: Vec<Put<'_>> = commit.changes.iter().filter_map(|change| self.put_of(change)).collect();
        if puts.is_empty() {
            return Ok(());
        }
        for (_, order) in self.purges() {
            let Ok(order) = order else { continue };
            for put in &puts {
                let stays = put.before.is_some_and(|before| before == put.location);
                if !stays && order.meets(put.location) || order.holds(put.metadata_location) {
                    return Err(Conflict::Purged { name: put.ident.clone(), location: order.location });
                }
            }
        }
        Ok(())
    }

    fn put_of<'a>(&'a self, change: &'a Change) -> Option<Put<'a>> {
        match change {
            Change::PutTable(put) => Some(Put {
                ident: &put.ident,
                before: self.table(&put.ident).map(|before| &*before.location),
                location: &put.location,
                metadata_location: &put.metadata_location,
            }),
            Change::PutView(put) => Some(Put {
                ident: &put.ident,
                before: self.view(&put.ident).map(|before| &*before.location),
                location: &put.location,
                metadata_location: &put.metadata_location,
            }),
            Change::PutWarehouse { .. }
            | Change::DropWarehouse { .. }
            | Change::PutNamespace { .. }
            | Change::DropNamespace { .. }
            | Change::DropTable { .. }
            | Change::RenameTable { .. }
            | Change::PutDocument { .. }
            | Change::DeleteDocument { .. }
            | Change::DropView { .. }
            | Change::RenameView { .. }
            // What comes back lies where it lay, and that was in use all the time (G1, D1).
            | Change::SetAside { .. }
            | Change::BringBack { .. }
            | Change::Forget { .. }
            | Change::Note(_)
            | Change::Mark(_)
            | Change::KeepReply(_) => None,
        }
    }
}

/// What does not count as a use of a place.
#[derive(Clone, Copy)]
pub(crate) enum But<'a> {
    Nothing,
    /// The table that is dropped.
    Table(&'a TableIdent),
    /// The dropped tables that are kept no more.
    Dropped(&'a [Uuid]),
}

/// A table or view that a commit puts.
struct Put<'a> {
    ident: &'a TableIdent,
    /// Where it lay.
    before: Option<&'a str>,
    location: &'a str,
    metadata_location: &'a str,
}
