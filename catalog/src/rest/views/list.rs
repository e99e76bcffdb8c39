//! `GET /v1/{prefix}/namespaces/{namespace}/views`

use axum::Json;
use tarn_openapi::access::Action;

use crate::rest::body::Query;
use crate::rest::call::Call;
use crate::rest::dto::{ListTablesResponse, TableIdentifier};
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::page::PageQuery;

/// The views of a namespace.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}/views", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        PageQuery,
    ),
    responses(
        (status = 200, description = "The views", body = ListTablesResponse),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
    )
)]
pub(crate) async fn list(
    Call { front, caller, place }: Call,
    Query(page): Query<PageQuery>,
) -> Result<Json<ListTablesResponse>, Failure> {
    front.allow_namespace(&caller, Action::ListViews, &place)?;
    let window = page.window()?;
    let seen = front.see(&caller, &place).await?;
    let (namespace, _) = seen.namespace(&place)?;
    let open = seen.open_views(&place.warehouse);
    let found = seen.state.views(&place.warehouse, &namespace, window.after());
    let names = found.filter(|(_, view)| open.shows(&view.uuid)).map(|(name, _)| name.to_string());
    let (names, next_page_token) = window.clone().cut(names, Clone::clone);
    let identifiers =
        names.into_iter().map(|name| TableIdentifier { namespace: place.levels.clone(), name }).collect();
    Ok(Json(ListTablesResponse { next_page_token, identifiers }))
}
