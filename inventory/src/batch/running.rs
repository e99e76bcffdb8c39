//! A run that goes through objects.
//!
//! The objects are done in parts. Before a part is begun its list is durable, and after it its rows of the report are:
//! a part that a kill interrupted is done again from its list, so that the report tells each object once, and an object
//! that is gone by then was deleted by this run.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::StreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Batch;
use super::completion::{ResultFile, Row, Status, encode, manifest, md5_of};
use super::doing::Doing;
use super::outside::Remote;
use super::spec::{Does, Manifest, Spec};
use super::tasks::{
    Chunk, Finding, Frozen, Position, Task, Tasks, count, fatal, freeze, path, read_tasks, store_error,
};
use crate::jobs::{Context, Progress, WorkError};

/// Parts of a run, as many as its checkpoint can tell.
const PARTS_MAX: u64 = 800;
/// Objects done at a time.
const AT_ONCE: usize = 8;
/// Objects done between two looks at the pace, and the bytes of those that move.
const STEP: usize = 64;
const STEP_BYTES: u64 = 256 << 20;

/// How far a run is.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Checkpoint {
    /// How far the objects are gone through and done.
    at: Option<Position>,
    /// The number of the next part.
    part: u64,
    /// The part under way, whose list is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
    results: Vec<ResultFile>,
    /// The answer of the query, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frozen: Option<Frozen>,
}

/// A part under way.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    end: Option<Position>,
    is_last: bool,
}

/// A run under way.
pub(super) struct Running<'a> {
    batch: &'a Batch,
    pub(super) spec: Spec,
    context: &'a Context,
    checkpoint: Checkpoint,
    /// Where its report goes.
    store: Arc<dyn ObjectStore>,
    /// The other server, where there is one.
    remote: Option<Arc<dyn Remote>>,
}

impl<'a> Running<'a> {
    pub(super) fn of(batch: &'a Batch, spec: Spec, context: &'a Context) -> Result<Self, WorkError> {
        let checkpoint = match &context.checkpoint {
            Some(kept) => serde_json::from_value(kept.clone())
                .map_err(|error| fatal(format!("the checkpoint cannot be read: {error}")))?,
            None => Checkpoint::default(),
        };
        let store = batch.parts.stores.store(&spec.report.bucket);
        Ok(Self { batch, spec, context, checkpoint, store, remote: None })
    }

    fn connect(&mut self) -> Result<(), WorkError> {
        if let Does::Replicate(replication) = &self.spec.does {
            let remote = self.batch.parts.outside.connect(&replication.endpoint);
            self.remote = Some(remote.map_err(|error| fatal(error.to_string()))?);
        }
        Ok(())
    }

    pub(super) async fn run(&mut self) -> Result<Value, WorkError> {
        self.connect()?;
        if let Some(is_last) = self.go_on().await?
            && is_last
        {
            return self.report("completed").await;
        }
        self.freeze().await?;
        self.expect().await?;
        let parts = &self.batch.parts;
        let frozen = self.checkpoint.frozen.as_ref();
        let finding = Finding {
            scans: &*parts.scans,
            stores: &*parts.stores,
            remote: self.remote.clone().filter(|_| !self.spec.is_of_here()),
            frozen: frozen.map(|frozen| (self.store.clone(), frozen.names(&self.place()))),
            started_ms: self.context.started_ms,
        };
        let mut tasks = Tasks::open(&self.spec, finding, self.checkpoint.at.as_ref()).await?;
        loop {
            let Chunk { tasks: found, end, is_last } =
                tasks.next(self.batch.part, &self.spec, self.context).await?;
            if found.is_empty() {
                self.checkpoint.at = end.or(self.checkpoint.at.take());
                self.keep().await?;
            } else {
                self.begin(&found, Pending { end, is_last }).await?;
                self.finish(found).await?;
            }
            if is_last {
                return self.report("completed").await;
            }
        }
    }

    /// Asks the query of the batch once in a run, and keeps its answer.
    async fn freeze(&mut self) -> Result<(), WorkError> {
        let Some(Manifest::Query(query)) = &self.spec.manifest else { return Ok(()) };
        if self.checkpoint.frozen.is_none() {
            let to = (&self.store, &*self.place());
            let most = (self.context, PARTS_MAX * self.batch.part as u64);
            let queries = &*self.batch.parts.queries;
            self.checkpoint.frozen = Some(freeze(queries, query, &self.spec.bucket, to, most).await?);
            self.keep().await?;
        }
        let rows = self.checkpoint.frozen.as_ref().map_or(0, |frozen| frozen.rows);
        self.context.progress.expected.store(rows, Ordering::Relaxed);
        Ok(())
    }

