//! The limits of scan planning, each with its unit.

use std::time::Duration;

/// Limits of a planner. `Default` is what the server uses.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Scans of up to so many files are answered whole, without plan tasks ...
    pub(crate) inline_files_max: u64,
    /// ... when their manifests are not longer than this together.
    pub(crate) inline_manifest_bytes_max: u64,
    /// Files of one plan task.
    pub(crate) task_files_max: u32,
    /// About how long one answer may be; each file repeats its residual.
    pub(crate) answer_bytes_max: usize,
    /// Manifests of one plan task.
    pub(crate) task_manifests_max: u32,
    /// Plan tasks of one plan.
    pub(crate) tasks_max: usize,
    /// Snapshots of one incremental scan.
    pub(crate) snapshots_max: usize,
    /// The longest manifest or manifest list that is read.
    pub(crate) file_bytes_max: u64,
    /// What one of them may unpack to.
    pub(crate) unpacked_bytes_max: usize,
    /// What those that are read at a time may take together, in KiB.
    pub(crate) reading_kib_max: u32,
    /// Manifests of one request that are read at a time.
    pub(crate) reads_at_once: usize,
    /// Parsed manifests that are kept.
    pub(crate) manifests_bytes_max: usize,
    /// Parsed manifest lists that are kept.
    pub(crate) lists_bytes_max: usize,
    /// The delete files of one snapshot in memory; a scan with more is the client's to plan.
    pub(crate) deletes_bytes_max: usize,
    /// Answers that are made at a time.
    pub(crate) answers_at_once: usize,
    /// How long one operation of a store may take.
    pub(crate) store_timeout: Duration,
    /// Plans that are kept ...
    pub(crate) plans_max: usize,
    /// ... the bytes of their filters together ...
    pub(crate) plans_bytes_max: usize,
    /// ... how long one is kept after its last use ...
    pub(crate) plan_ttl: Duration,
    /// ... and how long at least, when others want its place.
    pub(crate) plan_idle_min: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inline_files_max: 2_000,
            inline_manifest_bytes_max: 16 << 20,
            task_files_max: 5_000,
            answer_bytes_max: 32 << 20,
            task_manifests_max: 256,
            tasks_max: 100_000,
            snapshots_max: 10_000,
            file_bytes_max: 128 << 20,
            unpacked_bytes_max: 512 << 20,
            reading_kib_max: 512 << 10,
            reads_at_once: 8,
            manifests_bytes_max: 128 << 20,
            lists_bytes_max: 32 << 20,
            deletes_bytes_max: 512 << 20,
            answers_at_once: 4,
            store_timeout: Duration::from_secs(10),
            plans_max: 4_096,
            plans_bytes_max: 64 << 20,
            plan_ttl: Duration::from_secs(3_600),
            plan_idle_min: Duration::from_secs(60),
        }
    }
}
