//! What changed: of a table between two points, and of a warehouse between two positions.

mod files;
mod shape;
mod warehouse;

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

pub use self::files::{AddedRemoved, Amount, FileChanges, FilesError};
pub(crate) use self::shape::shape_between;
pub use self::shape::{Change, ColumnChange, TableShape, Totals};
pub use self::warehouse::{MoveCounts, Name, TableMove, WarehouseDiff};
use super::{HistoryError, Moment};
use crate::files::LoadError;
use crate::metadata::{Snapshot, TableMetadata};
use crate::state::TableIdent;
use crate::{Catalog, Seq};

/// Snapshots told of one side.
const SNAPSHOTS_MAX: usize = 1_000;

/// A point in the history of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Point {
    /// As it is.
    Now,
    /// As it was.
    Moment(Moment),
    /// A snapshot that it has.
    Snapshot(i64),
    /// A branch or tag that it has.
    Ref(String),
}

/// `now`, `snapshot:<id>`, `ref:<name>`, `position:<number>` or a time.
impl FromStr for Point {
    type Err = super::InvalidMoment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Some(id) = text.strip_prefix("snapshot:").and_then(|id| id.parse().ok()) {
            return Ok(Self::Snapshot(id));
        }
        match text.strip_prefix("ref:") {
            Some(name) if !name.is_empty() => Ok(Self::Ref(name.to_owned())),
            Some(_) | None => text.parse().map(Self::Moment),
        }
    }
}

/// What changed in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TableDiff {
    /// Schema, partitions, sort order, properties and totals.
    #[serde(flatten)]
    pub shape: TableShape,
    /// Snapshots that the later side has in its line and the earlier has not, the newest first; at most 1,000.
    pub snapshots_added: Vec<SnapshotTold>,
    /// Snapshots that only the earlier side has in its line: it was rolled back.
    pub snapshots_left: Vec<SnapshotTold>,
    /// Files, rows and bytes that came and went.
    pub files: FileChanges,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SnapshotTold {
    /// Its id.
    pub snapshot_id: i64,
    /// When it was made, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What made it, such as `append`.
    pub operation: Option<String>,
    /// Rows it added, as its summary tells.
    pub added_rows: Option<i64>,
    /// Rows it deleted, as its summary tells.
    pub deleted_rows: Option<i64>,
}

/// Why there is no difference to tell.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The past cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// There is no such table, or was none at that point.
    #[error("table '{0}' does not exist at {1}")]
    NoSuchTable(TableIdent, String),
    /// The table has no such snapshot, branch or tag.
    #[error("table '{0}' has no {1}")]
    NoSuchPoint(TableIdent, String),
    /// There is no such warehouse on either side.
    #[error("warehouse '{0}' does not exist")]
    NoSuchWarehouse(String),
    /// A metadata file cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The files cannot be compared.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// A side of a difference.
struct Side {
    metadata: Arc<TableMetadata>,
    snapshot: Option<Arc<Snapshot>>,
}

impl Catalog {
    /// What changed in a table from one point to another. The table is followed by its UUID.
    pub async fn diff_table(
        &self,
        ident: &TableIdent,
        from: &Point,
        to: &Point,
    ) -> Result<TableDiff, DiffError> {
        let (before, after) = (self.side(ident, from).await?, self.side(ident, to).await?);
        let (earlier, later) = (before.snapshot.as_deref(), after.snapshot.as_deref());
        let by_moment = |point: &Point| matches!(point, Point::Now | Point::Moment(_));
        let shape = if by_moment(from) && by_moment(to) {
            shape_between(&before.metadata, &after.metadata)
        } else {
            shape::shape_of(&before.metadata, &after.metadata, earlier, later)
        };
        let area = self.area(ident, &after.metadata);
        let files = files::between(self.manifests(), &area, earlier, later).await?;
        let (was, is) = (line(&before), line(&after));
        let ids = |line: &[Arc<Snapshot>]| line.iter().map(|one| one.id()).collect::<HashSet<i64>>();
        let only = |line: &[Arc<Snapshot>], other: &HashSet<i64>| -> Vec<SnapshotTold> {
            let only = line.iter().filter(|one| !other.contains(&one.id()));
            only.take(SNAPSHOTS_MAX).map(|one| told(one)).collect()
        };
        Ok(TableDiff {
            shape,
            snapshots_added: only(&is, &ids(&was)),
            snapshots_left: only(&was, &ids(&is)),
            files,
        })
    }

    /// What changed in a warehouse between two positions.
    pub async fn diff_warehouse(
        &self,
        warehouse: &str,
        from: Seq,
        to: Seq,
    ) -> Result<WarehouseDiff, DiffError> {
        let (before, after) = (self.state_at(from).await?, self.state_at(to).await?);
        if before.warehouse(warehouse).is_none() && after.warehouse(warehouse).is_none() {
            return Err(DiffError::NoSuchWarehouse(warehouse.to_owned()));
        }
        Ok(warehouse::between(warehouse, &before, &after))
    }

    async fn side(&self, ident: &TableIdent, point: &Point) -> Result<Side, DiffError> {
        let today = self.snapshot();
        let missing = |at: String| DiffError::NoSuchTable(ident.clone(), at);
        if let Point::Moment(moment) = point {
            let then = self.state_at(self.position(*moment).await?).await?;
            // A table that is gone is found by its name of then.
            let entry = match today.table(ident) {
                Some(entry) => then.tables_with(&ident.warehouse, entry.uuid).next().map(|(_, entry)| entry),
                None => then.table(ident),
            };
            let entry = entry.ok_or_else(|| missing(moment.to_string()))?;
            let metadata = self.read_metadata(&entry.metadata_location).await?;
            let snapshot = metadata.current_snapshot().cloned();
            return Ok(Side { metadata, snapshot });
        }
        let entry = today.table(ident).ok_or_else(|| missing("now".to_owned()))?;
        let metadata = self.read_metadata(&entry.metadata_location).await?;
        let absent = |what: String| DiffError::NoSuchPoint(ident.clone(), what);
        let snapshot = match point {
            Point::Now | Point::Moment(_) => metadata.current_snapshot().cloned(),
            Point::Snapshot(id) => {
                let found = metadata.snapshot(*id).cloned();
                Some(found.ok_or_else(|| absent(format!("snapshot {id}")))?)
            }
            Point::Ref(name) => {
                let found = metadata.refs().get(name).and_then(|found| metadata.snapshot(found.snapshot_id));
                Some(found.cloned().ok_or_else(|| absent(format!("branch or tag '{name}'")))?)
            }
        };
        Ok(Side { metadata, snapshot })
    }
}

/// The snapshot and those it was made from, the newest first, as far as the table has them.
fn line(side: &Side) -> Vec<Arc<Snapshot>> {
    let parent = |snapshot: &Arc<Snapshot>| side.metadata.snapshot(snapshot.parent_id()?).cloned();
    // A line has no more snapshots than the table: a loop in bad metadata ends.
    let all = side.metadata.snapshots().len();
    std::iter::successors(side.snapshot.clone(), parent).take(all).collect()
}

fn told(snapshot: &Snapshot) -> SnapshotTold {
    let summary = snapshot.summary();
    let number = |key: &str| summary.get(key).and_then(|text| text.parse().ok());
    SnapshotTold {
        snapshot_id: snapshot.id(),
        timestamp_ms: snapshot.timestamp_ms(),
        operation: summary.get("operation").cloned(),
        added_rows: number("added-records"),
        deleted_rows: number("deleted-records"),
    }
}
