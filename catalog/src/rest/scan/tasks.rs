//! `POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/tasks`

use std::time::Instant;

use axum::response::Response;
use tarn_openapi::access::Action;

use super::dto::{FetchScanTasksRequest, FetchScanTasksResult};
use super::{answer, table_name};
use crate::rest::body::Json;
use crate::rest::call::Call;
use crate::rest::error::{ErrorEnvelope, Failure};

/// The files of a plan task.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}/tasks", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path),
    ),
    request_body = FetchScanTasksRequest,
    responses(
        (status = 200, description = "The files", body = FetchScanTasksResult),
        (status = 404, description = "There is no such table or plan task", body = ErrorEnvelope),
    )
)]
pub(crate) async fn tasks(
    Call { front, caller, place }: Call,
    Json(request): Json<FetchScanTasksRequest>,
) -> Result<Response, Failure> {
    front.allow_table(&caller, Action::GetTableData, &place)?;
    front.see(&caller, &place).await?.table((&front, &caller, Action::GetTableData), &place)?;
    let planned = front.planner.task(&table_name(&place), &request.plan_task, Instant::now()).await?;
    Ok(answer::tasks(planned).await)
}
