//! Jobs, inventory reports of buckets, and maintenance of Tarn's tables.
//!
//! Jobs (`jobs`) are told while they run and go on after a kill. An inventory (`report`) is one range scan (`scan`), a batch
//! (`batch`) one thing done to many objects.
//!
//! What a table no longer needs is found by reachability: a file goes only when no snapshot that stays names it.
//!
//! - X1: nothing is deleted unless the metadata that no longer names it is durable; an unknown outcome of a commit
//!   deletes nothing. What a run leaves behind, a later run finds.
//! - X2: every manifest of every snapshot that stays is read before the first deletion; one that cannot be read ends
//!   the run.
//! - X3: only files below the table's own places are deleted, and none while another table lies at, in or around them.
//! - X4: memory is bounded: reachability is computed in passes over parts of the digests when there are too many.

pub mod batch;
pub mod compact;
mod digest;
pub mod expire;
mod files;
pub mod jobs;
pub mod journal;
mod maintenance;
pub mod orphans;
mod place;
pub mod policy;
mod reach;
mod readers;
mod removal;
pub mod report;
mod runs;
pub mod scan;
mod settings;
mod system;
#[cfg(test)]
mod testing;
mod throttle;

pub use compact::rows;
pub use files::FileError;
pub use maintenance::{BeginError, Maintenance, StopError};
pub use place::Overlap;
pub use reach::ReachError;
pub use readers::{NoReaders, Promised, Readers};
pub use removal::{Grace, Mode, Removed};
pub use runs::{Cause, Job, Outcome, Run, Stage, TableName};
pub use settings::Settings;
