//! A run: scan, filter, encode, write, and keep account after each file.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tarn_openapi::access::{Action, Resource};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::checkpoint::Checkpoint;
use super::columns::depth;
use super::encoder::{EncodeError, Kind};
use super::error::RunError;
use super::filter::{CompiledFilter, common, ranges};
use super::segment::{Ended, Segment, Step};
use super::spec::Spec;
use super::target::{Stores, failed};
use super::upload::Upload;
use crate::jobs::{Author, Context, Progress, Rights};
use crate::scan::{ObjectAttributes, ObjectScan, Objects, Point, Scan, ScanOptions};

/// Sets of files that a run keeps account of: their checkpoint stays below 512 KiB.
const SETS_MAX: usize = 4000;
/// After so many sets files become twice as long, so that the largest buckets do with [`SETS_MAX`].
const SETS_OF_A_SIZE: usize = 500;
/// The longest a file is meant to be, in bytes.
const FILE_BYTES_MAX: u64 = 5 << 30;
/// Objects after which the place is kept while no file is open.
const KEEP_OBJECTS: u64 = 1_000_000;

/// A run at work.
pub(super) struct Run<'a> {
    pub(super) scans: &'a dyn ObjectScan,
    pub(super) stores: &'a Stores,
    pub(super) context: &'a Context,
    pub(super) spec: &'a Spec,
    pub(super) filter: Arc<CompiledFilter>,
    pub(super) kinds: Arc<[Kind]>,
    /// About how long files are meant to be.
    pub(super) file_bytes: u64,
    pub(super) state: Checkpoint,
}

/// What a run is in the middle of.
struct Open {
    segment: Segment,
    uploads: Vec<Upload>,
    /// Since the last checkpoint.
    scanned: u64,
    /// The last key looked at.
    last: Option<String>,
}

impl Run<'_> {
    /// Writes the files of all objects that are told and not written yet (P1).
    pub(super) async fn scan(&mut self) -> Result<(), RunError> {
        if self.state.is_scanned {
            return Ok(());
        }
        let segment = Segment::new(Arc::clone(&self.kinds), Arc::clone(&self.filter));
        let mut open = Open { segment, uploads: Vec::new(), scanned: 0, last: None };
        let done = self.scan_into(&mut open).await;
        if done.is_err() {
            for upload in open.uploads {
                upload.abort().await;
            }
        }
        done
    }

    async fn scan_into(&mut self, open: &mut Open) -> Result<(), RunError> {
        let prefixes = &self.spec.filter.prefixes;
        let all = match self.spec.point {
            Point::Running => ranges(prefixes),
            // Several scans would be of several moments.
            Point::Consistent => vec![common(prefixes)],
        };
        for prefix in all {
            let after = self.state.after.as_deref();
            if after.is_some_and(|after| after > &*prefix && !after.starts_with(&prefix)) {
                continue;
            }
            let after = after.filter(|after| after.starts_with(&prefix)).map(str::to_owned);
            let options =
                ScanOptions { prefix, after, through: None, point: self.spec.point, depth: depth(self.spec) };
            let mut scan = self.scans.scan(&self.spec.bucket, &options).await?;
            self.state.began_ms.get_or_insert(scan.began_ms());
            if !self.filter.matches_nothing() {
                self.range(&mut *scan, open).await?;
            }
        }
        self.state.is_scanned = true;
        self.state.ended_ms = Some(jiff::Timestamp::now().as_millisecond());
        self.close(open).await
    }

    /// Writes the objects of one scan.
    async fn range(&mut self, scan: &mut dyn Scan, open: &mut Open) -> Result<(), RunError> {
        let readable = Arc::new(Readable {
            rights: Arc::clone(&self.context.rights),
            author: self.context.definition.author.clone(),
            bucket: self.spec.bucket.clone(),
        });
        let mut written = 0;
        let mut next = scan.next().await?;
        while let Some(objects) = next {
            let count = objects.len() as u64;
            self.context.pace(count, written).await?;
            let last = objects.len().checked_sub(1).map(|last| objects.key(last).to_owned());
            let adding = add(&mut open.segment, objects, Arc::clone(&readable));
            let (step, following) = tokio::join!(adding, scan.next());
            let step = step?;
            open.scanned += count;
            open.last = last.or(open.last.take());
            written = self.write(step, count, open).await?;
            next = following?;
        }
        Ok(())
    }

    /// Sends what a batch brought; how many bytes.
    async fn write(&mut self, step: Step, count: u64, open: &mut Open) -> Result<u64, RunError> {
        let progress = &self.context.progress;
        Progress::add(&progress.scanned, count);
        Progress::add(&progress.matched, step.matched);
        let written = self.send(step.chunks, open).await?;
        let number = self.state.sets.len();
        let file_bytes = self.file_bytes.saturating_mul(1 << (number / SETS_OF_A_SIZE)).min(FILE_BYTES_MAX);
        let is_full = open.segment.is_open() && step.longest_bytes >= file_bytes;
        if is_full || (!open.segment.is_open() && open.scanned >= KEEP_OBJECTS) {
            self.close(open).await?;
        }
        Ok(written)
    }

    async fn send(&self, chunks: Vec<Vec<u8>>, open: &mut Open) -> Result<u64, RunError> {
        let mut bytes = 0;
        for (index, chunk) in chunks.into_iter().enumerate() {
            let target = &self.state.targets[index];
            let key = target.key(self.context.run, self.state.sets.len());
            if open.uploads.len() == index {
                open.uploads.push(self.stores.upload(target, key.clone()));
            }
            bytes += chunk.len() as u64;
            let sent = open.uploads[index].write(chunk).await;
            sent.map_err(|error| failed(&target.bucket, &key, error))?;
        }
        Progress::add(&self.context.progress.bytes, bytes);
        Ok(bytes)
    }

    /// Ends the files that are open and keeps account of all up to here (P1).
    async fn close(&mut self, open: &mut Open) -> Result<(), RunError> {
        if open.segment.is_open() {
            let Ended { set, chunks } = end(&mut open.segment).await?;
            self.send(chunks, open).await?;
            let number = self.state.sets.len();
            if number == SETS_MAX {
                return Err(RunError::TooManyFiles(SETS_MAX));
            }
            for (target, upload) in self.state.targets.iter().zip(std::mem::take(&mut open.uploads)) {
                let key = target.key(self.context.run, number);
                upload.finish().await.map_err(|error| failed(&target.bucket, &key, error))?;
            }
            let progress = &self.context.progress;
            Progress::add(&progress.written, set.rows);
            Progress::add(&progress.files, set.files.len() as u64);
            self.state.sets.push(set);
        }
        self.state.scanned += std::mem::take(&mut open.scanned);
        self.state.after = open.last.take().or(self.state.after.take());
        self.keep().await
    }

    /// Keeps account of the names of the metadata files before the first of them is written (P2).
    pub(super) async fn draft(&mut self) -> Result<(), RunError> {
        if self.state.draft.is_none() {
            self.state.draft = Some(Uuid::new_v4());
            self.keep().await?;
        }
        Ok(())
    }

    /// Makes the state durable.
    pub(super) async fn keep(&self) -> Result<(), RunError> {
        let unreadable = |source| RunError::Unreadable { what: "the checkpoint", source };
        let state = serde_json::to_value(&self.state).map_err(unreadable)?;
        Ok(self.context.keep(&state).await?)
    }

    /// Tells what was done before as done.
    pub(super) fn tell(&self) {
        let (progress, state) = (&self.context.progress, &self.state);
        let files = state.sets.iter().map(|set| set.files.len() as u64).sum();
        for (counter, value) in [
            (&progress.scanned, state.scanned),
            (&progress.matched, state.rows()),
            (&progress.written, state.rows()),
            (&progress.files, files),
            (&progress.bytes, state.bytes()),
        ] {
            counter.store(value, Ordering::Relaxed);
        }
    }
}

