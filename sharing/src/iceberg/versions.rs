//! Versions of a table: the revisions the catalog keeps of it.
//!
//! A revision names a snapshot and a schema. It can be read while the table's current metadata still has both; what came
//! before one that cannot be read is not told either, so versions have no gaps.
//!
//! Iceberg gives a new schema the highest id there is and one. A removed schema's id comes again only after the current
//! schema had a lower one. So the current metadata says what a revision's schema is while no later revision had a lower
//! id; of the others only a metadata file of that time does.

use std::ops::RangeInclusive;
use std::sync::Arc;

use tarn_catalog::metadata::{Schema, Snapshot, TableMetadata};
use tarn_catalog::state::{Revision, Revisions};

use crate::table::{TableError, Versions};

/// The versions of a table that can be read, oldest first.
pub(super) struct Readable<'a> {
    metadata: &'a TableMetadata,
    /// With its time, which never goes back.
    revisions: Vec<(&'a Revision, i64)>,
    unsure: Vec<Unsure<'a>>,
    /// The revision before the first of them, where it is kept: it cannot be read.
    before: Option<&'a Revision>,
}

impl<'a> Readable<'a> {
    pub(super) fn new(all: &'a Revisions, metadata: &'a TableMetadata) -> Self {
        let mut timed = Vec::with_capacity(all.len());
        let mut latest_ms = i64::MIN;
        for revision in all.iter() {
            latest_ms = latest_ms.max(revision.at);
            timed.push((revision, latest_ms));
        }
        let is_readable = |(revision, _): &(&Revision, i64)| {
            let snapshot = revision.snapshot_id;
            metadata.schema(revision.schema_id).is_some()
                && snapshot.is_none_or(|id| metadata.snapshot(id).is_some())
        };
        let from = timed.iter().rposition(|revision| !is_readable(revision)).map_or(0, |last| last + 1);
        let revisions = timed.split_off(from);
        let before = timed.last().map(|(revision, _)| *revision);
        Self { metadata, revisions, unsure: unsure(all), before }
    }

    /// The first and the last.
    pub(super) fn range(&self) -> Result<Versions, TableError> {
        match (self.revisions.first(), self.revisions.last()) {
            (Some((first, _)), Some((last, _))) => {
                Ok(Versions { earliest: number(first), latest: number(last) })
            }
            // The current revision always can be read, unless the metadata is damaged.
            (_, _) => Err(TableError::Invalid("the table's current version cannot be read".into())),
        }
    }

    /// The last at a time or before it.
    pub(super) fn until(&self, timestamp_ms: i64) -> Option<i64> {
        let found = self.revisions.iter().rev().find(|(_, at)| *at <= timestamp_ms);
        found.map(|(revision, _)| number(revision))
    }

    /// The first at a time or after it.
    pub(super) fn from(&self, timestamp_ms: i64) -> Option<i64> {
        let found = self.revisions.iter().find(|(_, at)| *at >= timestamp_ms);
        found.map(|(revision, _)| number(revision))
    }

    /// One of them.
    pub(super) fn version(&self, version: i64) -> Result<ReadableVersion<'a>, TableError> {
        let Versions { earliest, latest } = self.range()?;
        let missing = || TableError::NoSuchVersion { version, earliest, latest };
        let found = self.revisions.iter().find(|(revision, _)| number(revision) == version);
        let (revision, timestamp_ms) = found.ok_or_else(missing)?;
        let snapshot = match revision.snapshot_id {
            None => None,
            Some(id) => Some(self.metadata.snapshot(id).ok_or_else(missing)?.as_ref()),
        };
        let schema = self.metadata.schema(revision.schema_id).ok_or_else(missing)?.clone();
        let unsure = self.unsure.iter().find(|unsure| unsure.numbers.contains(&revision.number));
        let former = unsure.map(|unsure| unsure.metadata_location);
        Ok(ReadableVersion {
            number: version,
            timestamp_ms: *timestamp_ms,
            snapshot,
            schema,
            former,
            metadata: None,
        })
    }

    /// The snapshot that was current before a version; `None` where that is not known.
    pub(super) fn base(&self, version: i64) -> Option<Base> {
        let at = self.revisions.iter().position(|(revision, _)| number(revision) == version)?;
        let before = at.checked_sub(1).map(|at| self.revisions[at].0).or(self.before);
        match before.map(|revision| revision.snapshot_id) {
            Some(Some(id)) => Some(Base::Snapshot(id)),
            Some(None) => Some(Base::Empty),
            None if version == 0 => Some(Base::Empty),
            None => None,
        }
    }
}

/// A version that can be read.
pub(super) struct ReadableVersion<'a> {
    pub(super) number: i64,
    pub(super) timestamp_ms: i64,
    pub(super) snapshot: Option<&'a Snapshot>,
    pub(super) schema: Arc<Schema>,
    /// The metadata file that says what the schema is, where the current one may not.
    pub(super) former: Option<&'a str>,
    /// What that file holds, once it is read.
    pub(super) metadata: Option<Arc<TableMetadata>>,
}

/// Revisions with one schema, whose id another schema may have now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unsure<'a> {
    /// Their numbers.
    pub(super) numbers: RangeInclusive<u64>,
    /// The schema's id.
    pub(super) schema_id: i32,
    /// The metadata file of the last of them.
    pub(super) metadata_location: &'a str,
}

/// The revisions that had a schema with a higher id than a later one, newest first.
pub(super) fn unsure(revisions: &Revisions) -> Vec<Unsure<'_>> {
    let all: Vec<&Revision> = revisions.iter().collect();
    let mut found: Vec<Unsure<'_>> = Vec::new();
    let mut lowest = i32::MAX;
    for revision in all.into_iter().rev() {
        if revision.schema_id <= lowest {
            lowest = revision.schema_id;
            continue;
        }
        match found.last_mut() {
            Some(last)
                if last.schema_id == revision.schema_id && *last.numbers.start() == revision.number + 1 =>
            {
                last.numbers = revision.number..=*last.numbers.end();
            }
            Some(_) | None => found.push(Unsure {
                numbers: revision.number..=revision.number,
                schema_id: revision.schema_id,
                metadata_location: &revision.metadata_location,
            }),
        }
    }
    found
}

/// What a version was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// No rows.
    Empty,
    /// Those of this snapshot.
    Snapshot(i64),
}

fn number(revision: &Revision) -> i64 {
    // A table has at most one revision a millisecond for far longer than anything lasts.
    i64::try_from(revision.number).unwrap_or(i64::MAX)
}
