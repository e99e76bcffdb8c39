//! When a checkpoint is due, and the one that is being written beside the writer.
//!
//! A checkpoint holds the whole state, so a large state is written less often: at most 4 KiB of checkpoints
//! are written for a record, and never more bytes of checkpoints than a few times those of records.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::files::blocking;
use crate::log::{Checkpoint, Tail, Trimmer};
use crate::settings::Settings;
use crate::state::CatalogState;

pub(crate) struct Checkpoints {
    /// `None` while a checkpoint is being written, which holds it.
    trimmer: Option<Trimmer>,
    running: Option<JoinHandle<(Trimmer, usize)>>,
    records: u64,
    bytes: usize,
    settings: Settings,
    pace: Pace,
}

/// How many records, and bytes of them, lie between two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    records: u64,
    bytes: usize,
}

/// Bytes of a checkpoint that one more record pays for.
const BYTES_PER_RECORD: usize = 4 << 10;
/// However large the state is: replaying so many records takes about a second.
const RECORDS_MAX: u64 = 20_000;
/// However large the state is: so many bytes of records are read back in about a second.
const REPLAY_BYTES_MAX: usize = 256 << 20;
/// What opening may take to read back records; after a longer time a checkpoint is written at once.
const REPLAY_MAX: Duration = Duration::from_secs(1);

impl Pace {
    /// The pace after a checkpoint of `size_bytes`.
    fn after(size_bytes: usize, settings: &Settings) -> Self {
        let paid = (size_bytes / BYTES_PER_RECORD) as u64;
        Self {
            records: settings.checkpoint_records.max(paid.min(RECORDS_MAX)),
            bytes: settings.checkpoint_bytes.max(size_bytes.min(REPLAY_BYTES_MAX)),
        }
    }
}

impl Checkpoints {
    /// `records` and `bytes` are what was replayed after the last checkpoint, which has `size_bytes`.
    pub(crate) fn new(
        trimmer: Trimmer,
        (records, bytes): (u64, usize),
        size_bytes: usize,
        settings: &Settings,
    ) -> Self {
        let pace = Pace::after(size_bytes, settings);
        let trimmer = trimmer.retaining(settings.retention());
        Self { trimmer: Some(trimmer), running: None, records, bytes, settings: settings.clone(), pace }
    }

    /// The records were read back in `took`: a checkpoint is written at once when one is due, for a process that is
    /// only started again and again would read them each time.
    pub(crate) fn replayed(&mut self, took: Duration, state: &CatalogState, tail: Tail) {
        if self.is_due() || (took > REPLAY_MAX && self.bytes > 0) {
            self.start(state, tail);
        }
    }

    fn is_due(&self) -> bool {
        self.records >= self.pace.records || self.bytes >= self.pace.bytes
    }

    /// One more record is in the log; starts a checkpoint of `state` at `tail` when one is due and
    /// none is running.
    pub(crate) async fn appended(&mut self, bytes: usize, state: &CatalogState, tail: Tail) {
        self.records += 1;
        self.bytes += bytes;
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish().await;
        }
        if self.is_due() {
            self.start(state, tail);
        }
    }

    /// Nothing while one is being written.
    fn start(&mut self, state: &CatalogState, tail: Tail) {
        let Some(trimmer) = self.trimmer.take() else { return };
        (self.records, self.bytes) = (0, 0);
        let state = state.clone();
        self.running = Some(tokio::spawn(write(trimmer, state, tail)));
    }

    /// Waits for the checkpoint that is being written.
    pub(crate) async fn finish(&mut self) {
        let Some(running) = self.running.take() else { return };
        match running.await {
            Ok((trimmer, size_bytes)) => {
                self.trimmer = Some(trimmer);
                self.pace = Pace::after(size_bytes, &self.settings);
            }
            Err(error) => tracing::error!(%error, "writing a checkpoint panicked; no more are written"),
        }
    }
}

/// A checkpoint that fails costs nothing but a longer log.
async fn write(mut trimmer: Trimmer, state: CatalogState, tail: Tail) -> (Trimmer, usize) {
    let body = Bytes::from(blocking(move || state.encode_checkpoint()).await);
    let size_bytes = body.len();
    match trimmer.keep(Checkpoint { seq: tail.seq, hash: tail.hash, body }).await {
        Ok(()) => tracing::info!(seq = tail.seq.0, size_bytes, "wrote a checkpoint of the catalog"),
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, source, seq = tail.seq.0, "a checkpoint of the catalog failed");
        }
    }
    (trimmer, size_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_is_written_less_often_and_never_without_end() {
        let settings =
            Settings { checkpoint_records: 1000, checkpoint_bytes: 16 << 20, ..Settings::default() };
        let pace = |size_bytes| Pace::after(size_bytes, &settings);
        assert_eq!(pace(0), Pace { records: 1000, bytes: 16 << 20 });
        assert_eq!(pace(40 << 20), Pace { records: 10_240, bytes: 40 << 20 });
        assert_eq!(pace(4 << 30), Pace { records: 20_000, bytes: 256 << 20 });
    }
}
