//! Inventories of buckets: jobs of kind `inventory`, as AWS's, AIStor's and the admin API define, tell and steer them.
//!
//! - V1: an inventory is the job `<bucket>/<id>`; there is no other record of it. Who writes one must be allowed, in the
//!   request at hand, all that the job will do: a job keeps no session's limits.
//! - V2: an API tells back only texts of its own, and only while they say what the job does. An id that another API
//!   took is not taken over.

mod author;
mod s3;
mod status;

use std::sync::Arc;

use tarn_catalog::CommitError;
use tarn_inventory::jobs::{
    ChangeError, Definition, DeleteError, InvalidSpec, Jobs, NewDefinition, Priority, Put, PutError, RunNow,
    RunState, Schedule, Seen,
};
use tarn_inventory::report::{self, Plan, PlanError, Spec, Written, aistor};
use tarn_inventory::scan::ObjectScan;
use tarn_objectcore::name::BucketName;
use tarn_objectcore::s3::InventoryError;
use tarn_openapi::access::Authorize;

use crate::identity::KeySharers;

pub(crate) use author::Asker;
pub(crate) use s3::template;
pub(crate) use status::Status;

/// The kind of the jobs.
const KIND: &str = "inventory";
/// Inventories a bucket may have.
const OF_BUCKET_MAX: usize = 1000;

/// The inventories of a server.
#[derive(Clone)]
pub(crate) struct BucketInventories {
    jobs: Jobs,
    sharers: Arc<KeySharers>,
    authorize: Arc<dyn Authorize>,
    scans: Arc<dyn ObjectScan>,
    /// The access key of root, for what names users.
    root: Arc<str>,
}

/// A definition, read.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) definition: Definition,
    pub(crate) spec: Spec,
}

/// What somebody wants of an inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// Its run shall end.
    Cancel,
    /// Its run shall wait; without a run, no other begins.
    Suspend,
    /// What was suspended goes on.
    Resume,
}

