//! The server: opens the stores, wires the fronts, listens, and stops in order.
//!
//! - S1: the port is taken before a drive is touched, so that two servers never share drives by mistake of
//!   a port; until the stores are open every request is answered 503 and nothing is started.
//! - S2: stopping: no new connection, running requests end, then the catalog closes, then the object core.

pub mod credentials;
mod dispatch;
mod front;
mod health;
mod idle;
mod listener;
pub mod logs;
mod metrics;
mod program;
mod welcome;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tarn_objectcore::ObjectCore;
use tarn_objectcore::s3::S3Front;
use tarn_openapi::access::Authorize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::credentials::{CredentialsError, Origin};
use self::dispatch::Fronts;
use self::front::{Front, RequestLog};
use self::program::Program;
use crate::config::{RootCredentials, Settings};
use crate::identity::key::AccessKey;
use crate::identity::{Grants, Identity, Keyring, oauth};

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
    /// There are no root credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
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
    stop: watch::Sender<bool>,
    listening: JoinHandle<()>,
    upkeep: JoinHandle<()>,
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
        let front = Arc::new(Front::new(log));
        let (stop, stopped) = watch::channel(false);
        let listening =
            tokio::spawn(listener::serve(listener, front.clone(), settings.limits.clone(), stopped));
        let (root, origin) = credentials::obtain(settings.root.as_ref(), &settings.credentials_file)?;
        let core = ObjectCore::in_memory(4).await;
        let keyring = Arc::new(Keyring::new(AccessKey::root(&root.access_key, root.secret_key.clone())));
        let authorize: Arc<dyn Authorize> = Arc::new(Grants::new(keyring.clone()));
        let identity = Arc::new(Identity::new(keyring, None));
        let program = Arc::new(Program {
            core: core.clone(),
            authorize: authorize.clone(),
            metrics: metrics.clone(),
            metrics_access: settings.metrics,
            started: Instant::now(),
        });
        let s3 = tarn_objectcore::s3::router(S3Front {
            core: core.clone(),
            authorize,
            region: settings.region.clone(),
            domains: settings.domains.clone(),
        });
        let tokens = oauth::router(identity.clone());
        let fronts = Fronts { s3, iceberg: axum::Router::new(), tokens, own: program::own(program) };
        front.open(program::all(fronts, identity));
        let upkeep = tokio::spawn(async move {
            loop {
                tokio::time::sleep(METRICS_UPKEEP).await;
                metrics.run_upkeep();
            }
        });
        tracing::info!(%address, "serving");
        Ok(Self { address, root, origin, core, stop, listening, upkeep })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops in order (S2).
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if let Err(error) = self.listening.await {
            tracing::error!(%error, "the listener failed");
        }
        self.upkeep.abort();
        self.core.close().await;
        tracing::info!("stopped");
    }
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
    let _ = demo;
    stop.await;
    server.stop().await;
    Ok(())
}
