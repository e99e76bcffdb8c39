//! Which files are rewritten together, and which rows of them are deleted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::TryStreamExt as _;
use iceberg::spec::{
    DataContentType, DataFileFormat, Manifest, ManifestContentType, ManifestEntry, ManifestFile, Struct,
};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::rewrite::StoredFile;
use super::{Compact, CompactError, GROUP_FILES_MIN, Head, POSITIONS_MAX};

/// A live file with what it inherits from its manifest.
pub(super) struct Live {
    pub(super) entry: Arc<ManifestEntry>,
    pub(super) sequence_number: i64,
    pub(super) file_sequence_number: i64,
    pub(super) snapshot_id: i64,
}

/// Files of one partition that become one.
pub(super) struct Group {
    pub(super) partition: Struct,
    pub(super) files: Vec<Selected>,
}

/// A file to rewrite.
pub(super) struct Selected {
    pub(super) entry: Arc<ManifestEntry>,
    /// Positions of deleted rows, ascending, each once.
    pub(super) deleted: Vec<u64>,
}

impl Group {
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.entry.file_size_in_bytes()).sum()
    }
}

impl Selected {
    /// The rows that stay.
    pub(super) fn selection(&self) -> RowSelection {
        let (mut next, mut selectors) = (0_u64, Vec::new());
        for &position in &self.deleted {
            if position > next {
                selectors.push(RowSelector::select((position - next) as usize));
            }
            selectors.push(RowSelector::skip(1));
            next = position + 1;
        }
        let rows = self.entry.record_count();
        if rows > next {
            selectors.push(RowSelector::select((rows - next) as usize));
        }
        selectors.into()
    }
}

impl Compact<'_> {
    /// The groups to rewrite.
    pub(super) async fn select(
        &self,
        head: &Head,
        target_bytes: u64,
        skipped: &mut BTreeMap<String, u64>,
    ) -> Result<Vec<Group>, CompactError> {
        let mut candidates: HashMap<String, Live> = HashMap::new();
        let mut position_deletes = Vec::new();
        let mut equality_deleted_until = i64::MIN;
        let spec_id = head.parsed.default_partition_spec_id();
        for manifest in head.list.entries() {
            for live in self.live(manifest).await? {
                match live.entry.content_type() {
                    DataContentType::Data => match unfit(&live, manifest.partition_spec_id != spec_id) {
                        Some(reason) => *skipped.entry(reason.into()).or_default() += 1,
                        None => drop(candidates.insert(live.entry.file_path().to_owned(), live)),
                    },
                    DataContentType::PositionDeletes => position_deletes.push(live),
                    DataContentType::EqualityDeletes => {
                        equality_deleted_until = equality_deleted_until.max(live.sequence_number);
                    }
                }
            }
        }
        // An equality delete applies to files with a lower sequence number; of which partitions is not looked at.
        candidates.retain(|_, live| {
            let under = live.sequence_number < equality_deleted_until;
            if under {
                *skipped.entry("under equality deletes".into()).or_default() += 1;
            }
            !under
        });
        let deleted = self.deleted(&candidates, &position_deletes).await?;
        Ok(pack(candidates, deleted, target_bytes))
    }

    /// The live entries of a manifest.
    pub(super) async fn live(&self, manifest: &ManifestFile) -> Result<Vec<Live>, CompactError> {
        let bytes = self.files.read(&manifest.manifest_path).await?;
        let (entries, _) = Manifest::parse_avro(&bytes)?.into_parts();
        let live = entries.into_iter().filter(|entry| entry.is_alive());
        Ok(live
            .map(|entry| Live {
                sequence_number: entry.sequence_number.unwrap_or(manifest.sequence_number),
                file_sequence_number: entry.file_sequence_number.unwrap_or(manifest.sequence_number),
                snapshot_id: entry.snapshot_id.unwrap_or(manifest.added_snapshot_id),
                entry,
            })
            .collect())
    }

    /// The positions of deleted rows by file.
    async fn deleted(
        &self,
        candidates: &HashMap<String, Live>,
        deletes: &[Live],
    ) -> Result<HashMap<String, Vec<u64>>, CompactError> {
        let (mut found, mut held) = (HashMap::<String, Vec<u64>>::new(), 0);
        for delete in deletes {
            let path = delete.entry.file_path();
            if delete.entry.file_format() != DataFileFormat::Parquet {
                return Err(CompactError::Unfit(format!("delete file {path} is not Parquet")));
            }
            let file = StoredFile::open(self.files, path, delete.entry.file_size_in_bytes());
            let mut rows = ParquetRecordBatchStreamBuilder::new(file).await?.build()?;
            while let Some(batch) = rows.try_next().await? {
                for (path, position) in positions(&batch).ok_or_else(|| malformed(path))? {
                    // A position delete applies to files that are not newer.
                    let applies = |live: &Live| live.sequence_number <= delete.sequence_number;
                    if !candidates.get(path).is_some_and(applies) {
                        continue;
                    }
                    held += 1;
                    if held > POSITIONS_MAX {
                        let message = format!("the table has more than {POSITIONS_MAX} position deletes");
                        return Err(CompactError::Unfit(message));
                    }
                    found.entry(path.to_owned()).or_default().push(position);
                }
            }
        }
        for positions in found.values_mut() {
            positions.sort_unstable();
            positions.dedup();
        }
        Ok(found)
    }
}

