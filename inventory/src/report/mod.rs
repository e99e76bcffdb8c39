//! Inventory reports: the objects of a bucket as files in another, and as a snapshot of an Iceberg table.

pub mod aistor;
pub mod aws;
mod check;
mod checkpoint;
mod columns;
pub mod compare;
mod encoder;
mod error;
pub(crate) mod filter;
mod iceberg;
mod manifest;
mod names;
mod packing;
mod parquet;
mod plan;
mod run;
mod segment;
mod spec;
mod target;
mod text;
mod upload;
mod work;

#[cfg(test)]
pub(crate) mod tests;

pub use check::may;
pub use plan::{Plan, PlanError, plan};
pub use spec::{
    Compression, Destination, Field, Filter, Format, Layout, MapPredicate, NamePredicate, Range, Spec,
    TextPredicate, Versions, Written, is_id,
};
pub use work::{Inventory, KIND};
