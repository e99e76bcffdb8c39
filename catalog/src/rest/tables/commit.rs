//! `POST /v1/{prefix}/namespaces/{namespace}/tables/{table}`

use axum::response::Response;
use tarn_openapi::access::Action;

use super::answer;
use crate::rest::body::{LargeBody, parse};
use crate::rest::dto::{CommitTableRequest, LoadTableResult};
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::{Request, TableChange};

/// Changes a table when every requirement holds.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = CommitTableRequest,
    responses(
        (status = 200, description = "The table after the commit", body = LoadTableResult),
        (status = 404, description = "There is no such table", body = ErrorEnvelope),
        (status = 409, description = "A requirement does not hold; refresh and try again", body = ErrorEnvelope),
        (status = 500, description = "It is not known whether it was done; keep the files", body = ErrorEnvelope),
        (status = 503, description = "Nothing was done; try again", body = ErrorEnvelope),
        (status = 504, description = "It is not known whether it was done; keep the files", body = ErrorEnvelope),
    )
)]
pub(crate) async fn commit(
    Mutation { front, caller, place, body: LargeBody(bytes), headers, key, admitted }: Mutation<LargeBody>,
) -> Result<Response, Failure> {
    front.allow_table(&caller, Action::UpdateTableMetadataLocation, &place)?;
    let request: CommitTableRequest = parse(&bytes)?;
    // The path says which table; an identifier in the body must not say otherwise.
    if let Some(named) = &request.identifier
        && (named.namespace != place.levels || named.name != place.name)
    {
        return Err(Failure::bad_request("the body names another table than the path"));
    }
    let change = TableChange {
        ident: idents::table(&place)?,
        requirements: request.requirements,
        updates: request.updates,
    };
    let changes = vec![change];
    front.allow_moves(&caller, &changes)?;
    let outcome = front.catalog_for(&caller).commit_once(Request::CommitTables(changes), key).await;
    drop((bytes, admitted));
    let committed = front.in_turn(outcome).await?;
    idents::answer_committed(&front, committed, answer::encoding(&headers)).await
}
