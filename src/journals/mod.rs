//! Journals of buckets, as AWS's and the admin API define, tell and compare them.

mod s3;
mod status;

use std::sync::Arc;

use serde_json::json;
use tarn_catalog::rest::author;
use tarn_catalog::{Catalog, CommitError};
use tarn_inventory::jobs::{
    InvalidSpec, Jobs, NewDefinition, Priority, Put, PutError, RunNow, Schedule, Seen,
};
use tarn_inventory::journal::{InvalidJournal, JournalError, Journals, NewJournal};
use tarn_objectcore::name::BucketName;
use tarn_objectcore::s3::{Expiration, LiveInventory, MetadataError, MetadataWanted};
use tarn_openapi::access::Principal;

use crate::identity::KeySharers;

pub(crate) use status::Status;

/// The kind of the jobs that compare.
const KIND: &str = "reconcile";

/// The journals of a server.
#[derive(Clone)]
pub(crate) struct BucketJournals {
    journals: Journals,
    jobs: Jobs,
    sharers: Arc<KeySharers>,
    catalog: Catalog,
}

/// Why a comparison did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// There is no journal.
    #[error("there is no journal")]
    Missing,
    /// There is no table of objects to compare.
    #[error("the journal keeps no table of objects")]
    NoInventory,
    /// Who asks may not.
    #[error("{0}")]
    Denied(String),
    /// One has not ended.
    #[error("{0}")]
    AtWork(String),
    /// The job could not be kept.
    #[error(transparent)]
    Put(PutError),
    /// The catalog did not do it, or does not know.
    #[error(transparent)]
    Commit(CommitError),
}

impl BucketJournals {
    pub(crate) fn new(journals: Journals, jobs: Jobs, sharers: Arc<KeySharers>, catalog: Catalog) -> Self {
        Self { journals, jobs, sharers, catalog }
    }

    /// All journals in order of their buckets.
    pub(crate) fn list(&self) -> Vec<Status> {
        let journals = self.journals.list();
        journals.iter().map(|told| Status::of(told, self.compared(&told.0.bucket).as_ref())).collect()
    }

    /// How the journal of a bucket stands.
    pub(crate) fn status(&self, bucket: &BucketName) -> Option<Status> {
        let told = self.journals.get(bucket.as_str()).ok()?;
        Some(Status::of(&told, self.compared(&told.0.bucket).as_ref()))
    }

    /// Keeps the journal of a bucket, in place of what was kept of it.
    pub(crate) async fn put(
        &self,
        bucket: &BucketName,
        wanted: MetadataWanted,
        asker: &Principal,
    ) -> Result<(), MetadataError> {
        let by = self.sharers.author(asker).ok_or_else(|| MetadataError::Denied(KEYLESS.into()))?;
        let new = NewJournal {
            record_expiration_days: match wanted.expiration {
                Expiration::Never => None,
                Expiration::Days(days) => Some(days),
            },
            inventory: wanted.inventory == LiveInventory::Enabled,
        };
        let put = self.journals.put(&self.catalog.by(author(asker)), bucket.as_str(), new, by).await;
        put.map(|_| ()).map_err(refused)
    }

    /// Deletes the journal of a bucket. Its tables stay.
    pub(crate) async fn delete(&self, bucket: &BucketName, asker: &Principal) -> Result<(), MetadataError> {
        self.journals.delete(&self.catalog.by(author(asker)), bucket.as_str()).await.map_err(refused)
    }

    /// Begins to compare the table of objects with the bucket.
    pub(crate) async fn reconcile(
        &self,
        bucket: &BucketName,
        repair: bool,
        asker: &Principal,
    ) -> Result<Seen, ReconcileError> {
        let (journal, _) = self.journals.get(bucket.as_str()).map_err(|_| ReconcileError::Missing)?;
        if !journal.inventory {
            return Err(ReconcileError::NoInventory);
        }
        let by = self.sharers.author(asker).ok_or_else(|| ReconcileError::Denied(KEYLESS.into()))?;
        let name = job(bucket.as_str());
        let new = NewDefinition {
            name: name.clone(),
            kind: KIND.to_owned(),
            spec: json!({"bucket": bucket.as_str(), "repair": repair}),
            schedule: Schedule::Once,
            // It runs when it is asked for: a schedule is a job's of another name.
            enabled: false,
            priority: Priority::default(),
            items_per_second_max: None,
        };
        self.jobs.put(new, Put::Any, by).await.map_err(put_error)?;
        self.jobs.run(&name).await.map_err(|error| match error {
            RunNow::NoSuchJob(_) => ReconcileError::Missing,
            error @ RunNow::AtWork(_) => ReconcileError::AtWork(error.to_string()),
            RunNow::Commit(error) => ReconcileError::Commit(error),
        })
    }

    /// The last comparison that was asked for.
    fn compared(&self, bucket: &str) -> Option<Seen> {
        self.jobs.runs(Some(&job(bucket))).into_iter().next()
    }
}

const KEYLESS: &str = "A journal is kept in the name of an access key; there is none here.";

/// The job that compares a bucket. No inventory has this name: an id has no slash.
fn job(bucket: &str) -> String {
    format!("{bucket}/journal/reconcile")
}

fn put_error(error: PutError) -> ReconcileError {
    match error {
        PutError::Invalid(InvalidSpec::Denied(message)) => ReconcileError::Denied(message),
        PutError::Commit(error) => ReconcileError::Commit(error),
        error @ (PutError::Invalid(InvalidSpec::Field { .. } | InvalidSpec::Missing(_))
        | PutError::NoSuchKind { .. }
        | PutError::Exists(_)
        | PutError::Missing(_)
        | PutError::TooMany(_)
        | PutError::Changed(_)) => ReconcileError::Put(error),
    }
}

fn refused(error: JournalError) -> MetadataError {
    match error {
        JournalError::Invalid(invalid) => {
            let message = invalid.to_string();
            let (name, value) = match invalid {
                InvalidJournal::Expiration(days) => ("Days", days.to_string()),
                InvalidJournal::Bucket(bucket) => ("Bucket", bucket),
            };
            MetadataError::Invalid { name, value, message }
        }
        JournalError::NoSuchBucket(_) | JournalError::Missing(_) => MetadataError::Missing,
        JournalError::Changed(_) => MetadataError::Busy,
        error @ (JournalError::Store { .. } | JournalError::Commit(_)) => MetadataError::Failed(error.into()),
    }
}
