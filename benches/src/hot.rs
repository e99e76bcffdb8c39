//! Many writers that append to one table, each as Iceberg's Java library does: load the table, write the
//! manifest and the manifest list, commit; after a 409 wait, load again, write the list again, commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::catalog::{Warehouse, finish, snapshot};
use crate::client::{Connection, Keep, Target};
use crate::report::Tally;

/// The library's defaults: `commit.retry.num-retries`, `commit.retry.min-wait-ms`, doubled each time, and
/// up to a tenth more.
const RETRIES: u32 = 4;
const WAIT_MS: u64 = 100;
const MANIFEST_BYTES: usize = 8 << 10;
const MANIFEST_LIST_BYTES: usize = 4 << 10;

#[derive(clap::Args)]
pub struct HotRun {
    #[arg(long)]
    writers: usize,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// What each writer does between two appends, in milliseconds, on average.
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
}

pub async fn run(warehouse: Arc<Warehouse>, store: &Target, run: HotRun) -> Result<()> {
    let name = format!("hot-{}", uuid::Uuid::new_v4().simple());
    warehouse.make_table(&mut warehouse.target.connect().await?, &name).await?;
    let ids = Arc::new(AtomicU64::new(1));
    let started = Instant::now();
    let deadline = started + Duration::from_secs_f64(run.seconds);
    let mut tasks = Vec::new();
    for _ in 0..run.writers {
        let mut writer = Writer {
            catalog: warehouse.target.connect().await?,
            files: store.connect().await?,
            path: format!("{}/{name}", warehouse.tables()),
            ids: Arc::clone(&ids),
        };
        tasks.push(tokio::spawn(async move {
            let mut tally = Tally::default();
            // Writers begin apart, as they do.
            tokio::time::sleep(Duration::from_millis(random_below(run.pause_ms.max(50)))).await;
            while Instant::now() < deadline {
                let begun = Instant::now();
                match writer.append(&mut tally.conflicts).await? {
                    Appended::Done => tally.latencies.push(begun.elapsed()),
                    Appended::GaveUp => tally.gave_up += 1,
                }
                tokio::time::sleep(Duration::from_millis(random_below(2 * run.pause_ms))).await;
            }
            anyhow::Ok(tally)
        }));
    }
    finish(&format!("hot table, {} writers, pause {} ms", run.writers, run.pause_ms), tasks, started).await
}

enum Appended {
    Done,
    /// Every retry lost: the job fails and its files are thrown away.
    GaveUp,
}

struct Writer {
    catalog: Connection,
    files: Connection,
    path: String,
    ids: Arc<AtomicU64>,
}

impl Writer {
    async fn append(&mut self, conflicts: &mut u64) -> Result<Appended> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        for attempt in 0..=RETRIES {
            let loaded =
                self.catalog.expect("GET", &self.path, "snapshots=refs", Bytes::new(), Keep::Body).await?;
            let metadata = serde_json::from_slice::<Value>(&loaded.body)?["metadata"].take();
            let location = metadata["location"].as_str().context("a table has a location")?;
            if attempt == 0 {
                self.put(&format!("{location}/metadata/{id}-m0.avro"), MANIFEST_BYTES).await?;
            }
            self.put(&format!("{location}/metadata/snap-{id}-{attempt}.avro"), MANIFEST_LIST_BYTES).await?;
            let body = commit(&metadata, id, location).to_string();
            let answer = self.catalog.send("POST", &self.path, "", body.into(), Keep::Nothing).await?;
            if answer.status.is_success() {
                return Ok(Appended::Done);
            }
            let text = String::from_utf8_lossy(&answer.body);
            ensure!(answer.status == 409, "commit: {} {text}", answer.status);
            *conflicts += 1;
            if attempt < RETRIES {
                let wait = WAIT_MS << attempt;
                tokio::time::sleep(Duration::from_millis(wait + random_below(wait / 10))).await;
            }
        }
        Ok(Appended::GaveUp)
    }

    async fn put(&mut self, location: &str, size: usize) -> Result<()> {
        let path = location.strip_prefix("s3:/").context("a location begins with s3://")?;
        self.files.expect("PUT", path, "", vec![0; size].into(), Keep::Nothing).await?;
        Ok(())
    }
}

fn commit(metadata: &Value, id: u64, location: &str) -> Value {
    let parent = metadata["refs"]["main"]["snapshot-id"].as_u64();
    let sequence = metadata["last-sequence-number"].as_u64().unwrap_or(0) + 1;
    json!({
        "requirements": [
            {"type": "assert-table-uuid", "uuid": metadata["table-uuid"]},
            {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": parent},
        ],
        "updates": [
            {"action": "add-snapshot", "snapshot": snapshot(id, parent, sequence, location)},
            {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id},
        ],
    })
}

/// Evenly spread; 0 below 1.
fn random_below(limit: u64) -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1.checked_rem(limit).unwrap_or(0)
}
