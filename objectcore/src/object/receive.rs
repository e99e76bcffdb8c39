//! Takes a body in: small ones into memory, large ones stripe by stripe onto the drives.
//!
//! - T1: memory per body is bounded whatever its size: the stripe being filled, the stripe being
//!   written and hashed, and what the drives buffer.
//! - T2: a body that ends early, is too long, or breaks a digest leaves nothing behind.
//!
//! MD5 costs more than all else together, so it runs beside encoding and writing.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use md5::{Digest, Md5};
use tokio::task::JoinHandle;

use super::blob_writer::BlobWriter;
use crate::core::Set;
use crate::erasure::encode::encode_inline;
use crate::erasure::layout::{Blob, BlobId, Coding};
use crate::types::{Body, BodyError, Checksum, StorageError, WriteError};

/// What a body became.
pub(crate) struct Content {
    pub(crate) size: u64,
    /// Zeros where none was asked for.
    pub(crate) md5: [u8; 16],
    pub(crate) checksum: Option<Checksum>,
    pub(crate) kept: Kept,
}

/// Where its bytes are until the commit.
pub(crate) enum Kept {
    /// There are none.
    Empty,
    /// In memory: stored shards, one for each slot.
    Inline { blob: Blob, shards: Vec<Bytes> },
    /// In shard files without a name.
    Files(BlobWriter),
}

/// What a body must be.
pub(crate) struct Terms {
    /// Bodies up to this go inline; `None`: none does.
    pub(crate) inline_bytes_max: Option<usize>,
    pub(crate) bytes_max: u64,
    pub(crate) size: Option<u64>,
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) hashing: Hashing,
}

/// Whether a body's MD5 is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hashing {
    Md5,
    None,
}

/// Takes `body` in.
pub(crate) async fn receive(set: &Arc<Set>, body: Body, terms: &Terms) -> Result<Content, WriteError> {
    if terms.size.is_some_and(|size| size > terms.bytes_max) {
        return Err(BodyError::TooLarge { limit_bytes: terms.bytes_max }.into());
    }
    let Body { mut chunks, seal } = body;
    let mut intake = Intake::new(set, terms);
    let mut size = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        size += chunk.len() as u64;
        terms.check_so_far(size)?;
        intake.push(&chunk).await?;
    }
    let (md5, kept) = intake.finish().await?;
    terms.check_whole(size, &md5)?;
    let checksum = seal()?;
    Ok(Content { size, md5, checksum, kept })
}

