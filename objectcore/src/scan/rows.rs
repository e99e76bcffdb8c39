//! Objects as columns, and what they are made of.

use std::str::from_utf8;

use super::ScanDepth;
use crate::object::value::{self, InvalidValue, Listed, Tag};
use crate::types::{Attributes, ChecksumAlgorithm};

/// The most objects of one batch.
const ROWS_MAX: usize = 8192;
/// A batch ends behind the object with which it has as many bytes of keys and attributes.
const BYTES_MAX: usize = 2 << 20;

/// Consecutive objects of a bucket, column by column. All columns are of one length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanRows {
    /// The keys, one after the other.
    pub keys: String,
    /// Where each key ends in `keys`.
    pub key_ends: Vec<u32>,
    /// Sizes in bytes.
    pub sizes: Vec<u64>,
    /// When each was last changed, in milliseconds since 1970.
    pub modified_ms: Vec<i64>,
    /// The entity tags.
    pub tags: Vec<ScanTag>,
    /// The checksum algorithm of each that has a checksum.
    pub checksums: Vec<Option<ChecksumAlgorithm>>,
    /// At [`ScanDepth::Attributes`]: what clients said of each. Else empty.
    pub attributes: Vec<Attributes>,
    /// The bytes of the attributes' texts.
    attribute_bytes: usize,
}

/// An entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanTag {
    /// Its 32 hex digits, as bytes.
    pub digest: [u8; 16],
    /// What stands behind its hyphen.
    pub parts: Option<u16>,
    /// Whether the object came by a multipart upload.
    pub is_multipart: bool,
}

impl From<Tag> for ScanTag {
    fn from(tag: Tag) -> Self {
        match tag {
            Tag::Md5(digest) => Self { digest, parts: None, is_multipart: false },
            Tag::Parts(digest, parts) => Self { digest, parts: Some(parts), is_multipart: true },
            Tag::Version(digest) => Self { digest, parts: Some(1), is_multipart: false },
        }
    }
}

impl ScanRows {
    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.key_ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.key_ends.is_empty()
    }

    /// The key of the object at `index`.
    pub fn key(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.key_ends[index - 1] as usize };
        &self.keys[start..self.key_ends[index] as usize]
    }

    pub(super) fn with_room_like(other: &Self) -> Self {
        Self { keys: String::with_capacity(other.keys.len()), ..Self::with_room(other.len()) }
    }

    fn with_room(rows: usize) -> Self {
        Self {
            key_ends: Vec::with_capacity(rows),
            sizes: Vec::with_capacity(rows),
            modified_ms: Vec::with_capacity(rows),
            tags: Vec::with_capacity(rows),
            checksums: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    /// Whether no more objects are to be added.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= ROWS_MAX || self.keys.len() + self.attribute_bytes >= BYTES_MAX
    }

    /// Adds an object from the bytes of its key and its value.
    pub(super) fn push_stored(
        &mut self,
        key: &[u8],
        stored: &[u8],
        depth: ScanDepth,
    ) -> Result<(), InvalidValue> {
        let (Listed { size, modified, tag, checksum }, behind) = value::decode_listed(stored)?;
        match depth {
            ScanDepth::Listing => {}
            ScanDepth::Attributes => self.push_attributes(behind.attributes()?),
        }
        self.keys.push_str(from_utf8(key).map_err(|_| InvalidValue::Key)?);
        self.key_ends.push(self.keys.len() as u32);
        self.sizes.push(size);
        self.modified_ms.push(i64::try_from(modified.0).unwrap_or(i64::MAX));
        self.tags.push(tag.into());
        self.checksums.push(checksum.map(|checksum| checksum.algorithm));
        Ok(())
    }

    fn push_attributes(&mut self, attributes: Attributes) {
        self.attribute_bytes += attributes.text_bytes();
        self.attributes.push(attributes);
    }

    /// Adds the object at `index` of another batch, and takes its attributes from there.
    pub(super) fn push_from(&mut self, other: &mut Self, index: usize) {
        self.keys.push_str(other.key(index));
        self.key_ends.push(self.keys.len() as u32);
        self.sizes.push(other.sizes[index]);
        self.modified_ms.push(other.modified_ms[index]);
        self.tags.push(other.tags[index]);
        self.checksums.push(other.checksums[index]);
        if let Some(attributes) = other.attributes.get_mut(index) {
            self.push_attributes(std::mem::take(attributes));
        }
    }
}
