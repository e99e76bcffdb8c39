//! The OpenAPI document of the routes served here, without the mount.

use utoipa::OpenApi as _;

use super::{config, functions, namespaces, scan, tables, transactions, views, warehouses};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    config::get,
    namespaces::list::list,
    namespaces::create::create,
    namespaces::load::load,
    namespaces::exists::exists,
    namespaces::drop::drop,
    namespaces::properties::properties,
    tables::list::list,
    tables::create::create,
    tables::load::load,
    tables::exists::exists,
    tables::commit::commit,
    tables::credentials::credentials,
    tables::sign::sign,
    tables::drop::drop,
    tables::register::register,
    tables::rename::rename,
    tables::unregister::unregister,
    tables::undrop::undrop,
    tables::dropped::dropped,
    tables::metrics::metrics,
    scan::plan::plan,
    scan::fetch::fetch,
    scan::cancel::cancel,
    scan::tasks::tasks,
    transactions::commit,
    views::list::list,
    views::create::create,
    views::load::load,
    views::exists::exists,
    views::commit::commit,
    views::drop::drop,
    views::register::register,
    views::rename::rename,
    functions::list,
    functions::load,
    warehouses::create,
    warehouses::delete,
))]
struct Document;

/// The document; the server nests its paths below the mounts.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
