//! Limits of maintenance, each with its unit.

use std::time::Duration;

/// Limits and pace of maintenance. `Default` is what the server uses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Digests of paths in memory at a time, of 16 bytes and about as much again for the set; more are
    /// handled in further passes over the manifests.
    pub digests_max: usize,
    /// Manifests of all snapshots of one table; a table with more is refused.
    pub manifests_max: usize,
    /// The longest manifest or manifest list that is read.
    pub manifest_bytes_max: u64,
    /// What one of them may unpack to.
    pub manifest_unpacked_bytes_max: usize,
    /// Calls of a store per second, all runs together.
    pub operations_per_second: u32,
    /// Bytes read from and written to stores per second, all runs together.
    pub bytes_per_second: u64,
    /// How long one call of a store may take.
    pub store_timeout: Duration,
    /// Files whose names a report holds; all are counted.
    pub listed_files_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            digests_max: 2_000_000,
            manifests_max: 1_000_000,
            manifest_bytes_max: 256 << 20,
            manifest_unpacked_bytes_max: 1 << 30,
            operations_per_second: 500,
            bytes_per_second: 256 << 20,
            store_timeout: Duration::from_secs(30),
            listed_files_max: 100,
        }
    }
}
