//! `POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics`

use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::body::Json;
use crate::rest::call::Call;
use crate::rest::dto::ReportMetricsRequest;
use crate::rest::error::{ErrorEnvelope, Failure};

/// Takes a client's report of a scan or a commit. It is counted, not kept.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path),
    ),
    request_body = ReportMetricsRequest,
    responses(
        (status = 204, description = "Counted"),
        (status = 400, description = "The report's type is not known", body = ErrorEnvelope),
    )
)]
pub(crate) async fn metrics(
    Call { front, caller, place }: Call,
    Json(report): Json<ReportMetricsRequest>,
) -> Result<StatusCode, Failure> {
    front.allow_table(&caller, Action::TableMetrics, &place)?;
    let kind = match report.report_type.as_str() {
        "scan-report" => "scan",
        "commit-report" => "commit",
        other => return Err(Failure::bad_request(format!("report type {other} is not known"))),
    };
    metrics::counter!("tarn_catalog_client_reports_total", "kind" => kind).increment(1);
    Ok(StatusCode::NO_CONTENT)
}
