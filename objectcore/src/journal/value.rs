//! A change as it is kept: one version byte, then postcard (`docs/FORMAT.md`, section 5).

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tarn_openapi::access::Principal;

use super::{Change, Changed, ChangedBy, ObjectState, Origin};
use crate::object::value::{Head, InvalidValue, Object};
use crate::set::Seq;
use crate::types::{Attributes, Millis, Tags};

const VERSION: u8 = 1;

/// What a commit makes of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Making<'a> {
    Created(&'a Object),
    Updated(&'a Object),
    Deleted,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept<'a> {
    /// The key of the object's entry.
    entry: &'a [u8],
    at: Millis,
    #[serde(borrow)]
    changed: KeptChange<'a>,
    #[serde(borrow)]
    by: Option<KeptBy<'a>>,
}

/// The numbers of the variants are on disk.
#[derive(Debug, Serialize, Deserialize)]
enum KeptChange<'a> {
    Created(KeptState<'a>),
    Updated(KeptState<'a>),
    Deleted,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptState<'a> {
    head: Cow<'a, Head>,
    attributes: Cow<'a, Attributes>,
    /// These are not in what is kept of the attributes.
    tags: Cow<'a, Tags>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptBy<'a> {
    requester: &'a str,
    address: Option<IpAddr>,
    request: &'a str,
}

/// The value that tells of a change of the object with the entry `entry`.
pub(crate) fn encode(entry: &[u8], making: Making<'_>, at: Millis, origin: Option<&Origin>) -> Vec<u8> {
    let changed = match making {
        Making::Created(object) => KeptChange::Created(KeptState::of(object)),
        Making::Updated(object) => KeptChange::Updated(KeptState::of(object)),
        Making::Deleted => KeptChange::Deleted,
    };
    let by = origin.map(|origin| KeptBy {
        requester: requester(&origin.principal),
        address: origin.address,
        request: origin.request.as_ref().map_or("", |id| &id.0),
    });
    let kept = Kept { entry, at, changed, by };
    postcard::to_extend(&kept, vec![VERSION]).expect("values of bounded size always encode")
}

fn requester(principal: &Principal) -> &str {
    match principal.behind() {
        Principal::Anonymous => "anonymous",
        Principal::Root => "root",
        Principal::AccessKey(id) => id,
        Principal::Web(holder) => &holder.id,
        Principal::Session(_) => "session",
    }
}

/// The change of a seq.
pub(super) fn decode(seq: Seq, value: &[u8]) -> Result<Change, InvalidValue> {
    let kept: Kept<'_> = match value.split_first() {
        Some((&VERSION, kept)) => postcard::from_bytes(kept)?,
        Some((&version, _)) => return Err(InvalidValue::Version(version)),
        None => return Err(InvalidValue::Empty),
    };
    let (bucket, key) = split(kept.entry).ok_or(InvalidValue::Key)?;
    let by = kept.by.map(|KeptBy { requester, address, request }| ChangedBy {
        requester: requester.to_owned(),
        address,
        request: request.to_owned(),
    });
    let changed = match kept.changed {
        KeptChange::Created(state) => Changed::Created(state.told()),
        KeptChange::Updated(state) => Changed::Updated(state.told()),
        KeptChange::Deleted => Changed::Deleted,
    };
    Ok(Change { bucket: bucket.to_owned(), key: key.to_owned(), sequence: seq.0, at: kept.at, changed, by })
}

/// Bucket and key of an entry's key.
fn split(entry: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(entry).ok()?.split_once('\0')
}

impl<'a> KeptState<'a> {
    fn of(object: &'a Object) -> Self {
        let (head, attributes) = (Cow::Borrowed(&object.head), Cow::Borrowed(&object.tail.attributes));
        Self { head, attributes, tags: Cow::Borrowed(&object.tail.attributes.tags) }
    }

    fn told(self) -> ObjectState {
        let Head { size, modified, tag, checksum } = self.head.into_owned();
        ObjectState {
            size,
            modified,
            tag: tag.into(),
            checksum: checksum.map(|checksum| checksum.algorithm),
            attributes: Attributes { tags: self.tags.into_owned(), ..self.attributes.into_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use tarn_openapi::request::RequestId;

    use super::*;
    use crate::erasure::layout::BlobId;
    use crate::object::value::{Stored, Tag, Tail};
    use crate::types::{Checksum, ChecksumAlgorithm, ChecksumKind};

    fn object() -> Object {
        Object {
            head: Head {
                size: 700,
                modified: Millis(1_700_000_000_000),
                tag: Tag::Md5([9; 16]),
                checksum: Some(Checksum {
                    algorithm: ChecksumAlgorithm::Crc32c,
                    kind: ChecksumKind::FullObject,
                    value: vec![1, 2, 3, 4],
                }),
            },
            tail: Tail {
                version: BlobId([4; 16]),
                stored: Stored::Empty,
                attributes: Attributes { content_type: Some("a/b".into()), ..Attributes::default() },
            },
        }
    }

    #[test]
    fn a_change_comes_back_as_it_was_and_its_bytes_never_change() {
        let origin = Origin {
            principal: Principal::AccessKey("alice".into()),
            address: Some("192.0.2.1".parse().unwrap()),
            request: Some(RequestId("r1".into())),
        };
        let object = object();
        let created = encode(b"bucket\0a/key", Making::Created(&object), Millis(300), Some(&origin));
        let deleted = encode(b"bucket\0a/key", Making::Deleted, Millis(300), None);
        let change = decode(Seq(5), &created).unwrap();
        assert_eq!((change.bucket.as_str(), change.key.as_str()), ("bucket", "a/key"));
        assert_eq!((change.sequence, change.at), (5, Millis(300)));
        let Changed::Created(state) = &change.changed else { panic!("{change:?}") };
        assert_eq!((state.size, state.modified), (700, object.head.modified));
        assert_eq!(state.checksum, Some(ChecksumAlgorithm::Crc32c));
        assert_eq!(state.attributes, object.tail.attributes);
        let by = change.by.unwrap();
        assert_eq!((by.requester.as_str(), by.address, by.request.as_str()), ("alice", origin.address, "r1"));
        let change = decode(Seq(6), &deleted).unwrap();
        assert_eq!((change.changed, change.by), (Changed::Deleted, None));
        assert_eq!(hex::encode(&deleted), "010c6275636b657400612f6b6579ac020200");
        assert_eq!(
            hex::encode(&created),
            "010c6275636b657400612f6b6579ac0200bc0580d095ffbc310009090909090909090909090909090909010100040102030401\
             03612f62000000000000000105616c6963650100c0000201027231"
        );
    }

    #[test]
    fn a_change_that_is_torn_or_of_an_unknown_version_is_refused() {
        let bytes = encode(b"bucket\0key", Making::Created(&object()), Millis(300), None);
        assert!((0..bytes.len()).all(|end| decode(Seq(1), &bytes[..end]).is_err()));
        assert!(matches!(decode(Seq(1), &[9, 1]), Err(InvalidValue::Version(9))));
        let nameless = encode(b"bucket", Making::Deleted, Millis(300), None);
        assert!(matches!(decode(Seq(1), &nameless), Err(InvalidValue::Key)));
    }
}
