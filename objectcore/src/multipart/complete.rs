//! Complete an upload.

use std::sync::Arc;

use md5::{Digest, Md5};

use super::{KnownPart, all_parts, delete_part};
use crate::bucket::BucketState;
use crate::checksum;
use crate::core::{ObjectCore, Set, now};
use crate::erasure::layout::BlobId;
use crate::journal::Making;
use crate::name::ObjectName;
use crate::object::key;
use crate::object::publish::Refused;
use crate::object::value::{Extent, Head, Object, Stored, Tag, Tail, Upload};
use crate::set::{Draft, Entry, Expect, Op, Space};
use crate::types::{
    BodyError, Checksum, ChecksumAlgorithm, ChecksumKind, CompleteOptions, CompletePart, StorageError,
    UploadError, UploadId, WriteError, Written,
};

/// How often completing is tried again when parts change meanwhile.
const TRIES_MAX: usize = 16;

/// The upload being completed.
struct Completing<'a> {
    set: &'a Set,
    bucket: &'a BucketState,
    at: &'a ObjectName,
    upload: &'a UploadId,
    /// The least a part other than the last must have.
    bytes_min: u64,
}

impl ObjectCore {
    /// Makes the object of the named parts; the upload and all its parts are gone with it.
    pub async fn complete_upload(
        &self,
        at: &ObjectName,
        upload: &UploadId,
        parts: &[CompletePart],
        options: CompleteOptions,
    ) -> Result<Written, UploadError> {
        let bytes_min = self.inner.settings.part_bytes_min;
        self.complete_with_parts_of(at, upload, parts, options, bytes_min).await
    }

    /// The same with another least size of parts.
    pub(crate) async fn complete_with_parts_of(
        &self,
        at: &ObjectName,
        upload: &UploadId,
        parts: &[CompletePart],
        options: CompleteOptions,
        bytes_min: u64,
    ) -> Result<Written, UploadError> {
        let bucket = self.live_bucket(&at.bucket).map_err(|_| UploadError::NoSuchBucket)?;
        let set = Arc::clone(self.set_of(at));
        self.find_upload(&set, at, upload).await?;
        let (core, at, upload, parts) = (self.clone(), at.clone(), upload.clone(), parts.to_vec());
        let work = async move {
            let completing = Completing { set: &set, bucket: &bucket, at: &at, upload: &upload, bytes_min };
            for _ in 0..TRIES_MAX {
                match core.try_complete(&completing, &parts, &options).await? {
                    Some(written) => return Ok(written),
                    None => continue,
                }
            }
            Err(StorageError::Busy.into())
        };
        self.to_the_end(work).await?
    }

    /// `None`: a part or the upload changed meanwhile.
    async fn try_complete(
        &self,
        completing: &Completing<'_>,
        parts: &[CompletePart],
        options: &CompleteOptions,
    ) -> Result<Option<Written>, UploadError> {
        let Completing { set, bucket, at, upload, bytes_min } = *completing;
        let (upload_entry, found) = self.find_upload(set, at, upload).await?;
        let known = all_parts(set, upload).await?;
        let chosen = choose(&known, parts, bytes_min)?;
        let object = self.assemble(&chosen, found, options)?;
        let key = key::object(at);
        let draft = draft((&key, &object), (at, upload, &upload_entry), &known);
        match self.commit_object(set, bucket, (&key, &options.when), draft, Making::Created(&object)).await {
            Ok(committed) => {
                self.condemn_entry(set, committed.replaced.first().and_then(Option::as_ref));
                let unnamed = |part: &&KnownPart| {
                    chosen.binary_search_by_key(&part.number, |(_, known)| known.number).is_err()
                };
                known.iter().filter(unnamed).for_each(|part| self.condemn_part(set, &part.part));
                // A part put between reading them and the commit is not the object's.
                self.sweep_done(set, upload).await;
                Ok(Some(object.head.written()))
            }
            Err(Refused::Elsewhere) => Ok(None),
            Err(refused) => Err(WriteError::from(refused).into()),
        }
    }

