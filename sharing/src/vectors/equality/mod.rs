//! Rows deleted by the values of columns: equality delete files (Iceberg table spec, "Equality Delete Files").
//!
//! - E1: a delete counts for rows of files with a lower sequence number; of one key the latest delete counts.
//! - E2: null equals null, and a value equals itself whatever types its column had since.
//! - E3: a column that a data file does not have has its initial default, else null.

mod column;
mod defaults;
mod find;
mod key;
mod sets;

pub(super) use self::defaults::Defaults;
pub(super) use self::find::find;
pub(super) use self::sets::KeySets;

use crate::table::TableError;

fn other_columns() -> TableError {
    TableError::Invalid("equality deletes compare columns that their files do not have".into())
}
