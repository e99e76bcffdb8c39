//! Tests of reports: a scan of made-up objects, stores in memory, and kills between any two operations.

mod bench;
mod crashes;
mod files;
mod iceberg;
mod read;
mod refusals;
pub(crate) mod store;
mod world;
