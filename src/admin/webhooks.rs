//! Webhooks: URLs that change events are sent to.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use tarn_openapi::access::Action;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Body, Path};
use crate::server::Shared;
use crate::webhooks::{Asked, Definition, Mode, Shown};

/// A webhook. Its secret is never shown.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Webhook {
    id: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    warehouse: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Vec<String>>,
    types: Vec<String>,
    mode: Mode,
    timeout_seconds: u64,
    enabled: bool,
    status: Shown,
}

/// A webhook that was put.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct PutWebhook {
    #[serde(flatten)]
    webhook: Webhook,
    /// What signs its deliveries; only when it was made now, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// All webhooks, by id.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct WebhookList {
    webhooks: Vec<Webhook>,
}

/// What became of a test.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct WebhookTest {
    /// Whether the receiver answered 2xx.
    delivered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

impl Webhook {
    fn new(id: &str, definition: Definition, status: Shown) -> Self {
        let Definition { url, warehouse, namespace, types, mode, timeout, enabled, .. } = definition;
        let timeout_seconds = timeout.as_secs();
        Self { id: id.into(), url, warehouse, namespace, types, mode, timeout_seconds, enabled, status }
    }
}

/// Lists the webhooks and how they do.
#[utoipa::path(get, path = "/_admin/v1/webhooks", tag = "Events", responses(
    (status = 200, description = "All of them", body = WebhookList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(super) async fn list(caller: Caller, State(program): Shared) -> Result<Json<WebhookList>, Failure> {
    caller.may(Action::AdminListWebhooks)?;
    let all = program.webhooks.list().into_iter();
    let webhooks = all.map(|(id, definition, status)| Webhook::new(&id, definition, status)).collect();
    Ok(Json(WebhookList { webhooks }))
}

/// Shows a webhook and how it does.
#[utoipa::path(get, path = "/_admin/v1/webhooks/{id}", tag = "Events", params(("id" = String, Path)), responses(
    (status = 200, description = "The webhook", body = Webhook),
    (status = 404, description = "There is no such webhook", body = ErrorBody),
))]
pub(super) async fn show(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<Json<Webhook>, Failure> {
    caller.may(Action::AdminGetWebhook)?;
    let (definition, status) = program.webhooks.show(&id)?;
    Ok(Json(Webhook::new(&id, definition, status)))
}

/// Puts a webhook, in the place of the one of this id. It is sent the events of every warehouse that its filter lets
/// pass.
#[utoipa::path(put, path = "/_admin/v1/webhooks/{id}", tag = "Events", params(("id" = String, Path)),
    request_body = Asked,
    responses(
        (status = 200, description = "Kept", body = PutWebhook),
        (status = 400, description = "It is not valid", body = ErrorBody),
        (status = 409, description = "There are too many, or somebody else changed it", body = ErrorBody),
    ))]
pub(super) async fn put(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
    Body(body): Body<Asked>,
) -> Result<Json<PutWebhook>, Failure> {
    caller.may(Action::AdminPutWebhook)?;
    let asked = body?;
    let put = program.webhooks.put(&caller.catalog(), &id, asked).await?;
    tracing::info!(webhook.id = %id, "put a webhook");
    let (_, status) = program.webhooks.show(&id)?;
    let webhook = Webhook::new(&id, put.definition, status);
    Ok(Json(PutWebhook { webhook, secret: put.secret.map(|secret| secret.expose().to_owned()) }))
}

/// Deletes a webhook.
#[utoipa::path(delete, path = "/_admin/v1/webhooks/{id}", tag = "Events", params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such webhook", body = ErrorBody),
))]
pub(super) async fn delete(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::AdminDeleteWebhook)?;
    program.webhooks.delete(&caller.catalog(), &id).await?;
    tracing::info!(webhook.id = %id, "deleted a webhook");
    Ok(StatusCode::NO_CONTENT)
}

/// Sends an event of type `tarn.webhook.test` to a webhook now, once, and tells what became of it.
#[utoipa::path(post, path = "/_admin/v1/webhooks/{id}/test", tag = "Events", params(("id" = String, Path)),
    responses(
        (status = 200, description = "What became of it", body = WebhookTest),
        (status = 404, description = "There is no such webhook", body = ErrorBody),
    ))]
pub(super) async fn test(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<Json<WebhookTest>, Failure> {
    caller.may(Action::AdminTestWebhook)?;
    Ok(Json(match program.webhooks.test(&id).await? {
        Ok(took) => WebhookTest { delivered: true, took_ms: Some(took.as_millis() as u64), failure: None },
        Err(failure) => WebhookTest { delivered: false, took_ms: None, failure: Some(failure.to_string()) },
    }))
}
