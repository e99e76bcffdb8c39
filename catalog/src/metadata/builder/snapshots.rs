//! Updates of snapshots and references, and the snapshot log they leave.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::{Builder, UpdateError};
use crate::metadata::snapshot::{MAIN_BRANCH, RefKind};
use crate::metadata::{
    FormatVersion, InvalidMetadata, Snapshot, SnapshotLogEntry, SnapshotRef, Snapshots, TableMetadata,
};

/// How far the time of a snapshot may lie after the server's, in milliseconds. Clocks differ and
/// are fixed later; a snapshot from the next century would stay for good.
const CLOCK_AHEAD_MS_MAX: i64 = 24 * 60 * 60 * 1000;

impl Builder {
    pub(super) fn add_snapshot(&mut self, snapshot: &Arc<Snapshot>) -> Result<(), UpdateError> {
        let table = &mut self.table;
        let id = snapshot.id();
        if table.schemas.is_empty() || table.specs.is_empty() || table.sort_orders.is_empty() {
            let message = "a snapshot comes before the table's schema, partition spec and sort order";
            return Err(InvalidMetadata::new(message).into());
        }
        if table.snapshots.by_id.contains_key(&id) {
            return Err(InvalidMetadata::new(format!("snapshot {id} already exists")).into());
        }
        check_sequence_number(table, snapshot)?;
        match table.format_version {
            FormatVersion::V1 | FormatVersion::V2 => check_no_row_ids(table, snapshot)?,
            FormatVersion::V3 => table.next_row_id = next_row_id(table.next_row_id, snapshot)?,
        }
        if table.format_version > FormatVersion::V1 {
            table.last_sequence_number = snapshot.sequence_number();
        }
        let fitted = snapshot.for_version(table.format_version)?;
        let snapshot = fitted.map_or_else(|| Arc::clone(snapshot), Arc::new);
        table.snapshots.push(snapshot);
        self.added_snapshots.insert(id);
        self.changed = true;
        Ok(())
    }

    /// Snapshots of a V1 table have no sequence number, those of later versions need one.
    pub(super) fn number_snapshots(&mut self) -> Result<(), InvalidMetadata> {
        let mut numbered = Snapshots::default();
        for snapshot in self.table.snapshots() {
            let fitted = snapshot.for_version(self.table.format_version)?;
            numbered.push(fitted.map_or_else(|| Arc::clone(snapshot), Arc::new));
        }
        self.table.snapshots = numbered;
        Ok(())
    }

    pub(super) fn set_ref(&mut self, name: &str, reference: &SnapshotRef) -> Result<(), InvalidMetadata> {
        reference.check()?;
        if self.table.refs.get(name) == Some(reference) {
            return Ok(());
        }
        let id = reference.snapshot_id;
        let Some(snapshot) = self.table.snapshot(id) else {
            return Err(InvalidMetadata::new(format!(
                "cannot set {name} to snapshot {id}, which does not exist"
            )));
        };
        if name == MAIN_BRANCH {
            if reference.kind == RefKind::Tag {
                return Err(InvalidMetadata::new("main is a branch and cannot become a tag"));
            }
            let added = self.added_snapshots.contains(&id);
            let timestamp_ms = self.log_time(added.then(|| snapshot.timestamp_ms()))?;
            self.table.current_snapshot_id = Some(id);
            self.table.snapshot_log.push_back(Arc::new(SnapshotLogEntry::new(timestamp_ms, id)));
            if added {
                self.main_passed.insert(id);
            }
        }
        Arc::make_mut(&mut self.table.refs).insert(name.to_owned(), reference.clone());
        self.changed = true;
        Ok(())
    }

    /// When main moved: a new snapshot when it was made, a rollback now. A client whose clock is late
    /// gets the time of the entry before (U5).
    fn log_time(&self, made_at: Option<i64>) -> Result<i64, InvalidMetadata> {
        let time = made_at.unwrap_or(self.at);
        if time > self.at.saturating_add(CLOCK_AHEAD_MS_MAX) {
            let message =
                format!("the snapshot's time {time} is more than a day after the server's, {}", self.at);
            return Err(InvalidMetadata::new(message));
        }
        let before = self.table.snapshot_log.last().map(|entry| entry.timestamp_ms);
        Ok(time.max(before.unwrap_or(time)))
    }

    pub(super) fn remove_ref(&mut self, name: &str) {
        if name == MAIN_BRANCH {
            self.table.current_snapshot_id = None;
        }
        if self.table.refs.contains_key(name) {
            Arc::make_mut(&mut self.table.refs).remove(name);
            self.changed = true;
        }
    }