/// Which objects of a bucket the author of a run may read now.
struct Readable {
    rights: Arc<dyn Rights>,
    author: Author,
    bucket: String,
}

impl Readable {
    /// Takes away what clients said of objects that the author may not read: a right to a prefix is none to all keys below.
    fn hide_others(&self, objects: &mut Objects) {
        for at in 0..objects.attributes.len() {
            let of = Resource::Object(&self.bucket, objects.key(at));
            let ObjectAttributes { user_metadata, tags, .. } = &objects.attributes[at];
            let may = |action| self.rights.may(&self.author, action, of);
            let hides_tags = !tags.is_empty() && !may(Action::GetObjectTagging);
            let hides_metadata = !user_metadata.is_empty() && !may(Action::GetObject);
            let attributes = &mut objects.attributes[at];
            if hides_tags {
                attributes.tags.clear();
            }
            if hides_metadata {
                attributes.user_metadata.clear();
            }
        }
    }
}

/// Encodes away from the threads that serve requests.
async fn add(
    segment: &mut Segment,
    mut objects: Objects,
    readable: Arc<Readable>,
) -> Result<Step, EncodeError> {
    away(segment, move |segment| {
        readable.hide_others(&mut objects);
        segment.add(&objects)
    })
    .await
}

async fn end(segment: &mut Segment) -> Result<Ended, EncodeError> {
    away(segment, Segment::end).await
}

async fn away<T: Send + 'static>(
    segment: &mut Segment,
    work: impl FnOnce(&mut Segment) -> T + Send + 'static,
) -> T {
    let mut taken = segment.lend();
    let done = spawn_blocking(move || {
        let done = work(&mut taken);
        (taken, done)
    });
    match done.await {
        Ok((taken, done)) => {
            *segment = taken;
            done
        }
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        // The runtime ends; nobody waits for this any more.
        Err(_) => std::future::pending().await,
    }
}
