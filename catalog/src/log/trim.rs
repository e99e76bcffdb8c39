//! The one deleter of the log: writes a checkpoint, moves the boundary, then deletes what neither
//! of the two newest checkpoints needs (C2, C3, B1).
//!
//! A crash between any two steps leaves more than needed, never less; the next trim deletes it.

use super::boundary::AdvanceError;
use super::store::PutError;
use super::{Boundary, Checkpoint, FOLDER, Seq, Store, key};

/// Checkpoints that are kept (C2).
const CHECKPOINTS_KEPT: usize = 2;

/// A checkpoint was not written, or what it made needless was not deleted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrimError {
    #[error("the checkpoint could not be written")]
    Checkpoint(#[source] PutError),
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
}

impl Trimmer {
    pub(crate) fn new(store: Store, boundary: Boundary, checkpoints: Vec<Seq>) -> Self {
        Self { store, boundary, checkpoints }
    }

    /// Makes `checkpoint` durable and deletes what it replaces.
    pub(crate) async fn keep(&mut self, checkpoint: Checkpoint) -> Result<(), TrimError> {
        checkpoint.write(&self.store).await.map_err(TrimError::Checkpoint)?;
        self.checkpoints.retain(|&seq| seq < checkpoint.seq);
        self.checkpoints.push(checkpoint.seq);
        if self.checkpoints.len() < CHECKPOINTS_KEPT {
            return Ok(());
        }
        self.checkpoints.drain(..self.checkpoints.len() - CHECKPOINTS_KEPT);
        self.advance(self.checkpoints[0]).await.map_err(TrimError::Boundary)?;
        self.delete().await.map_err(TrimError::Delete)
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
                return Err(error);
            }
        }
        Ok(())
    }

    /// B1: every record deleted here lies at or below a boundary that is durable.
    async fn delete(&self) -> Result<(), object_store::Error> {
        for name in self.store.names_after(FOLDER, "").await? {
            match Seq::parse(&name) {
                Some(seq) if seq <= self.boundary.through => self.store.remove(&key(seq)).await?,
                Some(_later) => break,
                None => {}
            }
        }
        for seq in Checkpoint::list(&self.store).await? {
            if seq <= self.boundary.through && !self.checkpoints.contains(&seq) {
                Checkpoint::remove(&self.store, seq).await?;
            }
        }
        Ok(())
    }
}
