//! Delete.

use std::sync::Arc;

use super::key;
use super::publish::Refused;
use crate::bucket::BucketState;
use crate::core::{ObjectCore, Set};
use crate::journal::Making;
use crate::name::ObjectName;
use crate::set::{Draft, Op, Space};
use crate::types::{Deleted, PutIf, WriteError};

impl ObjectCore {
    /// Deletes an object. `Match` and `Exists` need the object; `Always` is content with none.
    pub async fn delete(&self, at: &ObjectName, when: PutIf) -> Result<Deleted, WriteError> {
        let bucket = self.live_bucket(&at.bucket).map_err(|_| WriteError::NoSuchBucket)?;
        let set = Arc::clone(self.set_of(at));
        let key = key::object(at);
        if when == PutIf::Always && set.log.entry(Space::Object, &key).await?.is_none() {
            // Nothing to write: a tombstone for nothing would only cost a sync.
            return Ok(Deleted { existed: false });
        }
        let core = self.clone();
        self.to_the_end(async move { core.delete_entry(&set, &bucket, (key, when)).await }).await?
    }

    async fn delete_entry(
        &self,
        set: &Set,
        bucket: &BucketState,
        (key, when): (bytes::Bytes, PutIf),
    ) -> Result<Deleted, WriteError> {
        let delete = Op::Delete { space: Space::Object, key: key.clone() };
        let draft = Draft { ops: vec![delete], expect: Vec::new(), inline: None };
        // What is gone already is deleted by no one: nothing is written of it, and nothing told.
        let (needed, content_with_none) = match when {
            PutIf::Always => (PutIf::Exists, true),
            when @ (PutIf::Absent | PutIf::Match(_) | PutIf::Exists) => (when, false),
        };
        let committed = match self.commit_object(set, bucket, (&key, &needed), draft, Making::Deleted).await {
            Err(Refused::Precondition { exists: false }) if content_with_none => {
                return Ok(Deleted { existed: false });
            }
            committed => committed?,
        };
        let gone = committed.replaced.first().and_then(Option::as_ref);
        self.condemn_entry(set, gone);
        Ok(Deleted { existed: gone.is_some() })
    }
}
