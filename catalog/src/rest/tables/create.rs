//! `POST /v1/{prefix}/namespaces/{namespace}/tables`

use std::sync::Arc;

use axum::response::Response;
use tarn_openapi::access::Action;

use super::delegate::asked;
use super::placement::write_paths;
use crate::rest::body::Json;
use crate::rest::dto::{CreateTableRequest, LoadTableResult};
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::{Mutation, author};
use crate::rest::seen::Ground;
use crate::state::{CreateTable, Request, StagedTable};

/// Creates a table, or with `stage-create` only says what it would be: a later commit with
/// `assert-create` creates it.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/tables", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = CreateTableRequest,
    responses(
        (status = 200, description = "The table", body = LoadTableResult),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
        (status = 409, description = "The table exists", body = ErrorEnvelope),
    )
)]
pub(crate) async fn create(
    Mutation { front, caller, mut place, body: Json(request), headers, key, .. }: Mutation<
        Json<CreateTableRequest>,
    >,
) -> Result<Response, Failure> {
    place.name = request.name;
    front.allow_table(&caller, Action::CreateTable, &place)?;
    let create = CreateTable {
        ident: idents::table(&place)?,
        schema: Arc::new(request.schema),
        spec: request.partition_spec,
        order: request.write_order,
        location: request.location,
        properties: request.properties.unwrap_or_default(),
    };
    let chosen = create.location.as_deref().into_iter().chain(write_paths(&create.properties));
    front.allow_places(&caller, &place.warehouse, chosen)?;
    if request.stage_create == Some(true) {
        let metadata = front.catalog.stage(&create)?;
        let state = front.catalog.snapshot();
        let ground = Ground::today(&state, &place);
        let delegated =
            asked(&headers).and_then(|means| front.delegate(&caller, &place, (&ground, &metadata), means));
        // A location that the catalog chose is nobody else's anyway.
        if let (Some(_chosen), Some(until)) = (&create.location, delegated.as_ref().and_then(|one| one.until))
        {
            let (ident, owner) = (create.ident.clone(), author(&caller.principal));
            let staged = StagedTable { ident, metadata: Arc::clone(&metadata), owner, until };
            front.catalog_for(&caller).commit(Request::StageTable(staged)).await?;
        }
        let deletes = front.deletes(&state, &place.warehouse);
        return Ok(front.answers.staged(&metadata, deletes, delegated));
    }
    let committed = front.catalog_for(&caller).commit_once(Request::CreateTable(create), key).await?;
    idents::answer_delegated(&front, (&caller, &place), committed, &headers).await
}
