//! Recipients: list, make, show, change, delete.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::Action;
use tarn_sharing::directory::{self, NewRecipient, Recipient, RecipientChange};

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::{Body, Page, Path, Query};
use super::shown::{ListedRecipient, ShownRecipient};
use super::{now_ms, text};
use crate::identity::Status;

/// Recipients.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct RecipientList {
    recipients: Vec<ListedRecipient>,
    /// Where the next page begins; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A recipient to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct CreateRecipient {
    /// At most 255 bytes, no white space, no `/`. Case counts for nothing.
    name: String,
    /// What it is for.
    comment: Option<String>,
    /// What row filters may refer to.
    #[serde(default)]
    properties: BTreeMap<String, String>,
    /// From where it may come, such as `192.0.2.0/24`; none is everywhere.
    #[serde(default)]
    addresses: Vec<String>,
    /// Of each of its tokens; absent: as the server has it.
    requests_per_second: Option<u32>,
}

/// What to change of a recipient; what is absent stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct AlterRecipient {
    /// What it is for; an empty one takes it away.
    comment: Option<String>,
    /// All of them.
    properties: Option<BTreeMap<String, String>>,
    /// All of them.
    addresses: Option<Vec<String>>,
    /// 0: as the server has it.
    requests_per_second: Option<u32>,
    status: Option<Status>,
}

/// Lists the recipients.
#[utoipa::path(get, path = "/_admin/v1/recipients", tag = "Sharing", params(Page), responses(
    (status = 200, description = "Recipients by name, in pages", body = RecipientList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(in super::super) async fn list(
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<RecipientList>, Failure> {
    caller.may(Action::SharingListRecipients)?;
    let (directory, now_ms) = (caller.sharing(), now_ms());
    let listed = |after: Option<&str>, most| {
        let (shares, recipients) = (directory.births(), directory.recipients(after, most));
        recipients.iter().map(|recipient| ListedRecipient::new(recipient, &shares, now_ms)).collect()
    };
    let (recipients, next_page_token) = page.of(listed, |recipient: &ListedRecipient| &recipient.name)?;
    Ok(Json(RecipientList { recipients, next_page_token }))
}

/// Makes a recipient. It may read nothing until a share is granted to it, and shows nothing until it has a token.
#[utoipa::path(post, path = "/_admin/v1/recipients", tag = "Sharing", request_body = CreateRecipient, responses(
    (status = 201, description = "Made", body = ShownRecipient),
    (status = 400, description = "The name, a property, an address or the rate is not valid", body = ErrorBody),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub(in super::super) async fn create(
    caller: Caller,
    Body(body): Body<CreateRecipient>,
) -> Result<Response, Failure> {
    caller.may(Action::SharingCreateRecipient)?;
    let CreateRecipient { name, comment, properties, addresses, requests_per_second } = body?;
    let new = NewRecipient {
        name: name.clone(),
        comment: text(comment),
        properties,
        addresses,
        requests_per_second,
    };
    let recipient = caller.sharing().create_recipient(new, now_ms()).await?;
    tracing::info!(recipient = %name, "created a recipient");
    Ok((StatusCode::CREATED, Json(shown(&caller, &recipient))).into_response())
}

/// Shows a recipient with its grants and tokens.
#[utoipa::path(get, path = "/_admin/v1/recipients/{recipient}", tag = "Sharing",
    params(("recipient" = String, Path)), responses(
    (status = 200, description = "The recipient", body = ShownRecipient),
    (status = 404, description = "There is no such recipient", body = ErrorBody),
))]
pub(in super::super) async fn show(
    caller: Caller,
    Path(recipient): Path<String>,
) -> Result<Json<ShownRecipient>, Failure> {
    caller.may(Action::SharingGetRecipient)?;
    Ok(Json(shown(&caller, &caller.sharing().recipient(&recipient)?)))
}

/// Changes a recipient. It counts for the next request.
#[utoipa::path(patch, path = "/_admin/v1/recipients/{recipient}", tag = "Sharing",
    params(("recipient" = String, Path)), request_body = AlterRecipient, responses(
    (status = 200, description = "The recipient", body = ShownRecipient),
    (status = 400, description = "A property, an address or the rate is not valid", body = ErrorBody),
    (status = 404, description = "There is no such recipient", body = ErrorBody),
))]
pub(in super::super) async fn alter(
    caller: Caller,
    Path(recipient): Path<String>,
    Body(body): Body<AlterRecipient>,
) -> Result<Json<ShownRecipient>, Failure> {
    caller.may(Action::SharingUpdateRecipient)?;
    let AlterRecipient { comment, properties, addresses, requests_per_second, status } = body?;
    let change = RecipientChange {
        comment: comment.map(|comment| text(Some(comment))),
        properties,
        addresses,
        requests_per_second: requests_per_second.map(|rate| Some(rate).filter(|rate| *rate > 0)),
        status: status.map(|status| match status {
            Status::Enabled => directory::Status::Enabled,
            Status::Disabled => directory::Status::Disabled,
        }),
    };
    let changed = caller.sharing().alter_recipient(&recipient, change).await?;
    tracing::info!(recipient, "changed a recipient");
    Ok(Json(shown(&caller, &changed)))
}

/// Deletes a recipient with its grants and tokens; URLs that are out end.
#[utoipa::path(delete, path = "/_admin/v1/recipients/{recipient}", tag = "Sharing",
    params(("recipient" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such recipient", body = ErrorBody),
))]
pub(in super::super) async fn delete(
    caller: Caller,
    Path(recipient): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::SharingDeleteRecipient)?;
    caller.sharing().delete_recipient(&recipient).await?;
    tracing::info!(recipient, "deleted a recipient");
    Ok(StatusCode::NO_CONTENT)
}

fn shown(caller: &Caller, recipient: &Recipient) -> ShownRecipient {
    ShownRecipient::new(recipient, &caller.sharing().births(), now_ms())
}
