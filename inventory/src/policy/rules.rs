//! The three types of maintenance and their settings, under the names that S3 Tables and AIStor have for them.

use serde::{Deserialize, Serialize};

use crate::compact::{Order, Target};
use crate::expire::Retention;
use crate::files::Pace;
use crate::orphans::Age;

const HOUR_MS: i64 = 60 * 60 * 1000;
/// A year, in hours and in days: the longest interval and age.
const HOURS_MAX: u32 = 366 * 24;
const DAYS_MAX: u32 = 366;
/// Groups of a compaction at a time: each takes memory of its own.
const GROUPS_MAX: u32 = 8;

/// What is done to tables. What is `None` is left to the scope around.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Expiry of snapshots.
    #[serde(rename = "icebergSnapshotManagement", skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<SnapshotManagement>,
    /// Removal of files that nothing names.
    #[serde(rename = "icebergUnreferencedFileRemoval", skip_serializing_if = "Option::is_none")]
    pub unreferenced: Option<UnreferencedFileRemoval>,
    /// Rewriting of data files.
    #[serde(rename = "icebergCompaction", skip_serializing_if = "Option::is_none")]
    pub compaction: Option<Compaction>,
}

/// Whether a type of maintenance runs by itself. Asked for, it runs in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does.
    Enabled,
    /// It does not.
    Disabled,
}

/// Expiry of snapshots. The table's `history.expire.*` properties and its references' retention come first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SnapshotManagement {
    /// Whether it runs by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Hours between two runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_hours: Option<u32>,
    /// Snapshots up to this age stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_snapshot_age_hours: Option<u32>,
    /// So many of a branch stay at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_snapshots_to_keep: Option<u32>,
}

/// Removal of files below a table's location that nothing names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UnreferencedFileRemoval {
    /// Whether it runs by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Hours between two runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_hours: Option<u32>,
    /// Files up to this age stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreferenced_days: Option<u32>,
}

/// Rewriting of data files into fewer ones of a good size.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Compaction {
    /// Whether it runs by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Hours between two runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_hours: Option<u32>,
    /// The size of files to make, in MiB; the table's property `write.target-file-size-bytes` when not given.
    #[serde(rename = "targetFileSizeMB", skip_serializing_if = "Option::is_none")]
    pub target_file_size_mb: Option<u32>,
    /// How rows are arranged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Groups of files that are rewritten at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_groups: Option<u32>,
    /// MiB read and written per second by a run; all runs together have a limit of their own.
    #[serde(rename = "maxMBPerSecond", skip_serializing_if = "Option::is_none")]
    pub max_mb_per_second: Option<u32>,
    /// Calls of the store per second by a run; all runs together have a limit of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_calls_per_second: Option<u32>,
}

/// How a compaction arranges rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// By the table's sort order if it has one, else as they come.
    Auto,
    /// As they come.
    Binpack,
    /// By the table's sort order.
    Sort,
}

/// A setting is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}; it must be from {from} to {to}")]
pub struct InvalidPolicy {
    name: &'static str,
    value: u32,
    from: u32,
    to: u32,
}

impl Policy {
    /// What holds where no policy says otherwise.
    pub fn defaults() -> Self {
        let (status, interval_hours) = (Some(Status::Disabled), Some(24));
        Self {
            snapshots: Some(SnapshotManagement {
                status,
                interval_hours,
                max_snapshot_age_hours: Some(120),
                min_snapshots_to_keep: Some(1),
            }),
            unreferenced: Some(UnreferencedFileRemoval {
                status,
                interval_hours,
                unreferenced_days: Some(3),
            }),
            compaction: Some(Compaction {
                status,
                interval_hours,
                target_file_size_mb: None,
                strategy: Some(Strategy::Auto),
                concurrent_groups: Some(1),
                max_mb_per_second: None,
                max_calls_per_second: None,
            }),
        }
    }

