//! Rolling tables back: what would happen to each, and doing it to all or none.
//!
//! A table is followed by its UUID: one that was renamed keeps the name it has.

use std::sync::Arc;

use object_store::ObjectStoreExt as _;

use super::diff::{TableShape, shape_between};
use super::{HistoryError, Moment};
use crate::Catalog;
use crate::commit::CommitError;
use crate::files::{LoadError, split};
use crate::metadata::TableMetadata;
use crate::metadata::builder::Builder;
use crate::state::{
    CatalogState, Request, RollbackRefusal, RollbackTable, RollbackTarget, TableEntry, TableIdent,
    rollback_updates,
};

/// What tables are rolled back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackTo {
    /// What they were then: current snapshot, schema, partitions, sort order and properties.
    Moment(Moment),
    /// A snapshot; nothing else of the table changes.
    Snapshot(i64),
}

/// Which tables to roll back, and to what.
#[derive(Debug, Clone)]
pub struct RollbackOrder {
    /// The tables, each with the metadata file it had when the caller looked at it; `None`: the one it has now.
    pub tables: Vec<(TableIdent, Option<Arc<str>>)>,
    /// To what.
    pub to: RollbackTo,
}

/// Whether it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackMode {
    /// Only told.
    DryRun,
    /// Done, to all tables or none.
    Commit,
}

/// What happens to one table.
#[derive(Debug, Clone)]
pub struct RolledBack {
    /// Its name.
    pub ident: TableIdent,
    /// Its metadata file before; the one that [`RollbackOrder::tables`] takes.
    pub seen: Option<Arc<str>>,
    /// What changes, or why nothing can.
    pub outcome: Result<Box<TableShape>, Refused>,
}

/// Why a table is not rolled back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none of this name.
    #[error("there is no such table")]
    NoSuchTable,
    /// It was there then, and is dropped.
    #[error("it was dropped since: undrop it, where it is kept")]
    Dropped,
    /// The table of now was not there then.
    #[error("it was not there then")]
    NotThereThen,
    /// It has other metadata than the caller saw.
    #[error("it has changed since it was looked at")]
    Changed,
    /// Its metadata of then is gone.
    #[error("its metadata of then, {0}, was removed since")]
    MetadataGone(Arc<str>),
    /// The snapshot of then is not in the table any more.
    #[error("it has no snapshot {0}: that expired, or there never was one")]
    SnapshotGone(i64),
    /// The snapshot of then is named, and its files are gone.
    #[error("the files of its snapshot of then, {0}, were removed")]
    FilesGone(i64),
    /// Its property forbids it.
    #[error("it is protected: unprotect it first")]
    Protected,
    /// What it would become is no valid table.
    #[error("{0}")]
    Invalid(String),
}

