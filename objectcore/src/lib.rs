//! Tarn's object core: drives, drive log, erasure sets, objects, and their S3 front.

mod bucket;
mod checksum;
mod core;
mod core_store;
pub mod drive;
mod erasure;
pub mod geometry;
mod heal;
mod index;
mod journal;
mod log;
mod memory;
mod multipart;
pub mod name;
mod object;
pub mod s3;
mod scan;
mod set;
mod settings;
mod status;
#[cfg(test)]
mod testing;
pub mod types;

pub use crate::core::ObjectCore;
pub use crate::core_store::CoreStore;
pub use crate::heal::schedule::ScrubSettings;
pub use crate::heal::scrub::ScrubReport;
pub use crate::journal::{Change, Changed, ChangedBy, ObjectState, Origin};
pub use crate::memory::{Memory, Share};
pub use crate::scan::{BucketScan, Moment, ScanDepth, ScanError, ScanOptions, ScanRows, ScanTag};
pub use crate::set::{InvalidLayout, OpenError, SetSettings, SetStatus, SlotState, SlotStatus};
pub use crate::settings::Settings;
pub use crate::status::{FillStatus, HealStatus, ScrubStatus, Status};
