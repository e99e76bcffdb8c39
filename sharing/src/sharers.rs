//! The rights of those who share tables: asked for at each request (D4).

use crate::directory::{Sharer, Source};

/// Knows what those who shared tables may read now. The binary implements it over its keys and policies.
pub trait Sharers: Send + Sync + 'static {
    /// Whether `by` is still who it was when it shared, and may read all of `source` now.
    fn may_read(&self, by: &Sharer, source: &Source) -> bool;

    /// Whether `by` may read an object. Asked for files that lie outside their table's own places.
    fn may_read_object(&self, by: &Sharer, bucket: &str, key: &str) -> bool;

    /// Whether `by`, who may read `source`, may read this file of it: a policy can keep a part of a table from who may read
    /// the rest, and what lies outside its places is another right. Asked when a file is sent.
    fn may_send(&self, by: &Sharer, source: &Source, bucket: &str, key: &str) -> bool;
}
