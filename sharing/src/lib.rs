//! Delta Sharing: Iceberg tables of the catalog and Delta tables in its stores, read in place by recipients.
//!
//! - D1: a reader gets exactly the rows of the version it asked for. What cannot be told so is refused, with a reason
//!   (`iceberg`, `delta`).
//! - D2: a file that may hold a matching row is never left out by a predicate (`predicate`).
//! - D3: a recipient reads what is granted to it at the moment of the request, and no more. That counts for the URLs of
//!   files too: what ended them ends them at once (`access`, `gateway`).
//! - D4: whoever shared a table must be allowed to read it at the moment of each request.
//! - D5: memory never holds the files of a table as text: a list of files is chunks, packed (`table`).
//!
//! Shares and recipients are documents of the catalog's log (`directory`). A table comes from a [`table::TableSource`];
//! a version of it never changes and is kept under its number. `protocol` is the wire, pure; `rest` is the front.

pub mod access;
pub mod cache;
pub mod delta;
pub mod directory;
pub mod gateway;
pub mod holds;
pub mod iceberg;
pub mod iceberg_rest;
pub mod logs;
pub mod predicate;
pub mod protocol;
pub mod rest;
mod sharers;
mod stores;
pub mod table;
mod tables;
#[cfg(test)]
mod testing;
pub mod vectors;

pub use sharers::Sharers;
pub use stores::Stores;
pub use tables::SharedTables;
