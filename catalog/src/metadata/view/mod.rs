//! View metadata, format version 1: reading, changing and writing a view's `metadata.json`.
//!
//! - VW1: what is read is written back: fields this version does not know are kept at every level.
//! - VW2: the current version exists, each version's schema exists, and no id is given twice.
//! - VW3: a version never changes. One that says the same as another is not added again.
//! - VW4: reading any bytes gives metadata or an error, never a panic.
//!
//! As with tables, a value never changes; [`ViewBuilder`] makes the next one. There is no I/O, clock
//! or randomness here.

mod builder;
mod parse;
mod update;
mod version;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::Schema;
use super::object::Extra;

pub use builder::{NewView, ViewBuilder};
pub use update::{ViewRequirement, ViewUpdate};
pub use version::{Representation, VersionLogEntry, ViewVersion};

/// The one format version of views.
pub const VIEW_FORMAT_VERSION: i64 = 1;

/// The metadata of a view at one moment.
#[derive(Debug, Clone)]
pub struct ViewMetadata {
    uuid: Uuid,
    location: Arc<str>,
    schemas: Vec<Arc<Schema>>,
    current_version_id: i32,
    versions: Vec<Arc<ViewVersion>>,
    version_log: Vec<VersionLogEntry>,
    properties: BTreeMap<String, String>,
    extra: Extra,
}

impl ViewMetadata {
    /// The view's UUID.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// The view's base location, without a trailing slash.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// All schemas.
    pub fn schemas(&self) -> &[Arc<Schema>] {
        &self.schemas
    }

    /// The id of the current version.
    pub fn current_version_id(&self) -> i32 {
        self.current_version_id
    }

    /// All versions that are kept, in the order they were added.
    pub fn versions(&self) -> &[Arc<ViewVersion>] {
        &self.versions
    }

    /// The version with this id.
    pub fn version(&self, id: i32) -> Option<&Arc<ViewVersion>> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The current version (there is one, VW2).
    pub fn current_version(&self) -> Option<&Arc<ViewVersion>> {
        self.version(self.current_version_id)
    }

    /// Which version was current when, oldest first.
    pub fn version_log(&self) -> &[VersionLogEntry] {
        &self.version_log
    }

    /// The view properties.
    pub fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }
}

#[cfg(test)]
mod tests;
