//! The catalog's store fails, forgets its answers or hangs while runs are begun, keep checkpoints and end.

use std::fmt;
use std::sync::atomic::AtomicI64;

use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use rand::prelude::*;

use super::*;
use crate::jobs::{Put, RunNow};

/// What becomes of a put.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Nothing is done, and the error does not say so.
    Fails,
    /// Nothing is done, and the error says so.
    Refuses,
    /// It is done, and the answer is lost.
    Forgets,
    /// It is not done, and there is no answer.
    Hangs,
    /// It is done, and there is no answer.
    HangsBehind,
}

const FAULTS: &[Fault] = &[Fault::Fails, Fault::Refuses, Fault::Forgets, Fault::Hangs, Fault::HangsBehind];

/// A store in memory that has so many faults left, now and then or one after the other.
struct Faulty {
    inner: InMemory,
    left: AtomicI64,
    /// One put of so many has a fault.
    one_of: u32,
    which: &'static [Fault],
    random: Mutex<StdRng>,
}

impl Faulty {
    fn new(which: &'static [Fault], one_of: u32, seed: u64) -> Arc<Self> {
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        Arc::new(Self { inner: InMemory::new(), left: AtomicI64::new(0), one_of, which, random })
    }

    fn next(&self) -> Option<Fault> {
        let mut random = self.random.lock().unwrap();
        if self.left.load(Ordering::Relaxed) <= 0 || !random.random_ratio(1, self.one_of) {
            return None;
        }
        self.left.fetch_sub(1, Ordering::Relaxed);
        self.which.choose(&mut *random).copied()
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Faulty")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let failed = || object_store::Error::Generic { store: "faulty", source: "failed".into() };
        match self.next() {
            None => self.inner.put_opts(at, payload, options).await,
            Some(Fault::Fails) => Err(failed()),
            Some(Fault::Refuses) => {
                Err(object_store::Error::PermissionDenied { path: at.to_string(), source: "no".into() })
            }
            Some(Fault::Forgets) => {
                self.inner.put_opts(at, payload, options).await?;
                Err(failed())
            }
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::HangsBehind) => {
                self.inner.put_opts(at, payload, options).await?;
                std::future::pending().await
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn world(store: &Arc<Faulty>, rows: Rows) -> World {
    let mut world = World::new(rows);
    world.log = store.clone();
    world.settings.attempts = u32::MAX;
    world
}

/// The run, when it has ended. Time does not pass: what hangs is waited for in no time.
async fn end(jobs: &Jobs, name: &str) -> crate::jobs::Run {
    for _ in 0..1_000_000 {
        if let Some(seen) = jobs.runs(Some(name)).into_iter().find(|seen| seen.run.state.is_ended()) {
            return seen.run;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the run did not end: {:?}", jobs.runs(Some(name)));
}

#[tokio::test(start_paused = true)]
async fn whatever_the_store_does_at_checkpoints_every_row_is_written_and_counted_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut errors = 0;
    for (round, which) in FAULTS.chunks(1).chain([FAULTS; 6]).enumerate() {
        let store = Faulty::new(which, 3, seed.wrapping_add(round as u64));
        let world = world(&store, Rows::default());
        let (catalog, jobs) = world.start().await;
        jobs.put(new("a", 300), Put::Create, root()).await.unwrap();
        store.left.store(25, Ordering::Relaxed);
        let run = end(&jobs, "a").await;
        let told = format!("seed {seed}, round {round}, {which:?}: {run:?}");
        assert_eq!(run.state, RunState::Completed, "{told}");
        assert_eq!(world.rows.of(run.id), (0..300).collect::<Vec<_>>(), "{told}");
        assert_eq!((run.counts.scanned, run.counts.written), (300, 300), "{told}");
        assert_eq!(run.last_errors.len(), (run.errors as usize).min(5), "{told}");
        errors += run.errors;
        store.left.store(0, Ordering::Relaxed);
        jobs.close().await;
        catalog.close().await;
        let (catalog, jobs) = world.start().await;
        assert_eq!(jobs.find(run.id).unwrap().run, run, "what was told is what was kept; {told}");
        jobs.close().await;
        catalog.close().await;
    }
    assert!(errors > 0, "no fault came to a checkpoint");
}

#[tokio::test(start_paused = true)]
async fn a_cancelation_that_the_store_did_not_take_is_not_told_and_one_that_it_took_holds() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    for round in 0..20 {
        let store = Faulty::new(FAULTS, 2, seed.wrapping_add(round));
        let gate = Arc::new(Semaphore::new(3));
        let world = world(&store, Rows { gate: Some(gate.clone()), ..Rows::default() });
        let (catalog, jobs) = world.start().await;
        jobs.put(new("a", 100), Put::Create, root()).await.unwrap();
        let id = until(&jobs, "a", RunState::Running).await.run.id;
        store.left.store(20, Ordering::Relaxed);
        gate.add_permits(round as usize);
        let canceled = jobs.cancel(id).await;
        gate.add_permits(100);
        let run = end(&jobs, "a").await;
        let told = format!("seed {seed}, round {round}: {canceled:?}, {run:?}");
        if canceled.is_ok() {
            assert_eq!(run.state, RunState::Canceled, "{told}");
        }
        match run.state {
            RunState::Canceled => assert!(world.rows.of(id).is_empty(), "{told}"),
            _ => assert_eq!(world.rows.of(id), (0..100).collect::<Vec<_>>(), "{told}"),
        }
        jobs.close().await;
        catalog.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_stops_though_the_store_hangs_and_the_run_goes_on_after_the_next_start() {
    let store = Faulty::new(&[Fault::Hangs], 1, 0);
    let gate = Arc::new(Semaphore::new(3));
    let world = world(&store, Rows { gate: Some(gate.clone()), ..Rows::default() });
    let (catalog, jobs) = world.start().await;
    jobs.put(new("a", 500), Put::Create, root()).await.unwrap();
    until(&jobs, "a", RunState::Running).await;
    store.left.store(i64::MAX, Ordering::Relaxed);
    gate.add_permits(100);
    jobs.close().await;
    drop(catalog);
    store.left.store(0, Ordering::Relaxed);
    let (_catalog, jobs) = world.start().await;
    let run = end(&jobs, "a").await;
    assert_eq!((run.state, run.counts.written), (RunState::Completed, 500));
    assert_eq!(world.rows.of(run.id), (0..500).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_may_have_begun_is_the_only_one_of_its_job() {
    for fault in [Fault::Hangs, Fault::HangsBehind, Fault::Fails, Fault::Forgets] {
        let store = Faulty::new(
            match fault {
                Fault::Hangs => &[Fault::Hangs],
                Fault::HangsBehind => &[Fault::HangsBehind],
                Fault::Fails => &[Fault::Fails],
                Fault::Refuses | Fault::Forgets => &[Fault::Forgets],
            },
            1,
            0,
        );
        let gate = Arc::new(Semaphore::new(100));
        let world = world(&store, Rows { gate: Some(gate.clone()), ..Rows::default() });
        let (catalog, jobs) = world.start().await;
        jobs.put(new("a", 300), Put::Create, root()).await.unwrap();
        let first = end(&jobs, "a").await.id;
        store.left.store(50, Ordering::Relaxed);
        let begun = jobs.run("a").await;
        store.left.store(0, Ordering::Relaxed);
        let again = loop {
            match jobs.run("a").await {
                Err(RunNow::Commit(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
                again => break again,
            }
        };
        let of_the_second: Vec<_> =
            jobs.runs(Some("a")).into_iter().map(|seen| seen.run.id).filter(|id| *id != first).collect();
        assert_eq!(of_the_second.len(), 1, "{fault:?}: {begun:?}, {again:?}");
        gate.add_permits(1000);
        while jobs.runs(Some("a")).iter().any(|seen| !seen.run.state.is_ended()) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        jobs.close().await;
        catalog.close().await;
        let (catalog, jobs) = world.start().await;
        let runs = jobs.runs(Some("a"));
        assert_eq!(runs.len(), 2, "{fault:?}: after a restart there are {runs:?}");
        assert!(runs.iter().all(|seen| seen.run.state == RunState::Completed), "{fault:?}: {runs:?}");
        jobs.close().await;
        catalog.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_keeps_checkpoints_and_comes_nowhere_fails_in_the_end() {
    let mut world = World::new(Rows { is_stuck: true, ..Rows::default() });
    world.settings.errors = 20;
    let (catalog, jobs) = world.start().await;
    jobs.put(new("a", 10), Put::Create, root()).await.unwrap();
    let run = end(&jobs, "a").await;
    assert_eq!((run.state, run.errors), (RunState::Failed, 20));
    jobs.close().await;
    catalog.close().await;
}
