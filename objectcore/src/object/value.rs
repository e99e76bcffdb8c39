//! The values of entries in the object, upload, part and bucket spaces, as bytes.
//!
//! - V1: every value begins with a version byte; a reader refuses what it does not know.
//! - V2: an object's value begins with what LIST answers ([`Head`]), so a listing decodes no more.
//! - V3: values of objects and uploads with tags have a version of their own and the tags at their end; without
//!   tags they are what they were before there were any.
//!
//! The encoding is postcard (`docs/FORMAT.md`, section 5).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::erasure::layout::{Blob, BlobId, UnknownCoding};
use crate::types::{
    Attributes, Checksum, ChecksumAlgorithm, ChecksumKind, ETag, Millis, ObjectInfo, ObjectPart, Tags,
};

const VERSION: u8 = 1;
/// Of objects and uploads with tags (V3).
const VERSION_TAGGED: u8 = 2;
/// Of buckets whose changes are told. Servers that would not tell them refuse it.
const VERSION_WATCHED: u8 = 2;

/// A stored value that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidValue {
    #[error("version {0} is not known")]
    Version(u8),
    #[error("the value is malformed")]
    Malformed(#[from] postcard::Error),
    #[error("the coding is not known")]
    Coding(#[from] UnknownCoding),
    #[error("the value is empty")]
    Empty,
    #[error("the key of the entry is not one")]
    Key,
}

/// What LIST answers of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) size: u64,
    pub(crate) modified: Millis,
    pub(crate) tag: Tag,
    pub(crate) checksum: Option<Checksum>,
}

/// A [`Head`] as far as a scan needs it, without memory of its own.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed<'a> {
    pub(crate) size: u64,
    pub(crate) modified: Millis,
    pub(crate) tag: Tag,
    #[serde(borrow)]
    pub(crate) checksum: Option<ListedChecksum<'a>>,
}

/// A [`Checksum`] as it lies in a value.
#[derive(Debug, Deserialize)]
pub(crate) struct ListedChecksum<'a> {
    pub(crate) algorithm: ChecksumAlgorithm,
    #[serde(rename = "kind")]
    _kind: ChecksumKind,
    #[serde(rename = "value")]
    _value: &'a [u8],
}

/// An entity tag in its shortest form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tag {
    /// The MD5 of the bytes.
    Md5([u8; 16]),
    /// The MD5 of the parts' MD5s, and how many parts there are.
    Parts([u8; 16], u16),
    /// The version's id, of an object put whole.
    Version([u8; 16]),
}

/// The rest of an object's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tail {
    /// Names this version among all versions of all objects.
    pub(crate) version: BlobId,
    pub(crate) stored: Stored,
    pub(crate) attributes: Attributes,
}

/// Where the bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stored {
    /// There are none.
    Empty,
    /// In the log records of the drives, one stripe.
    Inline(Blob),
    /// In shard files, one after the other.
    Files(Vec<Extent>),
}

/// Consecutive bytes of an object in one blob. Of an object made by a multipart upload: a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extent {
    /// The part's number; 0 for an object put whole.
    pub(crate) number: u16,
    pub(crate) blob: Blob,
    pub(crate) checksum: Option<Checksum>,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) head: Head,
    pub(crate) tail: Tail,
}

/// A multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) initiated: Millis,
    pub(crate) attributes: Attributes,
    pub(crate) checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) modified: Millis,
    pub(crate) md5: [u8; 16],
    pub(crate) blob: Blob,
    pub(crate) checksum: Option<Checksum>,
}

/// A bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) created: Millis,
    /// Whether changes of its objects are told.
    pub(crate) watched: bool,
}

impl Bucket {
    pub(crate) fn encode(self) -> Vec<u8> {
        match self.watched {
            true => extend(vec![VERSION_WATCHED], &self.created),
            false => extend(vec![VERSION], &self.created),
        }
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, InvalidValue> {
        match value.split_first() {
            Some((&VERSION_WATCHED, created)) => {
                Ok(Self { created: postcard::from_bytes(created)?, watched: true })
            }
            Some(_) | None => Ok(Self { created: decode(value)?, watched: false }),
        }
    }
}

impl Tag {
    pub(crate) fn text(&self) -> ETag {
        match self {
            Self::Md5(md5) => ETag(hex::encode(md5)),
            Self::Parts(md5, parts) => ETag(format!("{}-{parts}", hex::encode(md5))),
            Self::Version(id) => ETag(format!("{}-1", hex::encode(id))),
        }
    }
}

impl Object {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let tags = &self.tail.attributes.tags;
        with_tags(extend(extend(begin(tags), &self.head), &self.tail), tags)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, InvalidValue> {
        let (tagged, body) = open(value)?;
        let (head, rest) = postcard::take_from_bytes(body)?;
        let tail = decode_tail(tagged, rest)?;
        for blob in tail.blobs() {
            blob.coding.check()?;
        }
        Ok(Self { head, tail })
    }

