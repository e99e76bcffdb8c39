//! Journals of buckets: what the sub-resources of S3 do, in JSON, and what they have no call for.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tarn_objectcore::name::BucketName;
use tarn_objectcore::s3::{Expiration, LiveInventory, MetadataError, MetadataWanted};
use tarn_openapi::access::{Action, Resource};

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Body, Path};
use crate::journals::{ReconcileError, Status};
use crate::server::{Program, Shared};

/// The journals of a server.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct JournalList {
    #[schema(value_type = Vec<Object>)]
    journals: Vec<Status>,
}

/// How a bucket's tables shall be kept.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PutJournal {
    /// Rows of the journal go after so many days; absent: they stay.
    #[serde(default)]
    expiration_days: Option<u32>,
    /// Whether there is a table of the objects there are.
    #[serde(default = "yes")]
    inventory: bool,
}

fn yes() -> bool {
    true
}

/// How to compare.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reconcile {
    /// Whether the table of objects is written anew if it drifted.
    #[serde(default)]
    repair: bool,
}

/// A comparison that began.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Begun {
    /// Its run among those of jobs.
    run: String,
    /// The run's state.
    state: &'static str,
}

pub(super) fn router() -> Router<Arc<Program>> {
    Router::new()
        .route("/_admin/v1/journals", get(list))
        .route("/_admin/v1/journals/{bucket}", get(show).put(self::put).delete(self::delete))
        .route("/_admin/v1/journals/{bucket}/reconcile", post(reconcile))
}

/// A1. The bucket of a journal may be gone: it is told, and deleted, all the same.
fn allow(caller: &Caller, action: Action, name: &str) -> Result<BucketName, Failure> {
    caller.may_on(action, Resource::Bucket(name))?;
    BucketName::new(name).map_err(|_| Failure::Missing(format!("there is no bucket {name}")))
}

fn refused(bucket: &BucketName, error: MetadataError) -> Failure {
    match error {
        MetadataError::Invalid { message, .. } => Failure::Invalid(message),
        MetadataError::Denied(message) => Failure::Refused(message),
        MetadataError::Missing => missing(bucket),
        MetadataError::Exists => Failure::Conflict(format!("bucket {bucket} has a journal")),
        error @ MetadataError::Busy => Failure::Busy(error.to_string()),
        MetadataError::Failed(source) => {
            tracing::error!(%bucket, error = %source, "a journal could not be changed");
            Failure::Failed("the journal could not be changed".into())
        }
    }
}

fn missing(bucket: &BucketName) -> Failure {
    Failure::Missing(format!("bucket {bucket} has no journal"))
}

/// Lists the journals of the buckets whose configuration the caller may read.
#[utoipa::path(get, path = "/_admin/v1/journals", tag = "Journals", responses(
    (status = 200, description = "In order of the buckets' names", body = JournalList),
))]
pub(super) async fn list(caller: Caller, State(program): Shared) -> Result<Json<JournalList>, Failure> {
    let mut journals = program.journals.list();
    journals.retain(|status| {
        let bucket = Resource::Bucket(&status.bucket);
        caller.may_on(Action::GetBucketMetadataTableConfiguration, bucket).is_ok()
    });
    Ok(Json(JournalList { journals }))
}

/// Tells how a journal stands.
#[utoipa::path(get, path = "/_admin/v1/journals/{bucket}", tag = "Journals",
    params(("bucket" = String, Path)), responses(
    (status = 200, description = "Its tables, how far they are, and the last comparison", body = Object),
    (status = 404, description = "There is no such bucket, or it has no journal", body = ErrorBody),
))]
pub(super) async fn show(
    caller: Caller,
    State(program): Shared,
    Path(bucket): Path<String>,
) -> Result<Json<Status>, Failure> {
    let bucket = allow(&caller, Action::GetBucketMetadataTableConfiguration, &bucket)?;
    told(&program, &bucket)
}

