//! The OpenAPI document of everything but S3: the admin API, the token endpoint, and the catalog's
//! routes below their mount.

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use super::{events, functions, keys, maintenance, status, tables, warehouses};
use crate::identity::oauth::endpoint;
use crate::server::{health, metrics};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Tarn", description = "The admin API and the Iceberg REST catalog of Tarn"),
    paths(
        events::stream,
        keys::list,
        keys::create,
        keys::delete,
        functions::list,
        functions::show,
        functions::put,
        functions::delete,
        maintenance::policy,
        maintenance::set_policy,
        maintenance::delete_policy,
        maintenance::begin,
        maintenance::runs,
        maintenance::run,
        tables::drop,
        tables::drop_namespace,
        tables::list_dropped,
        tables::remove_dropped,
        tables::undrop,
        warehouses::properties,
        warehouses::update,
        status::show,
        endpoint::issue,
        health::ready,
        metrics::show
    )
)]
struct Document;

/// The whole document.
pub(crate) fn document() -> OpenApi {
    Document::openapi().nest("/_iceberg", tarn_catalog::rest::openapi())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_names_the_routes_of_both_apis() {
        let document = super::document();
        for path in [
            "/_admin/v1/events",
            "/_admin/v1/keys",
            "/_admin/v1/functions",
            "/_admin/v1/functions/{warehouse}/{namespace}/{function}",
            "/_admin/v1/maintenance/policy",
            "/_admin/v1/maintenance/runs/{id}",
            "/_admin/v1/status",
            "/_admin/v1/tables/{warehouse}/{namespace}/{table}",
            "/_admin/v1/dropped-tables/{id}/undrop",
            "/_admin/v1/warehouses/{warehouse}/properties",
            "/_iceberg/v1/{prefix}/dropped-tables",
            "/_iceberg/v1/{prefix}/namespaces/{namespace}/tables/{table}/undrop",
            "/_iceberg/v1/{prefix}/namespaces/{namespace}/functions",
            "/_iceberg/v1/{prefix}/namespaces/{namespace}/views/{view}",
            "/_iceberg/v1/config",
            "/_iceberg/v1/oauth/tokens",
            "/_metrics",
        ] {
            assert!(document.paths.paths.contains_key(path), "{path}");
        }
    }
}
