//! loadTable, commits and transactions over the Iceberg REST API.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::client::{Connection, Keep, Target};
use crate::hot;
use crate::plan::{Filter, plan};
use crate::report::{Report, Tally};
use crate::s3::encode;

pub const NAMESPACE: &str = "bench";

#[derive(clap::Subcommand)]
pub enum CatalogRun {
    /// loadTable of one table with that many snapshots (registered from a metadata file).
    Load {
        #[arg(long)]
        snapshots: usize,
        #[arg(long, default_value_t = 1)]
        clients: usize,
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// `all` or `refs`.
        #[arg(long, default_value = "all")]
        mode: String,
        /// Send the ETag of the first answer; every answer must then be 304.
        #[arg(long)]
        known: bool,
    },
    /// Lists all tables of the namespace, page after page, again and again.
    List {
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        #[arg(long, default_value_t = 1000)]
        page: usize,
    },
    /// Appends (add-snapshot and move main), one table per commit.
    Commit {
        #[arg(long)]
        writers: usize,
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// All writers on one table instead of a table each.
        #[arg(long)]
        same_table: bool,
    },
    /// Appends of many writers to one table, with the retries of Iceberg's Java library.
    HotTable(hot::HotRun),
    /// One transaction over that many tables, again and again.
    Transaction {
        #[arg(long)]
        tables: usize,
        #[arg(long, default_value_t = 500)]
        times: usize,
    },
    /// Plans of a table of that many files with all pages of their tasks, as a client reads them.
    Plan {
        #[arg(long, default_value_t = 1_000_000)]
        files: i64,
        #[arg(long, value_enum, default_value = "all")]
        filter: Filter,
        #[arg(long, default_value_t = 3)]
        times: usize,
    },
    /// Creates tables `t-<number>` until there are that many.
    Fill {
        #[arg(long)]
        tables: usize,
        #[arg(long, default_value_t = 64)]
        clients: usize,
    },
}

/// The warehouse as a client sees it: where its routes begin.
pub struct Warehouse {
    pub target: Target,
    pub base: String,
}

impl Warehouse {
    /// Asks the config route for the prefix of `warehouse`.
    pub async fn open(target: Target, base: &str, warehouse: &str) -> Result<Self> {
        let mut connection = target.connect().await?;
        let path = format!("{base}/v1/config");
        let answer = connection
            .expect("GET", &path, &format!("warehouse={warehouse}"), Bytes::new(), Keep::Body)
            .await?;
        let config: Value = serde_json::from_slice(&answer.body)?;
        let prefix = config["overrides"]["prefix"].as_str().or(config["defaults"]["prefix"].as_str());
        let base = match prefix {
            Some(prefix) => format!("{base}/v1/{prefix}"),
            None => format!("{base}/v1"),
        };
        Ok(Self { target, base })
    }

    pub fn tables(&self) -> String {
        format!("{}/namespaces/{NAMESPACE}/tables", self.base)
    }

    async fn make_namespace(&self) -> Result<()> {
        let mut connection = self.target.connect().await?;
        let body = json!({"namespace": [NAMESPACE], "properties": {}}).to_string();
        let path = format!("{}/namespaces", self.base);
        let answer = connection.send("POST", &path, "", body.into(), Keep::Body).await?;
        ensure!(
            answer.status.is_success() || answer.status == 409,
            "create the namespace: {}",
            answer.status
        );
        Ok(())
    }

    /// Creates the table and answers its metadata; a table that is there is loaded.
    pub async fn make_table(&self, connection: &mut Connection, name: &str) -> Result<Value> {
        let body = json!({"name": name, "schema": schema(), "stage-create": false}).to_string();
        let answer = connection.send("POST", &self.tables(), "", body.into(), Keep::Body).await?;
        let answer = if answer.status == 409 {
            connection
                .expect("GET", &format!("{}/{name}", self.tables()), "", Bytes::new(), Keep::Body)
                .await?
        } else {
            ensure!(answer.status.is_success(), "create {name}: {}", String::from_utf8_lossy(&answer.body));
            answer
        };
        let mut loaded: Value = serde_json::from_slice(&answer.body)?;
        Ok(loaded["metadata"].take())
    }
}

fn schema() -> Value {
    let fields: Vec<Value> = (1..=50)
        .map(|id| json!({"id": id, "name": format!("column_{id}"), "required": false, "type": "long"}))
        .collect();
    json!({"type": "struct", "schema-id": 0, "fields": fields})
}

pub fn snapshot(id: u64, parent: Option<u64>, sequence: u64, location: &str) -> Value {
    let now =
        std::time::SystemTime::UNIX_EPOCH.elapsed().expect("the clock is after 1970").as_millis() as u64;
    let mut snapshot = json!({
        "snapshot-id": id, "sequence-number": sequence, "timestamp-ms": now, "schema-id": 0,
        "manifest-list": format!("{location}/metadata/snap-{id}.avro"),
        "summary": {"operation": "append", "spark.app.id": "local-1700000000000", "added-data-files": "1",
            "added-records": "1000", "added-files-size": "123456", "changed-partition-count": "1",
            "total-records": "1000000", "total-files-size": "123456789", "total-data-files": "1000",
            "total-delete-files": "0", "total-position-deletes": "0", "total-equality-deletes": "0"},
    });
    if let Some(parent) = parent {
        snapshot["parent-snapshot-id"] = parent.into();
    }
    snapshot
}

