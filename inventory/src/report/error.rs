//! Why a run of an inventory does not go on.

use tarn_catalog::state::TableIdent;
use tarn_catalog::{CommitError, LoadError};

use super::encoder::EncodeError;
use super::filter::FilterError;
use crate::jobs::{Stopped, WorkError};
use crate::scan::ScanError;

/// Why a run of an inventory does not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// The framework says so.
    #[error(transparent)]
    Held(#[from] WorkError),
    /// It is told to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Its author may not do it any more.
    #[error("{0}")]
    Denied(String),
    /// The specification or the checkpoint is not one.
    #[error("{what} cannot be read")]
    Unreadable {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The filter cannot be.
    #[error("the filter cannot be used: {0}")]
    Filter(#[from] FilterError),
    /// The bucket that is told.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Rows could not be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The bucket that files go to is gone.
    #[error("there is no bucket {0} to write to")]
    NoDestination(String),
    /// The store of a file failed.
    #[error("the store failed at s3://{bucket}/{key}")]
    Store {
        /// The bucket.
        bucket: String,
        /// The file.
        key: String,
        /// The store's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The table cannot be written to.
    #[error("table '{table}' cannot take the inventory: {message}")]
    Unfit {
        /// The table.
        table: TableIdent,
        /// Why.
        message: String,
    },
    /// The catalog did not take it, or it is not known whether it did.
    #[error("the catalog did not take the snapshot")]
    Commit(#[from] CommitError),
    /// The table's metadata cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Other commits came in the way again and again.
    #[error("other commits to table '{0}' came in the way")]
    Overtaken(TableIdent),
    /// More files than a run keeps account of.
    #[error("the report has more than {0} files: it needs a larger file_bytes_hint")]
    TooManyFiles(usize),
    /// Runs of one inventory have one folder a minute.
    #[error("runs of this inventory have taken the folders of the next minutes")]
    TooManyRuns,
}

impl From<RunError> for WorkError {
    fn from(error: RunError) -> Self {
        let text = error.to_string();
        match error {
            RunError::Held(held) => held,
            RunError::Stopped(stopped) => Self::Stopped(stopped),
            RunError::Scan(ScanError::NoSuchBucket(_))
            | RunError::Denied(_)
            | RunError::Unreadable { .. }
            | RunError::Filter(_)
            | RunError::Encode(_)
            | RunError::NoDestination(_)
            | RunError::Unfit { .. }
            | RunError::TooManyFiles(_) => Self::Fatal(text, Some(error.into())),
            RunError::Scan(ScanError::Store(_))
            | RunError::Store { .. }
            | RunError::Commit(_)
            | RunError::Load(_)
            | RunError::Overtaken(_)
            | RunError::TooManyRuns => Self::Retry(text, Some(error.into())),
        }
    }
}
