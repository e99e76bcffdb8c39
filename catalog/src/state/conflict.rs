//! Why a request cannot be planned. Each variant is what a front answers differently.
//!
//! Where Iceberg's compatibility kit looks at a text, it is said in the words of the reference implementation.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::dropped::PROTECTED_PROPERTY;
use super::limits::{DROPPED_TABLES_MAX, STAGED_TABLES_MAX};
use super::name::{InvalidName, Namespace, TableIdent};
use super::reply::Refusal;
use crate::metadata::{InvalidMetadata, RequirementFailed};

/// What has a name in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// A table.
    Table,
    /// A view.
    View,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relation::Table => "Table",
            Relation::View => "View",
        })
    }
}

/// A request that does not fit the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// 404 NoSuchWarehouseException.
    #[error("warehouse '{0}' does not exist")]
    NoSuchWarehouse(Arc<str>),
    /// 409 AlreadyExistsException.
    #[error("warehouse '{0}' already exists")]
    WarehouseExists(Arc<str>),
    /// 409 NamespaceNotEmptyException.
    #[error("warehouse '{0}' is not empty")]
    WarehouseNotEmpty(Arc<str>),
    /// 404 NoSuchNamespaceException.
    #[error("Namespace does not exist: {0}")]
    NoSuchNamespace(Namespace),
    /// 409 AlreadyExistsException.
    #[error("Namespace already exists: {0}")]
    NamespaceExists(Namespace),
    /// 409 NamespaceNotEmptyException.
    #[error("Namespace {0} is not empty")]
    NamespaceNotEmpty(Namespace),
    /// 422 UnprocessableEntityException.
    #[error("property '{0}' is in both updates and removals")]
    SetAndRemoved(String),
    /// 404 NoSuchTableException.
    #[error("Table does not exist: {0}")]
    NoSuchTable(TableIdent),
    /// 409 AlreadyExistsException.
    #[error("Table already exists: {0}")]
    TableExists(TableIdent),
    /// 409 ConflictException.
    #[error("table '{0}' is protected: its property {PROTECTED_PROPERTY} is true")]
    TableProtected(TableIdent),
    /// 409 ConflictException.
    #[error("namespace '{0}' is protected: its property {PROTECTED_PROPERTY} is true")]
    NamespaceProtected(Namespace),
    /// 409 NamespaceNotEmptyException.
    #[error("warehouse '{0}' keeps dropped tables: they can be undropped until their time is over")]
    WarehouseKeepsTables(Arc<str>),
    /// 409 AlreadyExistsException.
    #[error("dropped table '{0}' lies where another table or view lies by now")]
    PlaceTaken(TableIdent),
    /// 404 NoSuchTableException.
    #[error("no dropped table '{0}' is kept")]
    NotDropped(TableIdent),
    /// 404 NoSuchTableException.
    #[error("no dropped table with the id {0} is kept")]
    NoSuchDropped(Uuid),
    /// 422 UnprocessableEntityException.
    #[error("{DROPPED_TABLES_MAX} dropped tables are kept, and no more can be")]
    TooManyDropped,
    /// 422 UnprocessableEntityException.
    #[error("{STAGED_TABLES_MAX} tables are staged at locations of their own, and no more can be")]
    TooManyStaged,
    /// 404 NoSuchViewException.
    #[error("View does not exist: {0}")]
    NoSuchView(TableIdent),
    /// 409 AlreadyExistsException.
    #[error("View already exists: {0}")]
    ViewExists(TableIdent),
    /// 409 AlreadyExistsException: a view where a table was to be made, or the other way round.
    #[error("{by} with same name already exists: {name}")]
    NameTaken {
        /// The name.
        name: TableIdent,
        /// What has it.
        by: Relation,
    },
    /// 409 AlreadyExistsException: the new name is taken.
    #[error("Cannot rename {from} to {to}. {by} already exists")]
    RenamedOnto {
        /// The name before.
        from: TableIdent,
        /// The name it was to have.
        to: TableIdent,
        /// What has it.
        by: Relation,
    },
    /// 404 NoSuchFunctionException.
    #[error("function '{0}' does not exist")]
    NoSuchFunction(TableIdent),
    /// 409 CommitFailedException: a requirement of a view does not hold.
    #[error("{failed} (view {view})")]
    ViewRequirement {
        /// The view it was required of.
        view: TableIdent,
        /// The requirement.
        #[source]
        failed: RequirementFailed,
    },
    /// 400 IllegalArgumentException: an update can never be applied to the view.
    #[error("view '{view}': {error}")]
    ViewUpdate {
        /// The view.
        view: TableIdent,
        /// Why.
        #[source]
        error: InvalidMetadata,
    },
    /// 409 CommitFailedException: a requirement does not hold.
    #[error("{failed} (table {table})")]
    Requirement {
        /// The table it was required of.
        table: TableIdent,
        /// The requirement.
        #[source]
        failed: RequirementFailed,
    },
    /// 409 CommitFailedException: a sequence number or row id is stale; the client rebases.
    #[error("table '{table}': {message}")]
    Stale {
        /// The table.
        table: TableIdent,
        /// What is stale.
        message: String,
    },
    /// 409 CommitFailedException: a dropped table's files are being deleted there.
    #[error("'{name}': the files of a dropped table are being deleted at '{location}'; try again later")]
    Purged {
        /// The table or view that would lie there.
        name: TableIdent,
        /// The place.
        location: String,
    },
    /// 400 BadRequestException: an update can never be applied to the table.
    #[error("table '{table}': {error}")]
    Update {
        /// The table.
        table: TableIdent,
        /// Why.
        #[source]
        error: InvalidMetadata,
    },
    /// 400 BadRequestException.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// 400 BadRequestException.
    #[error("{0}")]
    Invalid(String),
    /// 404.
    #[error("document '{kind}/{id}' does not exist")]
    NoSuchDocument {
        /// Its kind.
        kind: Arc<str>,
        /// Its id.
        id: Arc<str>,
    },
    /// 409: the document is not as expected.
    #[error("document '{kind}/{id}' has changed")]
    DocumentChanged {
        /// Its kind.
        kind: Arc<str>,
        /// Its id.
        id: Arc<str>,
        /// The revision it has; `None` when it does not exist.
        found: Option<u64>,
    },
    /// 422 UnprocessableEntityException: the idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// As it was refused before, under the same idempotency key; or by a front that keeps its refusal.
    #[error("{message}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// What was said.
        message: Arc<str>,
    },
    /// No answer to a client: load the current metadata of this table or view and plan again.
    #[error("the metadata of '{0}' is not loaded")]
    NotLoaded(TableIdent),
}

