//! Which stored keys a scan reads.

use std::ops::Bound;

use bytes::Bytes;

use super::{Behind, ScanOptions};
use crate::index::KeyRange;
use crate::name::BucketName;
use crate::object::key;

/// The stored keys of a scan.
#[derive(Debug, Clone)]
pub(super) struct Range {
    from: Bound<Bytes>,
    until: Bound<Bytes>,
    /// The bytes of a stored key before the object's key.
    pub(super) bucket_bytes: usize,
}

impl Range {
    pub(super) fn new(bucket: &BucketName, options: &ScanOptions) -> Self {
        let prefix = options.prefix.as_bytes();
        let stored = |key: &str| key::in_bucket(bucket, key.as_bytes());
        let from = match &options.after {
            Some(after) if after.as_bytes() >= prefix => Bound::Excluded(stored(after)),
            Some(_) | None => Bound::Included(key::in_bucket(bucket, prefix)),
        };
        let end = key::behind(&key::in_bucket(bucket, prefix));
        let until = match options.through.as_deref().map(stored) {
            Some(through) if through < end => Bound::Included(through),
            Some(_) | None => Bound::Excluded(end),
        };
        Self { from, until, bucket_bytes: bucket.as_str().len() + 1 }
    }

    /// What is left of it behind a key; `None` if that is nothing. An index may refuse a range that ends before it
    /// begins.
    pub(super) fn rest<'a>(&'a self, behind: &'a Behind) -> Option<KeyRange<'a>> {
        let from =
            behind.as_ref().map_or(self.from.as_ref().map(|key| &key[..]), |key| Bound::Excluded(&key[..]));
        let until = self.until.as_ref().map(|key| &key[..]);
        let empty = match (from, until) {
            (Bound::Included(from), Bound::Included(until)) => from > until,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(until) | Bound::Excluded(until),
            ) => from >= until,
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        };
        (!empty).then_some((from, until))
    }
}
