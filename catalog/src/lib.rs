//! Tarn's catalog: the catalog log, the pure state machine, table metadata, transactions, and their Iceberg REST front.

mod log;
pub mod metadata;
pub mod state;

pub use log::{IsRefusal, PutId, Seq};