impl Terms {
    fn check_so_far(&self, size: u64) -> Result<(), BodyError> {
        if size > self.bytes_max {
            return Err(BodyError::TooLarge { limit_bytes: self.bytes_max });
        }
        match self.size {
            Some(announced) if size > announced => {
                Err(BodyError::Malformed("the body is longer than announced".to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_whole(&self, size: u64, md5: &[u8; 16]) -> Result<(), BodyError> {
        if self.size.is_some_and(|announced| size < announced) {
            return Err(BodyError::Incomplete);
        }
        if self.md5.is_some_and(|expected| expected != *md5) {
            return Err(BodyError::Mismatch("Content-MD5"));
        }
        Ok(())
    }
}

/// Collects a body; when it outgrows what goes inline, it goes on as stripes.
struct Intake<'a> {
    set: &'a Arc<Set>,
    head: Vec<u8>,
    head_bytes_max: usize,
    hashing: Hashing,
    large: Option<Pipeline>,
}

impl<'a> Intake<'a> {
    fn new(set: &'a Arc<Set>, terms: &Terms) -> Self {
        // Inline is one stripe at most.
        let stripe_bytes = set.log.coding().stripe_bytes as usize;
        let room = terms.inline_bytes_max.unwrap_or(0).min(stripe_bytes);
        let announced = terms.size.map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX));
        let head_bytes_max = if announced > room { 0 } else { room };
        let head = Vec::with_capacity(announced.min(head_bytes_max));
        Self { set, head, head_bytes_max, hashing: terms.hashing, large: None }
    }

    async fn push(&mut self, chunk: &[u8]) -> Result<(), StorageError> {
        if let Some(large) = &mut self.large {
            return large.push(chunk).await;
        }
        if self.head.len() + chunk.len() <= self.head_bytes_max {
            self.head.extend_from_slice(chunk);
            return Ok(());
        }
        let large = self.large.insert(Pipeline::new(self.set, self.hashing));
        large.push(&std::mem::take(&mut self.head)).await?;
        large.push(chunk).await
    }

    async fn finish(self) -> Result<([u8; 16], Kept), StorageError> {
        match self.large {
            Some(large) => {
                let (md5, writer) = large.finish().await?;
                Ok((md5, Kept::Files(writer)))
            }
            None => Ok(keep_inline(self.set, self.head, self.hashing)),
        }
    }
}

fn keep_inline(set: &Set, bytes: Vec<u8>, hashing: Hashing) -> ([u8; 16], Kept) {
    let md5 = match hashing {
        Hashing::Md5 => Md5::digest(&bytes).into(),
        Hashing::None => [0; 16],
    };
    if bytes.is_empty() {
        return (md5, Kept::Empty);
    }
    let coding = set.log.coding();
    let blob = Blob { id: BlobId::random(), size: bytes.len() as u64, coding };
    let shards = inline_shards(set, &blob, bytes);
    (md5, Kept::Inline { blob, shards })
}

/// The shards of an inline blob by slot, as its record wants them.
pub(super) fn inline_shards(set: &Set, blob: &Blob, bytes: Vec<u8>) -> Vec<Bytes> {
    let shards = encode_inline(&set.codec, blob.id, &blob.coding, bytes);
    let mut shards: Vec<Bytes> = shards.into_iter().map(Bytes::from).collect();
    shards.rotate_left(blob.shard_on(0));
    shards
}

/// Fills a stripe while the one before it is encoded, written and hashed.
struct Pipeline {
    stripe: Vec<u8>,
    stripe_bytes: usize,
    coding: Coding,
    state: State,
}

enum State {
    Idle {
        writer: BlobWriter,
        md5: Option<Md5>,
    },
    Busy {
        writing: JoinHandle<Result<BlobWriter, StorageError>>,
        hashing: Option<JoinHandle<Md5>>,
        spare: Arc<Vec<u8>>,
    },
    /// A stripe failed.
    Failed,
}

impl Pipeline {
    fn new(set: &Arc<Set>, hashing: Hashing) -> Self {
        let writer = BlobWriter::new(Arc::clone(set), BlobId::random());
        let coding = *writer.coding();
        let stripe_bytes = coding.stripe_bytes as usize;
        let room = coding.shard_bytes(stripe_bytes) * coding.geometry.data();
        Self {
            stripe: Vec::with_capacity(room),
            stripe_bytes,
            coding,
            state: State::Idle { writer, md5: (hashing == Hashing::Md5).then(Md5::new) },
        }
    }

    async fn push(&mut self, mut chunk: &[u8]) -> Result<(), StorageError> {
        while !chunk.is_empty() {
            if self.stripe.len() == self.stripe_bytes {
                self.send().await?;
            }
            let (now, later) = chunk.split_at(chunk.len().min(self.stripe_bytes - self.stripe.len()));
            self.stripe.extend_from_slice(now);
            chunk = later;
        }
        Ok(())
    }

    /// Hands the filled stripe on, once the one before it is done.
    async fn send(&mut self) -> Result<(), StorageError> {
        let (writer, md5, spare) = self.settle().await?;
        let bytes = self.stripe.len();
        let mut stripe = std::mem::replace(&mut self.stripe, spare);
        self.coding.pad(&mut stripe);
        let stripe = Arc::new(stripe);
        let hashing = md5.map(|mut md5| {
            let to_hash = Arc::clone(&stripe);
            tokio::task::spawn_blocking(move || {
                md5.update(&to_hash[..bytes]);
                md5
            })
        });
        let writing = tokio::spawn(writer.write_stripe(bytes, Arc::clone(&stripe)));
        self.state = State::Busy { writing, hashing, spare: stripe };
        Ok(())
    }

    /// Waits for the stripe under way; returns its buffer, empty, for the next.
    async fn settle(&mut self) -> Result<(BlobWriter, Option<Md5>, Vec<u8>), StorageError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Idle { writer, md5 } => Ok((writer, md5, Vec::with_capacity(self.stripe.capacity()))),
            State::Busy { writing, hashing, spare } => {
                let writer = writing.await.map_err(|_| StorageError::Closing)??;
                let md5 = match hashing {
                    Some(hashing) => Some(hashing.await.map_err(|_| StorageError::Closing)?),
                    None => None,
                };
                let mut spare = Arc::try_unwrap(spare).unwrap_or_default();
                spare.clear();
                Ok((writer, md5, spare))
            }
            State::Failed => Err(StorageError::Closing),
        }
    }

    async fn finish(mut self) -> Result<([u8; 16], BlobWriter), StorageError> {
        if !self.stripe.is_empty() {
            self.send().await?;
        }
        let (writer, md5, _) = self.settle().await?;
        Ok((md5.map_or([0; 16], |md5| md5.finalize().into()), writer))
    }
}
