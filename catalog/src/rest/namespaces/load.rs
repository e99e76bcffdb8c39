//! `GET /v1/{prefix}/namespaces/{namespace}`

use axum::Json;
use std::collections::BTreeMap;
use tarn_openapi::access::Action;

use crate::rest::call::Call;
use crate::rest::dto::NamespaceResponse;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::state::{Namespace, namespace_location};

/// A namespace's properties.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}", tag = "Catalog",
    params(("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F")),
    responses(
        (status = 200, description = "The namespace", body = NamespaceResponse),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
    )
)]
pub(crate) async fn load(Call { front, caller, place }: Call) -> Result<Json<NamespaceResponse>, Failure> {
    front.allow_namespace(&caller, Action::GetNamespace, &place)?;
    let seen = front.see(&caller, &place).await?;
    let (namespace, entry) = seen.namespace(&place)?;
    let mut properties = (*entry.properties).clone();
    tell_location(&mut properties, &place.warehouse, &namespace);
    Ok(Json(NamespaceResponse { namespace: place.levels, properties }))
}

/// Adds where tables lie by default. Trino makes a table's own location out of it; without it Trino
/// creates the table at once and then refuses `CREATE TABLE AS`, for the location is no longer empty.
pub(crate) fn tell_location(
    properties: &mut BTreeMap<String, String>,
    warehouse: &str,
    namespace: &Namespace,
) {
    properties.entry("location".to_owned()).or_insert_with(|| namespace_location(warehouse, namespace));
}