/// The rows of a position delete file: which file, which row. `None` when it has other columns.
fn positions(batch: &arrow_array::RecordBatch) -> Option<Vec<(&str, u64)>> {
    use arrow_array::{Array as _, Int64Array, StringArray};
    let paths = batch.column_by_name("file_path")?.as_any().downcast_ref::<StringArray>()?;
    let rows = batch.column_by_name("pos")?.as_any().downcast_ref::<Int64Array>()?;
    if paths.null_count() > 0 || rows.null_count() > 0 {
        return None;
    }
    let pairs = paths.iter().zip(rows.iter());
    pairs.map(|(path, row)| Some((path?, u64::try_from(row?).ok()?))).collect()
}

fn malformed(path: &str) -> CompactError {
    CompactError::Unfit(format!("{path} is not a file of position deletes"))
}

/// Why a file is not rewritten (K4).
fn unfit(live: &Live, of_other_spec: bool) -> Option<&'static str> {
    let file = live.entry.data_file();
    if file.file_format() != DataFileFormat::Parquet {
        Some("not Parquet")
    } else if file.key_metadata().is_some() {
        Some("encrypted")
    } else if of_other_spec {
        Some("of an older partition spec")
    } else {
        None
    }
}

/// Small files and files with deletes, by partition, packed into groups of up to `target_bytes`.
fn pack(
    candidates: HashMap<String, Live>,
    mut deleted: HashMap<String, Vec<u64>>,
    target_bytes: u64,
) -> Vec<Group> {
    let mut partitions: HashMap<Struct, Vec<Selected>> = HashMap::new();
    let mut paths: Vec<_> = candidates.into_iter().collect();
    // By age, so that rows keep about their order.
    paths.sort_by(|(a, left), (b, right)| (left.sequence_number, a).cmp(&(right.sequence_number, b)));
    for (path, live) in paths {
        let deleted = deleted.remove(&path).unwrap_or_default();
        let small = live.entry.file_size_in_bytes() < target_bytes / 4 * 3;
        let fits = live.entry.file_size_in_bytes() <= super::GROUP_BYTES_MAX;
        if (small || !deleted.is_empty()) && fits {
            let partition = live.entry.data_file().partition().clone();
            partitions.entry(partition).or_default().push(Selected { entry: live.entry, deleted });
        }
    }
    let mut groups = Vec::new();
    for (partition, files) in partitions {
        let mut group = Group { partition: partition.clone(), files: Vec::new() };
        for file in files {
            let full = group.bytes() + file.entry.file_size_in_bytes() > target_bytes;
            if full && !group.files.is_empty() {
                let next = Group { partition: partition.clone(), files: Vec::new() };
                groups.push(std::mem::replace(&mut group, next));
            }
            group.files.push(file);
        }
        groups.push(group);
    }
    groups.retain(|group| {
        group.files.len() >= GROUP_FILES_MIN || group.files.iter().any(|file| !file.deleted.is_empty())
    });
    groups
}

/// Whether a manifest holds deletes.
pub(super) fn holds_deletes(manifest: &ManifestFile) -> bool {
    manifest.content == ManifestContentType::Deletes
}
