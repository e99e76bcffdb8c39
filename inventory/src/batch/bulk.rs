//! What a batch does to objects. The object core is not seen from here: the binary implements it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Tags of an object, as S3 allows them, and characters of their keys and values.
const TAGS_MAX: usize = 10;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

/// Changes objects one by one.
#[async_trait]
pub trait Bulk: Send + Sync + 'static {
    /// Deletes an object; of one that is named with its entity tag only this version. One that is not there is deleted.
    async fn delete(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<(), ItemError>;

    /// Copies an object, of one that is named with its entity tag only this version, with what clients said of it.
    async fn copy(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        carried: Carried,
    ) -> Result<(), ItemError>;

    /// Changes the tags of an object, of one that is named with its entity tag only of this version. Nothing else of it
    /// changes, and what is so already is done.
    async fn tag(&self, item: Item<'_>, change: &TagChange) -> Result<(), ItemError>;
}

/// A change of the tags of an object: keys with their values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagChange {
    /// It has these and no others.
    Replace(Vec<(String, String)>),
    /// It has these, and what it had of other keys.
    Merge(Vec<(String, String)>),
    /// It has none of these keys.
    Remove(Vec<String>),
}

impl TagChange {
    /// Refuses what no object could have.
    pub(super) fn check(&self) -> Result<(), String> {
        let (keys, values): (Vec<&str>, Vec<&str>) = match self {
            Self::Replace(tags) | Self::Merge(tags) => {
                tags.iter().map(|(key, value)| (&**key, &**value)).unzip()
            }
            Self::Remove(keys) => (keys.iter().map(|key| &**key).collect(), Vec::new()),
        };
        let may_be_none = matches!(self, Self::Replace(_));
        if keys.len() > TAGS_MAX || (keys.is_empty() && !may_be_none) {
            return Err(format!("1 to {TAGS_MAX} tags"));
        }
        let is_allowed = |char: char| {
            char.is_alphanumeric()
                || (char.is_whitespace() && !char.is_control())
                || "+-=._:/@".contains(char)
        };
        for (index, key) in keys.iter().enumerate() {
            if !(1..=KEY_CHARS_MAX).contains(&key.chars().count()) || !key.chars().all(is_allowed) {
                return Err(format!(
                    "the key of a tag has 1 to {KEY_CHARS_MAX} letters, digits, spaces or of + - = . _ : / @"
                ));
            }
            if keys[..index].contains(key) {
                return Err(format!("tag {key:?} is there twice"));
            }
            if key.starts_with("aws:") {
                return Err("keys that begin with aws: are the system's".into());
            }
        }
        let is_value =
            |value: &&str| value.chars().count() <= VALUE_CHARS_MAX && value.chars().all(is_allowed);
        if !values.iter().all(is_value) {
            return Err(format!(
                "the value of a tag has at most {VALUE_CHARS_MAX} letters, digits, spaces or of + - = . _ : / @"
            ));
        }
        Ok(())
    }
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

/// What becomes of the tags of an object that is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// The copy has them.
    Tags,
    /// An object that has some is not copied: who asks may not read them, or not give them.
    NoTags,
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
