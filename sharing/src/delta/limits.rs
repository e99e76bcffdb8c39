//! How much of a log is read.

/// Limits of reading one table. What is above one is refused as [`TooLarge`](crate::table::TableError::TooLarge).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a commit, and of any other JSON file of the log.
    pub json_bytes_max: u64,
    /// Bytes of a Parquet file of the log: a checkpoint, a part of one, or a sidecar.
    pub parquet_bytes_max: u64,
    /// Bytes read from the log for one answer.
    pub log_bytes_max: u64,
    /// Objects listed in the log for one answer.
    pub log_files_max: u64,
    /// Bytes of deletion vectors that a log holds itself, made files of for one answer.
    pub inline_bytes_max: u64,
    /// Versions in a range whose changes are asked for.
    pub changed_versions_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json_bytes_max: 64 << 20,
            parquet_bytes_max: 1 << 30,
            log_bytes_max: 8 << 30,
            log_files_max: 1_000_000,
            inline_bytes_max: 256 << 20,
            changed_versions_max: 10_000,
        }
    }
}
