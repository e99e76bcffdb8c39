//! Inventory reports: the objects of a bucket as files in another, and as a snapshot of an Iceberg table.

pub mod aistor;
pub mod aws;
mod spec;

pub use spec::{
    Compression, Destination, Field, Filter, Format, Layout, MapPredicate, NamePredicate, Range, Spec,
    TextPredicate, Versions, Written, is_id,
};
