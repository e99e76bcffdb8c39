//! What can be asked of the catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::name::{Namespace, TableIdent};
use super::reply::Refusal;
use crate::metadata::view::{ViewRequirement, ViewUpdate, ViewVersion};
use crate::metadata::{
    FunctionMetadata, PartitionSpec, Schema, SortOrder, TableMetadata, TableRequirement, TableUpdate,
    ViewMetadata,
};

/// Properties of a warehouse, namespace or table.
pub type Properties = BTreeMap<String, String>;

/// A change asked for.
#[derive(Debug, Clone)]
pub enum Request {
    /// Adds a warehouse.
    CreateWarehouse {
        /// Its name, which is its bucket's.
        name: Arc<str>,
        /// Its properties.
        properties: Properties,
    },
    /// Removes an empty warehouse.
    DropWarehouse {
        /// Its name.
        name: Arc<str>,
    },
    /// Adds a namespace, and those around it that are not there.
    CreateNamespace {
        /// The warehouse.
        warehouse: Arc<str>,
        /// The namespace.
        namespace: Namespace,
        /// Its properties.
        properties: Properties,
    },
    /// Sets and removes properties of a warehouse.
    UpdateWarehouse {
        /// Its name.
        name: Arc<str>,
        /// Properties to set.
        updates: Properties,
        /// Properties to remove; those it does not have are answered in [`super::Plan::missing`].
        removals: Vec<String>,
    },
    /// Removes an empty namespace.
    DropNamespace {
        /// The warehouse.
        warehouse: Arc<str>,
        /// The namespace.
        namespace: Namespace,
        /// What becomes of its protection.
        guard: Guard,
    },
    /// Sets and removes properties of a namespace.
    UpdateNamespace {
        /// The warehouse.
        warehouse: Arc<str>,
        /// The namespace.
        namespace: Namespace,
        /// Properties to set.
        updates: Properties,
        /// Properties to remove; those it does not have are answered in [`super::Plan::missing`].
        removals: Vec<String>,
    },
    /// Creates a table.
    CreateTable(CreateTable),
    /// Keeps the places of a staged table for whoever stages it.
    StageTable(StagedTable),
    /// Commits to any number of tables: all or none.
    CommitTables(Vec<TableChange>),
    /// Moves tables back: all or none.
    RollbackTables(Vec<RollbackTable>),
    /// Removes a table from the catalog, and keeps it to be brought back where that is set.
    DropTable(DropTable),
    /// Brings a dropped table back.
    UndropTable(UndropTable),
    /// Ends the keeping of a dropped table before its time.
    RemoveDropped {
        /// Of the drop.
        id: Uuid,
    },
    /// Ends the keeping of dropped tables whose time is over; at most [`super::limits::EXPIRED_PER_COMMIT_MAX`].
    ExpireDropped {
        /// Milliseconds since 1970.
        now: i64,
    },
    /// Removes a table from the catalog and tells what it was; its files stay for another catalog.
    UnregisterTable {
        /// The table.
        ident: TableIdent,
    },
    /// Renames a table, also into another namespace of its warehouse.
    RenameTable {
        /// The name it has.
        from: TableIdent,
        /// The name it gets.
        to: TableIdent,
    },
    /// Adds a table whose metadata file is there already.
    RegisterTable {
        /// The name it gets.
        ident: TableIdent,
        /// Where the file lies.
        metadata_location: Arc<str>,
        /// What the file holds.
        metadata: Arc<TableMetadata>,
        /// What happens when there is a table of this name.
        existing: Existing,
    },
    /// Creates a view.
    CreateView(CreateView),
    /// Commits to a view.
    CommitView(ViewChange),
    /// Removes a view from the catalog. Its files stay.
    DropView {
        /// The view.
        ident: TableIdent,
    },
    /// Renames a view, also into another namespace of its warehouse.
    RenameView {
        /// The name it has.
        from: TableIdent,
        /// The name it gets.
        to: TableIdent,
    },
    /// Adds a view whose metadata file is there already.
    RegisterView {
        /// The name it gets.
        ident: TableIdent,
        /// Where the file lies.
        metadata_location: Arc<str>,
        /// What the file holds.
        metadata: Arc<ViewMetadata>,
    },
    /// Changes nothing: a front refuses it, and the refusal is kept with its idempotency key.
    Refuse {
        /// Why.
        refusal: Refusal,
        /// What is said.
        message: Arc<str>,
    },
    /// Puts a function into a namespace, in the place of the one of this name.
    PutFunction {
        /// Its name.
        ident: TableIdent,
        /// What it is.
        metadata: Arc<FunctionMetadata>,
    },
    /// Removes a function.
    DeleteFunction {
        /// Its name.
        ident: TableIdent,
    },
    /// Puts a document.
    PutDocument {
        /// Its kind, such as `access-key`.
        kind: Arc<str>,
        /// Its id.
        id: Arc<str>,
        /// Its content.
        json: Arc<str>,
        /// What must be there now.
        expect: Expect,
    },
    /// Deletes a document.
    DeleteDocument {
        /// Its kind.
        kind: Arc<str>,
        /// Its id.
        id: Arc<str>,
        /// What must be there now.
        expect: Expect,
    },
}

