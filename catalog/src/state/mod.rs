//! The state of the catalog and how it changes: a pure core.
//!
//! - T1: `plan` decides on a state and changes nothing; `apply` changes and decides nothing.
//! - T2: `apply` is total, and the same commits give the same state.
//! - T3: a clone is O(1): readers hold one and are never blocked.
//! - T4: everything a request can make grow has a limit ([`limits`]).
//!
//! Time and fresh ids are arguments. There is no I/O here.

mod about;
mod apply;
mod by_uuid;
mod change;
mod checkpoint;
mod claims;
mod conflict;
mod dropped;
mod functions;
pub mod limits;
mod name;
mod places;
mod plan;
mod purge;
mod reply;
mod request;
mod revisions;
mod views;

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use about::Subject;
pub use change::{Change, Commit, Mark, Note, TablePut, ViewPut};
pub use checkpoint::InvalidCheckpoint;
use claims::Claims;
pub use conflict::{Conflict, Relation};
use dropped::DroppedTables;
pub(crate) use dropped::keep_ms_of;
pub use dropped::{DroppedTable, KEEP_PROPERTY, KEEP_SECONDS_MAX, PROTECTED_PROPERTY};
pub(crate) use functions::FUNCTION_KIND;
pub use functions::Function;
pub use name::{InvalidName, Namespace, TableIdent, check_warehouse_name, key_in_warehouse};
pub(crate) use name::{default_location, namespace_location};
pub(crate) use places::is_write_path;
pub use plan::{FreshIds, Loaded, Plan};
pub(crate) use plan::{RollbackRefusal, rollback_updates};
pub(crate) use purge::{But, PURGE_KIND, PurgeOrder};
use reply::Replies;
pub use reply::{KeptReply, Refusal, Reply, RequestKey};
pub use request::{
    CreateTable, CreateView, DropTable, Existing, Expect, Guard, Properties, Purge, Request, RollbackTable,
    RollbackTarget, StagedTable, TableChange, UndropTable, ViewChange,
};
pub use revisions::Revisions;
pub use views::ViewEntry;

use places::Locations;

/// Everything the catalog knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CatalogState {
    /// How many commits were applied.
    commits: u64,
    warehouses: OrdMap<Arc<str>, Warehouse>,
    documents: OrdMap<(Arc<str>, Arc<str>), Document>,
    replies: Replies,
    /// Follows from tables and views; not stored.
    locations: Locations,
    /// Follows from documents; not stored.
    claims: Claims,
    dropped: DroppedTables,
}

/// A warehouse: a bucket with namespaces.
#[derive(Debug, Clone, PartialEq)]
pub struct Warehouse {
    /// Its properties.
    pub properties: Arc<Properties>,
    namespaces: OrdMap<Namespace, NamespaceEntry>,
}

/// A namespace with its tables and views.
#[derive(Debug, Clone, PartialEq)]
pub struct NamespaceEntry {
    /// Its properties.
    pub properties: Arc<Properties>,
    tables: OrdMap<Arc<str>, Arc<TableEntry>>,
    views: OrdMap<Arc<str>, Arc<ViewEntry>>,
}

/// What the catalog knows of a table. The rest is in its metadata file.
#[derive(Debug, Clone, PartialEq)]
pub struct TableEntry {
    /// The table's UUID.
    pub uuid: Uuid,
    /// Its base location.
    pub location: Arc<str>,
    /// Its current metadata file.
    pub metadata_location: Arc<str>,
    /// Counts its commits from 0 without gaps.
    pub revision: u64,
    /// Its last revisions, oldest first, this one included.
    pub revisions: Revisions,
}

/// One revision of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number.
    pub number: u64,
    /// The current snapshot.
    pub snapshot_id: Option<i64>,
    /// The current schema.
    pub schema_id: i32,
    /// When it was committed, in milliseconds since 1970.
    pub at: i64,
    /// Its metadata file.
    pub metadata_location: Arc<str>,
}

/// A typed document: a share, a key, a policy, a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its content.
    pub json: Arc<str>,
    /// The number of the commit that put it; never repeats for an id.
    pub revision: u64,
}

impl CatalogState {
    /// How many commits were applied since the catalog began.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// The warehouses in order of name.
    pub fn warehouses(&self) -> impl Iterator<Item = (&Arc<str>, &Warehouse)> {
        self.warehouses.iter()
    }

