//! Why a request cannot be planned. Each variant is what a front answers differently.

use std::sync::Arc;

use super::name::{InvalidName, Namespace, TableIdent};
use crate::metadata::{InvalidMetadata, RequirementFailed};

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
    #[error("namespace '{0}' does not exist")]
    NoSuchNamespace(Namespace),
    /// 409 AlreadyExistsException.
    #[error("namespace '{0}' already exists")]
    NamespaceExists(Namespace),
    /// 409 NamespaceNotEmptyException.
    #[error("namespace '{0}' is not empty")]
    NamespaceNotEmpty(Namespace),
    /// 422 UnprocessableEntityException.
    #[error("property '{0}' is in both updates and removals")]
    SetAndRemoved(String),
    /// 404 NoSuchTableException.
    #[error("table '{0}' does not exist")]
    NoSuchTable(TableIdent),
    /// 409 AlreadyExistsException.
    #[error("table '{0}' already exists")]
    TableExists(TableIdent),
    /// 404 NoSuchViewException.
    #[error("view '{0}' does not exist")]
    NoSuchView(TableIdent),
    /// 409 AlreadyExistsException.
    #[error("view '{0}' already exists")]
    ViewExists(TableIdent),
    /// 409 CommitFailedException: a requirement of a view does not hold.
    #[error("view '{view}': {failed}")]
    ViewRequirement {
        /// The view it was required of.
        view: TableIdent,
        /// The requirement.
        #[source]
        failed: RequirementFailed,
    },
    /// 400 BadRequestException: an update can never be applied to the view.
    #[error("view '{view}': {error}")]
    ViewUpdate {
        /// The view.
        view: TableIdent,
        /// Why.
        #[source]
        error: InvalidMetadata,
    },
    /// 409 CommitFailedException: a requirement does not hold.
    #[error("table '{table}': {failed}")]
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
    /// No answer to a client: load the current metadata of this table or view and plan again.
    #[error("the metadata of '{0}' is not loaded")]
    NotLoaded(TableIdent),
}