/// Why nothing was rolled back.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// The order makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// The past cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A table's metadata cannot be read now.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file of a table could not be looked for.
    #[error("a table's files could not be looked for")]
    Store(#[source] object_store::Error),
    /// Some tables are refused, so none was touched.
    #[error("no table was rolled back: {}", reasons(.0))]
    Refused(Vec<RolledBack>),
    /// The catalog did not do it, or does not know.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

fn reasons(tables: &[RolledBack]) -> String {
    let refused = tables.iter().filter_map(|table| {
        let refused = table.outcome.as_ref().err()?;
        Some(format!("'{}': {refused}", table.ident))
    });
    refused.collect::<Vec<_>>().join("; ")
}

impl Catalog {
    /// Rolls tables back, or tells what that would do.
    pub async fn rollback(
        &self,
        order: &RollbackOrder,
        mode: RollbackMode,
        now: i64,
    ) -> Result<Vec<RolledBack>, RollbackError> {
        match (&order.tables[..], order.to) {
            ([], _) => return Err(RollbackError::Invalid("no table is named")),
            ([_, _, ..], RollbackTo::Snapshot(_)) => {
                return Err(RollbackError::Invalid(
                    "a snapshot is one table's: name one table, or a position or time",
                ));
            }
            ([_], RollbackTo::Snapshot(_)) | (_, RollbackTo::Moment(_)) => {}
        }
        let then = match order.to {
            RollbackTo::Snapshot(_) => None,
            // The past is resolved once: all tables go back to one state.
            RollbackTo::Moment(moment) => Some(self.state_at(self.position(moment).await?).await?),
        };
        let today = self.snapshot();
        let (mut told, mut planned) = (Vec::new(), Vec::new());
        for (ident, seen) in &order.tables {
            let entry = today.table(ident);
            let outcome = match entry {
                None => Err(absent(ident, then.as_deref())),
                Some(entry) if seen.as_ref().is_some_and(|seen| *seen != entry.metadata_location) => {
                    Err(Refused::Changed)
                }
                Some(entry) => match self.target(ident, entry, order.to, then.as_deref()).await? {
                    Ok(target) => {
                        let shape = self.preview(ident, entry, &target, now).await?;
                        let seen = entry.metadata_location.clone();
                        planned.push(RollbackTable { ident: ident.clone(), seen, target });
                        shape
                    }
                    Err(refused) => Err(refused),
                },
            };
            let seen = entry.map(|entry| entry.metadata_location.clone());
            told.push(RolledBack { ident: ident.clone(), seen, outcome: outcome.map(Box::new) });
        }
        match mode {
            RollbackMode::DryRun => Ok(told),
            RollbackMode::Commit if told.iter().any(|table| table.outcome.is_err()) => {
                Err(RollbackError::Refused(told))
            }
            RollbackMode::Commit => {
                self.commit(Request::RollbackTables(planned)).await?;
                Ok(told)
            }
        }
    }

    /// What the table goes back to.
    async fn target(
        &self,
        ident: &TableIdent,
        entry: &TableEntry,
        to: RollbackTo,
        then: Option<&CatalogState>,
    ) -> Result<Result<RollbackTarget, Refused>, RollbackError> {
        let then = match (to, then) {
            (RollbackTo::Snapshot(id), _) => return Ok(Ok(RollbackTarget::Snapshot(id))),
            (RollbackTo::Moment(_), None) => return Ok(Err(Refused::NotThereThen)),
            (RollbackTo::Moment(_), Some(then)) => then,
        };
        let Some((_, was)) = then.tables_with(&ident.warehouse, entry.uuid).next() else {
            return Ok(Err(Refused::NotThereThen));
        };
        match self.read_metadata(&was.metadata_location).await {
            Ok(metadata) => Ok(Ok(RollbackTarget::Whole(metadata))),
            Err(LoadError::Missing { .. }) => Ok(Err(Refused::MetadataGone(was.metadata_location.clone()))),
            Err(error) => Err(error.into()),
        }
    }

    /// What the table would become, by what makes it so.
    async fn preview(
        &self,
        ident: &TableIdent,
        entry: &TableEntry,
        target: &RollbackTarget,
        now: i64,
    ) -> Result<Result<TableShape, Refused>, RollbackError> {
        let base = self.read_metadata(&entry.metadata_location).await?;
        let after = match after(&base, target, now) {
            Ok(after) => after,
            Err(refused) => return Ok(Err(refused)),
        };
        if let Some(snapshot) = after.current_snapshot()
            && let Some((bucket, path)) = snapshot.manifest_list().and_then(split)
            && *bucket == *ident.warehouse
        {
            match self.warehouses().store(bucket).head(&path).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => {
                    return Ok(Err(Refused::FilesGone(snapshot.id())));
                }
                Err(error) => return Err(RollbackError::Store(error)),
            }
        }
        Ok(Ok(shape_between(&base, &after)))
    }
}

fn absent(ident: &TableIdent, then: Option<&CatalogState>) -> Refused {
    match then.and_then(|then| then.table(ident)) {
        Some(_) => Refused::Dropped,
        None => Refused::NoSuchTable,
    }
}

/// The metadata after the rollback; that before where nothing changes.
fn after(
    base: &Arc<TableMetadata>,
    target: &RollbackTarget,
    now: i64,
) -> Result<Arc<TableMetadata>, Refused> {
    let updates = rollback_updates(base, target).map_err(|refusal| match refusal {
        RollbackRefusal::Protected => Refused::Protected,
        RollbackRefusal::SnapshotGone(id) => Refused::SnapshotGone(id),
    })?;
    let mut builder = Builder::next(base, None, now.max(base.last_updated_ms()));
    for update in &updates {
        builder.apply(update).map_err(|error| Refused::Invalid(error.to_string()))?;
    }
    let built = builder.build().map_err(|error| Refused::Invalid(error.to_string()))?;
    Ok(built.map_or_else(|| Arc::clone(base), Arc::new))
}
