//! Deleted rows of Iceberg tables as deletion vectors that readers of the delta format understand.
//!
//! Position deletes, deletion vectors and, where that is asked for, equality deletes of a snapshot become one set of
//! positions for each data file (`snapshot`); the sets become records (`record`) in packs of the server's own (`packs`).
//!
//! - V1: a pack is there as long as a URL of it counts (`packs`).
//! - V2: equal rows have equal bytes (`record`).
//! - V3: the same version makes the same packs (`packs`, `assembly`).
//! - V4: every delete file that applies is read whole and understood, or the table is refused (`snapshot`).
//! - V5: rows that were found are kept under the names of the data file and all delete files that apply to it: what these
//!   hold never changes (`kept`).
//!
//! What is not decided here: which delete files apply to a data file (the catalog's index), and whether a table may be read
//! where its delete files lie (`Deleting::place`).

mod assembly;
mod equality;
mod index;
mod kept;
mod limits;
mod packing;
mod packs;
mod positions;
mod record;
mod snapshot;
mod stored;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_equality;
#[cfg(test)]
mod tests_kernel;

use std::sync::Arc;

use object_store::ObjectStore;
use tarn_catalog::WarehouseStores;
use uuid::Uuid;

pub use self::assembly::Assembly;
pub use self::index::DataRef;
pub use self::limits::Limits;
pub use self::packing::Packing;
pub use self::packs::{PACK_AGE_MIN, Placed, REUSED_AGE_MAX, Swept, URL_AGE_MAX};
pub use self::record::DeletedRows;
pub use self::snapshot::{Deleting, PlaceOf, SnapshotDeletes};

use self::kept::{KeptRows, kept_rows};
pub(crate) use self::packs::PREFIX;
use self::packs::Packs;
use crate::table::TableError;

/// The property with the names of columns in files without field ids.
const NAME_MAPPING: &str = "schema.name-mapping.default";

/// Finds the deleted rows of snapshots and keeps vectors of them for readers.
pub struct Vectors {
    stores: Arc<dyn WarehouseStores>,
    packs: Packs,
    limits: Limits,
    kept: KeptRows,
}

impl Vectors {
    /// Reads tables in `stores`; `own` is the store of [`crate::table::OWN_BUCKET`].
    pub fn new(stores: Arc<dyn WarehouseStores>, own: Arc<dyn ObjectStore>, limits: Limits) -> Self {
        let kept = kept_rows(limits.kept_bytes_max);
        Self { stores, packs: Packs::new(own), limits, kept }
    }

    /// The deletes of a snapshot. Reads nothing yet.
    pub fn snapshot<'a>(&'a self, of: Deleting<'a>) -> SnapshotDeletes<'a> {
        SnapshotDeletes::new(self, of)
    }

    /// A list of files of the table `table` in the making. `now_ms` is the time in milliseconds since 1970.
    pub fn assemble<'a>(
        &'a self,
        deletes: &'a SnapshotDeletes<'a>,
        table: Uuid,
        now_ms: i64,
    ) -> Assembly<'a> {
        Assembly::new(&self.packs, deletes, table, now_ms)
    }

    /// Packs of vectors of the table `table` that have no files of their own. `now_ms` is as for [`Self::assemble`].
    pub fn packing(&self, table: Uuid, now_ms: i64) -> Packing<'_> {
        Packing::new(&self.packs, table, now_ms)
    }

    /// Removes packs that no URL may be for any more (V1). To be called about once an hour, and by one at a time.
    pub async fn sweep(&self, now_ms: i64) -> Result<Swept, TableError> {
        self.packs.sweep(now_ms).await.map_err(|error| TableError::Store(Box::new(error)))
    }
}
