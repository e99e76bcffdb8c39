//! Which snapshots and references expire: a decision over metadata, as the Java reference makes it.
//!
//! - A branch keeps its newest snapshots: as many as its minimum, and those younger than its age.
//! - A reference keeps until its age; `main` for good. What only an expired reference kept goes with it.
//! - A snapshot of no reference keeps until the table's age.
//! - R1: a snapshot that a reader may have found as the newest of its branch within `readers_ms` stays, whatever
//!   its age.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tarn_catalog::metadata::snapshot::RefKind;
use tarn_catalog::metadata::{MAIN_BRANCH, SnapshotRef, TableMetadata};

/// What applies where neither the table nor the reference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Snapshots up to this age in milliseconds stay.
    pub max_snapshot_age_ms: i64,
    /// So many of a branch stay at least.
    pub min_snapshots_to_keep: i32,
    /// References but `main` up to this age in milliseconds stay.
    pub max_ref_age_ms: i64,
    /// What was current within so many milliseconds stays for those who read it.
    pub readers_ms: i64,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        Self {
            max_snapshot_age_ms: 5 * DAY_MS,
            min_snapshots_to_keep: 1,
            max_ref_age_ms: i64::MAX,
            readers_ms: 60 * 60 * 1000,
        }
    }
}

/// What expires.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expiry {
    /// References, by name.
    pub refs: Vec<String>,
    /// Snapshots, by id.
    pub snapshots: BTreeSet<i64>,
}

impl Expiry {
    /// Whether nothing does.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty() && self.snapshots.is_empty()
    }
}

/// A property of the table does not hold what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("property {name} is '{value}', which is no number above 0")]
pub struct InvalidProperty {
    name: &'static str,
    value: String,
}

impl Retention {
    /// With what the table's `history.expire.*` properties say.
    pub fn of_table(self, properties: &BTreeMap<String, String>) -> Result<Self, InvalidProperty> {
        let minimum = number(properties, "history.expire.min-snapshots-to-keep")?;
        let minimum = minimum.map(|minimum| i32::try_from(minimum).unwrap_or(i32::MAX));
        let snapshot_age = number(properties, "history.expire.max-snapshot-age-ms")?;
        let ref_age = number(properties, "history.expire.max-ref-age-ms")?;
        Ok(Self {
            max_snapshot_age_ms: snapshot_age.unwrap_or(self.max_snapshot_age_ms),
            min_snapshots_to_keep: minimum.unwrap_or(self.min_snapshots_to_keep),
            max_ref_age_ms: ref_age.unwrap_or(self.max_ref_age_ms),
            readers_ms: self.readers_ms,
        })
    }
}

fn number(properties: &BTreeMap<String, String>, name: &'static str) -> Result<Option<i64>, InvalidProperty> {
    let Some(value) = properties.get(name) else { return Ok(None) };
    match value.trim().parse() {
        Ok(number) if number > 0 => Ok(Some(number)),
        Ok(_) | Err(_) => Err(InvalidProperty { name, value: value.clone() }),
    }
}

/// What expires of `metadata` at `now_ms`.
pub fn plan(metadata: &TableMetadata, retention: &Retention, now_ms: i64) -> Expiry {
    let (kept, expired): (Vec<_>, Vec<_>) = metadata
        .refs()
        .iter()
        .partition(|(name, reference)| keeps_ref(metadata, name, reference, retention, now_ms));
    let mut keep = BTreeSet::new();
    let mut referenced = BTreeSet::new();
    for (_, reference) in &kept {
        match reference.kind {
            RefKind::Tag => {
                keep.insert(reference.snapshot_id);
                referenced.insert(reference.snapshot_id);
            }
            RefKind::Branch => {
                let line = ancestors(metadata, reference.snapshot_id);
                keep.extend(of_branch(metadata, &line, reference, retention, now_ms));
                referenced.extend(line);
            }
        }
    }
    let current_until = current_until(metadata);
    let floor_ms = now_ms.saturating_sub(retention.readers_ms);
    let oldest_ms = now_ms.saturating_sub(retention.max_snapshot_age_ms);
    let expires = |id: &i64, made_ms: i64| {
        let unreferenced_but_young = !referenced.contains(id) && made_ms >= oldest_ms;
        let was_current = current_until.get(id).copied().unwrap_or(made_ms).max(made_ms);
        !keep.contains(id) && !unreferenced_but_young && was_current < floor_ms
    };
    let all = metadata.snapshots();
    let snapshots = all.filter(|one| expires(&one.id(), one.timestamp_ms())).map(|one| one.id()).collect();
    Expiry { refs: expired.into_iter().map(|(name, _)| name.clone()).collect(), snapshots }
}

fn keeps_ref(
    metadata: &TableMetadata,
    name: &str,
    reference: &SnapshotRef,
    retention: &Retention,
    now_ms: i64,
) -> bool {
    let Some(snapshot) = metadata.snapshot(reference.snapshot_id) else { return true };
    let age_max = reference.max_ref_age_ms.unwrap_or(retention.max_ref_age_ms);
    name == MAIN_BRANCH || now_ms.saturating_sub(snapshot.timestamp_ms()) <= age_max
}

/// A branch's head and the snapshots before it, newest first.
fn ancestors(metadata: &TableMetadata, head: i64) -> Vec<i64> {
    let mut seen = BTreeSet::new();
    let parent = |id: &i64| metadata.snapshot(*id).and_then(|snapshot| snapshot.parent_id());
    std::iter::successors(Some(head), parent)
        .take_while(|id| metadata.snapshot(*id).is_some() && seen.insert(*id))
        .collect()
}

fn of_branch(
    metadata: &TableMetadata,
    line: &[i64],
    reference: &SnapshotRef,
    retention: &Retention,
    now_ms: i64,
) -> Vec<i64> {
    let minimum = reference.min_snapshots_to_keep.unwrap_or(retention.min_snapshots_to_keep).max(1);
    let minimum = usize::try_from(minimum).unwrap_or(usize::MAX);
    let age_max = reference.max_snapshot_age_ms.unwrap_or(retention.max_snapshot_age_ms);
    let oldest_ms = now_ms.saturating_sub(age_max);
    let made_ms = |id: &i64| metadata.snapshot(*id).map_or(i64::MAX, |snapshot| snapshot.timestamp_ms());
    let stays = |(index, id): &(usize, &i64)| *index < minimum || made_ms(id) >= oldest_ms;
    line.iter().enumerate().take_while(stays).map(|(_, id)| *id).collect()
}

/// When each snapshot was followed by another, latest: by a child, or by the next entry of the log.
fn current_until(metadata: &TableMetadata) -> HashMap<i64, i64> {
    let mut until: HashMap<i64, i64> = HashMap::new();
    let mut note = |id: i64, at: i64| {
        let latest = until.entry(id).or_insert(at);
        *latest = at.max(*latest);
    };
    for snapshot in metadata.snapshots() {
        if let Some(parent) = snapshot.parent_id() {
            note(parent, snapshot.timestamp_ms());
        }
    }
    let log: Vec<_> = metadata.snapshot_log().map(|entry| (entry.snapshot_id, entry.timestamp_ms)).collect();
    for pair in log.windows(2) {
        note(pair[0].0, pair[1].1);
    }
    until
}
