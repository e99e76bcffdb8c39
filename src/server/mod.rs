//! The server: opens the stores, wires the fronts, listens, and stops in order.
//!
//! - S1: the port is taken before a drive is touched, so that two servers never share drives by mistake of
//!   a port; until the stores are open every request is answered 503 and nothing is started.
//! - S2: stopping: no new connection, running requests end, jobs, journals, maintenance and webhooks stop, then the catalog closes, then
//!   the object core, then the threads of background work.

pub mod background;
mod bulk;
pub mod changes;
pub mod credentials;
pub(crate) mod descriptors;
mod directories;
mod dispatch;
mod drives;
mod foreground;
mod front;
pub(crate) mod health;
mod idle;
mod jobs;
mod journal;
mod listener;
pub mod logs;
mod memory;
pub(crate) mod metrics;
mod program;
pub mod scan;
mod setup;
mod sharing;
mod sql;
mod system;
#[cfg(test)]
mod tests;
mod unread;
mod welcome;

pub(crate) use self::idle::AtWork;
pub(crate) use self::program::{Program, Shared};

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::path::Path;
use tarn_catalog::rest::RestFront;
use tarn_catalog::{Catalog, WarehouseStores};
use tarn_inventory::Maintenance;
use tarn_inventory::jobs::Jobs;
use tarn_inventory::journal::Journals;
use tarn_objectcore::ObjectCore;
use tarn_objectcore::s3::S3Front;
use tarn_openapi::access::Authorize;
use tarn_sharing::directory::Directory;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::background::Background;
use self::credentials::{CredentialsError, Origin};
use self::dispatch::Fronts;
pub use self::drives::DriveError;
use self::front::{Front, RequestLog};
use self::scan::CoreScan;
pub use self::setup::SetupError;
#[cfg(test)]
pub(crate) use self::setup::first_start;
use self::sharing::Sharing;
pub(crate) use self::system::Asker;
use self::system::ServerTables;
use crate::config::{RootCredentials, Settings};
use crate::demo::Demo;
use crate::events::Events;
use crate::identity::key::AccessKey;
use crate::identity::oidc::{self, Issuers, Pace};
use crate::identity::session::Vendor;
use crate::identity::sts::{self, Sts};
use crate::identity::{
    Grants, Identity, KeySharers, Keyring, SecretError, Sessions, oauth, obtain_server_secret,
};
use crate::inventories::BucketInventories;
use crate::journals::BucketJournals;
use crate::outbound::BatchOutside;
use crate::stores::{self, Warehouses};
use crate::webhooks::Webhooks;

