//! `POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/plan`

use std::time::Instant;

use axum::response::Response;
use http::HeaderMap;
use tarn_openapi::access::Action;

use super::dto::{PlanTableScanRequest, PlanTableScanResult};
use super::{answer, table_name};
use crate::rest::body::Json;
use crate::rest::call::Call;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::scan::{Scan, TableName};

/// Plans a scan: the files to read, or the tasks to fetch them by.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}/plan", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path),
        ("X-Iceberg-Access-Delegation" = Option<String>, Header, description = "Credentials come with the plan when they are asked for here"),
    ),
    request_body = PlanTableScanRequest,
    responses(
        (status = 200, description = "The plan", body = PlanTableScanResult),
        (status = 400, description = "The filter or the snapshots make no sense for the table", body = ErrorEnvelope),
        (status = 404, description = "There is no such table", body = ErrorEnvelope),
        (status = 406, description = "The client has to plan this scan itself", body = ErrorEnvelope),
    )
)]
pub(crate) async fn plan(
    Call { front, caller, place }: Call,
    headers: HeaderMap,
    Json(request): Json<PlanTableScanRequest>,
) -> Result<Response, Failure> {
    front.allow_table(&caller, Action::GetTableData, &place)?;
    let (request, bytes) = request.into_scan()?;
    let seen = front.see(&caller, &place).await?;
    let entry = seen.table((&front, &caller, Action::GetTableData), &place)?;
    let metadata = seen.metadata(&front, &place, entry).await?;
    let table = TableName {
        area: front.catalog.area(&idents::table(&place)?, &metadata),
        name: table_name(&place),
        metadata_location: entry.metadata_location.clone(),
    };
    let bytes = bytes * metadata.specs().len().max(1);
    let scan = Scan::new(table, &metadata, &request, front.planner.limits().snapshots_max)?;
    let planned = front.planner.begin(scan, bytes, Instant::now()).await?;
    let storage = front.storage_for(&caller, &place, (&seen.ground(&place, entry), &metadata), &headers);
    Ok(answer::completed(planned, storage).await)
}
