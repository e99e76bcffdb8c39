//! User-defined functions, read-only as in the specification: they come in through the admin API.

use axum::Json;
use serde::Serialize;
use serde_json::Value;
use tarn_openapi::access::Action;
use utoipa::ToSchema;

use super::body::Query;
use super::call::Call;
use super::error::{ErrorEnvelope, Failure, Kind};
use super::idents;
use super::page::PageQuery;
use crate::state::{Function, TableIdent};

/// The functions of a namespace, each by the levels of its namespace and its name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListFunctionsResponse {
    #[serde(rename = "next-page-token")]
    next_page_token: Option<String>,
    identifiers: Vec<Vec<String>>,
}

/// A function. It lies in no metadata file, so there is no `metadata-location`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoadFunctionResult {
    #[schema(value_type = Object)]
    metadata: Value,
}

/// The functions of a namespace.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}/functions", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        PageQuery,
    ),
    responses(
        (status = 200, description = "The functions", body = ListFunctionsResponse),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
    )
)]
pub(crate) async fn list(
    Call { front, caller, place }: Call,
    Query(page): Query<PageQuery>,
) -> Result<Json<ListFunctionsResponse>, Failure> {
    front.allow_namespace(&caller, Action::ListFunctions, &place)?;
    let window = page.window()?;
    let seen = front.see(&caller, &place).await?;
    let (namespace, _) = seen.namespace(&place)?;
    let open = |name: &&str| {
        let ident = TableIdent::new(place.warehouse.clone(), namespace.clone(), *name);
        ident.is_ok_and(|ident| seen.is_open_function(&ident))
    };
    let names = seen.state.functions(&place.warehouse, &namespace, window.after());
    let names = names.filter(open).map(str::to_owned);
    let (names, next_page_token) = window.clone().cut(names, Clone::clone);
    let identifiers = names.into_iter().map(|name| [place.levels.clone(), vec![name]].concat()).collect();
    Ok(Json(ListFunctionsResponse { next_page_token, identifiers }))
}

/// A function with all its definitions.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}/functions/{function}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("function" = String, Path),
    ),
    responses(
        (status = 200, description = "The function", body = LoadFunctionResult),
        (status = 404, description = "There is no such namespace or function", body = ErrorEnvelope),
    )
)]
pub(crate) async fn load(Call { front, caller, place }: Call) -> Result<Json<LoadFunctionResult>, Failure> {
    front.allow_namespace(&caller, Action::GetFunction, &place)?;
    let seen = front.see(&caller, &place).await?;
    seen.namespace(&place)?;
    let name = format!("{}.{}", place.levels.join("."), place.name);
    let ident = idents::table(&place).ok().filter(|ident| seen.is_open_function(ident));
    let document = ident.and_then(|ident| seen.state.function(&ident));
    let document = document
        .ok_or_else(|| Failure::new(Kind::NoSuchFunction, format!("function '{name}' does not exist")))?;
    match serde_json::from_str::<Function>(&document.json) {
        Ok(function) => Ok(Json(LoadFunctionResult { metadata: function.metadata })),
        Err(error) => {
            tracing::error!(name, %error, "a function cannot be read");
            Err(Failure::new(Kind::Damaged, format!("function '{name}' cannot be read")))
        }
    }
}
