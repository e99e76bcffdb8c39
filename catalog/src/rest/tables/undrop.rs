//! `POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/undrop`

use http::StatusCode;
use serde::Deserialize;
use tarn_openapi::access::Action;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::rest::body::Json;
use crate::rest::dto::TableIdentifier;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::{Request, UndropTable};

/// Which drop to undo, and how.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UndropTableRequest {
    /// The id of the drop; absent: the last one of that name.
    #[schema(value_type = Option<String>)]
    id: Option<Uuid>,
    /// The name it gets; absent: the one it had.
    destination: Option<TableIdentifier>,
}

/// Brings a dropped table back, as it was when it was dropped. Who may drop a table may undrop it, into a place where
/// he may create one.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}/undrop", tag = "Dropped tables",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path, description = "The name it had"),
    ),
    request_body = UndropTableRequest,
    responses(
        (status = 204, description = "It is there again"),
        (status = 404, description = "No such dropped table is kept, or its namespace is gone", body = ErrorEnvelope),
        (status = 409, description = "The name is taken", body = ErrorEnvelope),
    )
)]
pub(crate) async fn undrop(
    Mutation { front, caller, place, body: Json(request), key, .. }: Mutation<Json<UndropTableRequest>>,
) -> Result<StatusCode, Failure> {
    let to = request.destination.map(|to| place.with(to));
    front.allow_table(&caller, Action::DeleteTable, &place)?;
    front.allow_table(&caller, Action::CreateTable, to.as_ref().unwrap_or(&place))?;
    let to = to.as_ref().map(idents::table).transpose()?;
    let undrop = UndropTable { ident: idents::table(&place)?, id: request.id, to };
    front.catalog_for(&caller).commit_once(Request::UndropTable(undrop), key).await?;
    Ok(StatusCode::NO_CONTENT)
}
