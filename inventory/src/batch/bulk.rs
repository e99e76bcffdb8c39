//! What a batch does to objects. The object core is not seen from here: the binary implements it.

use async_trait::async_trait;

/// Changes objects one by one.
#[async_trait]
pub trait Bulk: Send + Sync + 'static {
    /// Deletes an object; of one that is named with its entity tag only this version. One that is not there is deleted.
    async fn delete(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<(), ItemError>;

    /// Copies an object, of one that is named with its entity tag only this version, with what clients said of it.
    async fn copy(&self, from: Item<'_>, to: Item<'_>, there: There) -> Result<(), ItemError>;

    /// Changes the tags of an object, of one that is named with its entity tag only of this version. Nothing else of it
    /// changes, and what is so already is done.
    async fn tag(&self, item: Item<'_>, change: &TagChange) -> Result<(), ItemError>;
}

/// A change of the tags of an object: keys with their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagChange {
    /// It has these and no others.
    Replace(Vec<(String, String)>),
    /// It has these, and what it had of other keys.
    Merge(Vec<(String, String)>),
    /// It has none of these keys.
    Remove(Vec<String>),
}

/// An object.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Its bucket.
    pub bucket: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its entity tag.
    pub etag: Option<&'a str>,
}

/// What becomes of an object that is where a copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    /// It is replaced.
    Replaced,
    /// It stays. One with the same content counts as the copy.
    Kept,
}

/// Why something was not done to an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ItemError {
    /// As S3 calls it, such as `NoSuchKey`.
    pub code: &'static str,
    /// The status S3 would answer.
    pub status: u16,
    /// For people.
    pub message: String,
    /// Whether it may work later.
    pub may_work_later: bool,
}
