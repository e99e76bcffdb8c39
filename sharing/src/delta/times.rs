//! When versions were committed (Delta protocol, "In-Commit Timestamps").
//!
//! - T1: a later version has a later time. Times of files are moved on where they stand still or go back.

use std::sync::Arc;

use super::bench::Bench;
use super::commit;
use super::definition::CommitTimes;
use crate::table::TableError;

/// The versions of a log and when they were committed.
pub(super) struct Times<'a> {
    bench: &'a Bench,
    told: CommitTimes,
    files: Arc<[(i64, i64)]>,
}

impl<'a> Times<'a> {
    /// `files` are versions in order, with times that [`moved_on`] gave (T1).
    pub(super) fn new(bench: &'a Bench, told: CommitTimes, files: Arc<[(i64, i64)]>) -> Self {
        Self { bench, told, files }
    }

    /// When a version was committed, in milliseconds since 1970.
    pub(super) fn of(&self, version: i64) -> Result<i64, TableError> {
        let at = self.files.binary_search_by_key(&version, |(version, _)| *version);
        let at = at.map_err(|_| TableError::Invalid(format!("its log lacks version {version}")))?;
        self.at(at)
    }

    /// The latest version committed at `timestamp_ms` or before, not before `earliest`.
    pub(super) fn until(&self, timestamp_ms: i64, earliest: i64) -> Result<Option<i64>, TableError> {
        let first = self.files.partition_point(|(version, _)| *version < earliest);
        let after = self.first_where(first, |time| time > timestamp_ms)?;
        Ok((after > first).then(|| self.files[after - 1].0))
    }

    /// The earliest version committed at `timestamp_ms` or after, not before `earliest`.
    pub(super) fn from(&self, timestamp_ms: i64, earliest: i64) -> Result<Option<i64>, TableError> {
        let first = self.files.partition_point(|(version, _)| *version < earliest);
        let found = self.first_where(first, |time| time >= timestamp_ms)?;
        Ok(self.files.get(found).map(|(version, _)| *version))
    }

    fn at(&self, at: usize) -> Result<i64, TableError> {
        let (version, of_file) = self.files[at];
        match self.told {
            CommitTimes::Since(since) if version >= since => {
                let told = commit::time(self.bench, version)?;
                told.ok_or_else(|| TableError::Invalid(format!("version {version} does not tell its time")))
            }
            CommitTimes::Since(_) | CommitTimes::OfFiles => Ok(of_file),
        }
    }

    /// The first position from `low` on whose time is as asked, which all behind it are too (T1).
    fn first_where(&self, mut low: usize, asked: impl Fn(i64) -> bool) -> Result<usize, TableError> {
        let mut high = self.files.len();
        while low < high {
            let middle = low + (high - low) / 2;
            if asked(self.at(middle)?) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }
}

/// Versions with the times of their files, each moved on to be later than the one before (T1): first those of `before`,
/// which were, and then those of `new`.
pub(super) fn moved_on(before: &[(i64, i64)], new: &[(i64, i64)]) -> Arc<[(i64, i64)]> {
    let mut last = before.last().map_or(i64::MIN, |(_, time)| *time);
    let new = new.iter().map(|(version, time)| {
        last = last.saturating_add(1).max(*time);
        (*version, last)
    });
    before.iter().copied().chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_files_that_go_back_are_moved_on() {
        let files = moved_on(&[], &[(0, 10), (1, 10), (2, 5), (3, 20)]);
        assert_eq!(*files, [(0, 10), (1, 11), (2, 12), (3, 20)]);
        assert_eq!(*moved_on(&files[..2], &[(2, 5), (3, 20)]), *files);
    }
}