    pub(super) fn remove_snapshots(&mut self, ids: &[i64]) {
        let table = &mut self.table;
        let ids: HashSet<i64> =
            ids.iter().copied().filter(|id| table.snapshots.by_id.contains_key(id)).collect();
        if ids.is_empty() {
            return;
        }
        table.snapshots.in_order =
            table.snapshots.in_order.iter().filter(|s| !ids.contains(&s.id())).cloned().collect();
        for id in &ids {
            table.snapshots.by_id.remove(id);
        }
        table.statistics.retain(|file| !ids.contains(&file.snapshot_id));
        table.partition_statistics.retain(|file| !ids.contains(&file.snapshot_id));
        self.changed = true;
        self.snapshots_removed = true;
        let dangling = |(name, reference): (&String, &SnapshotRef)| {
            ids.contains(&reference.snapshot_id).then(|| name.clone())
        };
        let dangling: Vec<String> = self.table.refs.iter().filter_map(dangling).collect();
        for name in dangling {
            self.remove_ref(&name);
        }
    }

    /// Drops what main only passed through in this commit, and the history before a removed
    /// snapshot: with a gap, time travel would answer wrongly.
    pub(super) fn trim_snapshot_log(&mut self) -> Result<(), InvalidMetadata> {
        let current = self.table.current_snapshot_id;
        let passed: BTreeSet<i64> =
            self.main_passed.iter().copied().filter(|id| Some(*id) != current).collect();
        if passed.is_empty() && !self.snapshots_removed {
            return Ok(());
        }
        let mut log = imbl::Vector::new();
        for entry in &self.table.snapshot_log {
            if self.table.snapshot(entry.snapshot_id).is_none() {
                if self.snapshots_removed {
                    log.clear();
                }
            } else if !passed.contains(&entry.snapshot_id) {
                log.push_back(entry.clone());
            }
        }
        let last = log.last().map(|entry| entry.snapshot_id);
        if current.is_some() && last != current {
            return Err(InvalidMetadata::new(
                "the last entry of the snapshot log is not the current snapshot",
            ));
        }
        self.table.snapshot_log = log;
        Ok(())
    }
}

fn check_sequence_number(table: &TableMetadata, snapshot: &Snapshot) -> Result<(), UpdateError> {
    let (last, number) = (table.last_sequence_number, snapshot.sequence_number());
    match table.format_version {
        FormatVersion::V1 if number != 0 => {
            Err(InvalidMetadata::new(format!("a snapshot of a V1 table has sequence number {number}")).into())
        }
        FormatVersion::V1 => Ok(()),
        // A snapshot without a parent may come beside another, as in the Java reference.
        FormatVersion::V2 | FormatVersion::V3
            if number > last || (number == last && snapshot.parent_id().is_none()) =>
        {
            Ok(())
        }
        FormatVersion::V2 | FormatVersion::V3 => Err(UpdateError::Stale {
            message: format!("the snapshot's sequence number {number} is not after the last one, {last}"),
        }),
    }
}

/// Row ids before V3 would be given again after an upgrade, which begins them at 0.
fn check_no_row_ids(table: &TableMetadata, snapshot: &Snapshot) -> Result<(), InvalidMetadata> {
    if snapshot.first_row_id().is_none() {
        return Ok(());
    }
    let version = table.format_version;
    Err(InvalidMetadata::new(format!("first-row-id needs format version 3, the table has {version}")))
}

/// The row id after those of `snapshot`, which must not begin before where the table is. It may begin after it, as
/// DuckDB's does in a transaction of several snapshots: row ids that are left out are never given.
fn next_row_id(next: i64, snapshot: &Snapshot) -> Result<i64, UpdateError> {
    if snapshot.first_row_id().is_none() && snapshot.added_rows().is_none() {
        // Its writer saw the table before it was upgraded.
        let message = "the snapshot has no row ids, the table has format version 3".to_owned();
        return Err(UpdateError::Stale { message });
    }
    let Some(first) = snapshot.first_row_id() else {
        return Err(InvalidMetadata::new("a snapshot of a V3 table has no first-row-id").into());
    };
    if first < next {
        let message = format!("the snapshot's first-row-id {first} is behind the table's next-row-id {next}");
        return Err(UpdateError::Stale { message });
    }
    let added = snapshot.added_rows().filter(|&added| added >= 0);
    let after = added.and_then(|added| first.checked_add(added));
    after.ok_or_else(|| InvalidMetadata::new("a snapshot of a V3 table has no valid added-rows").into())
}
