//! What a batch's run does.
//!
//! The objects are done in parts. Before a part is begun its list is durable, and after it its rows of the report are:
//! a part that a kill interrupted is done again from its list, so that the report tells each object once, and an object
//! that is gone by then was deleted by this run.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tarn_openapi::access::{Action, Resource};

use super::Batch;
use super::bulk::{Bulk, Item, ItemError, There};
use super::completion::{ResultFile, Row, Status, encode, manifest, md5_of};
use super::spec::{Does, Spec};
use super::tasks::{Chunk, Position, Task, Tasks, fatal, path, store_error};
use crate::jobs::{Author, Context, Ended, InvalidSpec, Progress, Work, WorkError};

/// Parts of a run, as many as its checkpoint can tell.
const PARTS_MAX: u64 = 800;
/// Objects done at a time.
const AT_ONCE: usize = 8;
/// Objects done between two looks at the pace.
const STEP: usize = 64;

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
}

/// A part under way.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    end: Option<Position>,
    is_last: bool,
}

/// A run under way.
struct Running<'a> {
    batch: &'a Batch,
    spec: Spec,
    context: &'a Context,
    checkpoint: Checkpoint,
    /// Where its report goes.
    store: Arc<dyn ObjectStore>,
}

#[async_trait]
impl Work for Batch {
    fn kind(&self) -> &'static str {
        "batch"
    }

    async fn check(&self, spec: &Value, author: &Author) -> Result<Value, InvalidSpec> {
        let spec = super::check::check(self, spec, author).await?;
        Ok(json!(spec))
    }

    async fn run(&self, context: &Context) -> Result<Value, WorkError> {
        let mut running = Running::of(self, context)?;
        // Buckets and rights may be others than when the batch was defined.
        let checked = super::check::places(self, &running.spec, &context.definition.author).await;
        checked.map_err(|refused| fatal(refused.to_string()))?;
        running.run().await
    }

    async fn discard(&self, context: &Context, end: Ended) -> Result<(), WorkError> {
        // What was done to objects stays done: the report tells it.
        let Ok(mut running) = Running::of(self, context) else { return Ok(()) };
        running.interrupted().await?;
        let end = match end {
            Ended::Canceled => "canceled",
            Ended::Failed => "failed",
        };
        running.report(end).await.map(drop)
    }
}

impl<'a> Running<'a> {
    fn of(batch: &'a Batch, context: &'a Context) -> Result<Self, WorkError> {
        let spec: Spec = serde_json::from_value(context.definition.spec.clone())
            .map_err(|error| fatal(format!("the batch cannot be read: {error}")))?;
        let checkpoint = match &context.checkpoint {
            Some(kept) => serde_json::from_value(kept.clone())
                .map_err(|error| fatal(format!("the checkpoint cannot be read: {error}")))?,
            None => Checkpoint::default(),
        };
        let store = batch.parts.stores.store(&spec.report.bucket);
        Ok(Self { batch, spec, context, checkpoint, store })
    }

    async fn run(&mut self) -> Result<Value, WorkError> {
        if let Some(is_last) = self.go_on().await?
            && is_last
        {
            return self.report("completed").await;
        }
        let parts = &self.batch.parts;
        let seams = (&*parts.scans, &*parts.stores);
        let started_ms = self.context.started_ms;
        let mut tasks = Tasks::open(&self.spec, seams, self.checkpoint.at.as_ref(), started_ms).await?;
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
        for step in tasks.chunks(STEP) {
            let size = step.iter().map(|task| task.size).sum();
            let copied = matches!(self.spec.does, Does::Copy { .. }) && !self.spec.dry_run;
            self.context.pace(step.len() as u64, if copied { size } else { 0 }).await?;
            let doing: Vec<_> = step.iter().map(|task| self.task(task)).collect();
            let doing = futures::stream::iter(doing).buffered(AT_ONCE);
            rows.extend(doing.collect::<Vec<Row>>().await);
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

    /// What an object came to. Its rights and its failures are its own.
    async fn task(&self, task: &Task) -> Row {
        let row = |status, code, http, message: String| Row {
            bucket: task.bucket.clone(),
            key: task.key.clone(),
            status,
            code,
            http,
            message,
        };
        let denied = match self.refusal(task) {
            Ok(()) => None,
            Err((code, http, message)) => Some(row(Status::Failed, code, http, message.into())),
        };
        if let Some(row) = denied {
            return row;
        }
        let done = match &self.spec.does {
            Does::Expire | Does::Delete => "deleted".to_owned(),
            Does::Copy { target, .. } => {
                format!("copied to s3://{}/{}", target.bucket, self.spec.key_in(target, &task.key))
            }
        };
        if self.spec.dry_run {
            return row(Status::DryRun, "", 0, format!("would be {done}"));
        }
        match self.attempts(task).await {
            Ok(()) => row(Status::Succeeded, "", 200, done),
            Err(ItemError { code, status, message, .. }) => row(Status::Failed, code, status, message),
        }
    }

    fn refusal(&self, task: &Task) -> Result<(), (&'static str, u16, &'static str)> {
        if task.bucket != self.spec.bucket {
            return Err(("InvalidRequest", 400, "the object lies in another bucket than the batch is of"));
        }
        let object = Resource::Object(&task.bucket, &task.key);
        let may = match &self.spec.does {
            Does::Expire | Does::Delete => self.context.may(Action::DeleteObject, object),
            Does::Copy { target, .. } => {
                let key = self.spec.key_in(target, &task.key);
                self.context.may(Action::GetObject, object)
                    && self.context.may(Action::PutObject, Resource::Object(&target.bucket, &key))
            }
        };
        if may { Ok(()) } else { Err(("AccessDenied", 403, "the author of the batch may not do this")) }
    }

    async fn attempts(&self, task: &Task) -> Result<(), ItemError> {
        let mut left = self.spec.attempts;
        loop {
            left = left.saturating_sub(1);
            match self.once(&*self.batch.parts.bulk, task).await {
                Err(error) if error.may_work_later && left > 0 => {
                    tokio::time::sleep(Duration::from_millis(self.spec.delay_ms)).await;
                }
                ended => return ended,
            }
        }
    }

    async fn once(&self, bulk: &dyn Bulk, task: &Task) -> Result<(), ItemError> {
        let etag = task.etag.as_deref();
        match &self.spec.does {
            Does::Expire | Does::Delete => bulk.delete(&task.bucket, &task.key, etag).await,
            Does::Copy { target, replace } => {
                let key = self.spec.key_in(target, &task.key);
                let from = Item { bucket: &task.bucket, key: &task.key, etag };
                let to = Item { bucket: &target.bucket, key: &key, etag: None };
                bulk.copy(from, to, if *replace { There::Replaced } else { There::Kept }).await
            }
        }
    }

    /// Tells of a part that is not gone on with.
    async fn interrupted(&mut self) -> Result<(), WorkError> {
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
    async fn report(&self, end: &str) -> Result<Value, WorkError> {
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
        let key = format!("{}/{}", self.place(), self.list_name());
        let found = self.store.get(&path(&key)?).await.map_err(|error| store_error(&key, error))?;
        let bytes = found.bytes().await.map_err(|error| store_error(&key, error))?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let tasks: Result<Vec<Task>, _> = lines.map(serde_json::from_slice).collect();
        tasks.map_err(|error| fatal(format!("{key} cannot be read: {error}")))
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
