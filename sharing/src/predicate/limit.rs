//! The hint that so many rows are enough.

use super::Fit;
use crate::table::DataFile;

/// Counts rows that are sure to be asked for, until there are enough. A file whose rows are not counted or only perhaps
/// asked for counts nothing.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    rows_left: u64,
}

impl Limit {
    /// For `limitHint`.
    pub fn of_rows(rows: u64) -> Self {
        Self { rows_left: rows }
    }

    /// Counts a file that is told.
    pub fn count(&mut self, file: &DataFile<'_>, fit: Fit) {
        let rows = match fit {
            Fit::Every => file.live_records().unwrap_or(0),
            Fit::Some | Fit::None => 0,
        };
        self.rows_left = self.rows_left.saturating_sub(rows);
    }

    /// Whether what was counted is enough: no more files need be told.
    pub fn is_reached(&self) -> bool {
        self.rows_left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Deletes, Place};

    fn file(records: Option<u64>, deleted: u64) -> DataFile<'static> {
        let at = Place { bucket: "b", key: "k" };
        let deletes = Deletes { at, file_size: 9, offset: 1, size: 4, cardinality: deleted };
        DataFile {
            at,
            size: 1,
            modified_ms: 0,
            partition_values: Vec::new(),
            stats: None,
            records,
            hidden: Vec::new(),
            deletes: (deleted > 0).then_some(deletes),
        }
    }

    #[test]
    fn only_live_rows_that_are_known_and_surely_asked_for_count() {
        let mut limit = Limit::of_rows(10);
        for (records, deleted, fit) in [
            (None, 0, Fit::Every),
            (Some(100), 0, Fit::Some),
            (Some(100), 0, Fit::None),
            (Some(100), 95, Fit::Every),
            (Some(4), 0, Fit::Every),
        ] {
            limit.count(&file(records, deleted), fit);
            assert!(!limit.is_reached());
        }
        limit.count(&file(Some(1), 0), Fit::Every);
        assert!(limit.is_reached());
        assert!(Limit::of_rows(0).is_reached());
    }
}