    fn assemble(
        &self,
        chosen: &[(&CompletePart, &KnownPart)],
        upload: Upload,
        options: &CompleteOptions,
    ) -> Result<Object, UploadError> {
        let size = chosen.iter().map(|(_, known)| known.part.blob.size).sum();
        let limit_bytes = self.inner.settings.object_bytes_max;
        if size > limit_bytes {
            return Err(UploadError::TooLarge { limit_bytes });
        }
        if options.size.is_some_and(|expected| expected != size) {
            return Err(WriteError::Body(BodyError::Mismatch("object size")).into());
        }
        let mut md5 = Md5::new();
        chosen.iter().for_each(|(_, known)| md5.update(known.part.md5));
        let tag = Tag::Parts(md5.finalize().into(), chosen.len() as u16);
        let checksum = whole_checksum(chosen, upload.checksum, options.checksum.as_ref())?;
        let extents = chosen.iter().map(|(_, known)| Extent {
            number: known.number,
            blob: known.part.blob,
            checksum: known.part.checksum.clone(),
        });
        Ok(Object {
            head: Head { size, modified: now(), tag, checksum },
            tail: Tail {
                version: BlobId::random(),
                stored: Stored::Files(extents.collect()),
                attributes: upload.attributes,
            },
        })
    }
}

/// The parts the client names, as they are kept.
fn choose<'a>(
    known: &'a [KnownPart],
    named: &'a [CompletePart],
    bytes_min: u64,
) -> Result<Vec<(&'a CompletePart, &'a KnownPart)>, UploadError> {
    if !named.is_sorted_by(|a, b| a.number < b.number) {
        return Err(UploadError::InvalidPartOrder);
    }
    let mut chosen = Vec::with_capacity(named.len());
    for part in named {
        let number = part.number;
        let found = known.binary_search_by_key(&number, |known| known.number);
        let found = found.map(|at| &known[at]).map_err(|_| UploadError::InvalidPart { number })?;
        let kept = found.part.checksum.as_ref().map(|checksum| &checksum.value);
        let same_checksum = part.checksum.as_ref().is_none_or(|said| kept == Some(said));
        if part.etag.0 != hex::encode(found.part.md5) || !same_checksum {
            return Err(UploadError::InvalidPart { number });
        }
        chosen.push((part, found));
    }
    let Some((_, all_but_last)) = chosen.split_last() else {
        return Err(UploadError::InvalidPart { number: 0 });
    };
    match all_but_last.iter().find(|(_, known)| known.part.blob.size < bytes_min) {
        Some((_, small)) => Err(UploadError::TooSmall {
            number: small.number,
            size: small.part.blob.size,
            minimum: bytes_min,
        }),
        None => Ok(chosen),
    }
}

/// The checksum of the whole: the kind asked for at creation, else the one the client names now.
fn whole_checksum(
    chosen: &[(&CompletePart, &KnownPart)],
    asked: Option<(ChecksumAlgorithm, ChecksumKind)>,
    expected: Option<&Checksum>,
) -> Result<Option<Checksum>, UploadError> {
    let Some((algorithm, kind)) = asked.or(expected.map(|sum| (sum.algorithm, sum.kind))) else {
        return Ok(None);
    };
    let mut sums = Vec::with_capacity(chosen.len());
    for (_, known) in chosen {
        match &known.part.checksum {
            Some(sum) if sum.algorithm == algorithm => sums.push((known.part.blob.size, &sum.value[..])),
            Some(_) | None => return Err(UploadError::InvalidPart { number: known.number }),
        }
    }
    let whole = checksum::of_parts((algorithm, kind), sums.into_iter()).ok_or(UploadError::BadDigest)?;
    match expected {
        Some(expected) if *expected != whole => Err(UploadError::BadDigest),
        Some(_) | None => Ok(Some(whole)),
    }
}

/// The object appears; the upload and all its parts go (M1).
fn draft(
    (key, object): (&bytes::Bytes, &Object),
    (at, upload, upload_entry): (&ObjectName, &UploadId, &Entry),
    known: &[KnownPart],
) -> Draft {
    let upload_key = key::upload(at, upload);
    let mut ops = vec![
        Op::Put { space: Space::Object, key: key.clone(), value: object.encode().into() },
        Op::Delete { space: Space::Upload, key: upload_key.clone() },
    ];
    let mut expect = vec![(Space::Upload, upload_key, Expect::Seq(upload_entry.seq))];
    for part in known {
        ops.push(delete_part(upload, part.number));
        expect.push((Space::Part, key::part(upload, part.number), Expect::Seq(part.entry.seq)));
    }
    Draft { ops, expect, inline: None }
}
