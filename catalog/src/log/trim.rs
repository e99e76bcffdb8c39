//! The one deleter of the log: writes a checkpoint, moves the boundary, then deletes what is kept neither for
//! recovery (C2, C3, B1) nor as history (`retention.rs`).
//!
//! A crash between any two steps leaves more than needed, never less; the next trim deletes it.

use std::collections::BTreeMap;

use super::boundary::AdvanceError;
use super::checkpoint::Listed;
use super::retention::{Kept, Retention, first_kept};
use super::store::PutError;
use super::{Boundary, Checkpoint, FOLDER, Seq, Store, key};

/// A checkpoint was not written, or what it made needless was not deleted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrimError {
    #[error("the checkpoint could not be written")]
    Checkpoint(#[source] PutError),
    #[error("the log could not be listed")]
    List(#[source] object_store::Error),
    #[error("the trim boundary could not be moved")]
    Boundary(#[source] AdvanceError),
    #[error("old records could not be deleted")]
    Delete(#[source] object_store::Error),
}

/// Writes checkpoints and trims. There is one per open log.
pub(crate) struct Trimmer {
    store: Store,
    boundary: Boundary,
    /// In order; the newest last.
    checkpoints: Vec<Seq>,
    retention: Retention,
    /// Bytes of the records after each checkpoint, up to the next one; those before the first under zero.
    record_bytes: BTreeMap<Seq, u64>,
    /// Records up to here are counted there; zero: none, and what a crash left is not deleted yet.
    counted: Seq,
}

impl Trimmer {
    pub(crate) fn new(store: Store, boundary: Boundary, checkpoints: Vec<Seq>) -> Self {
        Self {
            store,
            boundary,
            checkpoints,
            retention: Retention::NONE,
            record_bytes: BTreeMap::new(),
            counted: Seq::ZERO,
        }
    }

    /// The same, which keeps history.
    pub(crate) fn retaining(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Makes `checkpoint` durable and deletes what is kept no more.
    pub(crate) async fn keep(&mut self, checkpoint: Checkpoint) -> Result<(), TrimError> {
        checkpoint.write(&self.store).await.map_err(TrimError::Checkpoint)?;
        self.checkpoints.retain(|&seq| seq < checkpoint.seq);
        self.checkpoints.push(checkpoint.seq);
        let listed = Checkpoint::list(&self.store).await.map_err(TrimError::List)?;
        let leftovers = self.count(checkpoint.seq).await.map_err(TrimError::List)?;
        let kept: Vec<Kept> = listed
            .iter()
            .filter(|listed| self.checkpoints.binary_search(&listed.seq).is_ok())
            .map(|listed| Kept {
                seq: listed.seq,
                written_ms: listed.written_ms,
                bytes: listed.bytes + self.record_bytes.get(&listed.seq).copied().unwrap_or(0),
            })
            .collect();
        let Some(first) = first_kept(&kept, &self.retention) else { return Ok(()) };
        self.checkpoints.retain(|&seq| seq >= first);
        let before = self.boundary.through;
        self.advance(first).await.map_err(TrimError::Boundary)?;
        let deleted = self.delete(before, leftovers, &listed).await;
        if deleted.is_err() {
            // What is left is found by listing all again.
            (self.counted, self.record_bytes) = (Seq::ZERO, BTreeMap::new());
        }
        deleted.map_err(TrimError::Delete)
    }

    /// Counts the bytes of the records up to `through` that are not counted yet. Returns those that an earlier trim
    /// left behind.
    async fn count(&mut self, through: Seq) -> Result<Vec<Seq>, object_store::Error> {
        let after = if self.counted == Seq::ZERO { String::new() } else { self.counted.name() };
        let (mut leftovers, mut found) = (Vec::new(), BTreeMap::<Seq, u64>::new());
        let (boundary, checkpoints) = (self.boundary.through, &self.checkpoints);
        let each = |name: &str, bytes: u64| match Seq::parse(name) {
            Some(seq) if seq <= boundary => leftovers.push(seq),
            Some(seq) if seq <= through => {
                let before = checkpoints.partition_point(|&checkpoint| checkpoint < seq);
                let checkpoint = before.checked_sub(1).map_or(Seq::ZERO, |at| checkpoints[at]);
                *found.entry(checkpoint).or_default() += bytes;
            }
            Some(_) | None => {}
        };
        self.store.each_after(FOLDER, &after, each).await?;
        for (checkpoint, bytes) in found {
            *self.record_bytes.entry(checkpoint).or_default() += bytes;
        }
        self.counted = through;
        Ok(leftovers)
    }

    async fn advance(&mut self, through: Seq) -> Result<(), AdvanceError> {
        if through <= self.boundary.through {
            return Ok(());
        }
        match self.boundary.clone().advance(&self.store, through).await {
            Ok(boundary) => self.boundary = boundary,
            Err(error) => {
                // The write may have happened: read again so that the next trim can go on.
                if let Ok(boundary) = Boundary::read(&self.store).await {
                    self.boundary = boundary;
                }
                // Records between the old boundary and the new one are leftovers then.
                (self.counted, self.record_bytes) = (Seq::ZERO, BTreeMap::new());
                return Err(error);
            }
        }
        Ok(())
    }

    /// B1: every record deleted here lies at or below a boundary that is durable. Records are dense, so those between
    /// `before` and the boundary need no listing.
    async fn delete(
        &mut self,
        before: Seq,
        leftovers: Vec<Seq>,
        listed: &[Listed],
    ) -> Result<(), object_store::Error> {
        let through = self.boundary.through;
        for seq in leftovers.into_iter().chain((before.0 + 1..=through.0).map(Seq)) {
            self.store.remove(&key(seq)).await?;
        }
        self.record_bytes.retain(|&checkpoint, _| checkpoint >= through);
        for Listed { seq, .. } in listed {
            if *seq <= through && !self.checkpoints.contains(seq) {
                Checkpoint::remove(&self.store, *seq).await?;
            }
        }
        Ok(())
    }
}
