//! The values of entries in the object, upload, part and bucket spaces, as bytes.
//!
//! - V1: every value begins with a version byte; a reader refuses what it does not know.
//! - V2: an object's value begins with what LIST answers ([`Head`]), so a listing decodes no more.
//!
//! The encoding is postcard (`docs/FORMAT.md`, section 5).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::erasure::layout::{Blob, BlobId, UnknownCoding};
use crate::types::{
    Attributes, Checksum, ChecksumAlgorithm, ChecksumKind, ETag, Millis, ObjectInfo, ObjectPart,
};

const VERSION: u8 = 1;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) created: Millis,
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
        extend(extend(vec![VERSION], &self.head), &self.tail)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, InvalidValue> {
        let (head, rest) = split_head(value)?;
        let tail: Tail = postcard::from_bytes(rest)?;
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

/// The listed part of an object's value, without the rest (V2).
pub(crate) fn decode_head(value: &[u8]) -> Result<Head, InvalidValue> {
    Ok(split_head(value)?.0)
}

/// As [`decode_head`], and the bytes behind it.
pub(crate) fn decode_listed(value: &[u8]) -> Result<(Listed<'_>, &[u8]), InvalidValue> {
    Ok(postcard::take_from_bytes(body(value)?)?)
}

/// The attributes from the bytes behind the head.
pub(crate) fn decode_attributes(tail: &[u8]) -> Result<Attributes, InvalidValue> {
    let Tail { attributes, .. } = postcard::from_bytes(tail)?;
    Ok(attributes)
}

fn split_head(value: &[u8]) -> Result<(Head, &[u8]), InvalidValue> {
    Ok(postcard::take_from_bytes(body(value)?)?)
}

/// Encodes an upload, part or bucket.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    extend(vec![VERSION], value)
}

/// Decodes an upload, part or bucket.
pub(crate) fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, InvalidValue> {
    Ok(postcard::from_bytes(body(value)?)?)
}

fn body(value: &[u8]) -> Result<&[u8], InvalidValue> {
    match value.split_first() {
        Some((&VERSION, body)) => Ok(body),
        Some((&version, _)) => Err(InvalidValue::Version(version)),
        None => Err(InvalidValue::Empty),
    }
}

fn extend<T: Serialize>(bytes: Vec<u8>, value: &T) -> Vec<u8> {
    postcard::to_extend(value, bytes).expect("values of bounded size always encode")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erasure::layout::Coding;
    use crate::geometry::Geometry;

    fn object() -> Object {
        let coding = Coding::new(Geometry::new(2, 2).unwrap());
        let blob = Blob { id: BlobId([3; 16]), size: 700, coding };
        Object {
            head: Head {
                size: 700,
                modified: Millis(1_700_000_000_000),
                tag: Tag::Parts([9; 16], 2),
                checksum: Some(Checksum {
                    algorithm: ChecksumAlgorithm::Crc32c,
                    kind: ChecksumKind::FullObject,
                    value: vec![1, 2, 3, 4],
                }),
            },
            tail: Tail {
                version: BlobId([4; 16]),
                stored: Stored::Files(vec![Extent { number: 5, blob, checksum: None }]),
                attributes: Attributes { content_type: Some("a/b".into()), ..Attributes::default() },
            },
        }
    }

    #[test]
    fn an_object_comes_back_as_it_was_and_its_bytes_never_change() {
        let bytes = object().encode();
        assert_eq!(Object::decode(&bytes).unwrap(), object());
        assert_eq!(decode_head(&bytes).unwrap(), object().head);
        assert_eq!(
            hex::encode(&bytes),
            "01bc0580d095ffbc310109090909090909090909090909090909020101000401020304040404040404040404\
             0404040404040402010503030303030303030303030303030303bc05010202808040808004000103612f62000000000000"
        );
    }

    #[test]
    fn a_tag_of_a_version_has_its_own_number_and_is_no_md5_to_clients() {
        assert_eq!(postcard::to_allocvec(&Tag::Version([7; 16])).unwrap()[..2], [2, 7]);
        assert_eq!(Tag::Version([7; 16]).text(), ETag(format!("{}-1", "07".repeat(16))));
    }

    #[test]
    fn an_unknown_version_or_torn_value_is_refused() {
        let bytes = object().encode();
        assert!(matches!(Object::decode(&[]), Err(InvalidValue::Empty)));
        assert!(matches!(Object::decode(&[2, 0, 0]), Err(InvalidValue::Version(2))));
        for end in 1..bytes.len() {
            assert!(Object::decode(&bytes[..end]).is_err(), "{end}");
        }
    }
}
