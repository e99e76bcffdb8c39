//! `POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/unregister`

use axum::response::Response;
use tarn_openapi::access::Action;

use super::answer;
use crate::rest::body::NoBody;
use crate::rest::dto::UnregisterTableResult;
use crate::rest::error::{ErrorEnvelope, Failure, Kind};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::Request;

/// Takes a table out of the catalog and tells its last metadata. Its files stay, so that another catalog can
/// register it; every later commit is 404.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}/unregister", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    responses(
        (status = 200, description = "The table as it was", body = UnregisterTableResult),
        (status = 404, description = "There is no such table", body = ErrorEnvelope),
    )
)]
pub(crate) async fn unregister(
    Mutation { front, caller, place, key, .. }: Mutation<NoBody>,
) -> Result<Response, Failure> {
    front.allow_table(&caller, Action::DeleteTable, &place)?;
    let request = Request::UnregisterTable { ident: idents::table(&place)? };
    let committed = front.catalog_for(&caller).commit_once(request, key).await?;
    match committed.tables.first() {
        Some(table) => Ok(answer::unregistered(&table.metadata_location, &table.metadata)),
        None => Err(Failure::new(Kind::Internal, "the commit names no table")),
    }
}
