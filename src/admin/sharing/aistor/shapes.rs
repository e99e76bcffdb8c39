//! Shares as AIStor tells them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tarn_sharing::directory::{DirectoryError, Share, SharedTable, Source};

use super::rfc3339;

/// A share in AIStor's shape.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super::super) struct AistorShare {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// When it is changed, absent schemas stay.
    pub(super) schemas: Option<Vec<AistorSchema>>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_at: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) updated_at: Option<String>,
}

/// A schema in AIStor's shape.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub(in super::super::super) struct AistorSchema {
    pub(super) name: String,
    /// Must be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) tables: Option<Vec<AistorTable>>,
    /// Must be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub(super) volumes: Option<Vec<Box<RawValue>>>,
}

/// A table in AIStor's shape.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub(in super::super::super) struct AistorTable {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) source: AistorSource,
}

/// What is shared, in AIStor's shape.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "sourceType", rename_all = "lowercase")]
pub(super) enum AistorSource {
    /// A Delta table.
    Delta { bucket: String, location: String },
    /// An Iceberg table.
    Uniform { warehouse: String, namespace: AistorNamespace, table: String },
}

/// A namespace: its levels joined by dots, or each for itself.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum AistorNamespace {
    Joined(String),
    Levels(Vec<String>),
}

/// One share.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super::super) struct AistorShareAnswer {
    pub(super) share: AistorShare,
}

/// All shares.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super::super) struct AistorShareList {
    pub(super) shares: Vec<AistorShare>,
}

impl AistorSource {
    pub(super) fn read(self) -> Result<Source, DirectoryError> {
        match self {
            Self::Delta { bucket, location } => Source::delta(&bucket, location.trim_start_matches('/')),
            Self::Uniform { warehouse, namespace, table } => {
                let namespace = match namespace {
                    AistorNamespace::Joined(text) => text.split('.').map(str::to_owned).collect(),
                    AistorNamespace::Levels(levels) => levels,
                };
                Ok(Source::Iceberg { warehouse, namespace, table })
            }
        }
    }
}

impl From<&Share> for AistorShare {
    fn from(share: &Share) -> Self {
        let schemas = share.schemas.values().map(|schema| AistorSchema {
            name: schema.name.clone(),
            description: None,
            tables: Some(schema.tables.values().map(AistorTable::from).collect()),
            volumes: None,
        });
        Self {
            id: Some(share.id.to_string()),
            name: share.name.clone(),
            description: share.comment.clone(),
            schemas: Some(schemas.collect()),
            created_at: Some(rfc3339(share.created_ms)),
            updated_at: Some(rfc3339(share.updated_ms)),
        }
    }
}

impl From<&SharedTable> for AistorTable {
    fn from(table: &SharedTable) -> Self {
        let source = match &table.source {
            Source::Delta { bucket, prefix } => {
                AistorSource::Delta { bucket: bucket.clone(), location: prefix.clone() }
            }
            Source::Iceberg { warehouse, namespace, table } => AistorSource::Uniform {
                warehouse: warehouse.clone(),
                // Levels with dots in them would be told apart no more.
                namespace: if namespace.iter().any(|level| level.contains('.')) {
                    AistorNamespace::Levels(namespace.clone())
                } else {
                    AistorNamespace::Joined(namespace.join("."))
                },
                table: table.clone(),
            },
        };
        Self { name: table.name.clone(), source }
    }
}
