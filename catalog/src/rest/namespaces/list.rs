//! `GET /v1/{prefix}/namespaces`

use axum::Json;
use serde::Deserialize;
use tarn_openapi::access::{Action, Resource};
use utoipa::IntoParams;

use crate::rest::body::Query;
use crate::rest::call::Call;
use crate::rest::dto::ListNamespacesResponse;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::page::PageQuery;
use crate::rest::path;
use crate::state::Namespace;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ParentQuery {
    /// List the namespaces directly below this one. Absent or empty: the top level.
    parent: Option<String>,
}

/// The namespaces directly below a parent.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces", tag = "Catalog",
    params(("prefix" = String, Path), ParentQuery, PageQuery),
    responses(
        (status = 200, description = "The namespaces", body = ListNamespacesResponse),
        (status = 404, description = "There is no such parent", body = ErrorEnvelope),
    )
)]
pub(crate) async fn list(
    Call { front, caller, mut place }: Call,
    Query(parent): Query<ParentQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<ListNamespacesResponse>, Failure> {
    let window = page.window()?;
    let parent = match parent.parent.as_deref() {
        None | Some("") => {
            front.allow(&caller, Action::ListNamespaces, Resource::Bucket(&place.warehouse))?;
            None
        }
        Some(parent) => {
            place.levels = path::levels(parent)?;
            front.allow_namespace(&caller, Action::ListNamespaces, &place)?;
            Some(())
        }
    };
    let seen = front.see(&caller, &place).await?;
    let parent = match parent {
        None => {
            seen.warehouse(&place)?;
            None
        }
        Some(()) => Some(seen.namespace(&place)?.0),
    };
    // What cannot be a level was never sent as a token: the listing then begins at its start.
    let after = window.after().and_then(|level| {
        let outer = parent.as_ref().map_or(&[][..], Namespace::levels);
        Namespace::new([outer, &[level.to_owned()]].concat()).ok()
    });
    let children = seen.state.namespaces(&place.warehouse, parent.as_ref(), after.as_ref());
    let children = children.filter(|namespace| seen.is_open_namespace(&place.warehouse, namespace));
    let last_level = |levels: &Vec<String>| levels.last().cloned().unwrap_or_default();
    let (namespaces, next_page_token) =
        window.cut(children.map(|namespace| namespace.levels().to_vec()), last_level);
    Ok(Json(ListNamespacesResponse { next_page_token, namespaces }))
}