    /// This policy, and where it says nothing, `outer`.
    pub(crate) fn over(self, outer: Self) -> Self {
        let (own, theirs) = (self.snapshots.unwrap_or_default(), outer.snapshots.unwrap_or_default());
        let snapshots = SnapshotManagement {
            status: own.status.or(theirs.status),
            interval_hours: own.interval_hours.or(theirs.interval_hours),
            max_snapshot_age_hours: own.max_snapshot_age_hours.or(theirs.max_snapshot_age_hours),
            min_snapshots_to_keep: own.min_snapshots_to_keep.or(theirs.min_snapshots_to_keep),
        };
        let (own, theirs) = (self.unreferenced.unwrap_or_default(), outer.unreferenced.unwrap_or_default());
        let unreferenced = UnreferencedFileRemoval {
            status: own.status.or(theirs.status),
            interval_hours: own.interval_hours.or(theirs.interval_hours),
            unreferenced_days: own.unreferenced_days.or(theirs.unreferenced_days),
        };
        let (own, theirs) = (self.compaction.unwrap_or_default(), outer.compaction.unwrap_or_default());
        let compaction = Compaction {
            status: own.status.or(theirs.status),
            interval_hours: own.interval_hours.or(theirs.interval_hours),
            target_file_size_mb: own.target_file_size_mb.or(theirs.target_file_size_mb),
            strategy: own.strategy.or(theirs.strategy),
            concurrent_groups: own.concurrent_groups.or(theirs.concurrent_groups),
            max_mb_per_second: own.max_mb_per_second.or(theirs.max_mb_per_second),
            max_calls_per_second: own.max_calls_per_second.or(theirs.max_calls_per_second),
        };
        Self { snapshots: Some(snapshots), unreferenced: Some(unreferenced), compaction: Some(compaction) }
    }

    /// Refuses settings out of their range.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let snapshots = self.snapshots.clone().unwrap_or_default();
        let unreferenced = self.unreferenced.clone().unwrap_or_default();
        let compaction = self.compaction.clone().unwrap_or_default();
        for interval in [snapshots.interval_hours, unreferenced.interval_hours, compaction.interval_hours] {
            range("intervalHours", interval, 1, HOURS_MAX)?;
        }
        range("maxSnapshotAgeHours", snapshots.max_snapshot_age_hours, 1, HOURS_MAX * 100)?;
        range("minSnapshotsToKeep", snapshots.min_snapshots_to_keep, 1, 1_000_000)?;
        range("unreferencedDays", unreferenced.unreferenced_days, 1, DAYS_MAX)?;
        range("targetFileSizeMB", compaction.target_file_size_mb, 8, 2048)?;
        range("concurrentGroups", compaction.concurrent_groups, 1, GROUPS_MAX)?;
        range("maxMBPerSecond", compaction.max_mb_per_second, 1, 100_000)?;
        range("maxCallsPerSecond", compaction.max_calls_per_second, 1, 100_000)
    }

    /// The retention of snapshots. For a policy in which everything is set.
    pub(crate) fn retention(&self) -> Retention {
        let rule = self.snapshots.clone().unwrap_or_default();
        let default = Retention::default();
        let age = rule.max_snapshot_age_hours.map(|hours| i64::from(hours) * HOUR_MS);
        let minimum = rule.min_snapshots_to_keep.map(|minimum| i32::try_from(minimum).unwrap_or(i32::MAX));
        Retention {
            max_snapshot_age_ms: age.unwrap_or(default.max_snapshot_age_ms),
            min_snapshots_to_keep: minimum.unwrap_or(default.min_snapshots_to_keep),
            ..default
        }
    }

    /// What files a compaction makes.
    pub(crate) fn target(&self) -> Target {
        let rule = self.compaction.as_ref();
        let order = match rule.and_then(|rule| rule.strategy) {
            None | Some(Strategy::Auto) => Order::Sorted,
            Some(Strategy::Binpack) => Order::AsIs,
            Some(Strategy::Sort) => Order::AllSorted,
        };
        let size_mb = rule.and_then(|rule| rule.target_file_size_mb);
        let groups = rule.and_then(|rule| rule.concurrent_groups).unwrap_or(1).clamp(1, GROUPS_MAX);
        Target { bytes: size_mb.map(|size| u64::from(size) << 20), order, groups: groups as usize }
    }

    /// How fast a compaction goes.
    pub(crate) fn pace(&self) -> Pace {
        let rule = self.compaction.as_ref();
        let mb_per_second = rule.and_then(|rule| rule.max_mb_per_second);
        Pace {
            operations_per_second: rule.and_then(|rule| rule.max_calls_per_second),
            bytes_per_second: mb_per_second.map(|mb| u64::from(mb) << 20),
        }
    }

    /// The age of unreferenced files.
    pub(crate) fn age(&self) -> Age {
        let days = self.unreferenced.as_ref().and_then(|rule| rule.unreferenced_days).unwrap_or(3);
        Age::of_days(days)
    }
}

fn range(name: &'static str, value: Option<u32>, from: u32, to: u32) -> Result<(), InvalidPolicy> {
    match value {
        Some(value) if !(from..=to).contains(&value) => Err(InvalidPolicy { name, value, from, to }),
        Some(_) | None => Ok(()),
    }
}