/// Why somebody does not get what is wanted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// There is no such inventory.
    #[error("there is no such inventory")]
    Missing,
    /// Not where it is.
    #[error("{0}")]
    NotAllowed(String),
    /// Not kept.
    #[error(transparent)]
    Put(#[from] InventoryError),
    /// The catalog did not do it, or does not know.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanFailure {
    /// Who asks may not have it.
    #[error(transparent)]
    Refused(#[from] InventoryError),
    /// It cannot be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl BucketInventories {
    pub(crate) fn new(
        jobs: Jobs,
        sharers: Arc<KeySharers>,
        authorize: Arc<dyn Authorize>,
        scans: Arc<dyn ObjectScan>,
        root: &str,
    ) -> Self {
        Self { jobs, sharers, authorize, scans, root: root.into() }
    }

    /// A definition.
    pub(crate) fn find(&self, bucket: &BucketName, id: &str) -> Option<Found> {
        Found::of(self.jobs.get(&name(bucket, id))?)
    }

    /// The definitions of a bucket, in order of their ids.
    pub(crate) fn of_bucket(&self, bucket: &BucketName) -> Vec<Found> {
        let below = self.jobs.list_below(&name(bucket, ""));
        let mut found: Vec<Found> = below.into_iter().filter_map(Found::of).collect();
        found.retain(|found| found.spec.bucket == bucket.as_str());
        found.sort_by(|one, other| one.spec.id.cmp(&other.spec.id));
        found
    }

    /// Keeps a definition for who asks, in place of an older one of the same API (V1, V2).
    pub(crate) async fn put(
        &self,
        (spec, schedule, enabled): (Spec, Schedule, bool),
        asker: Asker<'_>,
    ) -> Result<(), InventoryError> {
        let author = asker.author(&self.sharers)?;
        asker.may(&self.authorize, &author, &spec)?;
        let bucket = BucketName::new(&spec.bucket).map_err(|_| InventoryError::Missing)?;
        match self.find(&bucket, &spec.id) {
            Some(before) if !is_same_api(&before.spec, &spec) => {
                let message = format!(
                    "The id {} is taken by an inventory that was defined by another API; delete that first.",
                    spec.id
                );
                return Err(InventoryError::Invalid { name: "id".into(), value: spec.id, message });
            }
            None if self.jobs.get(&name(&bucket, &spec.id)).is_some() => {
                let message =
                    format!("The id {} is taken by a job that is no inventory of the bucket.", spec.id);
                return Err(InventoryError::Invalid { name: "id".into(), value: spec.id, message });
            }
            None if self.of_bucket(&bucket).len() >= OF_BUCKET_MAX => {
                return Err(InventoryError::TooMany { limit: OF_BUCKET_MAX });
            }
            Some(_) | None => {}
        }
        let name = name(&bucket, &spec.id);
        let spec = serde_json::to_value(&spec).map_err(|error| InventoryError::Failed(error.into()))?;
        let new = NewDefinition {
            name: name.clone(),
            kind: KIND.to_owned(),
            spec,
            schedule,
            enabled,
            priority: Priority::default(),
            items_per_second_max: None,
        };
        self.jobs.put(new, Put::Any, author).await.map_err(put_error)?;
        tracing::info!(job = name, "put an inventory");
        Ok(())
    }

    /// Keeps a definition written as AIStor's YAML.
    pub(crate) async fn put_yaml(
        &self,
        bucket: &BucketName,
        id: &str,
        text: &[u8],
        asker: Asker<'_>,
    ) -> Result<(), InventoryError> {
        let read = read_yaml(bucket, id, text)?;
        self.put((read.spec, read.schedule, true), asker).await
    }

    /// What a run would do, for who may list what it tells and write where it writes. A bounded part of the bucket is
    /// looked at.
    pub(crate) async fn plan(&self, spec: &Spec, asker: Asker<'_>) -> Result<Plan, PlanFailure> {
        let author = asker.author(&self.sharers)?;
        asker.may(&self.authorize, &author, spec)?;
        let now_ms = jiff::Timestamp::now().as_millisecond();
        Ok(report::plan(&*self.scans, spec, now_ms).await?)
    }

    /// Deletes a definition; its run is canceled.
    pub(crate) async fn delete(&self, bucket: &BucketName, id: &str) -> Result<(), InventoryError> {
        // A job of another kind may have such a name, and takes another right to be deleted.
        self.find(bucket, id).ok_or(InventoryError::Missing)?;
        let name = name(bucket, id);
        match self.jobs.delete(&name).await {
            Ok(()) => {
                tracing::info!(job = name, "deleted an inventory");
                Ok(())
            }
            Err(DeleteError::Missing(_)) => Err(InventoryError::Missing),
            Err(DeleteError::Commit(error)) => Err(commit_error(error)),
            Err(error @ DeleteError::Run(_)) => Err(InventoryError::Failed(error.into())),
        }
    }

    /// The last run of a definition, which may be at work.
    pub(crate) fn last_run(&self, found: &Found) -> Option<Seen> {
        let runs = self.jobs.runs(Some(&found.definition.name));
        // Of an older definition of this name nothing is told.
        runs.into_iter().find(|seen| seen.run.created_ms >= found.definition.created_ms)
    }

    /// How an inventory stands.
    pub(crate) fn status(&self, found: &Found) -> Status {
        let last = self.last_run(found);
        Status::of(found, last.as_ref(), self.jobs.next_ms(&found.definition), &self.root)
    }

    /// Begins a run.
    pub(crate) async fn run(&self, found: &Found) -> Result<Seen, ControlError> {
        match self.jobs.run(&found.definition.name).await {
            Ok(seen) => Ok(seen),
            Err(RunNow::NoSuchJob(_)) => Err(ControlError::Missing),
            Err(error @ RunNow::AtWork(_)) => Err(ControlError::NotAllowed(error.to_string())),
            Err(RunNow::Commit(error)) => Err(error.into()),
        }
    }

    /// Cancels, suspends or resumes an inventory. What was done is told.
    pub(crate) async fn control(
        &self,
        found: &Found,
        control: Control,
    ) -> Result<&'static str, ControlError> {
        let live = self.last_run(found).filter(|seen| !seen.run.state.is_ended());
        let Some(seen) = live else { return self.control_schedule(found, control).await };
        let id = seen.run.id;
        let (done, told) = match control {
            Control::Cancel => (self.jobs.cancel(id).await, "the run is canceled"),
            Control::Suspend => (self.jobs.suspend(id).await, "the run is suspended"),
            Control::Resume if seen.run.state == RunState::Suspended => {
                (self.jobs.resume(id).await, "the run goes on")
            }
            Control::Resume => {
                let message = format!("the run is {}, not suspended", seen.run.state.name());
                return Err(ControlError::NotAllowed(message));
            }
        };
        match done {
            Ok(_) => Ok(told),
            Err(ChangeError::Commit(error)) => Err(error.into()),
            Err(error @ (ChangeError::NoSuchRun(_) | ChangeError::NotAllowed { .. })) => {
                Err(ControlError::NotAllowed(error.to_string()))
            }
        }
    }

    /// Without a run there is only the schedule.
    async fn control_schedule(&self, found: &Found, control: Control) -> Result<&'static str, ControlError> {
        let definition = &found.definition;
        let (enabled, told) = match (control, definition.enabled) {
            (Control::Cancel, _) => {
                return Err(ControlError::NotAllowed("no run is at work".into()));
            }
            (Control::Suspend, true) => (false, "the schedule is suspended"),
            (Control::Resume, false) => (true, "the schedule holds again: a run begins now"),
            (Control::Suspend, false) => return Ok("the schedule was suspended before"),
            (Control::Resume, true) => {
                return Err(ControlError::NotAllowed("nothing is suspended".into()));
            }
        };
        let Definition { name, kind, spec, schedule, priority, items_per_second_max, author, .. } =
            definition.clone();
        let new = NewDefinition { name, kind, spec, schedule, enabled, priority, items_per_second_max };
        self.jobs.put(new, Put::Replace, author).await.map_err(put_error)?;
        Ok(told)
    }

    /// The user that made an inventory.
    fn user<'a>(&'a self, found: &'a Found) -> &'a str {
        found.definition.author.key.as_deref().unwrap_or(&self.root)
    }
}

