//! Compaction: small data files, and files with deleted rows, are rewritten into fewer files without those rows.
//!
//! - K1: a group of files of one partition is rewritten and committed on its own: what was done stays done.
//! - K2: a group is committed only on a head in which every file it replaces is live, every delete file that was
//!   applied still is, and no deletes are that apply to it and were not applied. Else it fails, and a later run does it.
//! - K3: new files carry the sequence number of the snapshot they were read from, so that equality deletes that come
//!   meanwhile still apply to them.
//! - K4: what cannot be rewritten faithfully is left as it is, with a reason.
//! - K5: a row keeps its row id and the sequence number of its last change (V3).
//! - K6: memory is bounded: a file made is in memory until it is stored, rows to arrange up to [`BUFFER_BYTES_MAX`], and
//!   deletes up to their limits; each as often as groups are rewritten at a time.
//! - K7: a run reads with the rights of the server what the table's writers name: data and delete files in the table's own
//!   places only, manifests in its warehouse and not with another table only. Other rows would be copied to where those writers may read them.
//!
//! What a run that was killed has written and not committed nothing names; the removal of unreferenced files takes it.

mod arrange;
mod columns;
pub(crate) mod commit;
mod deletes;
mod equality;
pub(crate) mod head;
mod lineage;
pub(crate) mod live;
pub(crate) mod manifests;
pub(crate) mod output;
mod positions;
mod rewrite;
pub mod rows;
pub(crate) mod schema;
mod select;
pub(crate) mod stored;
#[cfg(test)]
mod tests;
mod tidy;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tarn_catalog::state::TableIdent;
use tarn_catalog::{Catalog, CommitError, LoadError};
use tokio::sync::Mutex;

use self::arrange::SortPlan;
use self::commit::Replacement;
use self::head::Head;
use self::live::DeleteKey;
use self::rewrite::Rewritten;
use self::select::{Group, Wanted};
use crate::files::{FileError, Files};
use crate::removal::Mode;
use crate::runs::Progress;

/// Bytes of a group of small files, and about the most of a file made.
const GROUP_BYTES_MAX: u64 = 128 << 20;
/// A group has so many files at least, unless one has deletes.
const GROUP_FILES_MIN: usize = 5;
/// Files that a run looks at closer; more are left to the next one.
const FILES_MAX: usize = 100_000;
/// Positions of deleted rows held at a time.
const POSITIONS_MAX: usize = 16_000_000;
/// Bytes of a deletion vector.
const VECTOR_BYTES_MAX: u64 = 64 << 20;
/// Bytes of the keys of equality deletes held for a group.
const KEYS_BYTES_MAX: usize = 256 << 20;
/// Bytes of rows that are held to be sorted or divided; they are there up to three times while that is done.
const BUFFER_BYTES_MAX: usize = 128 << 20;
/// Partitions that the rows of one group of an older partition spec may fall into.
const PARTITIONS_MAX: usize = 1_000;

/// What a compaction did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Delete files that apply to nothing any more and left the metadata.
    pub deletes_dropped: u64,
    /// Manifests of the table before small ones were merged; 0 when none were.
    pub manifests_before: u64,
    /// Manifests after that.
    pub manifests_after: u64,
    /// Snapshots committed: one for each group, and one for the manifests.
    pub snapshots: u64,
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

/// Why a group was not rewritten.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It is left as it is (K4).
    Unfit(&'static str),
    /// The run ends.
    Failed(CompactError),
}

impl From<CompactError> for Stop {
    fn from(error: CompactError) -> Self {
        Self::Failed(error)
    }
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<iceberg::Error> for Stop {
    fn from(error: iceberg::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<parquet::errors::ParquetError> for Stop {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self::Failed(error.into())
    }
}

/// Compacts one table.
pub(crate) struct Compact<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) files: &'a Arc<Files>,
    pub(crate) mode: Mode,
    pub(crate) progress: &'a Progress,
}

/// The arrangement asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// Bytes of a file to make; the table's own property when not given.
    pub(crate) bytes: Option<u64>,
    /// How rows are arranged.
    pub(crate) order: Order,
    /// Groups that are rewritten at a time.
    pub(crate) groups: usize,
}

/// How rows of a file are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As they come.
    AsIs,
    /// By the table's sort order where it has one.
    Sorted,
    /// By the table's sort order; files that are not are rewritten too.
    AllSorted,
}

