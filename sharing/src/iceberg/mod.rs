//! Iceberg tables of the catalog as tables of Delta, in place.
//!
//! - I1: a version is a revision of the table in the catalog, read by the table's current metadata. What that does not
//!   have any more is no version. A schema whose id another may have now is read from a metadata file of its time
//!   (`versions`).
//! - I2: a column is what its field id says, in every file and for good (`history`, `schema`).
//! - I3: what a version is told to be does not depend on whether its files are read (`shape`).
//! - I4: a file is told only where it lies in the table's location or where whoever shared the table may read it
//!   (`place`).
//!
//! - I5: what a version changed is the difference of two snapshots, never what a writer says it did; but that a writer
//!   only rearranged rows is believed (`lineage`, `changes`).
//!
//! What is here decides; `source` and `reading` read.

mod changes;
mod files;
mod history;
mod lineage;
mod names;
mod partition;
mod place;
mod reading;
mod schema;
mod shape;
mod source;
mod stats;
mod sweep;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod text;
mod types;
mod versions;

pub use place::{Reach, files_of};
pub(crate) use reading::load_error;
pub use source::IcebergTable;
pub use sweep::sweep_columns;

use crate::directory::{EqualityDeletes, UnsupportedColumns};

/// How a table is told where Delta has no way to tell it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// What is done with columns that no reader of Delta could read.
    pub unsupported_columns: UnsupportedColumns,
    /// What is done with equality deletes.
    pub equality_deletes: EqualityDeletes,
}
