//! Jobs: work that takes long, is told while it runs, and goes on after a kill.
//!
//! A job is a definition (`definition.rs`) of a kind of work (`work.rs`). Its runs (`run.rs`) are documents of the
//! catalog's log: what is in memory of them is what is there, and how far an attempt is.
//!
//! - J3: a definition has one run at a time; a suspended one counts.
//! - J4: each change of a run is durable before it is told or acted on.
//! - J5: a run has one attempt at work at a time, also when it was suspended and resumed while that ended.

mod changes;
mod definition;
mod expected;
mod keeping;
mod live;
mod pace;
mod rate;
mod run;
mod runner;
mod schedule;
mod state;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tarn_catalog::Catalog;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

pub use changes::{ChangeError, RunNow};
pub use definition::{Author, Definition, NewDefinition, Priority};
pub use keeping::{DeleteError, Put, PutError};
pub use pace::{Foreground, NoForeground};
pub use run::{Counts, Run, RunError, Seen, Wanted};
pub use schedule::{InvalidCron, Schedule};
pub use state::{NotAllowed, RunEvent, RunState};
#[cfg(test)]
pub(crate) use work::Hold;
pub use work::{Context, Ended, InvalidSpec, Progress, Rights, Stopped, Work, WorkError};

use expected::Expected;
use live::Live;
use pace::{Rate, Shared};
use run::Kept;

/// The limits of jobs, each with its unit. `Default` is what the server uses.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Runs at work at a time.
    pub slots: usize,
    /// Items per second, all runs together; `None`: as the machine allows.
    pub items_per_second: Option<u64>,
    /// Bytes per second, all runs together.
    pub bytes_per_second: Option<u64>,
    /// Errors in a row, without a checkpoint between, after which a run has failed.
    pub attempts: u32,
    /// Errors in all after which a run has failed, also where it kept checkpoints between them.
    pub errors: u32,
    /// How long it waits after the first of them; after each further one twice as long.
    pub backoff: Duration,
    /// The longest such wait.
    pub backoff_max: Duration,
    /// How long runs have to stop when the server stops.
    pub close_timeout: Duration,
    /// Definitions there may be: each is a document in memory and in each checkpoint of the catalog, as is its last run.
    pub definitions: usize,
    /// Ended runs that are kept of a definition.
    pub kept_of_definition: usize,
    /// Ended runs that are kept in all, beside the last one of each definition.
    pub kept: usize,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            slots: 2,
            items_per_second: None,
            bytes_per_second: None,
            attempts: 5,
            errors: 1000,
            backoff: Duration::from_secs(2),
            backoff_max: Duration::from_secs(300),
            close_timeout: Duration::from_secs(5),
            definitions: 5000,
            kept_of_definition: 100,
            kept: 1000,
        }
    }
}

/// All jobs of a server. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

/// A definition and its revision.
type Parsed = (u64, Arc<Definition>);

struct Inner {
    catalog: Catalog,
    works: BTreeMap<&'static str, Arc<dyn Work>>,
    rights: Arc<dyn Rights>,
    shared: Arc<Shared>,
    settings: JobSettings,
    state: Mutex<State>,
    /// The definitions as they were last read, by name, each with its revision.
    parsed: Mutex<HashMap<Arc<str>, Parsed>>,
    /// Held while definitions change and runs begin (J3).
    begin: tokio::sync::Mutex<()>,
    /// Something may be due.
    wake: Notify,
    closing: watch::Sender<bool>,
    /// The schedule and the attempts; they end with the server, and go on after the next start.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct State {
    /// The runs that have not ended.
    live: BTreeMap<Uuid, Arc<Live>>,
    /// Of those that have, whose they are.
    ended: BTreeMap<Uuid, String>,
    /// When the last run of a definition began to wait, in milliseconds since 1970.
    last_ms: HashMap<String, i64>,
    expected: Expected,
}

