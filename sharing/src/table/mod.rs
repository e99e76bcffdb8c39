//! What a shared table is to a reader, whatever its format: versions, a schema as Delta writes it, and files.

mod error;
mod file;
mod list;
mod schema;
mod source;

pub use error::TableError;
pub use file::{DataFile, Deletes, HiddenField, OWN_BUCKET, OWN_PREFIX, OWN_WINDOW, Place, Transform};
pub use list::{FileList, ListBuilder, OpenChunk};
pub use schema::{Column, DataType, Nested, Schema, TypeChanges};
pub use source::{Feature, HoldTime, Metadata, TableSource, TableVersion, VersionChanges, Versions};
