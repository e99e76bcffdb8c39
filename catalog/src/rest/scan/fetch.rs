//! `GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/plan/{plan-id}`

use std::time::Instant;

use axum::response::Response;
use http::HeaderMap;
use tarn_openapi::access::Action;

use super::dto::PlanTableScanResult;
use super::{answer, table_name};
use crate::rest::call::Call;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::PlanId;

/// The answer to a plan, again.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}/plan/{plan-id}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path), ("plan-id" = String, Path),
    ),
    responses(
        (status = 200, description = "The plan", body = PlanTableScanResult),
        (status = 404, description = "There is no such table or plan", body = ErrorEnvelope),
    )
)]
pub(crate) async fn fetch(
    Call { front, caller, place }: Call,
    PlanId(id): PlanId,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    front.allow_table(&caller, Action::GetTableData, &place)?;
    let seen = front.see(&caller, &place).await?;
    let entry = seen.table((&front, &caller, Action::GetTableData), &place)?;
    let metadata = seen.metadata(&front, &place, entry).await?;
    let planned = front.planner.again(&table_name(&place), &id, Instant::now()).await?;
    let storage = front.storage_for(&caller, &place, (&seen.ground(&place, entry), &metadata), &headers);
    Ok(answer::completed(planned, storage).await)
}
