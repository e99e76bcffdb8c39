//! How a commit ends: done, definitely not done, unknown.

use std::sync::Arc;
use std::time::Duration;

use crate::files::{LoadError, WriteError};
use crate::log::{PutId, Seq};
use crate::metadata::{TableMetadata, ViewMetadata};
use crate::state::{Conflict, TableIdent};

/// The commit is durable and every read that begins now sees it.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The log position it is part of.
    pub seq: Seq,
    /// The tables it created, changed or read.
    pub tables: Vec<CommittedTable>,
    /// The view it created or changed.
    pub views: Vec<CommittedView>,
    /// For an update of a namespace: properties to remove that it did not have.
    pub missing: Vec<String>,
    /// It was done before, under the same idempotency key, and is answered again from this file.
    pub(crate) again: Option<Arc<str>>,
}

/// A planned request's part of [`Committed`].
pub(crate) struct Done {
    pub(crate) tables: Vec<CommittedTable>,
    pub(crate) views: Vec<CommittedView>,
    pub(crate) missing: Vec<String>,
    pub(crate) again: Option<Arc<str>>,
}

/// A table as a commit left it.
#[derive(Debug, Clone)]
pub struct CommittedTable {
    /// Its name.
    pub ident: TableIdent,
    /// Its metadata file.
    pub metadata_location: String,
    /// What that file holds.
    pub metadata: Arc<TableMetadata>,
}

/// A view as a commit left it.
#[derive(Debug, Clone)]
pub struct CommittedView {
    /// Its name.
    pub ident: TableIdent,
    /// Its metadata file.
    pub metadata_location: String,
    /// What that file holds.
    pub metadata: Arc<ViewMetadata>,
}

/// Why a commit is not answered as done.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The state does not allow it. Not done.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The metadata of a table it names cannot be read. Not done.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A new metadata file could not be written, so nothing was appended. Not done.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Refused before any effect: the queue is full, an earlier append is not settled yet, or the
    /// store refused the record. Not done.
    #[error("the catalog is busy")]
    Busy {
        /// What the caller should wait.
        retry_after: Duration,
    },
    /// Planning this request panicked: a defect of this program, told in its log. Not done.
    #[error("the request met a defect of the server")]
    Defect,
    /// Another process opened this catalog for writing. Not done, and never will be here.
    #[error("another process has taken this catalog over")]
    Fenced,
    /// It may have been done, or may yet be: the log's answer was lost. Files must be kept.
    #[error("it is not known whether append {put_id} was done")]
    Unknown {
        /// The append.
        put_id: PutId,
        /// Why it is not known.
        why: Silence,
    },
}

/// Why the outcome of an append is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The store failed in a way that does not say what it did.
    ReplyLost,
    /// The store did not answer in time.
    Deadline,
}
