//! Inventories of buckets: what the sub-resources of S3 do, in JSON, and what they have no call for.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::request::Parts;
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use tarn_inventory::jobs::Seen;
use tarn_inventory::report::{Plan, PlanError, Spec, Written};
use tarn_objectcore::name::BucketName;
use tarn_objectcore::s3::InventoryError;
use tarn_openapi::access::{Action, Resource};

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Path, Text};
use crate::inventories::{Asker, Control, ControlError, Found, PlanFailure, Status, read_yaml, template};
use crate::server::{Program, Shared};

/// The inventories of a bucket.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct InventoryList {
    #[schema(value_type = Vec<Object>)]
    inventories: Vec<Listed>,
}

/// An inventory, as a list tells it.
#[derive(Serialize)]
struct Listed {
    /// Whose API it was defined by.
    api: &'static str,
    /// Where its files go.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    /// Whether each run is a snapshot of a table.
    iceberg: bool,
    #[serde(flatten)]
    status: Status,
}

/// An inventory.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct InventoryBody {
    /// Whose API it was defined by: `aws`, `aistor` or `jobs`.
    api: &'static str,
    /// As it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<String>,
    /// What it does, in full form.
    #[schema(value_type = Object)]
    spec: Spec,
    #[schema(value_type = Object)]
    status: Status,
}

/// What became of a wish.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Controlled {
    status: &'static str,
    bucket: String,
    #[serde(rename = "inventoryId")]
    inventory_id: String,
    message: &'static str,
}

/// The bucket and id of a path.
pub(super) struct At {
    bucket: BucketName,
    id: String,
}

pub(super) fn router() -> Router<Arc<Program>> {
    let at = |below: &str| format!("/_admin/v1/inventory/{{bucket}}/{{id}}{below}");
    Router::new()
        .route("/_admin/v1/inventory/{bucket}", get(list))
        .route(&at(""), get(show).put(put).delete(delete))
        .route(&at("/template"), get(generate))
        .route(&at("/status"), get(status))
        .route(&at("/plan"), post(plan))
        .route(&at("/run"), post(run))
        .route(&at("/cancel"), post(cancel))
        .route(&at("/suspend"), post(suspend))
        .route(&at("/resume"), post(resume))
}

impl<S: Send + Sync> FromRequestParts<S> for At {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path((bucket, id)) = Path::<(String, String)>::from_request_parts(parts, state).await?;
        Ok(Self { bucket: bucket_name(&bucket)?, id })
    }
}

fn bucket_name(name: &str) -> Result<BucketName, Failure> {
    BucketName::new(name).map_err(|_| Failure::Missing(format!("there is no bucket {name}")))
}

/// A1, and then whether there is the bucket.
fn allow(caller: &Caller, program: &Program, action: Action, bucket: &BucketName) -> Result<(), Failure> {
    caller.may_on(action, Resource::Bucket(bucket.as_str()))?;
    match program.core.bucket(bucket) {
        Some(_) => Ok(()),
        None => Err(Failure::Missing(format!("there is no bucket {bucket}"))),
    }
}

impl At {
    fn find(&self, caller: &Caller, program: &Program, action: Action) -> Result<Found, Failure> {
        allow(caller, program, action, &self.bucket)?;
        program.inventories.find(&self.bucket, &self.id).ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Failure {
        Failure::Missing(format!("bucket {} has no inventory {}", self.bucket, self.id))
    }

    fn refused(&self, error: InventoryError) -> Failure {
        match error {
            InventoryError::Malformed(message) => Failure::Invalid(message),
            InventoryError::Invalid { message, .. } => Failure::Invalid(message),
            InventoryError::NotImplemented(message) => Failure::Unserved(message),
            InventoryError::Denied(message) => Failure::Refused(message),
            InventoryError::Missing => self.missing(),
            error @ InventoryError::TooMany { .. } => Failure::Conflict(error.to_string()),
            error @ InventoryError::Busy => Failure::Busy(error.to_string()),
            InventoryError::Failed(source) => {
                tracing::error!(bucket = %self.bucket, inventory = self.id, error = %source, "an inventory could not be changed");
                Failure::Failed("the inventory could not be changed".into())
            }
        }
    }

    fn not_done(&self, error: ControlError) -> Failure {
        match error {
            ControlError::Missing => self.missing(),
            ControlError::NotAllowed(message) => Failure::Conflict(message),
            ControlError::Put(error) => self.refused(error),
            ControlError::Commit(error) => Failure::Catalog(error),
        }
    }
}

fn api(spec: &Spec) -> &'static str {
    match &spec.written {
        Some(Written::Aws(_)) => "aws",
        Some(Written::Aistor(_)) => "aistor",
        None => "jobs",
    }
}

