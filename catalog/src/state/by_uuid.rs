//! What is found by its UUID, whatever its name: tables and views keep it when they are renamed.

use std::sync::Arc;

use uuid::Uuid;

use super::{CatalogState, Namespace, NamespaceEntry, TableEntry, TableIdent};

impl CatalogState {
    fn spaces<'a>(
        &'a self,
        warehouse: &str,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Namespace, &'a NamespaceEntry)> + use<'a> {
        let found = self.warehouses.get_key_value(warehouse).into_iter();
        found
            .flat_map(|(name, found)| found.namespaces.iter().map(move |(space, entry)| (name, space, entry)))
    }

    /// The namespaces of a warehouse, at every level.
    pub(crate) fn all_namespaces<'a>(
        &'a self,
        warehouse: &str,
    ) -> impl Iterator<Item = &'a Namespace> + use<'a> {
        self.spaces(warehouse).map(|(_, namespace, _)| namespace)
    }

    /// The tables with this UUID: more than one only where one was registered from another's file.
    pub fn tables_with<'a>(
        &'a self,
        warehouse: &str,
        uuid: Uuid,
    ) -> impl Iterator<Item = (TableIdent, &'a Arc<TableEntry>)> + use<'a> {
        self.spaces(warehouse).flat_map(move |(warehouse, namespace, entry)| {
            entry
                .tables
                .iter()
                .filter(move |(_, table)| table.uuid == uuid)
                .map(move |(name, table)| (ident(warehouse, namespace, name), table))
        })
    }

    /// The views with this UUID.
    pub fn views_with<'a>(
        &'a self,
        warehouse: &str,
        uuid: Uuid,
    ) -> impl Iterator<Item = TableIdent> + use<'a> {
        self.spaces(warehouse).flat_map(move |(warehouse, namespace, entry)| {
            let views = entry.views.iter().filter(move |(_, view)| view.uuid == uuid);
            views.map(move |(name, _)| ident(warehouse, namespace, name))
        })
    }

    /// The UUIDs of the tables of a warehouse.
    pub(crate) fn table_uuids<'a>(&'a self, warehouse: &str) -> impl Iterator<Item = Uuid> + use<'a> {
        self.spaces(warehouse).flat_map(|(_, _, entry)| entry.tables.values().map(|table| table.uuid))
    }

    /// The UUIDs of the views of a warehouse.
    pub(crate) fn view_uuids<'a>(&'a self, warehouse: &str) -> impl Iterator<Item = Uuid> + use<'a> {
        self.spaces(warehouse).flat_map(|(_, _, entry)| entry.views.values().map(|view| view.uuid))
    }
}

fn ident(warehouse: &Arc<str>, namespace: &Namespace, name: &Arc<str>) -> TableIdent {
    TableIdent { warehouse: Arc::clone(warehouse), namespace: namespace.clone(), name: Arc::clone(name) }
}
