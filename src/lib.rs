//! Tarn: one binary that is a lakehouse.

pub mod identity;