    /// Learns how many objects there are to look at, once in a run.
    async fn expect(&self) -> Result<(), WorkError> {
        let expected = &self.context.progress.expected;
        if self.spec.manifest.is_some() || !self.spec.is_of_here() || expected.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        let counted = count(&self.spec, &*self.batch.parts.scans, self.context).await?;
        expected.store(counted.unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }

    /// Does the part again that a kill interrupted. Answers whether it was the last, if there was one.
    async fn go_on(&mut self) -> Result<Option<bool>, WorkError> {
        let Some(is_last) = self.checkpoint.pending.as_ref().map(|pending| pending.is_last) else {
            return Ok(None);
        };
        let tasks = self.listed().await?;
        self.finish(tasks).await?;
        Ok(Some(is_last))
    }

    /// Writes the list of a part, then that it is begun.
    async fn begin(&mut self, tasks: &[Task], pending: Pending) -> Result<(), WorkError> {
        if self.checkpoint.part >= PARTS_MAX {
            let most = PARTS_MAX * self.batch.part as u64;
            return Err(fatal(format!(
                "a batch does at most {most} objects; smaller ones, by prefix, do more"
            )));
        }
        let lines: Vec<String> = tasks.iter().map(|task| json!(task).to_string()).collect();
        self.put(&self.list_name(), lines.join("\n").into()).await?;
        Progress::add(&self.context.progress.matched, tasks.len() as u64);
        self.checkpoint.pending = Some(pending);
        self.keep().await
    }

    /// Does a part, and writes what became of it.
    async fn finish(&mut self, tasks: Vec<Task>) -> Result<(), WorkError> {
        let mut rows = Vec::with_capacity(tasks.len());
        let remote = self.remote.as_deref();
        let doing = Doing { parts: &self.batch.parts, spec: &self.spec, context: self.context, remote };
        let mut left = &*tasks;
        while !left.is_empty() {
            let (count, bytes) = step(left, doing.moves_bytes());
            let (now, later) = left.split_at(count);
            self.context.pace(count as u64, bytes).await?;
            let done: Vec<_> = now.iter().map(|task| doing.task(task)).collect();
            rows.extend(futures::stream::iter(done).buffered(AT_ONCE).collect::<Vec<Row>>().await);
            left = later;
        }
        self.told(&rows).await?;
        let (tried, failed) = self.counts();
        if self.spec.failure.is_passed(tried, failed) {
            let percent = self.spec.failure.percent;
            return Err(fatal(format!("{failed} of {tried} objects failed, more than {percent} %")));
        }
        Ok(())
    }

    /// Makes the rows of a part durable, and then that it is done.
    async fn told(&mut self, rows: &[Row]) -> Result<(), WorkError> {
        for encoded in encode(rows, self.checkpoint.part).map_err(fatal)? {
            let name = &encoded.file.name;
            Progress::add(&self.context.progress.bytes, (encoded.csv.len() + encoded.parquet.len()) as u64);
            Progress::add(&self.context.progress.files, 2);
            self.put(&format!("{name}.csv"), encoded.csv).await?;
            self.put(&format!("{name}.parquet"), encoded.parquet).await?;
            self.checkpoint.results.push(encoded.file);
        }
        let failed = rows.iter().filter(|row| row.status == Status::Failed).count() as u64;
        Progress::add(&self.context.progress.failed, failed);
        Progress::add(&self.context.progress.written, rows.len() as u64 - failed);
        let list = self.list_name();
        if let Some(pending) = self.checkpoint.pending.take() {
            self.checkpoint.at = pending.end;
        }
        self.checkpoint.part += 1;
        self.keep().await?;
        self.remove(&list).await
    }

    /// Tells of a part that is not gone on with.
    pub(super) async fn interrupted(&mut self) -> Result<(), WorkError> {
        if self.checkpoint.pending.is_none() {
            return Ok(());
        }
        let tasks = self.listed().await?;
        let row = |task: Task| Row {
            bucket: task.bucket,
            key: task.key,
            status: Status::Failed,
            code: "Unknown",
            http: 0,
            message: "the batch ended while this was under way; it may be done".into(),
        };
        let rows: Vec<Row> = tasks.into_iter().map(row).collect();
        self.told(&rows).await
    }

    /// Writes the manifest of the report. Answers the outcome.
    pub(super) async fn report(&self, end: &str) -> Result<Value, WorkError> {
        let (tried, failed) = self.counts();
        let (bucket, place) = (&self.spec.report.bucket, self.place());
        let outcome = json!({
            "report": format!("s3://{bucket}/{place}/manifest.json"),
            "dry_run": self.spec.dry_run, "end": end, "tasks": tried, "failed": failed,
        });
        let created = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let text = manifest((bucket, &place), &self.checkpoint.results, &created, &outcome);
        let md5 = md5_of(text.as_bytes());
        self.put("manifest.json", text.into()).await?;
        self.put("manifest.json.md5", md5.into()).await?;
        Ok(outcome)
    }

    /// Objects done, and those of them that failed.
    fn counts(&self) -> (u64, u64) {
        let sum = |is: fn(&ResultFile) -> bool| -> u64 {
            self.checkpoint.results.iter().filter(|file| is(file)).map(|file| file.rows).sum()
        };
        (sum(|_| true), sum(|file| file.status == Status::Failed))
    }

    async fn keep(&self) -> Result<(), WorkError> {
        self.context.keep(&json!(self.checkpoint)).await
    }

    async fn listed(&self) -> Result<Vec<Task>, WorkError> {
        read_tasks(&*self.store, &format!("{}/{}", self.place(), self.list_name())).await
    }

    fn list_name(&self) -> String {
        format!("tasks/{:06}.jsonl", self.checkpoint.part)
    }

    /// Where the report of this run goes.
    fn place(&self) -> String {
        format!("{}/job-{}", self.spec.report.prefix, self.context.run)
    }

    async fn put(&self, name: &str, bytes: bytes::Bytes) -> Result<(), WorkError> {
        let key = format!("{}/{name}", self.place());
        self.store.put(&path(&key)?, bytes.into()).await.map_err(|error| store_error(&key, error))?;
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), WorkError> {
        let key = format!("{}/{name}", self.place());
        match self.store.delete(&path(&key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(store_error(&key, error)),
        }
    }
}

/// How many of these are done before the pace is asked again, and the bytes they move.
fn step(tasks: &[Task], moves_bytes: bool) -> (usize, u64) {
    let (mut count, mut bytes) = (0, 0);
    for task in tasks.iter().take(STEP) {
        let more = if moves_bytes { task.size } else { 0 };
        if count > 0 && bytes + more > STEP_BYTES {
            break;
        }
        (count, bytes) = (count + 1, bytes + more);
    }
    (count, bytes)
}
