//! When a checkpoint is due, and the one that is being written beside the writer.

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::files::blocking;
use crate::log::{Checkpoint, Tail, Trimmer};
use crate::settings::Settings;
use crate::state::CatalogState;

pub(crate) struct Checkpoints {
    /// `None` while a checkpoint is being written, which holds it.
    trimmer: Option<Trimmer>,
    running: Option<JoinHandle<Trimmer>>,
    records: u64,
    bytes: usize,
    records_max: u64,
    bytes_max: usize,
}

impl Checkpoints {
    /// `records` and `bytes` are what was replayed after the last checkpoint.
    pub(crate) fn new(trimmer: Trimmer, records: u64, bytes: usize, settings: &Settings) -> Self {
        Self {
            trimmer: Some(trimmer),
            running: None,
            records,
            bytes,
            records_max: settings.checkpoint_records,
            bytes_max: settings.checkpoint_bytes,
        }
    }

    /// One more record is in the log; starts a checkpoint of `state` at `tail` when one is due and
    /// none is running.
    pub(crate) async fn appended(&mut self, bytes: usize, state: &CatalogState, tail: Tail) {
        self.records += 1;
        self.bytes += bytes;
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish().await;
        }
        if self.records < self.records_max && self.bytes < self.bytes_max {
            return;
        }
        let Some(trimmer) = self.trimmer.take() else { return };
        (self.records, self.bytes) = (0, 0);
        let state = state.clone();
        self.running = Some(tokio::spawn(write(trimmer, state, tail)));
    }

    /// Waits for the checkpoint that is being written.
    pub(crate) async fn finish(&mut self) {
        let Some(running) = self.running.take() else { return };
        match running.await {
            Ok(trimmer) => self.trimmer = Some(trimmer),
            Err(error) => tracing::error!(%error, "writing a checkpoint panicked; no more are written"),
        }
    }
}

/// A checkpoint that fails costs nothing but a longer log.
async fn write(mut trimmer: Trimmer, state: CatalogState, tail: Tail) -> Trimmer {
    let body = Bytes::from(blocking(move || state.encode_checkpoint()).await);
    let size_bytes = body.len();
    match trimmer.keep(Checkpoint { seq: tail.seq, hash: tail.hash, body }).await {
        Ok(()) => tracing::info!(seq = tail.seq.0, size_bytes, "wrote a checkpoint of the catalog"),
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, source, seq = tail.seq.0, "a checkpoint of the catalog failed");
        }
    }
    trimmer
}
