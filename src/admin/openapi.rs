//! The OpenAPI document of everything but S3: the admin API, the token endpoint, and the catalog's
//! routes below their mount.

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use super::{
    events, functions, groups, history, keys, maintenance, policies, service_accounts, sharing, status,
    tables, users, warehouses, webhooks, why,
};
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
        users::list,
        users::create,
        users::show,
        users::delete,
        users::set_status,
        users::renew_secret,
        users::attach,
        users::detach,
        groups::list,
        groups::create,
        groups::show,
        groups::delete,
        groups::set_status,
        groups::attach,
        groups::detach,
        groups::add_member,
        groups::remove_member,
        policies::list,
        policies::show,
        policies::put,
        policies::delete,
        why::ask,
        service_accounts::list,
        service_accounts::create,
        service_accounts::show,
        service_accounts::delete,
        service_accounts::set_status,
        service_accounts::set_policy,
        service_accounts::delete_policy,
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
        history::list,
        history::diff_warehouse,
        history::diff_table,
        history::rollback,
        tables::drop,
        tables::drop_namespace,
        tables::list_dropped,
        tables::remove_dropped,
        tables::undrop,
        warehouses::properties,
        warehouses::update,
        webhooks::list,
        webhooks::show,
        webhooks::put,
        webhooks::delete,
        webhooks::test,
        sharing::shares::list,
        sharing::shares::create,
        sharing::shares::show,
        sharing::shares::alter,
        sharing::shares::delete,
        sharing::shares::add_schema,
        sharing::shares::remove_schema,
        sharing::tables::add,
        sharing::tables::show,
        sharing::tables::alter,
        sharing::tables::remove,
        sharing::grants::list,
        sharing::grants::put,
        sharing::grants::delete,
        sharing::recipients::list,
        sharing::recipients::create,
        sharing::recipients::show,
        sharing::recipients::alter,
        sharing::recipients::delete,
        sharing::tokens::list,
        sharing::tokens::create,
        sharing::entries::create_link,
        sharing::tokens::create_client,
        sharing::entries::federate,
        sharing::tokens::revoke,
        sharing::tokens::rotate,
        sharing::tokens::rotate_key,
        sharing::aistor::shares::list,
        sharing::aistor::shares::create,
        sharing::aistor::shares::show,
        sharing::aistor::shares::update,
        sharing::aistor::shares::delete,
        sharing::aistor::tokens::list_tokens,
        sharing::aistor::tokens::create_token,
        sharing::aistor::tokens::delete_token,
        sharing::aistor::tokens::profile,
        status::show,
        status::retry_drives,
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
            "/_admin/v1/users/{name}/policies/{policy}",
            "/_admin/v1/groups/{name}/members/{user}",
            "/_admin/v1/policies/{name}",
            "/_admin/v1/why",
            "/_admin/v1/service-accounts/{id}/policy",
            "/_admin/v1/functions",
            "/_admin/v1/functions/{warehouse}/{namespace}/{function}",
            "/_admin/v1/maintenance/policy",
            "/_admin/v1/maintenance/runs/{id}",
            "/_admin/v1/status",
            "/_admin/v1/tables/{warehouse}/{namespace}/{table}",
            "/_admin/v1/dropped-tables/{id}/undrop",
            "/_admin/v1/tables/{warehouse}/{namespace}/{table}/diff",
            "/_admin/v1/warehouses/{warehouse}/history",
            "/_admin/v1/warehouses/{warehouse}/diff",
            "/_admin/v1/warehouses/{warehouse}/rollback",
            "/_admin/v1/warehouses/{warehouse}/properties",
            "/_admin/v1/webhooks/{id}/test",
            "/_admin/v1/shares/{share}/tables/{schema}/{table}",
            "/_admin/v1/shares/{share}/grants/{recipient}",
            "/_admin/v1/recipients/{recipient}/tokens/{id}",
            "/_admin/v1/delta-sharing/tokens/{id}/profile",
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
