//! Tarn's object core: drives, drive log, erasure sets, objects, and their S3 front.

mod core;
pub mod geometry;
pub mod name;
pub mod s3;
pub mod types;

pub use crate::core::ObjectCore;