/// What becomes of a dropped table's files. The order of the variants is their number on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purge {
    /// 0: they stay.
    Keep,
    /// 1: they are deleted in the background.
    Files,
}

/// What becomes of the protection of what is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// What is protected is not dropped.
    Respect,
    /// It is dropped all the same.
    Override,
}

/// A table to drop.
#[derive(Debug, Clone)]
pub struct DropTable {
    /// The table.
    pub ident: TableIdent,
    /// What becomes of its files.
    pub purge: Purge,
    /// What becomes of its protection.
    pub guard: Guard,
    /// How long it is kept if neither it nor its warehouse says; milliseconds, 0 is not at all.
    pub keep_ms: i64,
}

/// A dropped table to bring back.
#[derive(Debug, Clone)]
pub struct UndropTable {
    /// The name it had.
    pub ident: TableIdent,
    /// Of the drop; `None` is the last one of that name.
    pub id: Option<Uuid>,
    /// The name it gets; `None` is the one it had.
    pub to: Option<TableIdent>,
}

/// What registering does when there is a table of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuses.
    Refuse,
    /// Puts the registered one in its place.
    Overwrite,
}

/// What must be there for a document to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Any,
    /// Nothing.
    Absent,
    /// The document at this revision.
    Revision(u64),
}

/// A table to create.
#[derive(Debug, Clone)]
pub struct CreateTable {
    /// Its name.
    pub ident: TableIdent,
    /// Its schema; field ids are given anew.
    pub schema: Arc<Schema>,
    /// Its partition spec.
    pub spec: Option<PartitionSpec>,
    /// Its sort order.
    pub order: Option<SortOrder>,
    /// Where it lies; `None` lets the catalog choose.
    pub location: Option<String>,
    /// Its properties.
    pub properties: Properties,
}

/// A table that is staged at a location its creator chose.
#[derive(Debug, Clone)]
pub struct StagedTable {
    /// Its name.
    pub ident: TableIdent,
    /// What it will be.
    pub metadata: Arc<TableMetadata>,
    /// Who stages it.
    pub owner: Arc<str>,
    /// How long access to its places lasts; milliseconds since 1970.
    pub until: i64,
}

/// What a commit wants of one table. Without updates it only reads.
#[derive(Debug, Clone)]
pub struct TableChange {
    /// The table.
    pub ident: TableIdent,
    /// What must hold.
    pub requirements: Vec<TableRequirement>,
    /// What changes.
    pub updates: Vec<TableUpdate>,
}

/// A table to move back.
#[derive(Debug, Clone)]
pub struct RollbackTable {
    /// The table.
    pub ident: TableIdent,
    /// The metadata file that it must have still.
    pub seen: Arc<str>,
    /// What it goes back to.
    pub target: RollbackTarget,
}

/// What a table goes back to.
#[derive(Debug, Clone)]
pub enum RollbackTarget {
    /// What it was: current snapshot, schema, partitions, sort order and properties.
    Whole(Arc<TableMetadata>),
    /// A snapshot; nothing else changes.
    Snapshot(i64),
}

/// A view to create.
#[derive(Debug, Clone)]
pub struct CreateView {
    /// Its name.
    pub ident: TableIdent,
    /// The schema of its first version.
    pub schema: Arc<Schema>,
    /// Its first version.
    pub version: ViewVersion,
    /// Where it lies; `None` lets the catalog choose.
    pub location: Option<String>,
    /// Its properties.
    pub properties: Properties,
}

/// What a commit wants of a view.
#[derive(Debug, Clone)]
pub struct ViewChange {
    /// The view.
    pub ident: TableIdent,
    /// What must hold.
    pub requirements: Vec<ViewRequirement>,
    /// What changes.
    pub updates: Vec<ViewUpdate>,
}

impl TableChange {
    /// Whether the table must not exist and is created by this commit.
    pub fn is_create(&self) -> bool {
        self.requirements.contains(&TableRequirement::Create)
    }
}
