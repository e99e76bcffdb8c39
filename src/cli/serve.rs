//! `tarn serve`.

use std::path::PathBuf;

use anyhow::Context as _;

use super::Failure;
use crate::config::{self, Layers, Settings, keys};
use crate::server;

/// The most threads that block on drives at once.
const BLOCKING_THREADS_MAX: usize = 96;

/// The flags of `tarn serve`. Each stands over its `TARN_*` variable, that over the file.
#[derive(clap::Args)]
pub(crate) struct ServeFlags {
    /// Drive directories; `/mnt/d{1...4}` is four [default: tarn-data/drive{1...4}].
    #[arg(value_name = "DRIVE")]
    drives: Vec<String>,
    /// Address and port to listen on [default: 127.0.0.1:9000].
    #[arg(long)]
    listen: Option<String>,
    /// Parity shards of a set [default: by the number of drives].
    #[arg(long)]
    parity: Option<String>,
    /// The configuration file [default: tarn.toml, if it exists].
    #[arg(long, env = "TARN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// A domain whose first label is a bucket; may be given several times.
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// The form of log lines: text or json.
    #[arg(long)]
    log_format: Option<String>,
    /// What to log: a level, or target=level, ...
    #[arg(long)]
    log: Option<String>,
    /// Load TPC-H sample tables into namespace `tpch` of the default warehouse.
    #[arg(long)]
    demo: bool,
    /// The scale factor of the sample tables; 1 is about 1 GB of text.
    #[arg(long, default_value_t = 0.1, value_name = "FACTOR")]
    demo_scale: f64,
}

impl ServeFlags {
    /// All layers of the configuration, these flags on top.
    pub(crate) fn layers(&self) -> Result<Layers, Failure> {
        let single = [
            (keys::LISTEN, &self.listen),
            (keys::PARITY, &self.parity),
            (keys::LOG_FORMAT, &self.log_format),
            (keys::LOG_FILTER, &self.log),
        ];
        let lists = [(keys::DRIVES, &self.drives), (keys::DOMAINS, &self.domains)];
        let single = single.into_iter().filter_map(|(name, value)| Some((name, vec![value.clone()?])));
        let lists = lists.into_iter().filter(|(_, values)| !values.is_empty());
        let flags = single.chain(lists.map(|(name, values)| (name, values.clone()))).collect();
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        config::gather(self.config.as_deref(), variables, flags).map_err(|error| Failure::Usage(error.into()))
    }
}

pub(crate) fn run(flags: ServeFlags) -> Result<(), Failure> {
    let mut settings = Settings::read(&flags.layers()?).map_err(|error| Failure::Usage(error.into()))?;
    if !(flags.demo_scale > 0.0 && flags.demo_scale <= 100.0) {
        return Err(Failure::Usage(anyhow::anyhow!("--demo-scale must be above 0 and at most 100")));
    }
    server::logs::start(&settings.log);
    let demo = flags.demo.then_some(flags.demo_scale);
    let limits = &mut settings.limits;
    let descriptors = server::descriptors::raise();
    limits.connections_max =
        server::descriptors::connections(descriptors, settings.drives.len(), limits.connections_max)
            .map_err(anyhow::Error::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Each thread keeps memory of its own, and drives are not faster with the default's 512.
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build();
    let runtime = runtime.context("the runtime could not be started")?;
    runtime.block_on(server::run(settings, demo, stop_signal())).map_err(anyhow::Error::from)?;
    Ok(())
}

/// Ends at the first SIGTERM or SIGINT; a second one of either ends the process at once.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
        _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("stopped at once by a second signal");
        std::process::exit(130);
    });
}