impl Conflict {
    /// Which refusal this is; `None` when it is no answer to a client.
    pub fn refusal(&self) -> Option<Refusal> {
        Some(match self {
            Conflict::NoSuchWarehouse(_) => Refusal::NoSuchWarehouse,
            Conflict::NoSuchNamespace(_) => Refusal::NoSuchNamespace,
            Conflict::NoSuchTable(_) | Conflict::NotDropped(_) | Conflict::NoSuchDropped(_) => {
                Refusal::NoSuchTable
            }
            Conflict::TableProtected(_) | Conflict::NamespaceProtected(_) => Refusal::Protected,
            Conflict::NoSuchView(_) => Refusal::NoSuchView,
            Conflict::NoSuchFunction(_) | Conflict::NoSuchDocument { .. } => Refusal::NotFound,
            Conflict::WarehouseExists(_)
            | Conflict::NamespaceExists(_)
            | Conflict::TableExists(_)
            | Conflict::ViewExists(_)
            | Conflict::NameTaken { .. }
            | Conflict::RenamedOnto { .. }
            | Conflict::PlaceTaken(_) => Refusal::AlreadyExists,
            Conflict::WarehouseNotEmpty(_)
            | Conflict::NamespaceNotEmpty(_)
            | Conflict::WarehouseKeepsTables(_) => Refusal::NotEmpty,
            Conflict::SetAndRemoved(_)
            | Conflict::KeyReused
            | Conflict::TooManyDropped
            | Conflict::TooManyStaged => Refusal::Unprocessable,
            Conflict::Requirement { .. }
            | Conflict::ViewRequirement { .. }
            | Conflict::Stale { .. }
            | Conflict::Purged { .. }
            | Conflict::DocumentChanged { .. } => Refusal::CommitFailed,
            Conflict::ViewUpdate { .. } => Refusal::IllegalArgument,
            Conflict::Update { .. } | Conflict::Name(_) | Conflict::Invalid(_) => Refusal::BadRequest,
            Conflict::Refused { refusal, .. } => *refusal,
            Conflict::NotLoaded(_) => return None,
        })
    }
}
