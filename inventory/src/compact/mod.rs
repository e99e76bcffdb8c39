//! Compaction: small data files, and files with position deletes, are rewritten into fewer files without them.
//!
//! - K1: a group of files of one partition becomes one file, and is committed on its own: what was done stays done.
//! - K2: a group is committed only on a head in which every file it replaces is live and no deletes are that were not
//!   applied. Else it fails, and a later run does it.
//! - K3: new files carry the sequence number of the snapshot they were read from, so that equality deletes that come
//!   meanwhile still apply to them.
//! - K4: what cannot be rewritten faithfully is left as it is, with a reason: tables that are not of format version 2,
//!   files that are not Parquet, of an older schema or partition spec, encrypted, or under equality deletes.

mod commit;
mod rewrite;
mod select;

use std::collections::BTreeMap;
use std::sync::Arc;

use iceberg::spec::{ManifestList, TableMetadata as Parsed};
use serde::{Deserialize, Serialize};
use tarn_catalog::metadata::FormatVersion;
use tarn_catalog::state::TableIdent;
use tarn_catalog::{Catalog, CommitError, LoadError, LoadedTable};

use self::rewrite::Rewritten;
use self::select::Group;
use crate::files::{FileError, Files};
use crate::place::Places;
use crate::removal::Mode;
use crate::runs::Progress;

/// Bytes of a group of files, and about the most of a file made: both are in memory while it is written.
const GROUP_BYTES_MAX: u64 = 128 << 20;
/// A group has so many files at least, unless one has deletes.
const GROUP_FILES_MIN: usize = 5;
/// Positions of deleted rows held at a time.
const POSITIONS_MAX: usize = 16_000_000;

/// What a compaction did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// Groups of files rewritten.
    pub groups: u64,
    /// Files replaced.
    pub files_before: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// Files made. A dry run expects one of each group.
    pub files_after: u64,
    /// Their bytes; a dry run does not know.
    pub bytes_after: u64,
    /// Deleted rows that the files made no longer hold.
    pub rows_dropped: u64,
    /// Groups that other commits overtook; a later run does them.
    pub groups_overtaken: u64,
    /// Files left as they are, by reason.
    pub skipped: BTreeMap<String, u64>,
}

/// A compaction ended early. Groups committed before stay.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// There is no such table.
    #[error("table '{0}' does not exist")]
    NoSuchTable(TableIdent),
    /// It cannot be done faithfully for this table.
    #[error("{0}")]
    Unfit(String),
    /// The table's metadata could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A manifest or a data file could not be read or made.
    #[error("a file of the table could not be read or made")]
    Iceberg(#[from] iceberg::Error),
    /// A data file could not be read.
    #[error("a data file could not be read")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The commit was not done, or it is not known whether it was.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Compacts one table.
pub(crate) struct Compact<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) files: &'a Arc<Files>,
    pub(crate) mode: Mode,
    pub(crate) progress: &'a Progress,
}

/// A snapshot to work on.
struct Head {
    table: LoadedTable,
    parsed: Arc<Parsed>,
    snapshot_id: i64,
    sequence_number: i64,
    list: ManifestList,
}

/// The arrangement asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// Bytes of a file to make; the table's own property when not given.
    pub(crate) bytes: Option<u64>,
}

impl Compact<'_> {
    pub(crate) async fn run(&self, ident: &TableIdent, target: Target) -> Result<Compacted, CompactError> {
        let mut outcome = Compacted::default();
        let Some(head) = self.head(ident).await? else { return Ok(outcome) };
        let bytes = target.bytes.unwrap_or_else(|| own_target(&head)).min(GROUP_BYTES_MAX);
        let groups = self.select(&head, bytes, &mut outcome.skipped).await?;
        for group in groups {
            outcome.groups += 1;
            outcome.files_before += group.files.len() as u64;
            outcome.bytes_before += group.bytes();
            if self.mode == Mode::DryRun {
                outcome.files_after += 1;
                continue;
            }
            let made = match self.rewrite(&head, &group).await? {
                Ok(made) => made,
                Err(reason) => {
                    forget(&mut outcome, &group);
                    *outcome.skipped.entry(reason).or_default() += group.files.len() as u64;
                    continue;
                }
            };
            if !self.commit(ident, &head, &group, &made).await? {
                forget(&mut outcome, &group);
                outcome.groups_overtaken += 1;
                continue;
            }
            self.note(&group, &made, &mut outcome);
        }
        Ok(outcome)
    }

    fn note(&self, group: &Group, made: &Rewritten, outcome: &mut Compacted) {
        outcome.files_after += u64::from(made.file.is_some());
        outcome.bytes_after += made.bytes;
        outcome.rows_dropped += made.rows_dropped;
        for file in &group.files {
            self.progress.add(file.entry.file_size_in_bytes());
        }
    }

    /// The current snapshot of main; `None` when there is none.
    async fn head(&self, ident: &TableIdent) -> Result<Option<Head>, CompactError> {
        let table = self.catalog.load(ident).await?;
        let table = table.ok_or_else(|| CompactError::NoSuchTable(ident.clone()))?;
        let metadata = &table.metadata;
        if metadata.format_version() != FormatVersion::V2 {
            let version = metadata.format_version();
            return Err(CompactError::Unfit(format!("tables of format version {version} are not compacted")));
        }
        let Some(snapshot) = metadata.current_snapshot() else { return Ok(None) };
        let (snapshot_id, sequence_number) = (snapshot.id(), snapshot.sequence_number());
        let unfit =
            |error: serde_json::Error| CompactError::Unfit(format!("the table is not understood: {error}"));
        let parsed: Parsed = serde_json::from_slice(&metadata.to_json()).map_err(unfit)?;
        let list = snapshot.manifest_list();
        let list = list.ok_or_else(|| CompactError::Unfit("the snapshot has no manifest list".into()))?;
        let bytes = self.files.read(list).await?;
        let list = ManifestList::parse_with_version(&bytes, iceberg::spec::FormatVersion::V2)?;
        Ok(Some(Head { table, parsed: Arc::new(parsed), snapshot_id, sequence_number, list }))
    }

    /// Where files of a table are made.
    fn location(head: &Head, name: &str) -> Result<String, CompactError> {
        let location = format!("{}/{name}", head.table.metadata.location());
        if Places::of(&head.table.metadata).hold(&location) {
            return Ok(location);
        }
        Err(CompactError::Unfit(format!("nothing can be written to {location}")))
    }
}

fn forget(outcome: &mut Compacted, group: &Group) {
    outcome.groups -= 1;
    outcome.files_before -= group.files.len() as u64;
    outcome.bytes_before -= group.bytes();
}

fn own_target(head: &Head) -> u64 {
    const DEFAULT: u64 = 512 << 20;
    let property = head.table.metadata.properties().get("write.target-file-size-bytes");
    property.and_then(|value| value.trim().parse().ok()).filter(|&bytes| bytes > 0).unwrap_or(DEFAULT)
}
