//! Webhooks: change events sent to URLs.
//!
//! - WH1: every event that passes a webhook's filter is delivered at least once and in the order of the log; nothing
//!   behind an event is sent before its receiver has answered 2xx.
//! - WH2: where a webhook stands is durable at most [`POSITIONS_EVERY`] after it got there: after a crash the events of
//!   that time are sent again. A stop writes it down.
//! - WH3: nothing waits for a receiver but its own webhook. A webhook that falls behind the retained log is told how far,
//!   and so is its receiver.
//! - WH4: no connection is made to an address that the settings do not allow, whatever a name resolves to, and no
//!   redirect is followed (`src/outbound`).
//! - WH5: a secret is told once, when it is made, and never again.
//!
//! Definitions and positions are documents in the catalog log.

mod definition;
mod deliver;
mod positions;
mod sign;
mod status;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tarn_catalog::events::Position;
use tarn_catalog::state::{Conflict, Expect};
use tarn_catalog::{Catalog, CommitError};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

pub(crate) use self::definition::{Asked, Definition, InvalidWebhook, Mode};
pub(crate) use self::deliver::{Client, Failure as DeliveryFailure};
use self::positions::Positions;
pub(crate) use self::status::{Shown, Status};
use self::worker::Worker;
use crate::identity::Secret;
use crate::outbound::Reach;

/// The kind of the documents that are webhooks.
const KIND: &str = "webhook";
/// Webhooks at most. Each has a task, and a record of the log in memory.
const WEBHOOKS_MAX: usize = 32;
/// How often positions are written down (WH2).
const POSITIONS_EVERY: Duration = Duration::from_secs(5);

/// Delivers events to webhooks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Webhooks {
    inner: Arc<Inner>,
}

struct Inner {
    catalog: Catalog,
    source: Arc<str>,
    reach: Reach,
    /// Of the webhooks that are at work.
    statuses: Mutex<BTreeMap<Arc<str>, Arc<Status>>>,
    stop: watch::Sender<bool>,
    running: Mutex<Option<JoinHandle<()>>>,
}

/// A webhook was not put, shown, deleted or tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    #[error(transparent)]
    Invalid(#[from] InvalidWebhook),
    #[error("there is no webhook {0:?}")]
    Missing(String),
    #[error("there are {WEBHOOKS_MAX} webhooks")]
    TooMany,
    #[error("webhook {0:?} cannot be read")]
    Damaged(String),
    #[error("the webhook could not be stored")]
    Commit(#[source] CommitError),
}

/// A webhook that was put.
pub(crate) struct Put {
    pub(crate) definition: Definition,
    /// Only when it is new (WH5).
    pub(crate) secret: Option<Secret>,
}

impl Webhooks {
    /// Delivers the changes of `catalog`, named by `source`.
    pub(crate) fn start(catalog: Catalog, source: Arc<str>, reach: Reach) -> Self {
        let (stop, stopped) = watch::channel(false);
        let inner = Arc::new(Inner {
            catalog,
            source,
            reach,
            statuses: Mutex::default(),
            stop,
            running: Mutex::default(),
        });
        let running = tokio::spawn(run(inner.clone(), stopped));
        *inner.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Self { inner }
    }

    /// Stops deliveries and writes down how far they came.
    pub(crate) async fn close(&self) {
        let _ = self.inner.stop.send(true);
        let running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running
            && let Err(error) = running.await
        {
            tracing::error!(%error, "the deliveries to webhooks ended badly");
        }
    }

    /// Puts a webhook, in the place of the one of this id. A position that is not asked for stays what it is, and so
    /// does a secret. The history of `catalog` names who asks.
    pub(crate) async fn put(&self, catalog: &Catalog, id: &str, asked: Asked) -> Result<Put, WebhookError> {
        definition::check_id(id)?;
        let document = catalog.get_document(KIND, id);
        let before = document.as_ref().and_then(|kept| Definition::read(&kept.json));
        if document.is_none() && catalog.list_documents(KIND).len() >= WEBHOOKS_MAX {
            return Err(WebhookError::TooMany);
        }
        let end = Position::Record(*catalog.watch().borrow());
        let (definition, secret) = Definition::new(asked, before, end)?;
        let expect = document.map_or(Expect::Absent, |document| Expect::Revision(document.revision));
        let json = definition.to_json();
        catalog.put_document(KIND, id, &json, expect).await.map_err(WebhookError::Commit)?;
        Ok(Put { definition, secret })
    }

    /// Deletes a webhook: what is under way to it is broken off.
    pub(crate) async fn delete(&self, catalog: &Catalog, id: &str) -> Result<(), WebhookError> {
        match catalog.delete_document(KIND, id, Expect::Any).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict(Conflict::NoSuchDocument { .. })) => {
                Err(WebhookError::Missing(id.into()))
            }
            Err(error) => Err(WebhookError::Commit(error)),
        }
    }

    /// A webhook and how it does.
    pub(crate) fn show(&self, id: &str) -> Result<(Definition, Shown), WebhookError> {
        let definition = self.definition(id)?;
        let shown = self.shown(id, &definition);
        Ok((definition, shown))
    }

    /// All webhooks and how they do, by id.
    pub(crate) fn list(&self) -> Vec<(Arc<str>, Definition, Shown)> {
        let documents = self.inner.catalog.list_documents(KIND);
        let read = documents.into_iter().filter_map(|(id, kept)| {
            let definition = Definition::read(&kept.json)?;
            let shown = self.shown(&id, &definition);
            Some((id, definition, shown))
        });
        read.collect()
    }

    /// Sends one event of its own kind to a webhook, now; how long it took.
    pub(crate) async fn test(&self, id: &str) -> Result<Result<Duration, DeliveryFailure>, WebhookError> {
        let definition = self.definition(id)?;
        let client = Client::new(&definition, self.inner.reach);
        Ok(client.test(id, &self.inner.source).await)
    }

    fn definition(&self, id: &str) -> Result<Definition, WebhookError> {
        let kept = self.inner.catalog.get_document(KIND, id);
        let kept = kept.ok_or_else(|| WebhookError::Missing(id.into()))?;
        Definition::read(&kept.json).ok_or_else(|| WebhookError::Damaged(id.into()))
    }

    fn shown(&self, id: &str, definition: &Definition) -> Shown {
        let end = *self.inner.catalog.watch().borrow();
        match self.inner.statuses().get(id) {
            Some(status) => status.show(end),
            None => Status::new(definition.start.after).show(end),
        }
    }
}

