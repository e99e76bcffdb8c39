//! The catalog's limits, each with its unit.

use std::time::Duration;

use crate::log::Retention;
use crate::scan::Limits;

/// Limits and times of a catalog. `Default` is what the server uses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Requests that may wait for the writer; more are refused with `Busy`.
    pub queue_requests_max: usize,
    /// Requests that go into one log record.
    pub batch_requests_max: usize,
    /// `metadata.json` files read at a time.
    pub metadata_reads_at_once: usize,
    /// `metadata.json` files written at a time. Many: the store makes those that arrive together
    /// durable together.
    pub metadata_writes_at_once: usize,
    /// Bytes of `metadata.json` files, roughly, that are on their way to a store.
    pub metadata_writes_bytes_max: usize,
    /// Parsed metadata that is kept in memory, measured by its JSON.
    pub metadata_cache_bytes_max: usize,
    /// The longest `metadata.json` that is read, after decompression.
    pub metadata_bytes_max: usize,
    /// How long one operation of a store may take before it counts as lost.
    pub store_timeout: Duration,
    /// How long an append tries to learn its outcome before it is told as unknown.
    pub append_deadline: Duration,
    /// Between the first two tries of an append; doubles up to a second.
    pub append_backoff: Duration,
    /// What a refused caller is told to wait.
    pub retry_after: Duration,
    /// How long answers are kept for idempotency keys. Half an hour outlasts the retries of every client known, and
    /// an outage an operator ends; it is also what the specification shows.
    pub reply_lifetime: Duration,
    /// How long a dropped table is kept and can be brought back, where neither it nor its warehouse says otherwise.
    /// A week outlasts a weekend and a holiday after the drop of a table that only a weekly job reads.
    pub keep_dropped: Duration,
    /// A checkpoint is written after so many log records; a large state is written less often ...
    pub checkpoint_records: u64,
    /// ... or after so many bytes of them, but not fewer than the last checkpoint has.
    pub checkpoint_bytes: usize,
    /// How far back the state of the whole catalog can be read.
    pub history_retention: Duration,
    /// Bytes of checkpoints and records kept for that; above it the oldest go before their time.
    pub history_bytes_max: u64,
    /// Past states that are kept in memory ...
    pub past_states_max: usize,
    /// ... and what their checkpoints have together, in bytes. One is kept whatever it has.
    pub past_states_bytes_max: usize,
    /// Requests that may wait for a past state to be made; more are refused with `Busy`.
    pub past_waiting_max: usize,
}

impl Settings {
    /// Of what is read for differences of tables: an administrator's request now and then.
    pub(crate) fn manifest_limits(&self) -> Limits {
        Limits {
            lists_bytes_max: 4 << 20,
            manifests_bytes_max: 16 << 20,
            reading_kib_max: 256 << 10,
            store_timeout: self.store_timeout,
            ..Limits::default()
        }
    }

    pub(crate) fn retention(&self) -> Retention {
        Retention { age: self.history_retention, bytes_max: self.history_bytes_max }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queue_requests_max: 1024,
            batch_requests_max: 256,
            metadata_reads_at_once: 32,
            metadata_writes_at_once: 256,
            metadata_writes_bytes_max: 128 << 20,
            metadata_cache_bytes_max: 64 << 20,
            metadata_bytes_max: 512 << 20,
            store_timeout: Duration::from_secs(10),
            append_deadline: Duration::from_secs(10),
            append_backoff: Duration::from_millis(20),
            retry_after: Duration::from_secs(1),
            reply_lifetime: Duration::from_secs(30 * 60),
            keep_dropped: Duration::from_secs(7 * 24 * 3600),
            checkpoint_records: 1000,
            checkpoint_bytes: 16 << 20,
            history_retention: Duration::from_secs(7 * 24 * 3600),
            history_bytes_max: 1 << 30,
            past_states_max: 8,
            past_states_bytes_max: 64 << 20,
            past_waiting_max: 32,
        }
    }
}
