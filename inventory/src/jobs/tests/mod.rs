//! Jobs over a catalog in memory: what is asked of them, and kills.

mod asked;
mod expected;
mod faults;
mod kills;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::{Value, json};
use tarn_catalog::{Catalog, InMemoryWarehouses};
use tarn_openapi::access::{Action, Resource};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{
    Author, Context, Ended, InvalidSpec, JobSettings, Jobs, NewDefinition, NoForeground, Progress, Rights,
    RunState, Schedule, Seen, Work, WorkError,
};

/// Files, by their run and their first row.
type Files = BTreeMap<(Uuid, u64), Vec<u64>>;

/// Writes rows into files, each when it is full, and names the files when it is done.
#[derive(Clone, Default)]
struct Rows {
    files: Arc<Mutex<Files>>,
    /// Attempts that are to fail, from now on.
    failures: Arc<AtomicU64>,
    discarded: Arc<AtomicU64>,
    /// What it waits for before each file.
    gate: Option<Arc<Semaphore>>,
    /// It does not know how many rows there will be.
    is_silent: bool,
    /// Each attempt keeps a checkpoint and fails then.
    is_stuck: bool,
}

struct Anything;

impl Rights for Anything {
    fn may(&self, _: &Author, _: Action, _: Resource<'_>) -> bool {
        true
    }
}

#[async_trait]
impl Work for Rows {
    fn kind(&self) -> &'static str {
        "rows"
    }

    async fn check(&self, spec: &Value, _: &Author) -> Result<Value, InvalidSpec> {
        let rows = spec["rows"]
            .as_u64()
            .ok_or_else(|| InvalidSpec::Field { at: "rows".into(), message: "a number of rows".into() })?;
        Ok(json!({"rows": rows, "of_file": spec["of_file"].as_u64().unwrap_or(7), "secret": "hidden"}))
    }

    fn shown(&self, spec: &Value) -> Value {
        json!({"rows": spec["rows"], "of_file": spec["of_file"]})
    }

    async fn run(&self, context: &Context) -> Result<Value, WorkError> {
        let spec = &context.definition.spec;
        let (rows, of_file) = (spec["rows"].as_u64().unwrap(), spec["of_file"].as_u64().unwrap());
        let mut next = context.checkpoint.as_ref().map_or(0, |at| at["next"].as_u64().unwrap());
        if !self.is_silent {
            context.progress.expected.store(rows, Ordering::Relaxed);
        }
        if self.is_stuck {
            context.keep(&json!({"next": next})).await?;
            return Err(WorkError::Retry("there is no more".into(), None));
        }
        while next < rows {
            let fails =
                self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            if fails.is_ok() {
                return Err(WorkError::Retry("the disk is on fire".into(), None));
            }
            if let Some(gate) = &self.gate {
                let open = async { gate.acquire().await.unwrap().forget() };
                let closed = async {
                    loop {
                        if let Err(stopped) = context.pace(0, 0).await {
                            break stopped;
                        }
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                };
                tokio::select! {
                    () = open => {}
                    stopped = closed => return Err(stopped.into()),
                }
            }
            let mut file = Vec::new();
            for row in next..rows.min(next + of_file) {
                context.pace(1, 8).await?;
                Progress::add(&context.progress.scanned, 1);
                file.push(row);
                tokio::task::yield_now().await;
            }
            let end = next + file.len() as u64;
            Progress::add(&context.progress.written, file.len() as u64);
            self.files.lock().unwrap().insert((context.run, next), file);
            tokio::task::yield_now().await;
            next = end;
            context.keep(&json!({"next": next})).await?;
        }
        Ok(json!({"files": rows.div_ceil(of_file)}))
    }

    async fn discard(&self, context: &Context, _: Ended) -> Result<(), WorkError> {
        tokio::task::yield_now().await;
        self.files.lock().unwrap().retain(|(run, _), _| *run != context.run);
        self.discarded.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Rows {
    fn of(&self, run: Uuid) -> Vec<u64> {
        let files = self.files.lock().unwrap();
        files.iter().filter(|((of, _), _)| *of == run).flat_map(|(_, rows)| rows.clone()).collect()
    }
}

/// A server's jobs, and what outlives it.
struct World {
    log: Arc<dyn ObjectStore>,
    rows: Rows,
    settings: JobSettings,
}

impl World {
    fn new(rows: Rows) -> Self {
        let settings = JobSettings { backoff: Duration::from_millis(1), ..JobSettings::default() };
        Self { log: Arc::new(InMemory::new()), rows, settings }
    }

    async fn start(&self) -> (Catalog, Jobs) {
        let stores = Arc::new(InMemoryWarehouses::default());
        let settings = tarn_catalog::Settings::default();
        let catalog = Catalog::open(self.log.clone(), Path::from("log"), stores, settings).await.unwrap();
        let works: Vec<Arc<dyn Work>> = vec![Arc::new(self.rows.clone())];
        let (rights, foreground) = (Arc::new(Anything), Arc::new(NoForeground));
        let jobs = Jobs::new(catalog.clone(), works, rights, foreground, self.settings.clone());
        jobs.start();
        (catalog, jobs)
    }
}

fn root() -> Author {
    Author { key: None, fingerprint: None }
}

fn new(name: &str, rows: u64) -> NewDefinition {
    let spec = json!({"rows": rows});
    serde_json::from_value(json!({"name": name, "kind": "rows", "spec": spec, "schedule": Schedule::Once}))
        .unwrap()
}

async fn until(jobs: &Jobs, name: &str, state: RunState) -> Seen {
    for _ in 0..20_000 {
        if let Some(seen) = jobs.runs(Some(name)).into_iter().find(|seen| seen.run.state == state) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("no run of {name} came to {state:?}: {:?}", jobs.runs(Some(name)));
}