impl Inner {
    fn statuses(&self) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, Arc<Status>>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A webhook at work.
struct Working {
    revision: u64,
    epoch: uuid::Uuid,
    status: Arc<Status>,
    task: tokio::task::AbortHandle,
}

/// Keeps a worker for each webhook there is, and writes positions down, until it is told to stop.
async fn run(inner: Arc<Inner>, mut stop: watch::Receiver<bool>) {
    let mut changes = inner.catalog.watch();
    let mut positions = Positions::read(&inner.catalog);
    let mut working: BTreeMap<Arc<str>, Working> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut ticks = interval(POSITIONS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        changes.mark_unchanged();
        follow_definitions(&inner, &positions, &mut working, &mut tasks);
        tokio::select! {
            // Closed channels: the server is gone.
            () = told(&mut stop) => break,
            changed = changes.changed() => if changed.is_err() { break },
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    tracing::error!(%error, "the delivery to a webhook panicked");
                }
            }
            _ = ticks.tick() => {
                note(&mut positions, &working);
                positions.write(&inner.catalog).await;
            }
        }
    }
    tasks.shutdown().await;
    note(&mut positions, &working);
    positions.write(&inner.catalog).await;
}

async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn note(positions: &mut Positions, working: &BTreeMap<Arc<str>, Working>) {
    let now = working.iter().map(|(id, one)| (id.clone(), one.epoch, one.status.at(), one.status.sent()));
    positions.note(now);
}

/// Ends workers whose webhook is gone or was changed, and begins those that are missing.
fn follow_definitions(
    inner: &Inner,
    positions: &Positions,
    working: &mut BTreeMap<Arc<str>, Working>,
    tasks: &mut JoinSet<()>,
) {
    let documents: BTreeMap<_, _> = inner.catalog.list_documents(KIND).into_iter().collect();
    let mut left_at = BTreeMap::new();
    working.retain(|id, one| {
        let same = documents.get(id).is_some_and(|document| document.revision == one.revision);
        if !same {
            one.task.abort();
            left_at.insert(id.clone(), (one.epoch, one.status.at()));
        }
        same
    });
    for (id, document) in documents {
        if working.contains_key(&id) {
            continue;
        }
        let Some(definition) = Definition::read(&document.json) else {
            tracing::error!(webhook.id = %id, "a webhook cannot be read");
            continue;
        };
        let epoch = definition.start.epoch;
        let left = left_at.get(&id).filter(|(left, _)| *left == epoch).map(|(_, at)| *at);
        let at = left.or_else(|| positions.of(&id, epoch)).unwrap_or(definition.start.after);
        let status = Arc::new(Status::new(at));
        inner.statuses().insert(id.clone(), status.clone());
        let enabled = definition.enabled;
        let worker = Worker {
            id: id.clone(),
            catalog: inner.catalog.clone(),
            source: inner.source.clone(),
            client: Client::new(&definition, inner.reach),
            definition,
            status: status.clone(),
        };
        let task = tasks.spawn(async move {
            match enabled {
                true => worker.run().await,
                false => worker.status.disabled(),
            }
        });
        working.insert(id, Working { revision: document.revision, epoch, status, task });
    }
    inner.statuses().retain(|id, _| {
        let stays = working.contains_key(id);
        if !stays {
            // A webhook that is gone is behind nothing.
            metrics::gauge!("tarn_webhook_lag_records", "webhook" => id.to_string()).set(0.0);
        }
        stays
    });
}
