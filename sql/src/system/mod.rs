//! The tables of schema `system`: their columns, how rows become batches, and what filters ask for.
//!
//! Where the rows come from, and who may see them, is for the binary: it knows every crate.

mod columns;
mod rows;
mod wanted;

pub use columns::{
    ALL, BUCKETS, DATA_FILES, DRIVES, GRANTS, JOBS, LOG, MANIFESTS, OBJECTS, REACHABLE, RECIPIENTS, RUNS,
    SETS, SHARED_TABLES, SHARES, SNAPSHOTS, TABLES, VERSIONS, VIEWS,
};
pub use columns::{Field, Kind, Table, table};
pub use rows::{Cell, Rows, moments, objects_batch};
pub use wanted::Wanted;
