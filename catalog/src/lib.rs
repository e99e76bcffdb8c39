//! Tarn's catalog: the catalog log, the pure state machine, table metadata, transactions, and their Iceberg REST front.

pub mod metadata;
pub mod state;
