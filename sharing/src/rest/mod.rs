//! The front of Delta Sharing v1: who asks, for which table; then the protocol's question put to the table.
//!
//! - F1: nobody learns of a share, schema or table that is not granted, nor of anything before the token is good.
//! - F2: a table is told only while whoever shared it may read it (D4).
//! - F3: an answer is written while it is read: one chunk of files is in memory, whatever the table has (D5).
//! - F4: an answer that breaks off is seen to: its line at the end says so, or its body does not end as one should.
//! - F5: a grant's filters hold for every file told, of a version and of changes; a table they cannot be enforced on, or
//!   that could be read around them, is refused.
//! - F6: every file told has a value of each column the table was told to be partitioned by: readers would take what
//!   lacks for null.
//! - F7: an answer goes on only while its reader may read the table: that is asked for before each chunk of files (D3, D4).

mod answer;
mod call;
mod changes;
mod credentials;
mod describe;
mod directory;
mod gzip;
mod list;
mod queries;
mod query;
mod rows;
mod shared;
mod slashes;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use answer::Coding;
pub(crate) use call::coding;
pub use queries::Queries;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::routing::{get, post};
use tarn_openapi::access::TableFiles;
use tower::ServiceExt as _;

use crate::Sharers;
use crate::access::{Access, Ticket};
use crate::cache::VersionCache;
use crate::directory::SharedTable;
use crate::gateway::{Signer, Standing};
use crate::logs::Logs;
use crate::protocol::{Failure, Kind, Tokens};
use crate::table::{TableError, TableSource};

/// Opens tables that are shared.
#[async_trait]
pub trait Tables: Send + Sync + 'static {
    /// The table behind a shared one, as the share tells it.
    async fn open(&self, table: &SharedTable) -> Result<Arc<dyn TableSource>, TableError>;

    /// The files of an Iceberg table, to be read by credentials. `None` for other tables, and where no credentials are made
    /// for its files.
    async fn files(&self, table: &SharedTable) -> Result<Option<TableFiles>, TableError>;
}

/// Lets recipients read the files of tables themselves: as directories (`dir` of the protocol's access modes), or as
/// Iceberg's clients do.
#[async_trait]
pub trait TableCredentials: Send + Sync + 'static {
    /// The root of the table, in which its own `_delta_log/` lies; `None` where it has none.
    fn location(&self, table: &SharedTable) -> Option<String>;

    /// Credentials to read what lies below the root, and nothing else. They end at `expires_ms` (milliseconds since 1970)
    /// or before, and with what the ticket stands on.
    async fn vend(
        &self,
        ticket: &Ticket,
        table: &SharedTable,
        expires_ms: i64,
    ) -> Result<Credentials, TableError>;

    /// Credentials to read the files of an Iceberg table, and nothing else. They end as those of [`Self::vend`] do.
    async fn vend_files(
        &self,
        ticket: &Ticket,
        table: &SharedTable,
        files: TableFiles,
        expires_ms: i64,
    ) -> Result<Credentials, TableError>;
}

/// Temporary credentials of S3.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// What goes with them.
    pub session_token: String,
    /// When they end, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// What the front is made of.
pub struct SharingFront {
    /// Who reads, and what.
    pub access: Arc<Access>,
    /// What those who shared may read.
    pub sharers: Arc<dyn Sharers>,
    /// The tables.
    pub tables: Arc<dyn Tables>,
    /// Versions of them that were read.
    pub versions: Arc<VersionCache>,
    /// Signs the URLs of files.
    pub signer: Arc<Signer>,
    /// Directories of tables that are none themselves.
    pub logs: Arc<Logs>,
    /// Makes page and refresh tokens.
    pub tokens: Arc<Tokens>,
    /// Where clients reach the gateway of files: scheme and host, no slash at its end.
    pub endpoint: Arc<str>,
    /// How long URLs last, in seconds.
    pub url_lifetime_s: i64,
    /// Lets tables be read as directories; `None`: by URLs only.
    pub credentials: Option<Arc<dyn TableCredentials>>,
    /// Whether what an answer stands on still is there, while it is written.
    pub standing: Arc<Standing>,
    /// Queries that run by themselves.
    pub queries: Queries,
}

/// The routes from `/shares` on; nest them below the mount.
pub fn router(front: Arc<SharingFront>) -> Router {
    const TABLE: &str = "/shares/{share}/schemas/{schema}/tables/{table}";
    let of = |rest: &str| format!("{TABLE}/{rest}");
    let routes = Router::new()
        .route("/shares", get(list::shares))
        .route("/shares/{share}", get(list::share))
        .route("/shares/{share}/schemas", get(list::schemas))
        .route("/shares/{share}/schemas/{schema}/tables", get(list::tables))
        .route("/shares/{share}/all-tables", get(list::all_tables))
        .route(TABLE, get(describe::table).head(describe::version_of_old))
        .route(&of("version"), get(describe::version))
        .route(&of("metadata"), get(describe::metadata))
        .route(&of("query"), post(query::query))
        .route(&of("queries/{query}"), post(query::poll))
        .route(&of("changes"), get(changes::changes))
        .route(&of("temporary-table-credentials"), post(credentials::vend))
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(front);
    Router::new().fallback_service(routes.map_request(slashes::single))
}

/// What is answered where nothing is.
pub async fn no_such_route() -> Failure {
    Failure::new(Kind::Missing, "there is no such path in the protocol")
}

async fn method_not_allowed() -> Failure {
    Failure::new(Kind::MethodNotAllowed, "the path is not asked with this method")
}
