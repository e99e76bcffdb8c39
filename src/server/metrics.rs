//! `/_metrics` in Prometheus text.

use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tarn_openapi::access::{Action, Ask, Principal, Resource, Sender};

use super::program::Shared;
use crate::config::MetricsAccess;

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0,
];

/// Collects metrics for the process. Only the first server of a process does; later ones show nothing.
pub(crate) fn start() -> Result<PrometheusHandle, BuildError> {
    let builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    let _ = metrics::set_global_recorder(recorder);
    Ok(handle)
}

/// Answers the metrics to whom the configuration lets read them.
#[utoipa::path(get, path = "/_metrics", tag = "Probes", responses(
    (status = 200, description = "Prometheus text", content_type = "text/plain"),
    (status = 401, description = "Credentials are required"),
    (status = 403, description = "Not an administrator"),
))]
pub(crate) async fn show(
    State(server): Shared,
    Extension(principal): Extension<Principal>,
    sender: Option<Extension<Sender>>,
) -> Response {
    let allowed = match server.metrics_access {
        MetricsAccess::Public => true,
        MetricsAccess::Admin => {
            let ask = Ask::new(Action::Prometheus, Resource::Server).sent_by(sender.as_deref());
            server.authorize.authorize(&principal, ask).is_ok()
        }
    };
    if !allowed {
        let status =
            if principal == Principal::Anonymous { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
        return status.into_response();
    }
    server.metrics.run_upkeep();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], server.metrics.render()).into_response()
}
