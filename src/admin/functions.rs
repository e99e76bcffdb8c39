//! User-defined functions: the catalog's REST front only shows them, so they are put and deleted here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use tarn_catalog::metadata::FunctionMetadata;
use tarn_catalog::state::{Function, Namespace, Request, TableIdent};
use tarn_openapi::access::Action;
use tarn_openapi::page;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Body, Page, Path, Query};
use crate::server::Shared;

/// Between the levels of a namespace in a path, as in the catalog's routes.
pub(super) const SEPARATOR: char = '\u{1f}';

/// The names of functions, in an order that stays.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct FunctionList {
    functions: Vec<FunctionName>,
    /// Where the next page begins; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A function's name.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct FunctionName {
    warehouse: String,
    namespace: Vec<String>,
    name: String,
}

/// A function.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = StoredFunction)]
pub(super) struct FunctionBody {
    warehouse: String,
    namespace: Vec<String>,
    name: String,
    /// `FunctionMetadata` of the Iceberg REST specification.
    #[schema(value_type = Object)]
    metadata: Value,
}

impl From<Function> for FunctionBody {
    fn from(function: Function) -> Self {
        let Function { warehouse, namespace, name, metadata } = function;
        Self { warehouse, namespace, name, metadata }
    }
}

/// Lists the functions of all warehouses.
#[utoipa::path(get, path = "/_admin/v1/functions", tag = "Functions", params(Page), responses(
    (status = 200, description = "Their names, in pages", body = FunctionList),
    (status = 400, description = "The page token or size is not valid", body = ErrorBody),
    (status = 403, description = "Not an administrator", body = ErrorBody),
))]
pub(super) async fn list(
    caller: Caller,
    State(program): Shared,
    Query(page): Query<Page>,
) -> Result<Json<FunctionList>, Failure> {
    caller.may(Action::AdminListFunctions)?;
    let (after, size) = page.bounds()?;
    let state = program.catalog.snapshot();
    let mut found = state.all_functions(after.as_deref()).peekable();
    let (mut functions, mut last) = (Vec::new(), None);
    for (id, function) in found.by_ref().take(size) {
        last = Some(Arc::clone(id));
        match function {
            Some(Function { warehouse, namespace, name, metadata: _ }) => {
                functions.push(FunctionName { warehouse, namespace, name });
            }
            None => tracing::error!(%id, "a function cannot be read"),
        }
    }
    let more = found.peek().is_some();
    let next_page_token = last.filter(|_| more).map(|id| page::encode(&id));
    Ok(Json(FunctionList { functions, next_page_token }))
}

/// Shows a function.
#[utoipa::path(get, path = "/_admin/v1/functions/{warehouse}/{namespace}/{function}", tag = "Functions",
    params(
        ("warehouse" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("function" = String, Path),
    ),
    responses(
        (status = 200, description = "The function", body = FunctionBody),
        (status = 404, description = "There is no such function", body = ErrorBody),
    ))]
pub(super) async fn show(
    caller: Caller,
    State(program): Shared,
    Path(place): Path<(String, String, String)>,
) -> Result<Json<FunctionBody>, Failure> {
    caller.may(Action::AdminGetFunction)?;
    let ident = ident(place)?;
    let state = program.catalog.snapshot();
    let document = state
        .function(&ident)
        .ok_or_else(|| Failure::Missing(format!("function '{ident}' does not exist")))?;
    let function: Function = serde_json::from_str(&document.json).map_err(|error| {
        tracing::error!(function = %ident, %error, "a function cannot be read");
        Failure::Damaged(format!("function '{ident}' cannot be read"))
    })?;
    Ok(Json(function.into()))
}

/// Puts a function, in the place of the one of this name.
#[utoipa::path(put, path = "/_admin/v1/functions/{warehouse}/{namespace}/{function}", tag = "Functions",
    params(
        ("warehouse" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("function" = String, Path),
    ),
    request_body(content = Object, description = "`FunctionMetadata` of the Iceberg REST specification"),
    responses(
        (status = 200, description = "Kept", body = FunctionBody),
        (status = 400, description = "A name or the metadata is not valid", body = ErrorBody),
        (status = 404, description = "There is no such namespace", body = ErrorBody),
    ))]
pub(super) async fn put(
    caller: Caller,
    Path(place): Path<(String, String, String)>,
    Body(body): Body<Value>,
) -> Result<Json<FunctionBody>, Failure> {
    caller.may(Action::AdminPutFunction)?;
    let ident = ident(place)?;
    let json = body?;
    let metadata = FunctionMetadata::from_json(json).map_err(|error| Failure::Invalid(error.to_string()))?;
    let function = Function::new(&ident, &metadata);
    let request = Request::PutFunction { ident: ident.clone(), metadata: Arc::new(metadata) };
    caller.catalog().commit(request).await?;
    tracing::info!(function = %ident, "put a function");
    Ok(Json(function.into()))
}

/// Deletes a function.
#[utoipa::path(delete, path = "/_admin/v1/functions/{warehouse}/{namespace}/{function}", tag = "Functions",
    params(
        ("warehouse" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("function" = String, Path),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "There is no such function", body = ErrorBody),
    ))]
pub(super) async fn delete(
    caller: Caller,
    Path(place): Path<(String, String, String)>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::AdminDeleteFunction)?;
    let ident = ident(place)?;
    caller.catalog().commit(Request::DeleteFunction { ident: ident.clone() }).await?;
    tracing::info!(function = %ident, "deleted a function");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn ident((warehouse, namespace, name): (String, String, String)) -> Result<TableIdent, Failure> {
    let levels = namespace.split(SEPARATOR).map(str::to_owned).collect();
    Namespace::new(levels)
        .and_then(|namespace| TableIdent::new(warehouse, namespace, name))
        .map_err(|error| Failure::Invalid(error.to_string()))
}
