//! Plan tasks: parts of a scan, named so that whoever has the plan can make each again.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use uuid::Uuid;

use super::error::PlanError;
use super::limits::Limits;
use super::manifest::ManifestFile;
use super::request::{Scan, Source};

/// A part of a scan: entries of one manifest, or all entries of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskRange {
    /// The position of the snapshot in the scan.
    pub(crate) source: u32,
    /// Positions in its manifest list.
    pub(crate) manifests: Range<u32>,
    /// Positions in each of these manifests.
    pub(crate) entries: Range<u32>,
}

/// A plan task on the wire: `plan.source.first.end.entry.end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskId {
    pub(crate) plan: Uuid,
    pub(crate) range: TaskRange,
}

impl fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TaskRange { source, manifests, entries } = &self.range;
        let plan = self.plan.simple();
        write!(
            formatter,
            "{plan}.{source}.{}.{}.{}.{}",
            manifests.start, manifests.end, entries.start, entries.end
        )
    }
}

impl FromStr for TaskId {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let unknown = || PlanError::NoSuchTask(text.chars().take(100).collect());
        let (plan, rest) = text.split_once('.').ok_or_else(unknown)?;
        let plan = Uuid::try_parse(plan).map_err(|_| unknown())?;
        let numbers: Result<Vec<u32>, _> = rest.split('.').map(str::parse).collect();
        match numbers.map_err(|_| unknown())?.as_slice() {
            &[source, first, end, from, to] if first < end && from < to => {
                Ok(Self { plan, range: TaskRange { source, manifests: first..end, entries: from..to } })
            }
            _other => Err(unknown()),
        }
    }
}

/// How a scan is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) ranges: Vec<TaskRange>,
    /// Whether all of it fits into one answer.
    pub(crate) inline: bool,
}

/// Cuts a scan into tasks, one manifest list after the other.
#[derive(Default)]
pub(crate) struct Splitter {
    /// With the entries of each.
    ranges: Vec<(TaskRange, u64)>,
    files: u64,
    bytes: u64,
    source: u32,
}

impl Splitter {
    /// Adds the manifests of the next source of the scan.
    pub(crate) fn add(
        &mut self,
        scan: &Scan,
        source: &Source,
        list: &[ManifestFile],
        limits: &Limits,
    ) -> Result<(), PlanError> {
        let limits = &Limits { task_files_max: scan.task_files_max(limits), ..limits.clone() };
        let first = self.ranges.len();
        for (manifest, place) in list.iter().zip(0_u32..) {
            if !scan.wants(source, manifest)? {
                continue;
            }
            // One more than may be: that many are refused below.
            let most = limits.tasks_max as u64 * u64::from(limits.task_files_max) + 1;
            let entries = entries(manifest).map(|entries| entries.min(most));
            self.files = self.files.saturating_add(entries.unwrap_or(u64::from(limits.task_files_max)));
            self.bytes = self.bytes.saturating_add(manifest.length.max(0) as u64);
            append(&mut self.ranges, first, self.source, place, entries, limits);
            if self.ranges.len() > limits.tasks_max {
                let max = limits.tasks_max;
                return Err(PlanError::Unsupported(format!("the scan needs more than {max} plan tasks")));
            }
        }
        self.source += 1;
        Ok(())
    }

    pub(crate) fn finish(self, limits: &Limits) -> Split {
        let inline = self.files <= limits.inline_files_max && self.bytes <= limits.inline_manifest_bytes_max;
        Split { ranges: self.ranges.into_iter().map(|(range, _)| range).collect(), inline }
    }
}

/// Entries of a manifest, as its list counts them.
fn entries(manifest: &ManifestFile) -> Option<u64> {
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    let (added, existing) = (count(manifest.added_files)?, count(manifest.existing_files)?);
    Some(added.saturating_add(existing).saturating_add(count(manifest.deleted_files).unwrap_or(0)))
}

/// Adds a manifest: to the task before it, or as tasks of its own. The last one of a manifest has no
/// end: counts may be wrong.
fn append(
    ranges: &mut Vec<(TaskRange, u64)>,
    first_of_source: usize,
    source: u32,
    place: u32,
    entries: Option<u64>,
    limits: &Limits,
) {
    let files_max = u64::from(limits.task_files_max);
    let count = entries.unwrap_or(files_max);
    if ranges.len() > first_of_source
        && let Some((last, files)) = ranges.last_mut()
        && last.entries == (0..u32::MAX)
        && *files + count <= files_max
        && place < last.manifests.start + limits.task_manifests_max
    {
        last.manifests.end = place + 1;
        *files += count;
        return;
    }
    let mut from = 0_u64;
    while count - from > files_max {
        let whole = from as u32..(from + files_max) as u32;
        ranges.push((TaskRange { source, manifests: place..place + 1, entries: whole }, files_max));
        from += files_max;
    }
    ranges.push((
        TaskRange { source, manifests: place..place + 1, entries: from as u32..u32::MAX },
        count - from,
    ));
}
