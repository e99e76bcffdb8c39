//! What is asked of runs: to begin, suspend, resume and cancel.

use std::sync::Arc;

use tarn_catalog::CommitError;
use tarn_catalog::state::Expect;
use uuid::Uuid;

use super::definition::Definition;
use super::live::Live;
use super::run::{self, Kept, Run, Seen, Wanted};
use super::state::{NotAllowed, RunEvent, RunState};
use super::work::Stopped;
use super::{Inner, Jobs, now_ms};

/// A run was not begun.
#[derive(Debug, thiserror::Error)]
pub enum RunNow {
    /// There is no such definition.
    #[error("there is no job '{0}'")]
    NoSuchJob(String),
    /// It has one that has not ended (J3).
    #[error("run {0} of this job has not ended")]
    AtWork(Uuid),
    /// The catalog did not do it, or does not know.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// A run was not suspended, resumed or canceled.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such run.
    #[error("there is no run {0}")]
    NoSuchRun(Uuid),
    /// Not where it is.
    #[error("run {id} is {}", .state.name())]
    NotAllowed {
        /// The run.
        id: Uuid,
        /// Where it is.
        state: RunState,
    },
    /// The catalog did not do it, or does not know.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl Jobs {
    /// Begins a run of a definition, whatever its schedule says.
    pub async fn run(&self, name: &str) -> Result<Seen, RunNow> {
        let live = self.inner.begin_run(name, Wanted::Request).await?;
        self.inner.wake.notify_one();
        Ok(self.inner.shown(live.seen()))
    }

    /// Suspends a run: it stops where it next may, and stays so until it is resumed.
    pub async fn suspend(&self, id: Uuid) -> Result<Seen, ChangeError> {
        self.change(id, RunEvent::Suspend, Some(Stopped::Suspended)).await
    }

    /// Lets a suspended run go on from its last checkpoint.
    pub async fn resume(&self, id: Uuid) -> Result<Seen, ChangeError> {
        self.change(id, RunEvent::Resume, None).await
    }

    /// Cancels a run: it stops where it next may, and what it left is taken away.
    pub async fn cancel(&self, id: Uuid) -> Result<Seen, ChangeError> {
        self.change(id, RunEvent::Cancel, Some(Stopped::Canceled)).await
    }

    async fn change(&self, id: Uuid, event: RunEvent, stop: Option<Stopped>) -> Result<Seen, ChangeError> {
        let inner = &self.inner;
        let Some(live) = inner.lock().live.get(&id).cloned() else {
            let ended = inner.kept(id).ok_or(ChangeError::NoSuchRun(id))?;
            return Err(ChangeError::NotAllowed { id, state: ended.run.state });
        };
        let mut kept = live.kept.lock().await;
        let after = |run: &Run, event| {
            let refused = |NotAllowed { state }| ChangeError::NotAllowed { id, state };
            run.after(event, now_ms()).map_err(refused)
        };
        let mut run = after(&kept.run, event)?;
        if run.state == RunState::Canceling && run.starts == 0 {
            // It never began, so it left nothing.
            run = after(&run, RunEvent::Discarded)?;
        }
        inner.write(&live, &mut kept, run).await?;
        // Before the next attempt can begin: it is not meant.
        if let Some(stop) = stop {
            live.tell(stop);
        }
        drop(kept);
        inner.wake.notify_one();
        let seen = live.seen();
        if seen.run.state.is_ended() {
            inner.retire(&live).await;
        }
        Ok(inner.shown(seen))
    }
}

impl Inner {
    /// The run of a definition that has not ended.
    pub(super) fn run_of(&self, name: &str) -> Option<Uuid> {
        let state = self.lock();
        let mut live = state.live.values();
        live.find(|live| live.definition.name == name).map(|live| live.id)
    }

    pub(super) async fn begin_run(&self, name: &str, wanted: Wanted) -> Result<Arc<Live>, RunNow> {
        let _beginning = self.begin.lock().await;
        let definition = self.definition(name).ok_or_else(|| RunNow::NoSuchJob(name.to_owned()))?.0;
        if let Some(id) = self.run_of(name) {
            return Err(RunNow::AtWork(id));
        }
        self.begin_of(definition, wanted).await.map_err(RunNow::Commit)
    }

    async fn begin_of(&self, definition: Definition, wanted: Wanted) -> Result<Arc<Live>, CommitError> {
        let mut run = Run::new(Arc::new(definition), wanted, now_ms());
        if let Some(work) = self.works.get(&*run.definition.kind) {
            run.counts.expected = self.lock().expected.of(&**work, &run.definition);
        }
        let (id, kept) = (run.id, Kept { run, checkpoint: None });
        let json = serde_json::json!(kept).to_string();
        let key = id.to_string();
        let put = self.catalog.put_document(run::KIND, &key, &json, Expect::Absent);
        // One that may be there is live (J3): the next that is written of it makes it so.
        let unknown = match put.await {
            Ok(_) => None,
            Err(error @ CommitError::Unknown { .. }) => Some(error),
            Err(error) => return Err(error),
        };
        let name = kept.run.definition.name.clone();
        let created_ms = kept.run.created_ms;
        let live = Arc::new(Live::found(kept));
        let mut state = self.lock();
        state.live.insert(id, live.clone());
        state.last_ms.insert(name, created_ms);
        unknown.map_or(Ok(live), Err)
    }

    /// Makes a change of a run durable, then shows it (J4).
    pub(super) async fn write(&self, live: &Live, kept: &mut Kept, run: Run) -> Result<(), CommitError> {
        let is_ended = run.state.is_ended();
        let checkpoint = kept.checkpoint.clone().filter(|_| !is_ended);
        self.write_all(live, kept, Kept { run, checkpoint }).await
    }

    pub(super) async fn write_all(
        &self,
        live: &Live,
        kept: &mut Kept,
        next: Kept,
    ) -> Result<(), CommitError> {
        let json = serde_json::json!(next).to_string();
        self.catalog.put_document(run::KIND, &live.id.to_string(), &json, Expect::Any).await?;
        live.show(&next.run);
        *kept = next;
        Ok(())
    }

    /// A run that ended is a document only; of those, the oldest go.
    pub(super) async fn retire(&self, live: &Live) {
        let surplus = {
            let mut state = self.lock();
            if state.live.remove(&live.id).is_none() {
                return;
            }
            state.ended.insert(live.id, live.definition.name.clone());
            if let Some(work) = self.works.get(&*live.definition.kind) {
                state.expected.learn(&**work, &live.shown());
            }
            state.surplus(&self.settings)
        };
        for id in surplus {
            match self.catalog.delete_document(run::KIND, &id.to_string(), Expect::Any).await {
                Ok(_) => drop(self.lock().ended.remove(&id)),
                Err(error) => tracing::warn!(run.id = %id, %error, "an old run of a job was not deleted"),
            }
        }
    }
}

impl super::State {
    /// The ended runs that go. The last one of a definition stays: its schedule counts from it.
    fn surplus(&self, settings: &super::JobSettings) -> Vec<Uuid> {
        let mut of_definition = std::collections::HashMap::<&str, usize>::new();
        let (mut kept, mut surplus) = (0, Vec::new());
        for (id, name) in self.ended.iter().rev() {
            let count = of_definition.entry(name).or_default();
            *count += 1;
            let is_last = *count == 1;
            if !is_last && (*count > settings.kept_of_definition || kept >= settings.kept) {
                surplus.push(*id);
            } else {
                kept += 1;
            }
        }
        surplus
    }
}