/// What became of a group.
enum Ended {
    /// A dry run told it.
    Planned,
    /// It was rewritten; so many delete files went with it.
    Done(Rewritten, u64),
    Overtaken,
    Unfit(&'static str),
}

/// What the groups of a run share.
struct Work<'a> {
    ident: &'a TableIdent,
    head: &'a Head,
    sort: &'a Arc<SortPlan>,
    target_bytes: u64,
    known_deletes: &'a HashSet<DeleteKey>,
    /// Groups are committed one after the other, or they would overtake each other.
    commits: Mutex<()>,
}

impl Compact<'_> {
    pub(crate) async fn run(&self, ident: &TableIdent, target: Target) -> Result<Compacted, CompactError> {
        let mut outcome = Compacted::default();
        let Some(head) = self.head(ident).await? else { return Ok(outcome) };
        let sort = Arc::new(SortPlan::new(&head, target.order)?);
        let target_bytes = target.bytes.unwrap_or_else(|| own_target(&head)).min(GROUP_BYTES_MAX);
        let not_in_order = sort.order_id.filter(|_| target.order == Order::AllSorted);
        let wanted = Wanted { bytes: target_bytes, not_in_order };
        let selection = self.select(&head, wanted, &mut outcome.skipped).await?;
        let known_deletes = &selection.deletes;
        let work =
            Work { ident, head: &head, sort: &sort, target_bytes, known_deletes, commits: Mutex::new(()) };
        // A loop: a closure over borrowed groups is not general enough for a task.
        let mut groups: Vec<BoxFuture<'_, _>> = Vec::with_capacity(selection.groups.len());
        for group in selection.groups {
            groups.push(self.group(&work, group).boxed());
        }
        let mut groups = stream::iter(groups).buffer_unordered(target.groups);
        while let Some((group, ended)) = groups.try_next().await? {
            self.note(&group, ended, &mut outcome);
        }
        if self.mode == Mode::Apply
            && let Some(tidied) = self.tidy(ident).await?
        {
            outcome.snapshots += 1;
            outcome.deletes_dropped += tidied.deletes;
            outcome.manifests_before = tidied.manifests_before;
            outcome.manifests_after = tidied.manifests_after;
        }
        Ok(outcome)
    }

    async fn group(&self, work: &Work<'_>, group: Group) -> Result<(Group, Ended), CompactError> {
        let &Work { ident, head, sort, target_bytes, known_deletes, .. } = work;
        if self.mode == Mode::DryRun {
            return Ok((group, Ended::Planned));
        }
        let made = match self.rewrite(head, &group, sort, target_bytes).await {
            Ok(made) => made,
            Err(Stop::Unfit(reason)) => return Ok((group, Ended::Unfit(reason))),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let _turn = work.commits.lock().await;
        let replacement = Replacement { read: head, known_deletes, group: &group, made: &made };
        let ended = match self.commit(ident, &replacement).await? {
            Some(deletes) => Ended::Done(made, deletes),
            None => Ended::Overtaken,
        };
        Ok((group, ended))
    }

    fn note(&self, group: &Group, ended: Ended, outcome: &mut Compacted) {
        let files = group.files.len() as u64;
        match ended {
            Ended::Overtaken => {
                outcome.groups_overtaken += 1;
                return;
            }
            Ended::Unfit(reason) => {
                *outcome.skipped.entry(reason.into()).or_default() += files;
                return;
            }
            Ended::Planned => outcome.files_after += 1,
            Ended::Done(made, deletes) => {
                outcome.snapshots += 1;
                outcome.files_after += made.files.len() as u64;
                outcome.bytes_after += made.bytes();
                outcome.rows_dropped += made.rows_dropped;
                outcome.deletes_dropped += deletes;
                for file in &group.files {
                    self.progress.add(file.live.file().file_size_in_bytes());
                }
            }
        }
        outcome.groups += 1;
        outcome.files_before += files;
        outcome.bytes_before += group.bytes();
    }
}

fn own_target(head: &Head) -> u64 {
    const DEFAULT: u64 = 512 << 20;
    let property = head.table.metadata.properties().get("write.target-file-size-bytes");
    property.and_then(|value| value.trim().parse().ok()).filter(|&bytes| bytes > 0).unwrap_or(DEFAULT)
}
