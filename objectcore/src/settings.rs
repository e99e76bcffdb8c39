//! What can be set about the object core.

use std::time::Duration;

use crate::heal::schedule::ScrubSettings;
use crate::set::SetSettings;

/// The settings of an [`ObjectCore`](crate::ObjectCore).
#[derive(Debug, Clone)]
pub struct Settings {
    /// The parity shards of each set when the drives are first formatted; `None` follows from their number.
    pub parity: Option<u8>,
    /// Objects up to this size travel inside the log; larger ones get shard files. In bytes.
    pub inline_bytes_max: usize,
    /// The largest body of one put or part, in bytes.
    pub body_bytes_max: u64,
    /// The largest object made of parts, in bytes.
    pub object_bytes_max: u64,
    /// The least a part other than the last must have, in bytes.
    pub part_bytes_min: u64,
    /// What bodies may hold in memory at once, in bytes.
    pub memory_bytes: u64,
    /// How long a request waits for its share of it before it is refused.
    pub memory_wait: Duration,
    /// The most buckets.
    pub buckets_max: usize,
    /// From the end of a sweep of shard files that nothing names to the beginning of the next.
    pub sweep_interval: Duration,
    /// How long a moment of all buckets is kept for scans at most.
    pub moment_age_max: Duration,
    /// When and how fast everything is checked.
    pub scrub: ScrubSettings,
    /// How each set works.
    pub set: SetSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parity: None,
            inline_bytes_max: 128 << 10,
            body_bytes_max: 5 << 30,
            object_bytes_max: 5 << 40,
            part_bytes_min: 5 << 20,
            memory_bytes: 512 << 20,
            memory_wait: Duration::from_secs(5),
            buckets_max: 10_000,
            sweep_interval: Duration::from_secs(24 * 3600),
            moment_age_max: Duration::from_secs(3600),
            scrub: ScrubSettings::default(),
            set: SetSettings::default(),
        }
    }
}
