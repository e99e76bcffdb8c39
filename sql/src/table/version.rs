//! Which snapshot of a table a name asks for.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use tarn_catalog::metadata::{RefKind, TableMetadata};
use tarn_catalog::reads::ReadSchema;

use crate::QueryError;

/// A snapshot and whose columns it is read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) snapshot: Option<i64>,
    pub(super) names: ReadSchema,
}

/// The snapshot that `asked` names: by its id, a branch or tag, or a moment. `None` is the current one.
pub(super) fn find(metadata: &TableMetadata, asked: Option<&str>) -> Result<Version, QueryError> {
    let Some(asked) = asked else {
        let snapshot = metadata.current_snapshot_id();
        return Ok(Version { snapshot, names: ReadSchema::Table });
    };
    if let Some(reference) = metadata.refs().get(asked) {
        // A branch is written on, with the table's schema; a tag is as it was.
        let names = match reference.kind {
            RefKind::Branch => ReadSchema::Table,
            RefKind::Tag => ReadSchema::Snapshot,
        };
        return Ok(Version { snapshot: Some(reference.snapshot_id), names });
    }
    let found = match asked.parse() {
        Ok(id) => metadata.snapshot(id).map(|snapshot| snapshot.id()),
        Err(_no_id) => match moment_ms(asked) {
            Some(at_ms) => current_at(metadata, at_ms),
            None => None,
        },
    };
    match found {
        Some(snapshot) => Ok(Version { snapshot: Some(snapshot), names: ReadSchema::Snapshot }),
        None => Err(QueryError::Invalid(format!(
            "the table has no version '{asked}': a version is the id of a snapshot, a branch, a tag, or a moment such as 2026-01-31 or 2026-01-31T12:00:00Z"
        ))),
    }
}

/// A moment, in UTC where it names no other zone, in milliseconds since 1970.
fn moment_ms(text: &str) -> Option<i64> {
    let utc = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok();
    let moment = text.parse::<Timestamp>().ok();
    let moment = moment.or_else(|| utc(text.parse::<DateTime>().ok()?));
    let moment =
        moment.or_else(|| utc(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())));
    moment.map(Timestamp::as_millisecond)
}

/// The snapshot that was current at a moment.
fn current_at(metadata: &TableMetadata, at_ms: i64) -> Option<i64> {
    let mut log: Vec<_> = metadata.snapshot_log().filter(|entry| entry.timestamp_ms <= at_ms).collect();
    log.sort_by_key(|entry| entry.timestamp_ms);
    let last = log.last()?.snapshot_id;
    metadata.snapshot(last).map(|snapshot| snapshot.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_and_without_zone() {
        assert_eq!(moment_ms("1970-01-02"), Some(86_400_000));
        assert_eq!(moment_ms("1970-01-01T00:00:01Z"), Some(1_000));
        assert_eq!(moment_ms("1970-01-01 00:00:01"), Some(1_000));
        assert_eq!(moment_ms("1970-01-01T01:00:01+01:00"), Some(1_000));
        assert_eq!(moment_ms("yesterday"), None);
    }
}