    /// The warehouse of this name.
    pub fn warehouse(&self, name: &str) -> Option<&Warehouse> {
        self.warehouses.get(name)
    }

    /// A namespace.
    pub fn namespace(&self, warehouse: &str, namespace: &Namespace) -> Option<&NamespaceEntry> {
        self.warehouse(warehouse)?.namespaces.get(namespace)
    }

    /// The namespaces right inside `parent` (`None`: the outermost), in order, those after `after`.
    pub fn namespaces<'a>(
        &'a self,
        warehouse: &str,
        parent: Option<&'a Namespace>,
        after: Option<&Namespace>,
    ) -> impl Iterator<Item = &'a Namespace> {
        let from = match after.or(parent) {
            Some(namespace) => Bound::Excluded(namespace.clone()),
            None => Bound::Unbounded,
        };
        let all = self.warehouse(warehouse).map(|found| found.namespaces.range((from, Bound::Unbounded)));
        let levels = parent.map_or(0, |parent| parent.levels().len()) + 1;
        all.into_iter()
            .flatten()
            .map(|(namespace, _)| namespace)
            .take_while(move |namespace| parent.is_none_or(|parent| namespace.is_inside(parent)))
            .filter(move |namespace| namespace.levels().len() == levels)
    }

    /// The tables of a namespace in order of name, those after `after`.
    pub fn tables<'a>(
        &'a self,
        warehouse: &str,
        namespace: &Namespace,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<TableEntry>)> {
        let from = match after {
            Some(name) => Bound::Excluded(Arc::from(name)),
            None => Bound::Unbounded,
        };
        let tables =
            self.namespace(warehouse, namespace).map(|found| found.tables.range((from, Bound::Unbounded)));
        tables.into_iter().flatten()
    }

    /// Every table of the catalog.
    pub fn all_tables(&self) -> impl Iterator<Item = (TableIdent, &Arc<TableEntry>)> {
        self.warehouses.iter().flat_map(|(warehouse, entry)| {
            entry.namespaces.iter().flat_map(move |(namespace, entry)| {
                entry.tables.iter().map(move |(name, table)| {
                    let ident = TableIdent {
                        warehouse: Arc::clone(warehouse),
                        namespace: namespace.clone(),
                        name: Arc::clone(name),
                    };
                    (ident, table)
                })
            })
        })
    }

    /// How many tables there are.
    pub fn table_count(&self) -> usize {
        let namespaces = self.warehouses.values().flat_map(|warehouse| warehouse.namespaces.values());
        namespaces.map(|namespace| namespace.tables.len()).sum()
    }

    /// A table.
    pub fn table(&self, ident: &TableIdent) -> Option<&Arc<TableEntry>> {
        self.namespace(&ident.warehouse, &ident.namespace)?.tables.get(&ident.name)
    }

    /// The answer kept for an idempotency key at this time.
    pub fn reply(&self, key: &Uuid, at: i64) -> Option<&Arc<KeptReply>> {
        self.replies.get(key, at)
    }

    /// A document.
    pub fn document(&self, kind: &str, id: &str) -> Option<&Document> {
        self.documents.get(&(Arc::from(kind), Arc::from(id)))
    }

    /// The documents of a kind in order of id, those after `after`.
    pub fn documents<'a>(
        &'a self,
        kind: &'a str,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Document)> + use<'a> {
        let from = match after {
            Some(id) => Bound::Excluded((Arc::from(kind), Arc::from(id))),
            None => Bound::Included((Arc::from(kind), Arc::from(""))),
        };
        let range = self.documents.range((from, Bound::Unbounded));
        range.take_while(move |((found, _), _)| **found == *kind).map(|((_, id), document)| (id, document))
    }
}

impl Warehouse {
    /// How many namespaces it has.
    pub fn namespace_count(&self) -> usize {
        self.namespaces.len()
    }
}

impl NamespaceEntry {
    /// How many tables it has.
    pub fn table_count(&self) -> usize {
        self.tables.len()
    }

    /// How many views it has.
    pub fn view_count(&self) -> usize {
        self.views.len()
    }
}

#[cfg(test)]
mod tests;
