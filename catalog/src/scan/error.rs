//! Why a scan was not planned.

use std::sync::Arc;

use super::avro::InvalidAvro;
use super::filter::InvalidFilter;

/// A scan was not planned, or a task of it not answered. Nothing is changed by either.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum PlanError {
    /// The request has no meaning for this table.
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// A client can plan this scan itself, this server does not.
    #[error("{0}")]
    Unsupported(String),
    /// A file of the table is gone: its snapshot was expired, or the file was removed.
    #[error("{location} does not exist")]
    Missing { location: Box<str> },
    #[error("{location} is not what it must be")]
    Damaged {
        location: Box<str>,
        #[source]
        source: InvalidAvro,
    },
    /// A partition value does not have the type its field has.
    #[error("a partition value of {location} is not of its field's type")]
    Partition { location: Box<str> },
    /// The store failed; trying again may help.
    #[error("{location} could not be read")]
    Store {
        location: Box<str>,
        #[source]
        source: Arc<object_store::Error>,
    },
    /// As many plans are in use as are kept.
    #[error("too many scans are being planned")]
    Busy,
    #[error("there is no plan {0}")]
    NoSuchPlan(String),
    #[error("there is no plan task {0}")]
    NoSuchTask(String),
}
