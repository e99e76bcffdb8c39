//! Jobs: definitions and runs.
//!
//! Maintenance of tables and the healing of drives are told among the runs, and changed by their own routes.

pub(super) mod definitions;
pub(super) mod events;
mod others;
pub(super) mod runs;
mod shown;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tarn_inventory::jobs::{ChangeError, DeleteError, PutError, RunNow};

pub(crate) use events::slots as stream_slots;

use super::error::Failure;
use crate::server::Program;

/// The longest definition, in bytes.
const DEFINITION_BYTES_MAX: usize = 256 * 1024;

/// The routes, with their full paths.
pub(super) fn router() -> Router<Arc<Program>> {
    let definition = get(definitions::show).put(definitions::put).delete(definitions::delete);
    Router::new()
        .route("/_admin/v1/jobs", get(definitions::list))
        .route("/_admin/v1/jobs/{name}", definition.layer(DefaultBodyLimit::max(DEFINITION_BYTES_MAX)))
        .route("/_admin/v1/jobs/{name}/run", post(definitions::run))
        .route("/_admin/v1/jobs/runs", get(runs::list))
        .route("/_admin/v1/jobs/runs/{id}", get(runs::show))
        .route("/_admin/v1/jobs/runs/{id}/suspend", post(runs::suspend))
        .route("/_admin/v1/jobs/runs/{id}/resume", post(runs::resume))
        .route("/_admin/v1/jobs/runs/{id}/cancel", post(runs::cancel))
        .route("/_admin/v1/jobs/runs/{id}/report", get(runs::report))
        .route("/_admin/v1/jobs/runs/{id}/events", get(events::stream))
}

impl From<PutError> for Failure {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Invalid(tarn_inventory::jobs::InvalidSpec::Denied(message)) => Self::Refused(message),
            PutError::Invalid(tarn_inventory::jobs::InvalidSpec::Missing(message)) => Self::Missing(message),
            PutError::Invalid(tarn_inventory::jobs::InvalidSpec::Field { .. })
            | PutError::NoSuchKind { .. } => Self::Invalid(error.to_string()),
            PutError::Missing(_) => Self::Missing(error.to_string()),
            PutError::Exists(_) | PutError::Changed(_) | PutError::TooMany(_) => {
                Self::Conflict(error.to_string())
            }
            PutError::Commit(error) => Self::Catalog(error),
        }
    }
}

impl From<DeleteError> for Failure {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::Missing(_) => Self::Missing(error.to_string()),
            DeleteError::Run(error) => error.into(),
            DeleteError::Commit(error) => Self::Catalog(error),
        }
    }
}

impl From<RunNow> for Failure {
    fn from(error: RunNow) -> Self {
        match error {
            RunNow::NoSuchJob(_) => Self::Missing(error.to_string()),
            RunNow::AtWork(_) => Self::Conflict(error.to_string()),
            RunNow::Commit(error) => Self::Catalog(error),
        }
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NoSuchRun(_) => Self::Missing(error.to_string()),
            ChangeError::NotAllowed { .. } => Self::Conflict(error.to_string()),
            ChangeError::Commit(error) => Self::Catalog(error),
        }
    }
}
