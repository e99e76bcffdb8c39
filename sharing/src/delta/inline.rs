//! Deletion vectors that lie in the log itself: readers of shares get files instead.

use delta_kernel::Engine as _;
use delta_kernel::actions::deletion_vector::DeletionVectorDescriptor;
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::{Builder, Uuid};

use super::bench::Bench;
use super::engine::TABLE;
use crate::table::TableError;
use crate::vectors::{DeletedRows, Placed};

/// Letters of the longest vector. Writers put only small ones into the log; a run in one may stand for thousands of rows.
const LETTERS_MAX: usize = 64 << 10;

/// Makes files of the vectors of a log.
pub(super) struct Inline<'a> {
    bench: &'a Bench,
    table: Uuid,
    bytes: u64,
}

impl<'a> Inline<'a> {
    pub(super) fn new(bench: &'a Bench) -> Self {
        let place = format!("delta:{}/{}", bench.root.bucket(), bench.root.prefix());
        let hash: [u8; 32] = Sha256::digest(place.as_bytes()).into();
        let id: [u8; 16] = std::array::from_fn(|at| hash[at]);
        Self { bench, table: Builder::from_custom_bytes(id).into_uuid(), bytes: 0 }
    }

    /// Where each vector lies now; `None` for one without rows.
    pub(super) fn pack<'v>(
        &mut self,
        vectors: impl Iterator<Item = &'v DeletionVectorDescriptor>,
    ) -> Result<Vec<Option<Placed>>, TableError> {
        let mut packing = self.bench.vectors.packing(self.table, self.bench.now_ms);
        let mut has_rows = Vec::new();
        for vector in vectors {
            let rows = rows_of(self.bench, vector)?;
            has_rows.push(rows.is_some());
            let Some(rows) = rows else { continue };
            self.bench.wait(packing.push(&rows))?;
            let most = self.bench.limits.inline_bytes_max;
            if self.bytes + packing.record_bytes() > most {
                let what = "the size of deletion vectors inside the table's log".to_owned();
                return Err(TableError::TooLarge { what, most: format!("{most} bytes") });
            }
        }
        self.bytes += packing.record_bytes();
        let mut placed = self.bench.wait(packing.finish())?.into_iter();
        Ok(has_rows.into_iter().map(|has| if has { placed.next() } else { None }).collect())
    }
}

fn rows_of(bench: &Bench, vector: &DeletionVectorDescriptor) -> Result<Option<DeletedRows>, TableError> {
    if vector.path_or_inline_dv.len() > LETTERS_MAX {
        let what = "the size of a deletion vector inside the table's log".to_owned();
        return Err(TableError::TooLarge { what, most: format!("{LETTERS_MAX} letters") });
    }
    let root = Url::parse(TABLE).expect("a constant");
    let rows = vector.read(bench.engine.storage_handler(), &root);
    let rows = rows.map_err(|error| TableError::Invalid(error.to_string()))?;
    if rows.len() != vector.cardinality.unsigned_abs() {
        return Err(TableError::Invalid("a deletion vector has more or fewer rows than its log says".into()));
    }
    Ok(DeletedRows::new(&rows))
}
