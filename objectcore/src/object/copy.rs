//! Copy: a read of the source and a put of the destination.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::checksum::Hasher;
use crate::core::ObjectCore;
use crate::name::ObjectName;
use crate::types::{
    Attributes, Body, BodyError, Checksum, ChecksumAlgorithm, ChecksumKind, CopyOptions, ETag, ObjectInfo,
    PutOptions, ReadError, StorageError, WriteError, Written,
};

impl ObjectCore {
    /// Copies an object, of the version `source_if` names where it is given (else
    /// [`WriteError::Precondition`]). A source that is not there is [`WriteError::NoSuchSource`].
    pub async fn copy(
        &self,
        from: &ObjectName,
        source_if: Option<ETag>,
        to: &ObjectName,
        options: CopyOptions,
    ) -> Result<Written, WriteError> {
        let size = self.head(from).await.map_err(of_source)?.size;
        let (core, _held) = self.admit_copy(to, size).await?;
        let source = core.get(from, None).await.map_err(of_source)?;
        if source_if.is_some_and(|tag| tag != source.info.etag) {
            return Err(WriteError::Precondition { exists: true });
        }
        let algorithm = options.checksum.or_else(|| kept_algorithm(&source.info));
        let kept = source.info.attributes;
        let tags = options.tags.unwrap_or_else(|| kept.tags.clone());
        let put = PutOptions {
            when: options.when,
            attributes: Attributes { tags, ..options.attributes.unwrap_or(kept) },
            size: Some(source.info.size),
            ..PutOptions::default()
        };
        let (body, failed) = body_of(source.chunks, algorithm);
        match core.put(to, body, put).await {
            Err(WriteError::Body(error)) => {
                Err(match failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    Some(source) => WriteError::Storage(source),
                    None => WriteError::Body(error),
                })
            }
            other => other,
        }
    }
}

fn of_source(error: ReadError) -> WriteError {
    match error {
        ReadError::NoSuchBucket | ReadError::NoSuchKey | ReadError::InvalidRange { .. } => {
            WriteError::NoSuchSource
        }
        ReadError::Storage(error) => WriteError::Storage(error),
    }
}

/// The algorithm of a checksum that covers all bytes, and so that of the copy too.
fn kept_algorithm(source: &ObjectInfo) -> Option<ChecksumAlgorithm> {
    let checksum = source.checksum.as_ref()?;
    (checksum.kind == ChecksumKind::FullObject).then_some(checksum.algorithm)
}

type Failed = Arc<Mutex<Option<StorageError>>>;

/// What is read becomes a body. Why a read failed stays in the second value.
fn body_of(
    chunks: BoxStream<'static, Result<Bytes, ReadError>>,
    algorithm: Option<ChecksumAlgorithm>,
) -> (Body, Failed) {
    let failed = Failed::default();
    let hasher = Arc::new(Mutex::new(algorithm.map(Hasher::new)));
    let (told, hashed) = (Arc::clone(&failed), Arc::clone(&hasher));
    let chunks = chunks.map(move |chunk| match chunk {
        Ok(bytes) => {
            if let Some(hasher) = hashed.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                hasher.update(&bytes);
            }
            Ok(bytes)
        }
        Err(ReadError::Storage(error)) => {
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            Err(BodyError::Incomplete)
        }
        Err(ReadError::NoSuchBucket | ReadError::NoSuchKey | ReadError::InvalidRange { .. }) => {
            Err(BodyError::Incomplete)
        }
    });
    let seal = move || {
        let hasher = hasher.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(hasher.zip(algorithm).map(|(hasher, algorithm)| Checksum {
            algorithm,
            kind: ChecksumKind::FullObject,
            value: hasher.finish(),
        }))
    };
    (Body { chunks: chunks.boxed(), seal: Box::new(seal) }, failed)
}