impl Jobs {
    /// The jobs kept in `catalog`, of these kinds of work. Nothing runs before [`Jobs::start`].
    pub fn new(
        catalog: Catalog,
        works: Vec<Arc<dyn Work>>,
        rights: Arc<dyn Rights>,
        foreground: Arc<dyn Foreground>,
        settings: JobSettings,
    ) -> Self {
        let shared = Shared {
            items: settings.items_per_second.map(Rate::new),
            bytes: settings.bytes_per_second.map(Rate::new),
            foreground,
        };
        let works: BTreeMap<_, _> = works.into_iter().map(|work| (work.kind(), work)).collect();
        let state = State::read(&catalog, &works);
        Self {
            inner: Arc::new(Inner {
                catalog,
                works,
                rights,
                shared: Arc::new(shared),
                settings,
                state: Mutex::new(state),
                parsed: Mutex::default(),
                begin: tokio::sync::Mutex::default(),
                wake: Notify::new(),
                closing: watch::Sender::new(false),
                tasks: Mutex::default(),
            }),
        }
    }

    /// Runs what is due, until [`Jobs::close`].
    pub fn start(&self) {
        let inner = self.inner.clone();
        self.inner.spawn(async move { inner.serve().await });
    }

    /// Stops all runs where they next may. They go on after the next start.
    pub async fn close(&self) {
        self.inner.close().await;
    }

    /// The kinds of work there are.
    pub fn kinds(&self) -> Vec<&'static str> {
        self.inner.works.keys().copied().collect()
    }

    /// The runs that have not ended and those kept, of one definition or of all, the newest first.
    pub fn runs(&self, name: Option<&str>) -> Vec<Seen> {
        let is_asked = |run: &Run| name.is_none_or(|name| run.definition.name == name);
        let live: Vec<Arc<Live>> = self.inner.lock().live.values().cloned().collect();
        let mut found: Vec<Seen> = live.iter().map(|live| live.seen()).collect();
        let state = self.inner.catalog.snapshot();
        for (_, document) in state.documents(run::KIND, None) {
            let kept: Result<Kept, _> = serde_json::from_str(&document.json);
            let Ok(kept) = kept else { continue };
            if !live.iter().any(|live| live.id == kept.run.id) {
                found.push(Seen::ended(kept.run));
            }
        }
        found.retain(|seen| is_asked(&seen.run));
        found.sort_by_key(|seen| std::cmp::Reverse(seen.run.id));
        found.into_iter().map(|seen| self.inner.shown(seen)).collect()
    }

    /// A run.
    pub fn find(&self, id: Uuid) -> Option<Seen> {
        let live = self.inner.lock().live.get(&id).cloned();
        let seen = live.map(|live| live.seen());
        let seen = seen.or_else(|| self.inner.kept(id).map(|kept| Seen::ended(kept.run)));
        seen.map(|seen| self.inner.shown(seen))
    }

    /// Tells that a run changed its state or wrote a checkpoint. `None` when it is ended, or not there.
    pub fn watch(&self, id: Uuid) -> Option<watch::Receiver<Arc<Run>>> {
        self.inner.lock().live.get(&id).map(|live| live.subscribe())
    }
}

impl State {
    /// What the catalog keeps. An attempt that was at work then was killed: its run waits for its turn again.
    fn read(catalog: &Catalog, works: &BTreeMap<&'static str, Arc<dyn Work>>) -> Self {
        let mut state = Self::default();
        let snapshot = catalog.snapshot();
        for (id, document) in snapshot.documents(run::KIND, None) {
            let kept: Kept = match serde_json::from_str(&document.json) {
                Ok(kept) => kept,
                Err(error) => {
                    tracing::error!(run.id = %id, %error, "a run of a job cannot be read");
                    continue;
                }
            };
            let name = kept.run.definition.name.clone();
            let last_ms = state.last_ms.entry(name.clone()).or_default();
            *last_ms = kept.run.created_ms.max(*last_ms);
            if let Some(work) = works.get(&*kept.run.definition.kind) {
                state.expected.learn(&**work, &kept.run);
            }
            if kept.run.state.is_ended() {
                state.ended.insert(kept.run.id, name);
            } else {
                state.live.insert(kept.run.id, Arc::new(Live::found(kept)));
            }
        }
        state
    }
}

impl Inner {
    /// A panic elsewhere cannot leave the maps half changed in a way that matters.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, id: Uuid) -> Option<Kept> {
        let document = self.catalog.get_document(run::KIND, &id.to_string())?;
        serde_json::from_str(&document.json).ok()
    }

    fn shown(&self, mut seen: Seen) -> Seen {
        seen.run.definition = Arc::new(self.shown_definition(&seen.run.definition));
        seen
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
