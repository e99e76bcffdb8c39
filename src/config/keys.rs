//! Every setting by name: the one list that the file, the environment, `config show` and the docs follow.

/// Whether a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    Plain,
    Secret,
}

/// A setting: its name in the file (`table.key`), its variable, its default, and what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) default: &'static str,
    pub(crate) visibility: Visibility,
    pub(crate) meaning: &'static str,
}

const fn key(
    name: &'static str,
    variable: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, variable, default, visibility: Visibility::Plain, meaning }
}

/// A setting of an identity provider; its variable is what stands behind the provider's name.
pub(super) const fn provider_key(
    name: &'static str,
    variable: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    key(name, variable, default, meaning)
}

impl Key {
    /// Whether the setting has several values.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.name, DRIVES | DOMAINS | TRUSTED_PROXIES)
            || super::providers::LISTS.contains(&self.name)
    }
}

pub(crate) const LISTEN: &str = "listen";
pub(crate) const ENDPOINT: &str = "endpoint";
pub(crate) const DRIVES: &str = "drives";
pub(crate) const PARITY: &str = "parity";
pub(crate) const REGION: &str = "region";
pub(crate) const DOMAINS: &str = "domains";
pub(crate) const TRUSTED_PROXIES: &str = "trusted_proxies";
pub(crate) const WAREHOUSE: &str = "warehouse";
pub(crate) const CREDENTIALS_FILE: &str = "credentials_file";
pub(crate) const ROOT_ACCESS_KEY: &str = "root.access_key";
pub(crate) const ROOT_SECRET_KEY: &str = "root.secret_key";
pub(crate) const LOG_FORMAT: &str = "log.format";
pub(crate) const LOG_FILTER: &str = "log.filter";
pub(crate) const LOG_REQUESTS: &str = "log.requests";
pub(crate) const METRICS_ACCESS: &str = "metrics.access";
pub(crate) const SCAN_PLANNING: &str = "catalog.scan_planning";
pub(crate) const CREDENTIALS_LIFETIME: &str = "credentials.lifetime_seconds";
pub(crate) const SHARING_URL_LIFETIME: &str = "sharing.url_lifetime_seconds";
pub(crate) const SHARING_RATE: &str = "sharing.requests_per_second";
pub(crate) const SHARING_RATE_ALL: &str = "sharing.requests_per_second_all";
pub(crate) const JOBS_AT_ONCE: &str = "jobs.at_once";
pub(crate) const JOBS_MOMENT: &str = "jobs.moment_seconds_max";
pub(crate) const JOURNAL_COMMIT: &str = "journal.commit_seconds";
pub(crate) const JOURNAL_REFRESH: &str = "journal.refresh_seconds";
pub(crate) const SQL_ROWS: &str = "sql.rows";
pub(crate) const SQL_ANSWER_MIB: &str = "sql.answer_mib";
pub(crate) const SQL_SECONDS: &str = "sql.seconds";
pub(crate) const SQL_SECONDS_MAX: &str = "sql.seconds_max";
pub(crate) const SQL_MEMORY_MIB: &str = "sql.memory_mib";
pub(crate) const SQL_SPILL_MIB: &str = "sql.spill_mib";
pub(crate) const SQL_SPILL_DIR: &str = "sql.spill_dir";
pub(crate) const SQL_QUERIES: &str = "sql.queries";
pub(crate) const SQL_QUERIES_OF_ONE: &str = "sql.queries_of_one";
pub(crate) const CONNECTIONS_MAX: &str = "limits.connections_max";
pub(crate) const MEMORY: &str = "limits.memory_mib";
pub(crate) const HEADER_TIMEOUT: &str = "limits.header_timeout_seconds";
pub(crate) const IDLE_TIMEOUT: &str = "limits.idle_timeout_seconds";
pub(crate) const DRAIN_TIMEOUT: &str = "limits.drain_timeout_seconds";
pub(crate) const KEEP_DROPPED: &str = "tables.keep_dropped_seconds";
pub(crate) const HISTORY_RETENTION: &str = "catalog.history_retention_seconds";
pub(crate) const HISTORY_MIB: &str = "catalog.history_mib_max";
pub(crate) const WEBHOOKS_PRIVATE: &str = "webhooks.allow_private";