    pub(crate) fn info(&self, key: crate::name::ObjectKey) -> ObjectInfo {
        ObjectInfo {
            key,
            size: self.head.size,
            etag: self.head.tag.text(),
            modified: self.head.modified,
            attributes: self.tail.attributes.clone(),
            checksum: self.head.checksum.clone(),
            parts: self.parts(),
        }
    }

    fn parts(&self) -> Vec<ObjectPart> {
        match (&self.head.tag, &self.tail.stored) {
            (Tag::Parts(..), Stored::Files(extents)) => extents
                .iter()
                .map(|extent| ObjectPart {
                    number: extent.number,
                    size: extent.blob.size,
                    checksum: extent.checksum.clone(),
                })
                .collect(),
            (Tag::Md5(_) | Tag::Version(_), _) | (Tag::Parts(..), Stored::Empty | Stored::Inline(_)) => {
                Vec::new()
            }
        }
    }
}

impl Tail {
    /// The blobs of this version.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        let (inline, files) = match &self.stored {
            Stored::Empty => (None, &[][..]),
            Stored::Inline(blob) => (Some(blob), &[][..]),
            Stored::Files(extents) => (None, &extents[..]),
        };
        inline.into_iter().chain(files.iter().map(|extent| &extent.blob))
    }

    /// The blobs that are kept in shard files.
    pub(crate) fn files(&self) -> &[Extent] {
        match &self.stored {
            Stored::Empty | Stored::Inline(_) => &[],
            Stored::Files(extents) => extents,
        }
    }
}

impl Upload {
    pub(crate) fn encode(&self) -> Vec<u8> {
        with_tags(extend(begin(&self.attributes.tags), self), &self.attributes.tags)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, InvalidValue> {
        let (tagged, body) = open(value)?;
        let (mut upload, rest): (Self, _) = postcard::take_from_bytes(body)?;
        upload.attributes.tags = decode_tags(tagged, rest)?;
        Ok(upload)
    }
}

/// Whether a value ends with tags (V3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagged {
    Yes,
    No,
}

/// What stands behind the head of an object's value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behind<'a> {
    tagged: Tagged,
    bytes: &'a [u8],
}

impl Behind<'_> {
    /// The attributes, tags too.
    pub(crate) fn attributes(self) -> Result<Attributes, InvalidValue> {
        Ok(decode_tail(self.tagged, self.bytes)?.attributes)
    }
}

/// The listed part of an object's value, without the rest (V2).
pub(crate) fn decode_head(value: &[u8]) -> Result<Head, InvalidValue> {
    Ok(postcard::take_from_bytes(open(value)?.1)?.0)
}

/// As [`decode_head`], and what stands behind it.
pub(crate) fn decode_listed(value: &[u8]) -> Result<(Listed<'_>, Behind<'_>), InvalidValue> {
    let (tagged, body) = open(value)?;
    let (listed, bytes) = postcard::take_from_bytes(body)?;
    Ok((listed, Behind { tagged, bytes }))
}

fn decode_tail(tagged: Tagged, bytes: &[u8]) -> Result<Tail, InvalidValue> {
    let (mut tail, rest): (Tail, _) = postcard::take_from_bytes(bytes)?;
    tail.attributes.tags = decode_tags(tagged, rest)?;
    Ok(tail)
}

fn decode_tags(tagged: Tagged, bytes: &[u8]) -> Result<Tags, InvalidValue> {
    match tagged {
        Tagged::Yes => Ok(postcard::from_bytes(bytes)?),
        Tagged::No => Ok(Tags::default()),
    }
}

/// Encodes a part or a note.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    extend(vec![VERSION], value)
}

/// Decodes a part, a note or a bucket's time.
pub(crate) fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, InvalidValue> {
    match open(value)? {
        (Tagged::No, body) => Ok(postcard::from_bytes(body)?),
        (Tagged::Yes, _) => Err(InvalidValue::Version(VERSION_TAGGED)),
    }
}

/// The bytes behind the version.
fn open(value: &[u8]) -> Result<(Tagged, &[u8]), InvalidValue> {
    match value.split_first() {
        Some((&VERSION, body)) => Ok((Tagged::No, body)),
        Some((&VERSION_TAGGED, body)) => Ok((Tagged::Yes, body)),
        Some((&version, _)) => Err(InvalidValue::Version(version)),
        None => Err(InvalidValue::Empty),
    }
}

fn begin(tags: &Tags) -> Vec<u8> {
    vec![if tags.is_empty() { VERSION } else { VERSION_TAGGED }]
}

fn with_tags(bytes: Vec<u8>, tags: &Tags) -> Vec<u8> {
    if tags.is_empty() { bytes } else { extend(bytes, tags) }
}

fn extend<T: Serialize>(bytes: Vec<u8>, value: &T) -> Vec<u8> {
    postcard::to_extend(value, bytes).expect("values of bounded size always encode")
}

#[cfg(test)]
mod tests;
