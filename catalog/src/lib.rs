//! Tarn's catalog: the catalog log, the pure state machine, table metadata, transactions, and their Iceberg REST front.

mod cache;
mod catalog;
mod commit;
mod documents;
pub mod events;
mod expiry;
mod files;
pub mod history;
mod log;
pub mod manifests;
pub mod metadata;
mod purge;
pub mod reads;
pub mod rest;
mod scan;
mod settings;
pub mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod warehouses;

pub use catalog::{Catalog, LoadedTable, MAINTENANCE, OpenError};
pub use commit::{CommitError, Committed, CommittedTable, CommittedView, Silence, Standing};
pub use files::{LoadError, WriteError};
pub use log::{PutId, Seq};
pub use scan::hash;
pub use settings::Settings;
pub use warehouses::{InMemoryWarehouses, WarehouseError, WarehouseStores};