/// All settings, in the order they are shown.
pub(crate) const KEYS: &[Key] = &[
    key(LISTEN, "TARN_LISTEN", "127.0.0.1:9000", "address and port to listen on"),
    key(
        ENDPOINT,
        "TARN_PUBLIC_ENDPOINT",
        "",
        "where clients reach this server, with its scheme; empty: the listen address if it is one host's",
    ),
    key(DRIVES, "TARN_DRIVES", "tarn-data/drive{1...4}", "drive directories; braces expand"),
    key(PARITY, "TARN_PARITY", "", "parity shards of a set; empty: by the number of drives"),
    key(REGION, "TARN_REGION", "us-east-1", "the region named to clients; any is accepted"),
    key(DOMAINS, "TARN_DOMAINS", "", "domains whose first label is a bucket (virtual hosts)"),
    key(
        TRUSTED_PROXIES,
        "TARN_TRUSTED_PROXIES",
        "",
        "addresses and ranges of proxies whose X-Forwarded-For and X-Forwarded-Proto count",
    ),
    key(
        WAREHOUSE,
        "TARN_WAREHOUSE",
        "main",
        "the warehouse of clients that name none; made at the first start",
    ),
    key(
        CREDENTIALS_FILE,
        "TARN_CREDENTIALS_FILE",
        "",
        "where generated root credentials are kept; empty: beside the first drive",
    ),
    key(ROOT_ACCESS_KEY, "TARN_ROOT_ACCESS_KEY", "", "root access key; empty: generated at the first start"),
    Key {
        name: ROOT_SECRET_KEY,
        variable: "TARN_ROOT_SECRET_KEY",
        default: "",
        visibility: Visibility::Secret,
        meaning: "root secret key",
    },
    key(LOG_FORMAT, "TARN_LOG_FORMAT", "text", "text or json"),
    key(
        LOG_FILTER,
        "TARN_LOG",
        "info,delta_kernel=off,fjall=warn,lsm_tree=warn",
        "what to log: a level, or target=level, ...",
    ),
    key(LOG_REQUESTS, "TARN_LOG_REQUESTS", "false", "whether every request is logged, not only failures"),
    key(METRICS_ACCESS, "TARN_METRICS_ACCESS", "admin", "who may read /_metrics: admin or public"),
    key(
        SCAN_PLANNING,
        "TARN_SCAN_PLANNING",
        "client",
        "who plans the scans of tables without the property scan-planning-mode: client or server",
    ),
    key(
        CREDENTIALS_LIFETIME,
        "TARN_CREDENTIALS_LIFETIME_SECONDS",
        "3600",
        "how long credentials vended with a table are good",
    ),
    key(
        SHARING_URL_LIFETIME,
        "TARN_SHARING_URL_LIFETIME_SECONDS",
        "3600",
        "how long URLs of shared files are good, 1200 to 43200",
    ),
    key(
        SHARING_RATE,
        "TARN_SHARING_REQUESTS_PER_SECOND",
        "100",
        "requests of a recipient's token, where the recipient has no rate of its own",
    ),
    key(
        SHARING_RATE_ALL,
        "TARN_SHARING_REQUESTS_PER_SECOND_ALL",
        "1000",
        "requests of all recipients together",
    ),
    key(JOBS_AT_ONCE, "TARN_JOBS_AT_ONCE", "2", "runs of jobs at work at a time; more wait"),
    key(
        JOBS_MOMENT,
        "TARN_JOBS_MOMENT_SECONDS_MAX",
        "3600",
        "how long drives keep what was deleted, for a job that tells a bucket as of one moment; 60 to 604800",
    ),
    key(
        JOURNAL_COMMIT,
        "TARN_JOURNAL_COMMIT_SECONDS",
        "10",
        "time between two commits to the journal of a bucket",
    ),
    key(
        JOURNAL_REFRESH,
        "TARN_JOURNAL_REFRESH_SECONDS",
        "3600",
        "time between two commits to the table of a bucket's objects",
    ),
    key(SQL_ROWS, "TARN_SQL_ROWS", "10000000", "rows of an answer, where the query does not say"),
    key(
        SQL_ANSWER_MIB,
        "TARN_SQL_ANSWER_MIB",
        "8192",
        "an answer as Arrow holds it, in MiB, where the query does not say",
    ),
    key(SQL_SECONDS, "TARN_SQL_SECONDS", "300", "time of a query, where it does not say"),
    key(SQL_SECONDS_MAX, "TARN_SQL_SECONDS_MAX", "3600", "the longest time that a query may ask for"),
    key(
        SQL_MEMORY_MIB,
        "TARN_SQL_MEMORY_MIB",
        "",
        "memory of one query, in MiB; empty: an eighth of the machine's, 64 to 2048, divided by sql.queries",
    ),
    key(SQL_SPILL_MIB, "TARN_SQL_SPILL_MIB", "4096", "what one query may spill to disk, in MiB"),
    key(
        SQL_SPILL_DIR,
        "TARN_SQL_SPILL_DIR",
        "",
        "where queries spill to; empty: the system's directory for temporary files",
    ),
    key(SQL_QUERIES, "TARN_SQL_QUERIES", "4", "queries that run at a time, 1 to 64; more wait"),
    key(
        SQL_QUERIES_OF_ONE,
        "TARN_SQL_QUERIES_OF_ONE",
        "3",
        "queries of one key or person that run at a time; more wait",
    ),
    key(CONNECTIONS_MAX, "TARN_CONNECTIONS_MAX", "4096", "open connections; more wait"),
    key(
        MEMORY,
        "TARN_MEMORY_MIB",
        "",
        "what bodies may hold in memory at once, in MiB; empty: an eighth of the machine's, 64 to 2048",
    ),
    key(
        HEADER_TIMEOUT,
        "TARN_HEADER_TIMEOUT_SECONDS",
        "90",
        "time from the end of a request to the end of the next one's headers",
    ),
    key(
        IDLE_TIMEOUT,
        "TARN_IDLE_TIMEOUT_SECONDS",
        "300",
        "time without a byte after which a connection is closed",
    ),
    key(
        DRAIN_TIMEOUT,
        "TARN_DRAIN_TIMEOUT_SECONDS",
        "30",
        "time that running requests get when the server stops",
    ),
    key(
        KEEP_DROPPED,
        "TARN_KEEP_DROPPED_SECONDS",
        "604800",
        "how long a dropped table can be undropped, where neither it nor its warehouse says; 0: not at all",
    ),
    key(
        HISTORY_RETENTION,
        "TARN_HISTORY_RETENTION_SECONDS",
        "604800",
        "how far back the whole catalog can be read as it was; 0: hardly at all",
    ),
    key(
        HISTORY_MIB,
        "TARN_HISTORY_MIB_MAX",
        "1024",
        "what is kept of the catalog's log for that, in MiB; above it the oldest goes before its time",
    ),
    key(
        WEBHOOKS_PRIVATE,
        "TARN_WEBHOOKS_ALLOW_PRIVATE",
        "false",
        "whether webhooks may reach this machine and private networks, not only public addresses",
    ),
];

/// Variables that are not settings of the server: the client's, the tests'.
pub(crate) const OTHER_VARIABLES: &[&str] = &[
    "TARN_CONFIG",
    "TARN_ENDPOINT",
    // Of the snippets that a first start prints.
    "TARN_KEY",
    "TARN_SECRET",
    "TARN_BIN",
    "TARN_INVENTORY_KILLS",
    "TARN_KEYLESS_SF",
    "TARN_KILLS",
    "TARN_SEED",
    "TARN_SQL_SF",
    "TARN_TPCH_SF",
];
/// Prefixes of variables that are nobody's settings.
pub(crate) const OTHER_PREFIXES: &[&str] = &["TARN_TEST_", "TARN_BENCH_"];

/// The setting of that name in the file.
pub(crate) fn by_name(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::KEYS;

    #[test]
    fn the_guide_names_every_setting_and_its_variable() {
        let guide = include_str!("../../docs/GUIDE.md");
        for key in KEYS {
            let row = format!("| `{}` | `{}` |", key.name, key.variable);
            assert!(guide.contains(&row), "docs/GUIDE.md lacks {row}");
        }
    }
}
