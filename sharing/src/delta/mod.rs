//! Delta tables: below any prefix of a bucket, read through the Delta kernel.
//!
//! A log lies where others write, and what it says is theirs to say. So:
//!
//! - L1: nothing outside the table's prefix is read or told, whatever a log names (`path`, `store`, `engine`).
//! - L2: what is read has limits ([`Limits`]), and a log that breaks its format is an error, never a panic of the server
//!   (`bench`).
//! - L3: a version is refused as a whole when a file of it cannot be told rightly: no file is left out.
//!
//! The other way round, `virtual_log` makes a log of a version, for tables of other formats.
//!
//! The kernel finds the log's files, replays them and knows the table's features. What commits changed is read here,
//! without the data the kernel would read for it (`changes`).

mod bench;
mod changes;
mod commit;
mod definition;
mod engine;
mod file;
mod inline;
mod limits;
mod log;
mod order;
mod path;
mod scan;
mod schema;
mod store;
mod table;
mod tables;
#[cfg(test)]
mod tests;
mod times;
mod vector;
mod virtual_log;

pub use limits::Limits;
pub use table::DeltaTable;
pub use tables::DeltaTables;
pub use virtual_log::{COMMIT, delta_log_of, files_of, head_of, path_of, s3_uri};