/// Lists the inventories of a bucket, by whatever API they were defined.
#[utoipa::path(get, path = "/_admin/v1/inventory/{bucket}", tag = "Inventory", params(("bucket" = String, Path)),
    responses(
    (status = 200, description = "In order of their ids", body = InventoryList),
    (status = 404, description = "There is no such bucket", body = ErrorBody),
))]
pub(super) async fn list(
    caller: Caller,
    State(program): Shared,
    Path(bucket): Path<String>,
) -> Result<Json<InventoryList>, Failure> {
    let bucket = bucket_name(&bucket)?;
    allow(&caller, &program, Action::GetInventoryConfiguration, &bucket)?;
    let listed = |found: Found| Listed {
        api: api(&found.spec),
        destination: found.spec.destination.as_ref().map(|to| format!("s3://{}/{}", to.bucket, to.prefix)),
        iceberg: found.spec.iceberg,
        status: program.inventories.status(&found),
    };
    let inventories = program.inventories.of_bucket(&bucket).into_iter().map(listed).collect();
    Ok(Json(InventoryList { inventories }))
}

/// Shows an inventory.
#[utoipa::path(get, path = "/_admin/v1/inventory/{bucket}/{id}", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)), responses(
    (status = 200, description = "Its definition and how it stands", body = InventoryBody),
    (status = 404, description = "There is no such inventory", body = ErrorBody),
))]
pub(super) async fn show(
    caller: Caller,
    State(program): Shared,
    at: At,
) -> Result<Json<InventoryBody>, Failure> {
    let found = at.find(&caller, &program, Action::GetInventoryConfiguration)?;
    Ok(Json(body(&program, &found)))
}

fn body(program: &Program, found: &Found) -> InventoryBody {
    let mut spec = found.spec.clone();
    let api = api(&spec);
    let definition = spec.written.take().map(|written| match written {
        Written::Aws(text) | Written::Aistor(text) => text,
    });
    InventoryBody { api, definition, spec, status: program.inventories.status(found) }
}

/// Puts an inventory, written as YAML. A new or changed one runs at once.
#[utoipa::path(put, path = "/_admin/v1/inventory/{bucket}/{id}", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)),
    request_body(content = String, description = "YAML as AIStor has it", content_type = "application/x-yaml"),
    responses(
    (status = 200, description = "Kept", body = InventoryBody),
    (status = 400, description = "Something in it is wrong: its line, and what is allowed", body = ErrorBody),
    (status = 403, description = "The caller may not do what it does", body = ErrorBody),
    (status = 404, description = "There is no such bucket", body = ErrorBody),
))]
pub(super) async fn put(
    caller: Caller,
    State(program): Shared,
    at: At,
    Text(text): Text,
) -> Result<Json<InventoryBody>, Failure> {
    allow(&caller, &program, Action::PutInventoryConfiguration, &at.bucket)?;
    let asker = Asker { principal: &caller.principal, sender: caller.sender.as_ref() };
    let put = program.inventories.put_yaml(&at.bucket, &at.id, text.as_bytes(), asker).await;
    put.map_err(|error| at.refused(error))?;
    let found = program.inventories.find(&at.bucket, &at.id).ok_or_else(|| at.missing())?;
    Ok(Json(body(&program, &found)))
}

/// Deletes an inventory; its run is canceled. What it wrote stays.
#[utoipa::path(delete, path = "/_admin/v1/inventory/{bucket}/{id}", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)), responses(
    (status = 204, description = "There is none any more"),
    (status = 404, description = "There is no such inventory", body = ErrorBody),
))]
pub(super) async fn delete(caller: Caller, State(program): Shared, at: At) -> Result<StatusCode, Failure> {
    allow(&caller, &program, Action::PutInventoryConfiguration, &at.bucket)?;
    program.inventories.delete(&at.bucket, &at.id).await.map_err(|error| at.refused(error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a definition to begin with.
#[utoipa::path(get, path = "/_admin/v1/inventory/{bucket}/{id}/template", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)), responses(
    (status = 200, description = "YAML", body = String, content_type = "application/x-yaml"),
    (status = 400, description = "An inventory cannot have this id", body = ErrorBody),
))]
pub(super) async fn generate(caller: Caller, State(program): Shared, at: At) -> Result<Response, Failure> {
    allow(&caller, &program, Action::GetInventoryConfiguration, &at.bucket)?;
    let text = template(&at.bucket, &at.id).map_err(|error| at.refused(error))?;
    Ok(([(header::CONTENT_TYPE, "application/x-yaml")], text).into_response())
}

/// Tells how an inventory stands.
#[utoipa::path(get, path = "/_admin/v1/inventory/{bucket}/{id}/status", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)), responses(
    (status = 200, description = "AIStor's status, and more", body = Object),
    (status = 404, description = "There is no such inventory", body = ErrorBody),
))]
pub(super) async fn status(caller: Caller, State(program): Shared, at: At) -> Result<Json<Status>, Failure> {
    let found = at.find(&caller, &program, Action::GetInventoryConfiguration)?;
    Ok(Json(program.inventories.status(&found)))
}

