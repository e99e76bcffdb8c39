//! The settings of a server, checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tarn_catalog::rest::ScanPlanning;
use tarn_catalog::state::KEEP_SECONDS_MAX;
use tarn_openapi::network::Network;

use super::ellipses;
use super::keys;
use super::layers::{ConfigError, Layers};
use super::providers;
use super::sql::SqlSettings;
use crate::identity::oidc::Provider;
use crate::identity::{Secret, key};
use crate::outbound::Reach;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Who may read `/_metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Keys that may administer.
    Admin,
    /// Everyone who reaches the port.
    Public,
}

/// The root user's credentials.
#[derive(Debug, Clone)]
pub struct RootCredentials {
    /// The access key id.
    pub access_key: String,
    /// The secret key.
    pub secret_key: Secret,
}

/// Limits of the listener.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections; more wait to be accepted.
    pub connections_max: usize,
    /// What bodies may hold in memory at once, in bytes; `None`: by the machine's memory.
    pub memory_bytes: Option<u64>,
    /// Time from the end of a request (or the connection's begin) to the end of the next one's headers.
    pub header_timeout: Duration,
    /// Time without a byte in either direction.
    pub idle_timeout: Duration,
    /// Time that running requests get at the end.
    pub drain_timeout: Duration,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// What is logged, as `tracing_subscriber::EnvFilter` reads it.
    pub filter: String,
    /// Whether every request is logged.
    pub requests: bool,
}

/// All settings of `tarn serve`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where clients reach the server, with its scheme; `None`: the listen address, if it is one host's.
    pub endpoint: Option<String>,
    /// The drive directories.
    pub drives: Vec<PathBuf>,
    /// Parity shards of a set; `None`: by the number of drives.
    pub parity: Option<u8>,
    /// The region named to clients.
    pub region: String,
    /// Domains of virtual-hosted buckets.
    pub domains: Vec<String>,
    /// Proxies that tell where a request came from.
    pub trusted_proxies: Vec<Network>,
    /// The default warehouse.
    pub warehouse: String,
    /// The configured root credentials; `None`: generated ones.
    pub root: Option<RootCredentials>,
    /// Where generated root credentials are kept.
    pub credentials_file: PathBuf,
    /// Logging.
    pub log: LogSettings,
    /// Who may read the metrics.
    pub metrics: MetricsAccess,
    /// Who plans the scans of tables that do not say it themselves.
    pub scan_planning: ScanPlanning,
    /// How long vended credentials are good.
    pub credentials_lifetime: Duration,
    /// Delta Sharing.
    pub sharing: SharingSettings,
    /// SQL.
    pub sql: SqlSettings,
    /// Runs of jobs at work at a time.
    pub jobs_at_once: usize,
    /// How long the moment of a scan is kept at most.
    pub jobs_moment_max: Duration,
    /// Journals of buckets.
    pub journal: JournalSettings,
    /// Limits of the listener.
    pub limits: Limits,
    /// How long dropped tables are kept; zero: not at all.
    pub keep_dropped: Duration,
    /// How far back the whole catalog can be read as it was.
    pub history_retention: Duration,
    /// What is kept of the catalog's log for that, in bytes.
    pub history_bytes_max: u64,
    /// The identity providers whose tokens are taken.
    pub providers: Vec<Provider>,
    /// Which addresses webhooks may reach.
    pub(crate) webhook_reach: Reach,
}

/// How often journals of buckets are written.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// Between two commits to a journal.
    pub commit: Duration,
    /// Between two commits to a table of objects.
    pub refresh: Duration,
}

/// What recipients of shares get.
#[derive(Debug, Clone)]
pub struct SharingSettings {
    /// How long URLs of files are good.
    pub url_lifetime: Duration,
    /// Requests per second of a token whose recipient has no rate of its own.
    pub requests_per_second: u32,
    /// Requests per second of all tokens together.
    pub requests_per_second_all: u32,
}

impl Settings {
    /// Checks `layers`.
    pub fn read(layers: &Layers) -> Result<Self, ConfigError> {
        let text = |name| Ok::<_, ConfigError>(layers.one(name, owned)?.unwrap_or_default());
        let drives = drives(layers)?;
        let beside = || drives[0].parent().unwrap_or(Path::new(".")).join("tarn-credentials.toml");
        let credentials_file = layers.one(keys::CREDENTIALS_FILE, owned)?.map_or_else(beside, PathBuf::from);
        Ok(Self {
            listen: required(layers, keys::LISTEN, str::parse::<SocketAddr>)?,
            endpoint: layers.one(keys::ENDPOINT, endpoint)?,
            parity: layers.one(keys::PARITY, str::parse)?,
            region: text(keys::REGION)?,
            domains: layers.list(keys::DOMAINS).1.to_vec(),
            trusted_proxies: trusted_proxies(layers)?,
            warehouse: required(layers, keys::WAREHOUSE, bucket_name)?,
            root: root(layers)?,
            credentials_file,
            log: LogSettings {
                format: required(layers, keys::LOG_FORMAT, log_format)?,
                filter: required(layers, keys::LOG_FILTER, log_filter)?,
                requests: required(layers, keys::LOG_REQUESTS, str::parse::<bool>)?,
            },
            metrics: required(layers, keys::METRICS_ACCESS, metrics_access)?,
            scan_planning: required(layers, keys::SCAN_PLANNING, scan_planning)?,
            credentials_lifetime: required(layers, keys::CREDENTIALS_LIFETIME, up_to_a_day)?,
            sharing: SharingSettings {
                url_lifetime: required(layers, keys::SHARING_URL_LIFETIME, url_lifetime)?,
                requests_per_second: required(layers, keys::SHARING_RATE, rate)?,
                requests_per_second_all: required(layers, keys::SHARING_RATE_ALL, rate)?,
            },
            sql: SqlSettings::read(layers)?,
            jobs_at_once: required(layers, keys::JOBS_AT_ONCE, at_once)?,
            jobs_moment_max: required(layers, keys::JOBS_MOMENT, moment)?,
            journal: JournalSettings {
                commit: required(layers, keys::JOURNAL_COMMIT, up_to_a_day)?,
                refresh: required(layers, keys::JOURNAL_REFRESH, up_to_a_day)?,
            },
            limits: Limits {
                connections_max: required(layers, keys::CONNECTIONS_MAX, positive)?,
                memory_bytes: layers.one(keys::MEMORY, positive)?.map(|mebibytes| (mebibytes as u64) << 20),
                header_timeout: seconds(layers, keys::HEADER_TIMEOUT)?,
                idle_timeout: seconds(layers, keys::IDLE_TIMEOUT)?,
                drain_timeout: seconds(layers, keys::DRAIN_TIMEOUT)?,
            },
            keep_dropped: required(layers, keys::KEEP_DROPPED, keep_seconds)?,
            history_retention: required(layers, keys::HISTORY_RETENTION, keep_seconds)?,
            history_bytes_max: required(layers, keys::HISTORY_MIB, mebibytes)?,
            providers: providers::read(layers)?,
            webhook_reach: required(layers, keys::WEBHOOKS_PRIVATE, webhook_reach)?,
            drives,
        })
    }
}

pub(super) fn required<T, E: std::fmt::Display>(
    layers: &Layers,
    name: &'static str,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, ConfigError> {
    let from = layers.list(name).0;
    layers.one(name, read)?.ok_or(ConfigError::Invalid { name, from, reason: "a value is required".into() })
}

fn drives(layers: &Layers) -> Result<Vec<PathBuf>, ConfigError> {
    let (from, patterns) = layers.list(keys::DRIVES);
    let invalid = |reason: String| ConfigError::Invalid { name: keys::DRIVES, from, reason };
    let mut drives: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        for path in ellipses::expand(pattern).map_err(|error| invalid(error.to_string()))? {
            let path = PathBuf::from(path);
            if drives.contains(&path) {
                return Err(invalid(format!("{} is named twice", path.display())));
            }
            drives.push(path);
        }
    }
    if drives.is_empty() { Err(invalid("at least one drive is required".into())) } else { Ok(drives) }
}

fn trusted_proxies(layers: &Layers) -> Result<Vec<Network>, ConfigError> {
    let (from, ranges) = layers.list(keys::TRUSTED_PROXIES);
    let read = |text: &String| {
        Network::parse(text).ok_or_else(|| {
            let reason = format!("{text:?} is not an address or a range such as 10.0.0.0/8");
            ConfigError::Invalid { name: keys::TRUSTED_PROXIES, from, reason }
        })
    };
    ranges.iter().map(read).collect()
}

fn root(layers: &Layers) -> Result<Option<RootCredentials>, ConfigError> {
    let id = layers.one(keys::ROOT_ACCESS_KEY, |text| key::check_id(text).map(|()| text.to_owned()))?;
    let secret = layers
        .one(keys::ROOT_SECRET_KEY, |text| key::check_secret(text).map(|()| Secret::new(text.to_owned())))?;
    match (id, secret) {
        (Some(access_key), Some(secret_key)) => Ok(Some(RootCredentials { access_key, secret_key })),
        (None, None) => Ok(None),
        (id, _) => {
            let name = if id.is_some() { keys::ROOT_SECRET_KEY } else { keys::ROOT_ACCESS_KEY };
            let reason = "the root access key and its secret must be given together".into();
            Err(ConfigError::Invalid { name, from: layers.list(name).0, reason })
        }
    }
}

fn endpoint(text: &str) -> Result<String, &'static str> {
    let text = text.trim_end_matches('/');
    let parsed = text.parse::<http::Uri>().ok();
    let good = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some() && uri.path() == "/"
    });
    if good { Ok(text.to_owned()) } else { Err("an address such as http://tarn.example:9000 is expected") }
}

fn owned(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.to_owned())
}

fn bucket_name(text: &str) -> Result<String, tarn_objectcore::name::InvalidBucketName> {
    tarn_objectcore::name::BucketName::new(text).map(|name| name.as_str().to_owned())
}

fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("text or json is expected"),
    }
}

fn log_filter(text: &str) -> Result<String, tracing_subscriber::filter::ParseError> {
    text.parse::<tracing_subscriber::EnvFilter>().map(|_| text.to_owned())
}

fn scan_planning(text: &str) -> Result<ScanPlanning, &'static str> {
    match text {
        "client" => Ok(ScanPlanning::Client),
        "server" => Ok(ScanPlanning::Server),
        _ => Err("client or server is expected"),
    }
}

fn metrics_access(text: &str) -> Result<MetricsAccess, &'static str> {
    match text {
        "admin" => Ok(MetricsAccess::Admin),
        "public" => Ok(MetricsAccess::Public),
        _ => Err("admin or public is expected"),
    }
}

pub(super) fn positive(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|&number| number > 0).ok_or("a positive number is expected")
}

/// Of credentials at most a day: nothing but the deletion of a key ends those that are out.
fn up_to_a_day(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (1..=24 * 60 * 60).contains(seconds));
    seconds.map(Duration::from_secs).ok_or("1 to 86400 seconds are expected")
}

pub(super) fn at_once(text: &str) -> Result<usize, &'static str> {
    const ALLOWED: &str = "1 to 64";
    let runs: usize = text.parse().map_err(|_| ALLOWED)?;
    if (1..=64).contains(&runs) { Ok(runs) } else { Err(ALLOWED) }
}

fn moment(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (60..=7 * 24 * 60 * 60).contains(seconds));
    seconds.map(Duration::from_secs).ok_or("60 to 604800 seconds are expected")
}

/// Spark renews URLs ten minutes before they end; deletion vectors made for readers are kept for half a day.
fn url_lifetime(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (20 * 60..=12 * 60 * 60).contains(seconds));
    seconds.map(Duration::from_secs).ok_or("1200 to 43200 seconds are expected")
}

fn rate(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|rate| *rate > 0).ok_or("a number from 1 on is expected")
}

fn webhook_reach(text: &str) -> Result<Reach, std::str::ParseBoolError> {
    text.parse().map(|private| if private { Reach::Everywhere } else { Reach::Public })
}

fn keep_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|&seconds| seconds <= KEEP_SECONDS_MAX);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("a number of seconds up to {KEEP_SECONDS_MAX} is expected"))
}

/// In bytes.
pub(super) fn mebibytes(text: &str) -> Result<u64, &'static str> {
    let bytes = text.parse::<u64>().ok().and_then(|mebibytes| mebibytes.checked_mul(1 << 20));
    bytes.ok_or("a number of MiB is expected")
}

pub(super) fn seconds(layers: &Layers, name: &'static str) -> Result<Duration, ConfigError> {
    required(layers, name, positive).map(|seconds| Duration::from_secs(seconds as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Result<Settings, ConfigError> {
        let mut layers = Layers::defaults();
        layers.add_file("tarn.toml".into(), file)?;
        Settings::read(&layers)
    }

    #[test]
    fn nothing_set_is_four_drives_on_the_loopback() {
        let settings = read("").unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:9000");
        assert_eq!(settings.drives[3], Path::new("tarn-data/drive4"));
        assert_eq!(settings.credentials_file, Path::new("tarn-data/tarn-credentials.toml"));
        assert!(settings.root.is_none() && settings.parity.is_none());
        assert_eq!(settings.metrics, MetricsAccess::Admin);
    }

    #[test]
    fn a_value_that_makes_no_sense_is_refused_by_its_name() {
        for (file, at) in [
            ("listen = 'nowhere'", "listen"),
            ("endpoint = 'tarn.example'", "endpoint"),
            ("endpoint = 'http://tarn.example/path'", "endpoint"),
            ("drives = []", "drives"),
            ("drives = ['/a', '/a']", "drives"),
            ("parity = -1", "parity"),
            ("trusted_proxies = ['10.0.0.0/40']", "trusted_proxies"),
            ("warehouse = 'UPPER'", "warehouse"),
            ("[root]\naccess_key = 'root'", "root.secret_key"),
            ("[root]\naccess_key = 'root'\nsecret_key = 'short'", "root.secret_key"),
            ("[log]\nformat = 'xml'", "log.format"),
            ("[jobs]\nat_once = 65", "jobs.at_once"),
            ("[journal]\ncommit_seconds = 0", "journal.commit_seconds"),
            ("[journal]\nrefresh_seconds = 86401", "journal.refresh_seconds"),
            ("[sql]\nrows = 0", "sql.rows"),
            ("[sql]\nmemory_mib = 8", "sql.memory_mib"),
            ("[sql]\nseconds = 4000", "sql.seconds_max"),
            ("[sql]\nspill_dir = '/no/such/directory'", "sql.spill_dir"),
            ("[sql]\nqueries = 65", "sql.queries"),
            ("[limits]\nconnections_max = 0", "limits.connections_max"),
            ("[limits]\nmemory_mib = 0", "limits.memory_mib"),
            ("[credentials]\nlifetime_seconds = 86401", "credentials.lifetime_seconds"),
            ("[webhooks]\nallow_private = 2", "webhooks.allow_private"),
            ("[tables]\nkeep_dropped_seconds = -1", "tables.keep_dropped_seconds"),
            ("[catalog]\nhistory_retention_seconds = -1", "catalog.history_retention_seconds"),
            ("[catalog]\nhistory_mib_max = 20000000000000", "catalog.history_mib_max"),
        ] {
            match read(file) {
                Err(ConfigError::Invalid { name, .. }) => assert_eq!(name, at),
                other => panic!("{file}: {other:?}"),
            }
        }
    }
}