/// `store` is where the warehouse's files go when they lie in S3.
pub async fn run(warehouse: Warehouse, store: &Target, run: CatalogRun) -> Result<()> {
    warehouse.make_namespace().await?;
    let warehouse = Arc::new(warehouse);
    match run {
        CatalogRun::Load { snapshots, clients, seconds, mode, known } => {
            let table = table_with_snapshots(&warehouse, snapshots).await?;
            load(warehouse, &table, clients, seconds, &mode, known).await
        }
        CatalogRun::List { seconds, page } => list(&warehouse, seconds, page).await,
        CatalogRun::Commit { writers, seconds, same_table } => {
            commit(warehouse, writers, seconds, same_table).await
        }
        CatalogRun::HotTable(run) => hot::run(warehouse, store, run).await,
        CatalogRun::Transaction { tables, times } => transaction(warehouse, tables, times).await,
        CatalogRun::Plan { files, filter, times } => plan(&warehouse, store, files, filter, times).await,
        CatalogRun::Fill { tables, clients } => fill(warehouse, tables, clients).await,
    }
}

/// Adds `count` snapshots to a fresh table in commits of 500 (one commit may hold many updates).
async fn table_with_snapshots(warehouse: &Warehouse, count: usize) -> Result<String> {
    let name = format!("snapshots-{count}");
    let mut connection = warehouse.target.connect().await?;
    let metadata = warehouse.make_table(&mut connection, &name).await?;
    let present = metadata["snapshots"].as_array().map_or(0, Vec::len);
    let location = metadata["location"].as_str().context("a table has a location")?.to_owned();
    let mut next = present as u64 + 1;
    while next <= count as u64 {
        let last = (next + 499).min(count as u64);
        let mut updates: Vec<Value> = (next..=last)
            .map(|id| json!({"action": "add-snapshot", "snapshot": snapshot(id, (id > 1).then(|| id - 1), id, &location)}))
            .collect();
        updates.push(
            json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": last}),
        );
        let body = json!({"requirements": [], "updates": updates}).to_string();
        connection
            .expect("POST", &format!("{}/{name}", warehouse.tables()), "", body.into(), Keep::Nothing)
            .await?;
        next = last + 1;
    }
    Ok(name)
}

async fn load(
    warehouse: Arc<Warehouse>,
    table: &str,
    clients: usize,
    seconds: f64,
    mode: &str,
    known: bool,
) -> Result<()> {
    let (path, query) = (format!("{}/{table}", warehouse.tables()), format!("snapshots={mode}"));
    let mut target = warehouse.target.clone();
    let mut wanted = StatusCode::OK;
    if known {
        let first = target.connect().await?.expect("GET", &path, &query, Bytes::new(), Keep::Nothing).await?;
        target.headers.push(("if-none-match", first.etag.context("loadTable answered no ETag")?));
        wanted = StatusCode::NOT_MODIFIED;
    }
    let started = Instant::now();
    let deadline = started + Duration::from_secs_f64(seconds);
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let (target, path, query) = (target.clone(), path.clone(), query.clone());
        tasks.push(tokio::spawn(async move {
            let mut connection = target.connect().await?;
            let mut tally = Tally::default();
            while Instant::now() < deadline {
                let begun = Instant::now();
                let answer = connection.send("GET", &path, &query, Bytes::new(), Keep::Nothing).await?;
                ensure!(answer.status == wanted, "GET {path}?{query}: {}, not {wanted}", answer.status);
                tally.latencies.push(begun.elapsed());
                tally.bytes += answer.bytes;
            }
            anyhow::Ok(tally)
        }));
    }
    finish(&format!("loadTable {table} ({mode})"), tasks, started).await
}

/// One listing from beginning to end is one operation.
async fn list(warehouse: &Warehouse, seconds: f64, page: usize) -> Result<()> {
    let mut connection = warehouse.target.connect().await?;
    let (started, mut tally, mut names) = (Instant::now(), Tally::default(), 0);
    while started.elapsed().as_secs_f64() < seconds {
        let (begun, mut token) = (Instant::now(), Some(String::new()));
        names = 0;
        while let Some(from) = token {
            let query = format!("pageSize={page}&pageToken={}", encode(&from));
            let answer =
                connection.expect("GET", &warehouse.tables(), &query, Bytes::new(), Keep::Body).await?;
            tally.bytes += answer.bytes;
            let listed: Listed = serde_json::from_slice(&answer.body)?;
            names += listed.identifiers.len();
            token = listed.next;
        }
        tally.latencies.push(begun.elapsed());
    }
    Report::new(&format!("list {names} tables"), vec![tally], started.elapsed()).print();
    Ok(())
}

