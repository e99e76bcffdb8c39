//! Reading a view's `metadata.json`, plain or gzip.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{VIEW_FORMAT_VERSION, VersionLogEntry, ViewMetadata, ViewVersion};
use crate::metadata::Schema;
use crate::metadata::object::{InvalidMetadata, ObjectReader};
use crate::metadata::parse::{plain_bytes, strip_trailing_slash};
use crate::metadata::requirement::uuid_of;

impl ViewMetadata {
    /// Reads metadata from the bytes of a file, plain or gzip.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidMetadata> {
        let value: Value = serde_json::from_slice(&plain_bytes(bytes)?)
            .map_err(|error| InvalidMetadata::new(error.to_string()))?;
        let mut object = ObjectReader::new("view metadata", value)?;
        check_format_version(object.i64("format-version")?)?;
        let schemas = object.array("schemas")?.into_iter();
        let versions = object.array("versions")?.into_iter();
        let version_log = object.array("version-log")?.into_iter();
        let view = Self {
            uuid: uuid_of(&object.string("view-uuid")?)?,
            location: strip_trailing_slash(&object.string("location")?).into(),
            schemas: schemas.map(|one| Schema::from_json(one).map(Arc::new)).collect::<Result<_, _>>()?,
            current_version_id: object.i32("current-version-id")?,
            versions: versions
                .map(|one| ViewVersion::from_json(one).map(Arc::new))
                .collect::<Result<_, _>>()?,
            version_log: version_log.map(VersionLogEntry::from_json).collect::<Result<_, _>>()?,
            properties: object.string_map_opt("properties")?.unwrap_or_default(),
            extra: object.rest(),
        };
        view.check()?;
        Ok(view)
    }

    /// Checks what must hold of every view (VW2).
    pub(super) fn check(&self) -> Result<(), InvalidMetadata> {
        let mut schema_ids = BTreeSet::new();
        if let Some(twice) = self.schemas.iter().find(|schema| !schema_ids.insert(schema.id())) {
            return Err(InvalidMetadata::new(format!("schema {} is there more than once", twice.id())));
        }
        let mut version_ids = BTreeSet::new();
        for version in &self.versions {
            if !version_ids.insert(version.id) {
                return Err(InvalidMetadata::new(format!("version {} is there more than once", version.id)));
            }
            if !schema_ids.contains(&version.schema_id) {
                return Err(InvalidMetadata::new(format!(
                    "version {} has schema {}, which does not exist",
                    version.id, version.schema_id
                )));
            }
        }
        if !version_ids.contains(&self.current_version_id) {
            return Err(InvalidMetadata::new(format!(
                "the current version {} does not exist",
                self.current_version_id
            )));
        }
        Ok(())
    }
}

/// There is one format version.
pub(super) fn check_format_version(number: i64) -> Result<(), InvalidMetadata> {
    if number == VIEW_FORMAT_VERSION {
        return Ok(());
    }
    Err(InvalidMetadata::new(format!(
        "format version {number} of views is not supported ({VIEW_FORMAT_VERSION} is)"
    )))
}
