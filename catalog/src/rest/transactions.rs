//! `POST /v1/{prefix}/transactions/commit`

use http::StatusCode;
use tarn_openapi::access::Action;

use super::body::{LargeBody, parse};
use super::dto::CommitTransactionRequest;
use super::error::{ErrorEnvelope, Failure};
use super::idents;
use super::mutation::Mutation;
use crate::state::{Request, TableChange};

/// Changes several tables or none. A table with requirements and no updates is only read: the
/// transaction fails when it has changed.
#[utoipa::path(
    post, path = "/v1/{prefix}/transactions/commit", tag = "Catalog", params(
        ("prefix" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = CommitTransactionRequest,
    responses(
        (status = 204, description = "All tables are changed"),
        (status = 404, description = "A table does not exist", body = ErrorEnvelope),
        (status = 409, description = "A requirement does not hold; nothing was changed", body = ErrorEnvelope),
        (status = 500, description = "It is not known whether it was done; keep the files", body = ErrorEnvelope),
        (status = 503, description = "Nothing was done; try again", body = ErrorEnvelope),
        (status = 504, description = "It is not known whether it was done; keep the files", body = ErrorEnvelope),
    )
)]
pub(crate) async fn commit(
    Mutation { front, caller, place, body: LargeBody(bytes), key, admitted, .. }: Mutation<LargeBody>,
) -> Result<StatusCode, Failure> {
    let request: CommitTransactionRequest = parse(&bytes)?;
    let mut changes = Vec::with_capacity(request.table_changes.len());
    for change in request.table_changes {
        let Some(identifier) = change.identifier else {
            return Err(Failure::bad_request("every table change of a transaction names its table"));
        };
        let at = place.with(identifier);
        let action = if change.updates.is_empty() {
            Action::GetTableMetadataLocation
        } else {
            Action::UpdateTableMetadataLocation
        };
        front.allow_table(&caller, action, &at)?;
        changes.push(TableChange {
            ident: idents::table(&at)?,
            requirements: change.requirements,
            updates: change.updates,
        });
    }
    front.allow_moves(&caller, &changes)?;
    let outcome = front.catalog_for(&caller).commit_once(Request::CommitTables(changes), key).await;
    drop((bytes, admitted));
    front.in_turn(outcome).await?;
    Ok(StatusCode::NO_CONTENT)
}
