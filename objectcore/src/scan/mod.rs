//! The range scan of a bucket: its objects column by column, in the order of the bytes of their keys.
//!
//! Each set is read a chunk ahead, in a thread of its own, and the sets' chunks are merged.
//!
//! - G1: an object that was there from the begin of a scan to its end is in it once; one that changed meanwhile is
//!   there in one state or not at all.
//! - G2: a scan of a [`Moment`] holds the objects of that moment: every write that was answered before is in it, and
//!   no write that began after.
//! - G3: memory is bounded: two chunks of each set, whatever the bucket holds.

use std::sync::Arc;

use bytes::Bytes;

use crate::core::ObjectCore;
use crate::name::BucketName;
use crate::types::{Millis, NoSuchBucket, StorageError};

mod merge;
mod moment;
mod range;
mod rows;
#[cfg(test)]
mod tests;

pub use moment::Moment;
pub use rows::{ScanRows, ScanTag};

use merge::Merge;
use range::Range;

/// What is scanned.
#[derive(Debug, Clone, Default)]
pub struct ScanOptions {
    /// What the keys begin with.
    pub prefix: String,
    /// Only keys behind this one.
    pub after: Option<String>,
    /// Only keys up to this one.
    pub through: Option<String>,
    /// As of when; `None`: each object as it is when it is read.
    pub moment: Option<Arc<Moment>>,
    /// What is read of each object.
    pub depth: ScanDepth,
}

/// How much is read of each object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ScanDepth {
    /// What a listing tells.
    #[default]
    Listing,
    /// Attributes too.
    Attributes,
}

/// Why a scan cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// There is no such bucket.
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Its moment was kept as long as one may be.
    #[error("the moment of the scan was more than {age_max_s} seconds ago and is not kept any longer")]
    Expired {
        /// How long a moment is kept, in seconds.
        age_max_s: u64,
    },
    /// The drives that kept its moment are out.
    #[error("the drives that kept the moment of the scan are out; a scan of another moment can begin")]
    Lost,
    /// It failed before; another can begin behind the last key it told.
    #[error("the scan failed before and is over")]
    Over,
    /// The drives cannot serve it.
    #[error("the index cannot be read")]
    Storage(#[from] StorageError),
}

/// A scan at work.
pub struct BucketScan {
    /// `None` once it failed.
    merge: Option<Merge>,
    began: Millis,
    sequences: Arc<[u64]>,
}

impl ObjectCore {
    /// Begins a scan of a bucket.
    pub fn scan(&self, bucket: &BucketName, options: &ScanOptions) -> Result<BucketScan, ScanError> {
        self.live_bucket(bucket)?;
        let began = options.moment.as_ref().map_or_else(crate::core::now, |moment| moment.at());
        let range = Range::new(bucket, options);
        let sets = self.inner.sets.iter().map(|set| set.log.clone());
        let sequences =
            options.moment.as_ref().map_or_else(Arc::default, |moment| Arc::clone(moment.sequences()));
        Ok(BucketScan { merge: Some(Merge::new(sets, range, options)), began, sequences })
    }
}

impl BucketScan {
    /// The next objects; `None` after the last. Once it failed it is over: it never seems to have ended.
    pub async fn next(&mut self) -> Result<Option<ScanRows>, ScanError> {
        let merge = self.merge.as_mut().ok_or(ScanError::Over)?;
        let told = merge.next().await;
        if told.is_err() {
            self.merge = None;
        }
        told
    }

    /// When the rows are of: of one moment, or when the scan began.
    pub fn began(&self) -> Millis {
        self.began
    }

    /// Of a moment: of each set the highest sequence of its changes that is in the rows ([`ObjectCore::changes`]). Else
    /// empty.
    pub fn sequences(&self) -> &[u64] {
        &self.sequences
    }
}

/// A stored key that a scan goes on behind.
type Behind = Option<Bytes>;
