//! Row lineage: the row id of a row and the sequence number of its last change (table spec, "Row Lineage").

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, Int64Array, RecordBatch};

use super::live::Live;

/// Positions in a file of the rows that are not deleted, in order.
pub(super) struct Remaining<'a> {
    next: u64,
    deleted: &'a [u64],
}

impl<'a> Remaining<'a> {
    /// `deleted` ascends.
    pub(super) fn new(deleted: &'a [u64]) -> Self {
        Self { next: 0, deleted }
    }
}

impl Iterator for Remaining<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        while let Some((first, rest)) = self.deleted.split_first()
            && *first <= self.next
        {
            self.next += u64::from(*first == self.next);
            self.deleted = rest;
        }
        let position = self.next;
        self.next += 1;
        Some(position)
    }
}

/// The batch with the lineage that its rows inherit from their file written out (K5). `at` is where the column of row
/// ids stands, `positions` tells the rows' positions.
pub(super) fn inherit(
    batch: RecordBatch,
    at: usize,
    file: &Live,
    positions: &mut Remaining<'_>,
) -> RecordBatch {
    let rows = batch.num_rows();
    let positions: Vec<u64> = positions.take(rows).collect();
    let own = |column: usize| batch.column(column).as_primitive::<Int64Type>();
    let (own_ids, own_numbers) = (own(at), own(at + 1));
    // A file without row ids has rows without: they get ids with the file they come to, as in any snapshot after an
    // upgrade.
    let ids: Int64Array = (0..rows)
        .map(|row| {
            let first = file.first_row_id?;
            Some(if own_ids.is_valid(row) {
                own_ids.value(row)
            } else {
                first.saturating_add_unsigned(positions[row])
            })
        })
        .collect();
    let numbers: Int64Array = (0..rows)
        .map(|row| {
            file.first_row_id?;
            Some(if own_numbers.is_valid(row) { own_numbers.value(row) } else { file.sequence_number })
        })
        .collect();
    let schema = batch.schema();
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(ids);
    columns[at + 1] = Arc::new(numbers);
    RecordBatch::try_new(schema, columns).unwrap_or(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_that_remain_keep_their_positions() {
        let of = |deleted: &[u64]| Remaining::new(deleted).take(4).collect::<Vec<_>>();
        assert_eq!(of(&[]), [0, 1, 2, 3]);
        assert_eq!(of(&[0, 1, 4]), [2, 3, 5, 6]);
        assert_eq!(of(&[2]), [0, 1, 3, 4]);
    }
}
