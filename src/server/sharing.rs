//! Wires Delta Sharing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use object_store::ObjectStore;
use tarn_catalog::state::{TableEntry, TableIdent};
use tarn_catalog::{Catalog, WarehouseStores};
use tarn_inventory::{Promised, Readers};
use tarn_objectcore::name::BucketName;
use tarn_objectcore::s3::Window;
use tarn_sharing::access::{self, Access, AccessSettings, Endpoints, ForeignTokens, Ticket};
use tarn_sharing::cache::VersionCache;
use tarn_sharing::directory::{Directory, Source};
use tarn_sharing::gateway::{self, Gateway, Signer, Standing};
use tarn_sharing::holds::{HeldVersions, Holds};
use tarn_sharing::iceberg::sweep_columns;
use tarn_sharing::iceberg_rest::{self, IcebergFront};
use tarn_sharing::logs::{LINK, Logs, SweptLogs};
use tarn_sharing::protocol::Tokens;
use tarn_sharing::rest::{self, Queries, SharingFront, TableCredentials};
use tarn_sharing::table::{OWN_PREFIX, OWN_WINDOW};
use tarn_sharing::vectors::{self, Vectors};
use tarn_sharing::{SharedTables, Sharers, Stores};

use super::Chain;
use super::directories::Directories;
use crate::config::SharingSettings;
use crate::identity::{KeySharers, Sessions, session};

/// Where the protocol begins.
const MOUNT: &str = "/_delta-sharing/v1";
/// Where the catalog for Iceberg clients begins.
const ICEBERG_MOUNT: &str = "/_delta-sharing/iceberg";
/// Bytes that versions of tables may take which are kept read.
const VERSIONS_BYTES_MAX: u64 = 512 << 20;

/// What Delta Sharing works with, and what changes shares and recipients.
#[derive(Clone)]
pub(crate) struct Sharing {
    /// Who reads.
    pub(crate) access: Arc<Access>,
    /// Who shares.
    pub(crate) sharers: Arc<KeySharers>,
    /// The buckets that tables lie in.
    pub(crate) buckets: Arc<dyn WarehouseStores>,
    standing: Arc<Standing>,
    holds: Arc<Holds>,
    url_lifetime_s: i64,
}

/// What the fronts of Delta Sharing need beside.
pub(super) struct Parts<'a> {
    pub(super) catalog: Catalog,
    /// The store of the system bucket.
    pub(super) own: Arc<dyn ObjectStore>,
    pub(super) secret: &'a [u8; 32],
    /// Where clients come to: `https://tarn.example:9000`.
    pub(super) endpoint: &'a str,
    /// The region clients sign for.
    pub(super) region: &'a str,
    /// Makes the credentials of recipients.
    pub(super) sessions: Arc<Sessions>,
}

impl Sharing {
    /// For clients that come to `public`, such as `https://tarn.example:9000`.
    pub(super) fn new(
        catalog: &Catalog,
        buckets: Arc<dyn WarehouseStores>,
        sharers: KeySharers,
        foreign: Arc<dyn ForeignTokens>,
        (public, settings): (&str, &SharingSettings),
    ) -> Self {
        let url_lifetime_s = settings.url_lifetime.as_secs() as i64;
        let settings = AccessSettings {
            endpoints: Endpoints::below(public),
            requests_per_second: settings.requests_per_second,
            requests_per_second_all: settings.requests_per_second_all,
        };
        let access = Arc::new(Access::new(catalog.clone(), settings, Some(foreign)));
        let sharers = Arc::new(sharers);
        let standing = Arc::new(Standing::new(access.clone(), sharers.clone()));
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let holds = Arc::new(Holds::new(now_ms, url_lifetime_s * 1000));
        Self { access, sharers, buckets, standing, holds, url_lifetime_s }
    }

    /// Says whether what sessions of recipients stand on is still there.
    pub(super) fn tickets(&self) -> Arc<dyn session::Tickets> {
        self.standing.clone()
    }

    /// Says which files URLs were given out for.
    pub(super) fn readers(&self, catalog: &Catalog) -> Arc<dyn Readers> {
        let directory = Directory::new(catalog.clone(), self.buckets.clone());
        Arc::new(UrlReaders { holds: self.holds.clone(), directory })
    }

