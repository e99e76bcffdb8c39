//! Tarn's object core: drives, drive log, erasure sets, objects, and their S3 front.

pub mod geometry;
pub mod name;
pub mod types;