fn told(program: &Program, bucket: &BucketName) -> Result<Json<Status>, Failure> {
    program.journals.status(bucket).map(Json).ok_or_else(|| missing(bucket))
}

/// Keeps tables of a bucket's changes and of its objects, or changes how they are kept.
#[utoipa::path(put, path = "/_admin/v1/journals/{bucket}", tag = "Journals",
    params(("bucket" = String, Path)), request_body = PutJournal, responses(
    (status = 200, description = "Kept", body = Object),
    (status = 400, description = "Something in it is wrong", body = ErrorBody),
    (status = 403, description = "Not allowed, or not with this key", body = ErrorBody),
    (status = 404, description = "There is no such bucket", body = ErrorBody),
))]
pub(super) async fn put(
    caller: Caller,
    State(program): Shared,
    Path(bucket): Path<String>,
    Body(body): Body<PutJournal>,
) -> Result<Json<Status>, Failure> {
    let bucket = allow(&caller, Action::CreateBucketMetadataTableConfiguration, &bucket)?;
    if program.core.bucket(&bucket).is_none() {
        return Err(Failure::Missing(format!("there is no bucket {bucket}")));
    }
    let PutJournal { expiration_days, inventory } = body?;
    let wanted = MetadataWanted {
        expiration: expiration_days.map_or(Expiration::Never, Expiration::Days),
        inventory: if inventory { LiveInventory::Enabled } else { LiveInventory::Disabled },
    };
    let put = program.journals.put(&bucket, wanted, &caller.principal).await;
    put.map_err(|error| refused(&bucket, error))?;
    told(&program, &bucket)
}

/// Writes the tables of a bucket no more. They stay.
#[utoipa::path(delete, path = "/_admin/v1/journals/{bucket}", tag = "Journals",
    params(("bucket" = String, Path)), responses(
    (status = 204, description = "There is no journal any more"),
    (status = 404, description = "There is no such bucket, or it has no journal", body = ErrorBody),
))]
pub(super) async fn delete(
    caller: Caller,
    State(program): Shared,
    Path(bucket): Path<String>,
) -> Result<StatusCode, Failure> {
    let bucket = allow(&caller, Action::DeleteBucketMetadataTableConfiguration, &bucket)?;
    program.journals.delete(&bucket, &caller.principal).await.map_err(|error| refused(&bucket, error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to compare the table of objects with the bucket.
#[utoipa::path(post, path = "/_admin/v1/journals/{bucket}/reconcile", tag = "Journals",
    params(("bucket" = String, Path)), request_body = Reconcile, responses(
    (status = 202, description = "Begun", body = Begun),
    (status = 403, description = "Not allowed, or not with this key", body = ErrorBody),
    (status = 404, description = "There is no such bucket, or it has no journal", body = ErrorBody),
    (status = 409, description = "A comparison has not ended, or there is no table of objects", body = ErrorBody),
))]
pub(super) async fn reconcile(
    caller: Caller,
    State(program): Shared,
    Path(bucket): Path<String>,
    Body(body): Body<Reconcile>,
) -> Result<Response, Failure> {
    let bucket = allow(&caller, Action::InventoryStartJob, &bucket)?;
    let Reconcile { repair } = body?;
    let begun = program.journals.reconcile(&bucket, repair, &caller.principal).await;
    let seen = begun.map_err(|error| match error {
        ReconcileError::Missing => missing(&bucket),
        ReconcileError::Denied(message) => Failure::Refused(message),
        ReconcileError::AtWork(message) => Failure::Conflict(message),
        error @ ReconcileError::NoInventory => Failure::Conflict(error.to_string()),
        ReconcileError::Put(error) => error.into(),
        ReconcileError::Commit(error) => Failure::Catalog(error),
    })?;
    let begun = Begun { run: seen.run.id.to_string(), state: seen.run.state.name() };
    Ok((StatusCode::ACCEPTED, Json(begun)).into_response())
}
