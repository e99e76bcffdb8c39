//! What the catalog log holds: planned commits.
//!
//! - C1: the order of the variants of [`Change`] is their number on disk (postcard). New ones go to the
//!   end, none is ever removed or reordered, none changes its fields.
//! - C2: a change holds results, never conditions: applying one cannot fail.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::name::{Namespace, TableIdent};
use super::reply::KeptReply;
use super::request::{Properties, Purge};

/// Changes that happen together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What.
    pub changes: Vec<Change>,
}

/// One change of the catalog's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// 0: a warehouse is there with these properties.
    PutWarehouse {
        /// Its name.
        name: Arc<str>,
        /// Its properties.
        properties: Properties,
    },
    /// 1: a warehouse is gone.
    DropWarehouse {
        /// Its name.
        name: Arc<str>,
    },
    /// 2: a namespace is there with these properties.
    PutNamespace {
        /// The warehouse.
        warehouse: Arc<str>,
        /// The namespace.
        namespace: Namespace,
        /// Its properties.
        properties: Properties,
    },
    /// 3: a namespace is gone.
    DropNamespace {
        /// The warehouse.
        warehouse: Arc<str>,
        /// The namespace.
        namespace: Namespace,
    },
    /// 4: a table is there with this metadata; its revision goes up by one.
    PutTable(TablePut),
    /// 5: a table is gone.
    DropTable {
        /// The table.
        ident: TableIdent,
    },
    /// 6: a table has another name.
    RenameTable {
        /// The name it had.
        from: TableIdent,
        /// The name it has.
        to: TableIdent,
    },
    /// 7: a document is there with this content.
    PutDocument {
        /// Its kind.
        kind: Arc<str>,
        /// Its id.
        id: Arc<str>,
        /// Its content.
        json: Arc<str>,
    },
    /// 8: a document is gone.
    DeleteDocument {
        /// Its kind.
        kind: Arc<str>,
        /// Its id.
        id: Arc<str>,
    },
    /// 9: a view is there with this metadata.
    PutView(ViewPut),
    /// 10: a view is gone.
    DropView {
        /// The view.
        ident: TableIdent,
    },
    /// 11: a view has another name.
    RenameView {
        /// The name it had.
        from: TableIdent,
        /// The name it has.
        to: TableIdent,
    },
    /// 12: an answer is kept for an idempotency key.
    KeepReply(Arc<KeptReply>),
    /// 13: a table is gone, and kept to be brought back.
    SetAside {
        /// Of this drop.
        id: Uuid,
        /// The table.
        ident: TableIdent,
        /// Kept until then; milliseconds since 1970.
        until: i64,
        /// What becomes of its files then.
        purge: Purge,
    },
    /// 14: a kept table is there again.
    BringBack {
        /// Of the drop.
        id: Uuid,
        /// The name it has.
        to: TableIdent,
    },
    /// 15: a kept table is kept no more.
    Forget {
        /// Of the drop.
        id: Uuid,
    },
    /// 16: nothing changes: who asked for the changes of this commit, and how it was asked for.
    Note(Arc<Note>),
    /// 17: nothing changes: says of the change right before it what it does not say itself, for those who follow the
    /// log (`events/`).
    Mark(Mark),
}

/// What is said of a change. The order of the variants is their number on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// 0: what it puts was not there.
    Created,
    /// 1: the metadata file it puts was there already.
    Registered,
    /// 2: another catalog goes on with the table it drops.
    Unregistered,
    /// 3: the table or function it is about.
    Of(TableIdent),
}

/// Who asked for a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `root`, `key:<id>`, `tarn` for the server itself; shown, and never read for a right.
    pub by: Arc<str>,
    /// What was asked for, such as `commit tables` ([`super::Request::verb`]).
    pub verb: Arc<str>,
}

/// A table's new metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePut {
    /// The table.
    pub ident: TableIdent,
    /// Its UUID; another one than before means another table took the name.
    pub uuid: Uuid,
    /// Its base location.
    pub location: Arc<str>,
    /// Its metadata file.
    pub metadata_location: Arc<str>,
    /// Its current snapshot.
    pub snapshot_id: Option<i64>,
    /// Its current schema.
    pub schema_id: i32,
}

/// A view's new metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewPut {
    /// The view.
    pub ident: TableIdent,
    /// Its UUID.
    pub uuid: Uuid,
    /// Its base location.
    pub location: Arc<str>,
    /// Its metadata file.
    pub metadata_location: Arc<str>,
}