impl Found {
    fn of(definition: Definition) -> Option<Self> {
        if definition.kind != KIND {
            return None;
        }
        let spec: Spec = serde_json::from_value(definition.spec.clone()).ok()?;
        // The jobs API lets a job of this kind have any name; an inventory of a bucket has one.
        let is_named = definition.name == format!("{}/{}", spec.bucket, spec.id);
        is_named.then_some(Self { definition, spec })
    }
}

/// Reads YAML, which must be of this id.
pub(crate) fn read_yaml(
    bucket: &BucketName,
    id: &str,
    text: &[u8],
) -> Result<aistor::Inventory, InventoryError> {
    let text = std::str::from_utf8(text)
        .map_err(|_| InventoryError::Malformed("the definition is not UTF-8".into()))?;
    let read = aistor::Inventory::parse(bucket.as_str(), text)
        .map_err(|refused| InventoryError::Malformed(refused.to_string()))?;
    if read.spec.id == id {
        return Ok(read);
    }
    let message = format!("the definition has the id {:?}, the request {id:?}", read.spec.id);
    Err(InventoryError::Malformed(message))
}

fn name(bucket: &BucketName, id: &str) -> String {
    format!("{bucket}/{id}")
}

fn is_same_api(one: &Spec, other: &Spec) -> bool {
    match (&one.written, &other.written) {
        (None | Some(Written::Aistor(_)), None | Some(Written::Aistor(_)))
        | (Some(Written::Aws(_)), Some(Written::Aws(_))) => true,
        (None | Some(Written::Aistor(_)), Some(Written::Aws(_)))
        | (Some(Written::Aws(_)), None | Some(Written::Aistor(_))) => false,
    }
}

fn put_error(error: PutError) -> InventoryError {
    match error {
        PutError::Invalid(InvalidSpec::Denied(message)) => InventoryError::Denied(message),
        PutError::Invalid(InvalidSpec::Field { at, message }) => {
            let message = format!("{at}: {message}");
            InventoryError::Invalid { name: at, value: String::new(), message }
        }
        PutError::Invalid(InvalidSpec::Missing(message)) => {
            InventoryError::Invalid { name: "Bucket".into(), value: String::new(), message }
        }
        error @ PutError::NoSuchKind { .. } => InventoryError::NotImplemented(error.to_string()),
        PutError::TooMany(limit) => InventoryError::TooMany { limit },
        PutError::Exists(_) | PutError::Missing(_) | PutError::Changed(_) => InventoryError::Busy,
        PutError::Commit(error) => commit_error(error),
    }
}

fn commit_error(error: CommitError) -> InventoryError {
    match error {
        CommitError::Busy { .. } => InventoryError::Busy,
        error @ (CommitError::Conflict(_)
        | CommitError::Load(_)
        | CommitError::Write(_)
        | CommitError::Defect
        | CommitError::Fenced
        | CommitError::Unknown { .. }) => InventoryError::Failed(error.into()),
    }
}