    /// The routes below `/_delta-sharing`, and what is swept for them.
    pub(super) fn router(&self, parts: Parts<'_>) -> (Router, Swept) {
        let sharers: Arc<dyn Sharers> = self.sharers.clone();
        let stores = Stores::new(self.buckets.clone(), parts.own);
        let signer = Arc::new(Signer::new(parts.secret));
        let tables = SharedTables::new(parts.catalog.clone(), &stores, sharers.clone(), self.holds.clone());
        let directory = Directory::new(parts.catalog.clone(), self.buckets.clone());
        let logs = Arc::new(Logs::new(stores.own().clone()));
        let (vectors, catalog) = (tables.vectors().clone(), parts.catalog.clone());
        let swept = Swept { vectors, logs: logs.clone(), catalog, directory };
        let credentials: Arc<dyn TableCredentials> =
            Arc::new(Directories { sessions: parts.sessions, sharers: self.sharers.clone() });
        let iceberg = IcebergFront {
            access: self.access.clone(),
            sharers: sharers.clone(),
            catalog: parts.catalog,
            credentials: credentials.clone(),
            lifetime_s: self.url_lifetime_s,
            s3_endpoint: parts.endpoint.into(),
            region: parts.region.into(),
        };
        let front = SharingFront {
            access: self.access.clone(),
            sharers,
            tables: Arc::new(tables),
            versions: Arc::new(VersionCache::new(VERSIONS_BYTES_MAX)),
            signer: signer.clone(),
            logs,
            tokens: Arc::new(Tokens::new(parts.secret)),
            endpoint: parts.endpoint.into(),
            url_lifetime_s: self.url_lifetime_s,
            credentials: Some(credentials),
            standing: self.standing.clone(),
            queries: Queries::default(),
        };
        let gateway = Gateway { signer, tickets: self.standing.clone(), stores };
        let routes = access::routes(self.access.clone()).merge(gateway::router(Arc::new(gateway)));
        let routes = routes.nest(ICEBERG_MOUNT, iceberg_rest::router(Arc::new(iceberg)));
        let routes = routes.nest(MOUNT, rest::router(Arc::new(front))).fallback(rest::no_such_route);
        (routes, swept)
    }
}

/// The name by which recipients with credentials read what was made for them.
pub(super) fn window() -> Window {
    let name = BucketName::new(OWN_WINDOW).expect("it is a name of a bucket");
    Window { name, prefix: OWN_PREFIX.to_owned(), link: LINK.to_owned() }
}

/// Readers with URLs of files.
struct UrlReaders {
    holds: Arc<Holds>,
    directory: Directory,
}

impl Readers for UrlReaders {
    fn promised(&self, ident: &TableIdent, entry: &TableEntry, now_ms: i64) -> Promised {
        let source = Source::Iceberg {
            warehouse: ident.warehouse.to_string(),
            namespace: ident.namespace.levels().iter().map(ToString::to_string).collect(),
            table: ident.name.to_string(),
        };
        match self.holds.held(entry.uuid, || self.directory.shares_table(&source), now_ms) {
            HeldVersions::These(versions) => Promised::Revisions(
                versions.into_iter().filter_map(|version| version.try_into().ok()).collect(),
            ),
            HeldVersions::All => Promised::All,
        }
    }
}

/// What sharing keeps and does not need for good.
pub(super) struct Swept {
    vectors: Arc<Vectors>,
    logs: Arc<Logs>,
    catalog: Catalog,
    directory: Directory,
}

impl Swept {
    /// Removes what nobody needs any more, every hour.
    pub(super) async fn sweep(self) {
        const PAUSE: Duration = Duration::from_secs(60 * 60);
        loop {
            tokio::time::sleep(PAUSE).await;
            // Logs first: they name vectors.
            self.sweep_logs().await;
            self.sweep_vectors().await;
            match sweep_columns(&self.catalog, &self.directory).await {
                Ok(0) => {}
                Ok(tables) => {
                    tracing::info!(tables, "removed names of columns of tables that are shared no more")
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "names of columns could not be removed")
                }
            }
        }
    }

    /// Removes logs that no session may be for any more.
    async fn sweep_logs(&self) {
        match self.logs.sweep(jiff::Timestamp::now().as_millisecond()).await {
            Ok(SweptLogs { logs: 0, size_bytes: _ }) => {}
            Ok(SweptLogs { logs, size_bytes }) => {
                tracing::info!(logs, size_bytes, "removed logs of shared tables")
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "logs of shared tables could not be removed")
            }
        }
    }

    /// Removes vectors that no URL may be for any more.
    async fn sweep_vectors(&self) {
        match self.vectors.sweep(jiff::Timestamp::now().as_millisecond()).await {
            Ok(vectors::Swept { packs: 0, size_bytes: _ }) => {}
            Ok(vectors::Swept { packs, size_bytes }) => {
                tracing::info!(packs, size_bytes, "removed vectors of shared tables")
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "vectors of shared tables could not be removed")
            }
        }
    }
}

impl session::Tickets for Standing {
    fn stands(&self, ticket: &str, address: Option<IpAddr>, now: i64) -> bool {
        Ticket::decode(ticket)
            .is_some_and(|ticket| self.of(&ticket, address, now.saturating_mul(1000)).is_ok())
    }
}
