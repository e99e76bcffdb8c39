//! `DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}/plan/{plan-id}`

use std::time::Instant;

use http::StatusCode;
use tarn_openapi::access::Action;

use super::table_name;
use crate::rest::call::Call;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::PlanId;

/// Forgets a plan: its tasks are answered no more.
#[utoipa::path(
    delete, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}/plan/{plan-id}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path), ("plan-id" = String, Path),
    ),
    responses(
        (status = 204, description = "Forgotten"),
        (status = 404, description = "There is no such table or plan", body = ErrorEnvelope),
    )
)]
pub(crate) async fn cancel(
    Call { front, caller, place }: Call,
    PlanId(id): PlanId,
) -> Result<StatusCode, Failure> {
    front.allow_table(&caller, Action::GetTableData, &place)?;
    front.see(&caller, &place).await?.table((&front, &caller, Action::GetTableData), &place)?;
    front.planner.cancel(&table_name(&place), &id, Instant::now())?;
    Ok(StatusCode::NO_CONTENT)
}
