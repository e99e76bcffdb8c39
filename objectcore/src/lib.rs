//! Tarn's object core: drives, drive log, erasure sets, objects, and their S3 front.

mod core;
pub mod drive;
pub mod geometry;
#[allow(dead_code)]
mod index;
#[allow(dead_code)]
mod log;
pub mod name;
pub mod s3;
#[allow(dead_code, unused_imports)]
mod set;
pub mod types;

pub use crate::core::ObjectCore;
pub use crate::set::{InvalidLayout, OpenError, SetSettings, SetStatus, SlotState, SlotStatus};