/// Tells what a run would do, by a look at a part of the bucket.
#[utoipa::path(post, path = "/_admin/v1/inventory/{bucket}/{id}/plan", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)),
    request_body(content = String, description = "YAML as AIStor has it; empty: the definition that is kept",
        content_type = "application/x-yaml"),
    responses(
    (status = 200, description = "Counts, size and time; estimated where `complete` is false", body = Object),
    (status = 400, description = "Something in the definition is wrong", body = ErrorBody),
    (status = 404, description = "There is no such inventory", body = ErrorBody),
))]
pub(super) async fn plan(
    caller: Caller,
    State(program): Shared,
    at: At,
    Text(text): Text,
) -> Result<Json<Plan>, Failure> {
    let spec = if text.is_empty() {
        at.find(&caller, &program, Action::GetInventoryConfiguration)?.spec
    } else {
        allow(&caller, &program, Action::GetInventoryConfiguration, &at.bucket)?;
        read_yaml(&at.bucket, &at.id, text.as_bytes()).map_err(|error| at.refused(error))?.spec
    };
    let asker = Asker { principal: &caller.principal, sender: caller.sender.as_ref() };
    match program.inventories.plan(&spec, asker).await {
        Ok(plan) => Ok(Json(plan)),
        Err(PlanFailure::Refused(error)) => Err(at.refused(error)),
        Err(PlanFailure::Plan(PlanError::Invalid(message))) => Err(Failure::Invalid(message)),
        Err(PlanFailure::Plan(error @ PlanError::NoSuchBucket(_))) => {
            Err(Failure::Missing(error.to_string()))
        }
        Err(PlanFailure::Plan(PlanError::Failed(source))) => Err(at.refused(InventoryError::Failed(source))),
    }
}

/// Begins a run now.
#[utoipa::path(post, path = "/_admin/v1/inventory/{bucket}/{id}/run", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)), responses(
    (status = 202, description = "Begun", body = Object),
    (status = 404, description = "There is no such inventory", body = ErrorBody),
    (status = 409, description = "A run has not ended", body = ErrorBody),
))]
pub(super) async fn run(caller: Caller, State(program): Shared, at: At) -> Result<Response, Failure> {
    let found = at.find(&caller, &program, Action::InventoryStartJob)?;
    let Seen { run, .. } = program.inventories.run(&found).await.map_err(|error| at.not_done(error))?;
    let begun: Value = json!({"run": run.id, "state": run.state});
    Ok((StatusCode::ACCEPTED, Json(begun)).into_response())
}

/// Cancels the run of an inventory.
#[utoipa::path(post, path = "/_admin/v1/inventory/{bucket}/{id}/cancel", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)), responses(
    (status = 200, description = "Done", body = Controlled),
    (status = 404, description = "There is no such inventory", body = ErrorBody),
    (status = 409, description = "No run is at work", body = ErrorBody),
))]
pub(super) async fn cancel(
    caller: Caller,
    State(program): Shared,
    at: At,
) -> Result<Json<Controlled>, Failure> {
    control(&caller, &program, at, Control::Cancel).await
}

/// Suspends the run of an inventory, or its schedule while there is no run.
#[utoipa::path(post, path = "/_admin/v1/inventory/{bucket}/{id}/suspend", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)), responses(
    (status = 200, description = "Done", body = Controlled),
    (status = 404, description = "There is no such inventory", body = ErrorBody),
))]
pub(super) async fn suspend(
    caller: Caller,
    State(program): Shared,
    at: At,
) -> Result<Json<Controlled>, Failure> {
    control(&caller, &program, at, Control::Suspend).await
}

/// Lets go on what was suspended.
#[utoipa::path(post, path = "/_admin/v1/inventory/{bucket}/{id}/resume", tag = "Inventory",
    params(("bucket" = String, Path), ("id" = String, Path)), responses(
    (status = 200, description = "Done", body = Controlled),
    (status = 404, description = "There is no such inventory", body = ErrorBody),
    (status = 409, description = "Nothing is suspended", body = ErrorBody),
))]
pub(super) async fn resume(
    caller: Caller,
    State(program): Shared,
    at: At,
) -> Result<Json<Controlled>, Failure> {
    control(&caller, &program, at, Control::Resume).await
}

async fn control(
    caller: &Caller,
    program: &Program,
    at: At,
    control: Control,
) -> Result<Json<Controlled>, Failure> {
    let found = at.find(caller, program, Action::InventoryCancelJob)?;
    let message = program.inventories.control(&found, control).await.map_err(|error| at.not_done(error))?;
    Ok(Json(Controlled { status: "success", bucket: at.bucket.to_string(), inventory_id: at.id, message }))
}
