//! Applying planned commits (T2).
//!
//! A change names what is so afterwards. Where it names something around it that is not there (which
//! no planned commit does), the change puts it there or has no effect: replay never fails.

use std::sync::Arc;

use imbl::OrdMap;

use super::name::{Namespace, TableIdent};
use super::{
    CatalogState, Change, Commit, Document, DroppedTable, NamespaceEntry, Revision, Revisions, TableEntry,
    TablePut, Warehouse,
};

impl CatalogState {
    /// Applies a planned commit. Total: it never fails, and the same log gives the same state.
    pub fn apply(&mut self, commit: &Commit) {
        self.commits += 1;
        self.replies.forget_ended(commit.at);
        for change in &commit.changes {
            self.apply_change(change, commit.at);
        }
    }

    fn apply_change(&mut self, change: &Change, at: i64) {
        match change {
            Change::PutWarehouse { name, properties } => {
                self.warehouse_mut(name).properties = Arc::new(properties.clone());
            }
            Change::DropWarehouse { name } => {
                self.warehouses.remove(name);
                self.locations = self.collect_locations();
            }
            Change::PutNamespace { warehouse, namespace, properties } => {
                self.namespace_mut(warehouse, namespace).properties = Arc::new(properties.clone());
            }
            Change::DropNamespace { warehouse, namespace } => {
                let found = self.warehouses.get_mut(warehouse);
                let dropped = found.and_then(|found| found.namespaces.remove(namespace));
                if let Some(dropped) = dropped {
                    let tables = dropped.tables.values().map(|entry| &entry.location);
                    let views = dropped.views.values().map(|entry| &entry.location);
                    tables.chain(views).for_each(|location| self.locations.remove(location));
                }
            }
            Change::PutTable(put) => self.put_table(put, at),
            Change::DropTable { ident } => {
                if let Some(table) = self.take_table(ident) {
                    self.locations.remove(&table.location);
                }
            }
            Change::RenameTable { from, to } => {
                if let Some(table) = self.take_table(from) {
                    let tables = &mut self.namespace_mut(&to.warehouse, &to.namespace).tables;
                    if let Some(replaced) = tables.insert(Arc::clone(&to.name), table) {
                        self.locations.remove(&replaced.location);
                    }
                }
            }
            Change::PutDocument { kind, id, json } => {
                self.follow_claim(kind, id, Some(json));
                let document = Document { json: Arc::clone(json), revision: self.commits };
                self.documents.insert((Arc::clone(kind), Arc::clone(id)), document);
            }
            Change::DeleteDocument { kind, id } => {
                self.follow_claim(kind, id, None);
                self.documents.remove(&(Arc::clone(kind), Arc::clone(id)));
            }
            Change::PutView(put) => self.put_view(put),
            Change::DropView { ident } => {
                if let Some(view) = self.take_view(ident) {
                    self.locations.remove(&view.location);
                }
            }
            Change::RenameView { from, to } => self.rename_view(from, to),
            Change::KeepReply(kept) => self.replies.keep(Arc::clone(kept), at),
            Change::SetAside { id, ident, until, purge } => {
                if let Some(entry) = self.take_table(ident) {
                    self.locations.remove(&entry.location);
                    let (id, ident, until, purge) = (*id, ident.clone(), *until, *purge);
                    self.dropped.insert(DroppedTable { id, ident, entry, at, until, purge });
                }
            }
            Change::BringBack { id, to } => {
                if let Some(dropped) = self.dropped.remove(id) {
                    let tables = &mut self.namespace_mut(&to.warehouse, &to.namespace).tables;
                    let replaced = tables.insert(Arc::clone(&to.name), Arc::clone(&dropped.entry));
                    if let Some(replaced) = replaced {
                        self.locations.remove(&replaced.location);
                    }
                    self.locations.add(&dropped.entry.location);
                }
            }
            Change::Forget { id } => {
                self.dropped.remove(id);
            }
            Change::Note(_) => {}
            Change::Mark(_) => {}
        }
    }

    fn warehouse_mut(&mut self, name: &Arc<str>) -> &mut Warehouse {
        self.warehouses.entry(Arc::clone(name)).or_insert_with(Warehouse::empty)
    }

    pub(super) fn namespace_mut(
        &mut self,
        warehouse: &Arc<str>,
        namespace: &Namespace,
    ) -> &mut NamespaceEntry {
        self.warehouse_mut(warehouse)
            .namespaces
            .entry(namespace.clone())
            .or_insert_with(NamespaceEntry::empty)
    }

    fn take_table(&mut self, ident: &TableIdent) -> Option<Arc<TableEntry>> {
        let warehouse = self.warehouses.get_mut(&ident.warehouse)?;
        warehouse.namespaces.get_mut(&ident.namespace)?.tables.remove(&ident.name)
    }

    fn put_table(&mut self, put: &TablePut, at: i64) {
        let tables = &mut self.namespace_mut(&put.ident.warehouse, &put.ident.namespace).tables;
        let old = tables.get(&put.ident.name).filter(|old| old.uuid == put.uuid);
        let number = old.map_or(0, |old| old.revision.saturating_add(1));
        let revision = Revision {
            number,
            snapshot_id: put.snapshot_id,
            schema_id: put.schema_id,
            at,
            metadata_location: Arc::clone(&put.metadata_location),
        };
        let revisions = match old {
            Some(old) => old.revisions.with(revision),
            None => Revisions::from_iter([revision]),
        };
        let entry = TableEntry {
            uuid: put.uuid,
            location: Arc::clone(&put.location),
            metadata_location: Arc::clone(&put.metadata_location),
            revision: number,
            revisions,
        };
        let replaced = tables.insert(Arc::clone(&put.ident.name), Arc::new(entry));
        if replaced.as_ref().is_some_and(|replaced| replaced.location == put.location) {
            return;
        }
        if let Some(replaced) = replaced {
            self.locations.remove(&replaced.location);
        }
        self.locations.add(&put.location);
    }
}

impl Warehouse {
    pub(super) fn empty() -> Self {
        Self { properties: Arc::default(), namespaces: OrdMap::new() }
    }
}

impl NamespaceEntry {
    pub(super) fn empty() -> Self {
        Self { properties: Arc::default(), tables: OrdMap::new(), views: OrdMap::new() }
    }
}
