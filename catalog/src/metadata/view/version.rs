//! A version of a view: how it is queried, in one or more dialects, and what names in it mean.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::metadata::object::{
    Extra, InvalidMetadata, ObjectReader, ObjectWriter, write_array, write_string, write_value,
};

/// A version of a view.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewVersion {
    /// Its id.
    pub id: i32,
    /// Its schema; in an update -1 is the one added last.
    pub schema_id: i32,
    /// When it was made, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Who made it.
    pub summary: BTreeMap<String, String>,
    /// The query, once per dialect.
    pub representations: Vec<Representation>,
    /// The catalog of names without one; `None` is the view's own.
    pub default_catalog: Option<String>,
    /// The namespace of names without one.
    pub default_namespace: Vec<String>,
    /// Fields that are not known here.
    pub extra: Extra,
}

/// One way to say what a view is.
#[derive(Debug, Clone, PartialEq)]
pub enum Representation {
    /// A SELECT statement.
    Sql {
        /// The statement.
        sql: String,
        /// The SQL dialect, such as `spark` or `trino`.
        dialect: String,
        /// Fields that are not known here.
        extra: Extra,
    },
    /// A type this version does not know, kept as it came.
    Other {
        /// The type.
        kind: String,
        /// The JSON object.
        json: Value,
    },
}

/// When a version became the current one.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionLogEntry {
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The version.
    pub version_id: i32,
    /// Fields that are not known here.
    pub extra: Extra,
}

impl ViewVersion {
    /// Reads a version. One without a summary has an empty one.
    pub fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("view version", value)?;
        let representations = object.array("representations")?;
        Ok(Self {
            id: object.i32("version-id")?,
            schema_id: object.i32("schema-id")?,
            timestamp_ms: object.i64("timestamp-ms")?,
            summary: object.string_map_opt("summary")?.unwrap_or_default(),
            representations: representations
                .into_iter()
                .map(Representation::from_json)
                .collect::<Result<_, _>>()?,
            default_catalog: object.string_opt("default-catalog")?,
            default_namespace: object.strings("default-namespace")?,
            extra: object.rest(),
        })
    }

    /// The dialects it is written in, in lower case.
    pub fn dialects(&self) -> impl Iterator<Item = String> {
        self.representations.iter().filter_map(|representation| match representation {
            Representation::Sql { dialect, .. } => Some(dialect.to_lowercase()),
            Representation::Other { .. } => None,
        })
    }

    /// Whether the two say the same: all but id and time.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.schema_id == other.schema_id
            && self.summary == other.summary
            && self.representations == other.representations
            && self.default_catalog == other.default_catalog
            && self.default_namespace == other.default_namespace
            && self.extra == other.extra
    }

    pub(super) fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::begin(out);
        object.number("version-id", i64::from(self.id));
        object.number("timestamp-ms", self.timestamp_ms);
        object.number("schema-id", i64::from(self.schema_id));
        object.string_map("summary", &self.summary);
        if let Some(catalog) = &self.default_catalog {
            object.string("default-catalog", catalog);
        }
        write_array(object.key("default-namespace"), &self.default_namespace, |out, level| {
            write_string(out, level);
        });
        write_array(object.key("representations"), &self.representations, |out, one| one.write(out));
        object.extra(&self.extra);
        object.end();
    }
}

impl Representation {
    fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("view representation", value.clone())?;
        let kind = object.string("type")?;
        if !kind.eq_ignore_ascii_case("sql") {
            return Ok(Self::Other { kind, json: value });
        }
        Ok(Self::Sql { sql: object.string("sql")?, dialect: object.string("dialect")?, extra: object.rest() })
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Sql { sql, dialect, extra } => {
                let mut object = ObjectWriter::begin(out);
                object.string("type", "sql");
                object.string("sql", sql);
                object.string("dialect", dialect);
                object.extra(extra);
                object.end();
            }
            Self::Other { kind: _, json } => write_value(out, json),
        }
    }
}

impl VersionLogEntry {
    pub(super) fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("version log entry", value)?;
        Ok(Self {
            timestamp_ms: object.i64("timestamp-ms")?,
            version_id: object.i32("version-id")?,
            extra: object.rest(),
        })
    }

    pub(super) fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::begin(out);
        object.number("timestamp-ms", self.timestamp_ms);
        object.number("version-id", i64::from(self.version_id));
        object.extra(&self.extra);
        object.end();
    }
}
