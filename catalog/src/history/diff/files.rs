//! Which files two snapshots differ in: manifests that both name cancel out unread.

use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use utoipa::ToSchema;

use crate::metadata::Snapshot;
use crate::scan::{Area, Content, ManifestFile, ManifestReader, PlanError, Status};

/// Files that differ on either side; a difference with more is refused.
const FILES_MAX: usize = 500_000;
/// Manifests read at a time.
const READS_AT_ONCE: usize = 4;

/// What a snapshot has and the other has not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct FileChanges {
    /// Data files.
    pub data: AddedRemoved,
    /// Delete files and deletion vectors; their rows are the deleted positions or keys.
    pub deletes: AddedRemoved,
}

/// Files that came and went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AddedRemoved {
    /// Those only the later has.
    pub added: Amount,
    /// Those only the earlier has.
    pub removed: Amount,
}

/// How much.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Rows in them.
    pub rows: i64,
    /// Their bytes; of a deletion vector its own, not its file's.
    pub bytes: i64,
}

/// Why files could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A manifest cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// A manifest of a snapshot is gone.
    #[error("{0}")]
    Gone(String),
    /// The store failed; trying again may help.
    #[error("{0}")]
    Store(String),
    /// More files differ than are compared.
    #[error("more than {FILES_MAX} files differ")]
    TooMany,
    /// Some old snapshots name their manifests without a list.
    #[error("snapshot {0} has no manifest list")]
    NoList(i64),
}

impl From<PlanError> for FilesError {
    fn from(error: PlanError) -> Self {
        let message = error.to_string();
        match error {
            PlanError::Missing { .. } => Self::Gone(message),
            PlanError::Store { .. } | PlanError::Busy => Self::Store(message),
            PlanError::Invalid(_)
            | PlanError::Filter(_)
            | PlanError::Unsupported(_)
            | PlanError::Damaged { .. }
            | PlanError::Partition { .. }
            | PlanError::NoSuchPlan(_)
            | PlanError::NoSuchTask(_) => Self::Unreadable(message),
        }
    }
}

/// A file, or a deletion vector in one.
type Key = (Box<str>, Option<i64>);

struct File {
    content: Content,
    rows: i64,
    bytes: i64,
}

/// What makes `to` of `from`; no snapshot has no files.
pub(super) async fn between(
    reader: &ManifestReader,
    area: &Area,
    from: Option<&Snapshot>,
    to: Option<&Snapshot>,
) -> Result<FileChanges, FilesError> {
    if from.map(Snapshot::id) == to.map(Snapshot::id) {
        return Ok(FileChanges::default());
    }
    let (before, after) = (manifests(reader, area, from).await?, manifests(reader, area, to).await?);
    let paths = |list: &[ManifestFile]| list.iter().map(|one| one.path.clone()).collect::<BTreeSet<_>>();
    let (held, come) = (paths(&before), paths(&after));
    let gone: Vec<ManifestFile> = before.into_iter().filter(|one| !come.contains(&one.path)).collect();
    let new: Vec<ManifestFile> = after.into_iter().filter(|one| !held.contains(&one.path)).collect();
    let removed = live(reader, area, gone).await?;
    let added = live(reader, area, new).await?;
    let mut changes = FileChanges::default();
    for (key, file) in &added {
        if !removed.contains_key(key) {
            changes.of(file).added.add(file);
        }
    }
    for (key, file) in &removed {
        if !added.contains_key(key) {
            changes.of(file).removed.add(file);
        }
    }
    Ok(changes)
}

async fn manifests(
    reader: &ManifestReader,
    area: &Area,
    snapshot: Option<&Snapshot>,
) -> Result<Vec<ManifestFile>, FilesError> {
    let Some(snapshot) = snapshot else { return Ok(Vec::new()) };
    let list = snapshot.manifest_list().ok_or(FilesError::NoList(snapshot.id()))?;
    Ok(reader.list(area, list).await?.to_vec())
}

async fn live(
    reader: &ManifestReader,
    area: &Area,
    manifests: Vec<ManifestFile>,
) -> Result<HashMap<Key, File>, FilesError> {
    let mut files = HashMap::new();
    let mut read = futures::stream::iter(manifests)
        .map(|manifest| async move { reader.manifest(area, &manifest).await })
        .buffer_unordered(READS_AT_ONCE);
    while let Some(manifest) = read.try_next().await? {
        for entry in manifest.entries.iter().filter(|entry| entry.status != Status::Deleted) {
            let file = &entry.file;
            let bytes = file.content_size_bytes.unwrap_or(file.size_bytes);
            let told = File { content: file.content, rows: file.record_count, bytes };
            files.insert((file.path.clone(), file.content_offset), told);
        }
        if files.len() > FILES_MAX {
            return Err(FilesError::TooMany);
        }
    }
    Ok(files)
}

impl FileChanges {
    fn of(&mut self, file: &File) -> &mut AddedRemoved {
        match file.content {
            Content::Data => &mut self.data,
            Content::PositionDeletes | Content::EqualityDeletes => &mut self.deletes,
        }
    }
}

impl Amount {
    fn add(&mut self, file: &File) {
        self.files += 1;
        self.rows = self.rows.saturating_add(file.rows);
        self.bytes = self.bytes.saturating_add(file.bytes);
    }
}
