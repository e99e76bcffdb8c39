//! Statistics files, partition statistics files and encryption keys: what the catalog keeps but
//! does not interpret. The JSON object stays whole; only the field they are found by is read.

use serde_json::Value;

use super::object::{InvalidMetadata, ObjectReader};

/// A statistics file, or a partition statistics file, of one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct StatisticsFile {
    /// The snapshot it belongs to.
    pub snapshot_id: i64,
    json: Value,
}

/// A key that encrypts other keys or files (V3).
#[derive(Debug, Clone, PartialEq)]
pub struct EncryptedKey {
    /// The key's id.
    pub key_id: String,
    encrypted_by_id: Option<String>,
    json: Value,
}

impl StatisticsFile {
    /// Reads a statistics file; its blobs are checked to be there.
    pub(crate) fn statistics(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("statistics file", value.clone())?;
        object.i64("file-footer-size-in-bytes")?;
        object.array("blob-metadata")?;
        Self::read(object, value)
    }

    /// Reads a partition statistics file.
    pub(crate) fn partition_statistics(value: Value) -> Result<Self, InvalidMetadata> {
        Self::read(ObjectReader::new("partition statistics file", value.clone())?, value)
    }

    fn read(mut object: ObjectReader, json: Value) -> Result<Self, InvalidMetadata> {
        object.string("statistics-path")?;
        object.i64("file-size-in-bytes")?;
        Ok(Self { snapshot_id: object.i64("snapshot-id")?, json })
    }

    /// The JSON object.
    pub fn json(&self) -> &Value {
        &self.json
    }
}

impl EncryptedKey {
    pub(crate) fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("encryption key", value.clone())?;
        object.string("encrypted-key-metadata")?;
        let encrypted_by_id = object.string_opt("encrypted-by-id")?;
        Ok(Self { key_id: object.string("key-id")?, encrypted_by_id, json: value })
    }

    /// The key that encrypts this one.
    pub fn encrypted_by_id(&self) -> Option<&str> {
        self.encrypted_by_id.as_deref()
    }

    /// The JSON object.
    pub fn json(&self) -> &Value {
        &self.json
    }
}