/// Where the catalog's log lies in the system bucket.
const CATALOG_ROOT: &str = "catalog";
/// How often expired samples of metrics are cleared away.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The threads for background work cannot be started.
    #[error("the threads for background work could not be started")]
    Background(#[source] io::Error),
    /// There are no root credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A drive cannot be opened.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The drives make no store.
    #[error(transparent)]
    Core(#[from] tarn_objectcore::OpenError),
    /// A part of the start panicked.
    #[error("the start failed")]
    Task(#[source] tokio::task::JoinError),
    /// The bucket of the catalog's log cannot be made.
    #[error("the system bucket could not be opened")]
    SystemBucket(#[source] tarn_objectcore::types::BucketError),
    /// The catalog cannot be opened.
    #[error(transparent)]
    Catalog(#[from] tarn_catalog::OpenError),
    /// The secret of bearer tokens cannot be had.
    #[error(transparent)]
    TokenSecret(#[from] SecretError),
    /// The issuers of tokens cannot be asked.
    #[error(transparent)]
    Issuers(#[from] oidc::OpenError),
    /// The first start could not be finished.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The threads of queries cannot be had.
    #[error("the engine of SQL could not be set up")]
    Sql(#[source] io::Error),
    /// The metrics cannot be collected.
    #[error("the metrics could not be set up")]
    Metrics(#[source] metrics_exporter_prometheus::BuildError),
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    root: RootCredentials,
    origin: Origin,
    core: ObjectCore,
    catalog: Catalog,
    maintenance: Maintenance,
    jobs: Jobs,
    journals: Journals,
    webhooks: Webhooks,
    stop: watch::Sender<bool>,
    listening: JoinHandle<()>,
    upkeep: JoinHandle<()>,
    sweeps: JoinHandle<()>,
    background: Background,
}

impl Server {
    /// Opens everything and serves.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        let address = settings.listen;
        let listener =
            TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
        let metrics = metrics::start().map_err(StartError::Metrics)?;
        let log = if settings.log.requests { RequestLog::All } else { RequestLog::Failures };
        let front = Arc::new(Front::new(log, settings.domains.clone()));
        let (stop, stopped) = watch::channel(false);
        let listening =
            tokio::spawn(listener::serve(listener, front.clone(), settings.limits.clone(), stopped));
        let (root, origin) = credentials::obtain(settings.root.as_ref(), &settings.credentials_file)?;
        let background = Background::start().map_err(StartError::Background)?;
        let core_settings = tarn_objectcore::Settings {
            parity: settings.parity,
            memory_bytes: settings.limits.memory_bytes.unwrap_or_else(memory::budget_bytes),
            moment_age_max: settings.jobs_moment_max,
            ..Default::default()
        };
        let paths = settings.drives.clone();
        let drives =
            tokio::task::spawn_blocking(move || drives::open(&paths)).await.map_err(StartError::Task)??;
        let core = ObjectCore::open(core_settings, drives).await?;
        let warehouses: Arc<dyn WarehouseStores> = Arc::new(Warehouses::new(core.clone()));
        let log_store = stores::system_store(&core).await.map_err(StartError::SystemBucket)?;
        let catalog_settings = tarn_catalog::Settings {
            keep_dropped: settings.keep_dropped,
            history_retention: settings.history_retention,
            history_bytes_max: settings.history_bytes_max,
            ..Default::default()
        };
        let catalog =
            Catalog::open(log_store.clone(), Path::from(CATALOG_ROOT), warehouses.clone(), catalog_settings)
                .await?;
        setup::first_start(&catalog, &*warehouses, &settings.warehouse).await?;
        let secret = obtain_server_secret(&catalog).await?;
        let issuers = Arc::new(Issuers::open(settings.providers.clone(), Pace::default())?);
        let tokens = oauth::Tokens::new(&secret);
        let root_key = AccessKey::root(&root.access_key, root.secret_key.clone());
        let keyring = Arc::new(Keyring::with_catalog(root_key, catalog.clone()));
        let grants = Arc::new(Grants::new(keyring.clone()));
        let authorize: Arc<dyn Authorize> = grants.clone();
        let sharers = KeySharers::new(&secret, keyring.clone(), grants.clone());
        // Profiles need an address that clients can use: the setting `endpoint` tells it where it is not this machine's.
        let public = public_endpoint(settings, address)
            .unwrap_or_else(|| format!("http://localhost:{}", address.port()));
        let sharing = Sharing::new(
            &catalog,
            warehouses.clone(),
            sharers,
            issuers.clone(),
            (&public, &settings.sharing),
        );
        let sessions = Sessions::new(&secret, keyring.clone()).with_issuers(issuers.clone());
        let sessions = Arc::new(sessions.with_tickets(sharing.tickets()));
        let (sharing_front, swept) = sharing.router(sharing::Parts {
            catalog: catalog.clone(),
            own: log_store,
            secret: &secret,
            endpoint: &public,
            region: &settings.region,
            sessions: sessions.clone(),
        });
        let identity = Identity::new(keyring, Some(tokens), Some(sessions.clone()), core.memory().clone());
        let identity =
            Arc::new(identity.with_issuers(issuers.clone()).with_proxies(settings.trusted_proxies.clone()));
        let maintenance = Maintenance::new(
            catalog.by(tarn_catalog::MAINTENANCE),
            warehouses.clone(),
            tarn_inventory::Settings::default(),
            sharing.readers(&catalog),
        );
        let queries = Arc::new(sql::BatchQueries::default());
        let journals = journal::open(&core, &catalog, warehouses.clone(), &settings.journal);
        let jobs = jobs::open(jobs::Parts {
            core: core.clone(),
            catalog: catalog.clone(),
            stores: warehouses.clone(),
            rights: sharing.sharers.clone(),
            foreground: front.in_flight(),
            queries: queries.clone(),
            journals: journals.clone(),
            outside: Arc::new(BatchOutside::new(core.clone(), settings.webhook_reach, &secret)),
            at_once: settings.jobs_at_once,
        });
        {
            let _in_background = background.enter();
            maintenance.start_schedule();
            jobs.start();
            journals.start();
        }
        let inventories = BucketInventories::new(
            jobs.clone(),
            sharing.sharers.clone(),
            authorize.clone(),
            Arc::new(scan::CoreScan(core.clone())),
            &root.access_key,
        );
        let bucket_journals =
            BucketJournals::new(journals.clone(), jobs.clone(), sharing.sharers.clone(), catalog.clone());
        let source: Arc<str> = format!("urn:uuid:{}", core.status().deployment).into();
        let webhooks = Webhooks::start(catalog.clone(), source.clone(), settings.webhook_reach);
        let state = ServerTables {
            core: core.clone(),
            scan: Arc::new(CoreScan(core.clone())),
            catalog: catalog.clone(),
            maintenance: maintenance.clone(),
            jobs: jobs.clone(),
            shares: Directory::new(catalog.clone(), warehouses.clone()),
        };
        let sql = sql::engine(&catalog, warehouses.clone(), Arc::new(state), &settings.sql);
        let sql = sql.map_err(StartError::Sql)?;
        let program = Arc::new(Program {
            core: core.clone(),
            catalog: catalog.clone(),
            warehouse: settings.warehouse.clone(),
            inventories: inventories.clone(),
            journals: bucket_journals.clone(),
            maintenance: maintenance.clone(),
            jobs: jobs.clone(),
            job_streams: crate::admin::jobs::stream_slots(),
            stopping: stop.subscribe(),
            sharing,
            events: Events::new(catalog.clone(), source.clone(), stop.subscribe()),
            webhooks: webhooks.clone(),
            sql,
            identity: identity.clone(),
            authorize: authorize.clone(),
            grants,
            metrics: metrics.clone(),
            metrics_access: settings.metrics,
            started: Instant::now(),
        });
        queries.answered_by(&program);
        let sts = Sts { sessions: sessions.clone(), authorize: authorize.clone(), issuers };
        let sts = sts::router(Arc::new(sts));
        let vendor = Vendor::new(sessions, settings.credentials_lifetime.as_secs() as i64);
        let s3 = tarn_objectcore::s3::router(S3Front {
            core: core.clone(),
            authorize: authorize.clone(),
            uses: Arc::new(stores::CatalogUses(catalog.clone())),
            inventories: Arc::new(inventories),
            metadata: Some(Arc::new(bucket_journals)),
            region: settings.region.clone(),
            domains: settings.domains.clone(),
            window: Some(sharing::window()),
        });
        let iceberg = tarn_catalog::rest::router(RestFront {
            catalog: catalog.clone(),
            authorize,
            vend: Some(Arc::new(vendor)),
            uri: public_endpoint(settings, address).map(|endpoint| format!("{endpoint}/_iceberg")),
            default_warehouse: Some(settings.warehouse.clone()),
            region: settings.region.clone(),
            s3_endpoint: public_endpoint(settings, address),
            scan_planning: settings.scan_planning,
        });
        let tokens = oauth::router(identity.clone());
        let own = program::own(program);
        front.open(program::all(Fronts { s3, iceberg, tokens, sts, sharing: sharing_front, own }, identity));
        let upkeep = tokio::spawn(async move {
            loop {
                tokio::time::sleep(METRICS_UPKEEP).await;
                metrics.run_upkeep();
            }
        });
        let sweeps = tokio::spawn(swept.sweep());
        tracing::info!(%address, "serving");
        Ok(Self {
            address,
            root,
            origin,
            core,
            catalog,
            maintenance,
            jobs,
            journals,
            webhooks,
            stop,
            listening,
            upkeep,
            sweeps,
            background,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loads the sample tables. A failure leaves the server running.
    async fn load_demo(&self, settings: &Settings, scale: Option<f64>) {
        let Some(scale) = scale else { return };
        let stores = Arc::new(Warehouses::new(self.core.clone()));
        let demo =
            Demo { catalog: self.catalog.clone(), stores, warehouse: settings.warehouse.clone(), scale };
        match demo.load().await {
            Ok(outcome) => welcome::demo(self, settings, &outcome),
            Err(error) => tracing::error!(error = %Chain(&error), "the sample tables could not be loaded"),
        }
    }

    /// Stops in order (S2).
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if let Err(error) = self.listening.await {
            tracing::error!(%error, "the listener failed");
        }
        self.upkeep.abort();
        self.sweeps.abort();
        self.jobs.close().await;
        self.journals.close().await;
        self.maintenance.close().await;
        self.webhooks.close().await;
        self.catalog.close().await;
        self.core.close().await;
        drop(self.background);
        tracing::info!("stopped");
    }
}

/// Where clients reach the server: as configured, or the listen address when that is one host's.
fn public_endpoint(settings: &Settings, address: SocketAddr) -> Option<String> {
    let listening = || (!address.ip().is_unspecified()).then(|| format!("http://{address}"));
    settings.endpoint.clone().or_else(listening)
}

/// Runs a server until `stop` ends. `demo` is the scale factor of sample tables to load.
pub async fn run(
    settings: Settings,
    demo: Option<f64>,
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let mut stop = std::pin::pin!(stop);
    let server = tokio::select! {
        started = Server::start(&settings) => started?,
        () = &mut stop => return Ok(()),
    };
    welcome::print(&server, &settings);
    tokio::select! {
        () = &mut stop => {}
        () = server.load_demo(&settings, demo) => stop.await,
    }
    server.stop().await;
    Ok(())
}

/// An error with its sources, for a log line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(formatter, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
