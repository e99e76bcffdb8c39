//! Domain errors on the wire, each mapped once (docs/FAULTS.md).

use std::error::Error;
use std::time::Duration;

use super::error::{Failure, Kind};
use crate::commit::{CommitError, Silence};
use crate::files::{LoadError, WriteError};
use crate::state::{Conflict, Refusal};
use crate::warehouses::WarehouseError;

/// What a client is told to wait when a store fails.
pub(super) const STORE_RETRY_AFTER: Duration = Duration::from_secs(2);

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict(conflict) => conflict.into(),
            CommitError::Load(error) => error.into(),
            // The warehouse's bucket is gone: trying again does not bring it back (E3).
            CommitError::Write(WriteError { source: object_store::Error::NotFound { .. }, ref location }) => {
                Failure::new(Kind::NotFound, format!("the bucket of {location} does not exist"))
            }
            // The file is not there, the record neither: nothing was done.
            CommitError::Write(error) => Failure::unavailable(error.to_string(), STORE_RETRY_AFTER),
            CommitError::Busy { retry_after } => Failure::unavailable("the catalog is busy", retry_after),
            CommitError::Defect => Failure::new(Kind::Internal, error.to_string()),
            CommitError::Fenced => Failure::unavailable(error.to_string(), STORE_RETRY_AFTER),
            CommitError::Unknown { why: Silence::ReplyLost, .. } => {
                Failure::new(Kind::CommitStateUnknown, error.to_string())
            }
            CommitError::Unknown { why: Silence::Deadline, .. } => {
                Failure::new(Kind::CommitDeadline, error.to_string())
            }
        }
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        match conflict.refusal() {
            Some(refusal) => Failure::new(kind(refusal), conflict.to_string()),
            None => Failure::unavailable(conflict.to_string(), STORE_RETRY_AFTER),
        }
    }
}

impl Kind {
    /// Which refusal this is, of those that are kept for an idempotency key.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        match self {
            Kind::BadRequest => Some(Refusal::BadRequest),
            Kind::IllegalArgument => Some(Refusal::IllegalArgument),
            Kind::NoSuchWarehouse => Some(Refusal::NoSuchWarehouse),
            Kind::NoSuchNamespace => Some(Refusal::NoSuchNamespace),
            Kind::NoSuchTable => Some(Refusal::NoSuchTable),
            Kind::NoSuchView => Some(Refusal::NoSuchView),
            Kind::NotFound => Some(Refusal::NotFound),
            Kind::AlreadyExists => Some(Refusal::AlreadyExists),
            Kind::Protected => Some(Refusal::Protected),
            Kind::NamespaceNotEmpty => Some(Refusal::NotEmpty),
            Kind::CommitFailed => Some(Refusal::CommitFailed),
            Kind::Unprocessable | Kind::Damaged => Some(Refusal::Unprocessable),
            Kind::NotAuthorized
            | Kind::Forbidden
            // No route changes functions.
            | Kind::NoSuchFunction
            // Plans are no changes.
            | Kind::NoSuchPlan
            | Kind::NoSuchPlanTask
            | Kind::Unsupported
            | Kind::NoSuchRoute
            | Kind::MethodNotAllowed
            | Kind::TooLarge
            | Kind::Unavailable
            | Kind::CommitStateUnknown
            | Kind::CommitDeadline
            | Kind::Internal => None,
        }
    }
}

fn kind(refusal: Refusal) -> Kind {
    match refusal {
        Refusal::BadRequest => Kind::BadRequest,
        Refusal::IllegalArgument => Kind::IllegalArgument,
        Refusal::NoSuchWarehouse => Kind::NoSuchWarehouse,
        Refusal::NoSuchNamespace => Kind::NoSuchNamespace,
        Refusal::NoSuchTable => Kind::NoSuchTable,
        Refusal::NoSuchView => Kind::NoSuchView,
        Refusal::Protected => Kind::Protected,
        Refusal::NotFound => Kind::NotFound,
        Refusal::AlreadyExists => Kind::AlreadyExists,
        Refusal::NotEmpty => Kind::NamespaceNotEmpty,
        Refusal::CommitFailed => Kind::CommitFailed,
        Refusal::Unprocessable => Kind::Unprocessable,
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let message = with_causes(&error);
        match error {
            LoadError::Location { .. } => Failure::bad_request(message),
            LoadError::Missing { .. } => Failure::new(Kind::NotFound, message),
            LoadError::TooLarge { .. } | LoadError::Invalid { .. } => {
                tracing::error!(message, "a metadata file is not what it must be");
                Failure::new(Kind::Damaged, message)
            }
            LoadError::Store { .. } => {
                tracing::warn!(message, "a metadata file could not be read");
                Failure::unavailable(message, STORE_RETRY_AFTER)
            }
        }
    }
}

impl From<WarehouseError> for Failure {
    fn from(error: WarehouseError) -> Self {
        let kind = match &error {
            WarehouseError::Exists => Kind::AlreadyExists,
            WarehouseError::Missing => Kind::NoSuchWarehouse,
            WarehouseError::NotEmpty => Kind::NamespaceNotEmpty,
            WarehouseError::Name(_) => Kind::BadRequest,
            WarehouseError::Store(_) => {
                let message = with_causes(&error);
                tracing::warn!(message, "a warehouse's bucket could not be changed");
                return Failure::unavailable(message, STORE_RETRY_AFTER);
            }
        };
        Failure::new(kind, error.to_string())
    }
}

/// The message and those of its sources.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    message
}
