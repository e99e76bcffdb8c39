//! The rights of those who share tables: asked for at each request (D4).

use crate::directory::{Sharer, Source};

/// Knows what those who shared tables may read now. The binary implements it over its keys and policies.
pub trait Sharers: Send + Sync + 'static {
    /// Whether `by` is still who it was when it shared, and may read all of `source` now.
    fn may_read(&self, by: &Sharer, source: &Source) -> bool;

    /// Whether `by` may read an object. Asked for files that lie outside their table's own places.
    fn may_read_object(&self, by: &Sharer, bucket: &str, key: &str) -> bool;
}