/// A page of a listing; the names themselves are only counted.
#[derive(serde::Deserialize)]
struct Listed {
    identifiers: Vec<serde::de::IgnoredAny>,
    #[serde(rename = "next-page-token")]
    next: Option<String>,
}

pub async fn finish(
    name: &str,
    tasks: Vec<tokio::task::JoinHandle<Result<Tally>>>,
    started: Instant,
) -> Result<()> {
    let mut tallies = Vec::new();
    for task in tasks {
        tallies.push(task.await??);
    }
    Report::new(name, tallies, started.elapsed()).print();
    Ok(())
}

/// Appends until the deadline; a 409 is counted and tried again on the newest state.
async fn append(warehouse: &Warehouse, name: &str, ids: &AtomicU64, deadline: Instant) -> Result<Tally> {
    let mut connection = warehouse.target.connect().await?;
    let mut metadata = warehouse.make_table(&mut connection, name).await?;
    let path = format!("{}/{name}", warehouse.tables());
    let mut tally = Tally::default();
    while Instant::now() < deadline {
        let begun = Instant::now();
        loop {
            let id = ids.fetch_add(1, Ordering::Relaxed);
            let parent = metadata["current-snapshot-id"].as_u64();
            let sequence = metadata["last-sequence-number"].as_u64().unwrap_or(0) + 1;
            let location = metadata["location"].as_str().context("a table has a location")?;
            let body = json!({
                "requirements": [
                    {"type": "assert-table-uuid", "uuid": metadata["table-uuid"]},
                    {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": parent},
                ],
                "updates": [
                    {"action": "add-snapshot", "snapshot": snapshot(id, parent, sequence, location)},
                    {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id},
                ],
            });
            let answer = connection.send("POST", &path, "", body.to_string().into(), Keep::Body).await?;
            if answer.status == 409 {
                tally.conflicts += 1;
                let fresh =
                    connection.expect("GET", &path, "snapshots=refs", Bytes::new(), Keep::Body).await?;
                metadata = serde_json::from_slice::<Value>(&fresh.body)?["metadata"].take();
                continue;
            }
            ensure!(
                answer.status.is_success(),
                "commit: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            metadata = serde_json::from_slice::<Value>(&answer.body)?["metadata"].take();
            break;
        }
        tally.latencies.push(begun.elapsed());
    }
    Ok(tally)
}

async fn commit(warehouse: Arc<Warehouse>, writers: usize, seconds: f64, same_table: bool) -> Result<()> {
    let run = uuid::Uuid::new_v4().simple().to_string();
    let mut connection = warehouse.target.connect().await?;
    let names: Vec<String> =
        (0..writers).map(|writer| format!("commit-{run}-{}", if same_table { 0 } else { writer })).collect();
    for name in &names {
        warehouse.make_table(&mut connection, name).await?;
    }
    let ids = Arc::new(AtomicU64::new(1));
    let started = Instant::now();
    let deadline = started + Duration::from_secs_f64(seconds);
    let mut tasks = Vec::new();
    for name in names {
        let (warehouse, ids) = (Arc::clone(&warehouse), Arc::clone(&ids));
        tasks.push(tokio::spawn(async move { append(&warehouse, &name, &ids, deadline).await }));
    }
    let kind = if same_table { "one table" } else { "a table each" };
    finish(&format!("commit, {writers} writers, {kind}"), tasks, started).await
}

async fn transaction(warehouse: Arc<Warehouse>, tables: usize, times: usize) -> Result<()> {
    let mut connection = warehouse.target.connect().await?;
    let mut names = Vec::new();
    for number in 0..tables {
        let name = format!("transaction-{number}");
        warehouse.make_table(&mut connection, &name).await?;
        names.push(name);
    }
    let (started, mut tally) = (Instant::now(), Tally::default());
    for time in 0..times {
        let changes: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({
                    "identifier": {"namespace": [NAMESPACE], "name": name}, "requirements": [],
                    "updates": [{"action": "set-properties", "updates": {"round": time.to_string()}}],
                })
            })
            .collect();
        let body = json!({"table-changes": changes}).to_string();
        let begun = Instant::now();
        let path = format!("{}/transactions/commit", warehouse.base);
        connection.expect("POST", &path, "", body.into(), Keep::Nothing).await?;
        tally.latencies.push(begun.elapsed());
    }
    Report::new(&format!("transaction over {tables} tables"), vec![tally], started.elapsed()).print();
    Ok(())
}

async fn fill(warehouse: Arc<Warehouse>, tables: usize, clients: usize) -> Result<()> {
    let (next, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let (warehouse, next) = (Arc::clone(&warehouse), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            let mut connection = warehouse.target.connect().await?;
            let mut tally = Tally::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= tables as u64 {
                    return anyhow::Ok(tally);
                }
                let begun = Instant::now();
                warehouse.make_table(&mut connection, &format!("t-{number}")).await?;
                tally.latencies.push(begun.elapsed());
            }
        }));
    }
    finish(&format!("create {tables} tables"), tasks, started).await
}
