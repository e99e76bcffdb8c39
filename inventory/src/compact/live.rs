//! Live entries of manifests with what they inherit from the manifest list.

use std::sync::Arc;

use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Manifest, ManifestEntry, ManifestFile,
    ManifestStatus, PartitionSpec, SchemaRef, Struct,
};

use tarn_catalog::manifests;

use super::{Compact, CompactError};
use crate::files::{FileError, Files};

/// The field of position delete files that holds paths (table spec, "Reserved Field IDs").
const PATH_FIELD: i32 = 2_147_483_546;

/// A live file.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) entry: Arc<ManifestEntry>,
    /// The manifest that names it.
    pub(super) manifest: Arc<str>,
    pub(crate) spec_id: i32,
    pub(crate) sequence_number: i64,
    pub(super) file_sequence_number: i64,
    pub(super) snapshot_id: i64,
    /// The row id of its first row, its own or inherited (V3).
    pub(super) first_row_id: Option<i64>,
}

/// What a manifest was written with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    pub(crate) schema: SchemaRef,
    pub(crate) spec: PartitionSpec,
}

/// A partition of one spec.
pub(super) type Partition = (i32, Struct);

/// What tells delete files apart: several deletion vectors lie in one file.
pub(super) type DeleteKey = (String, Option<i64>);

impl Live {
    pub(crate) fn file(&self) -> &DataFile {
        self.entry.data_file()
    }

    pub(crate) fn path(&self) -> &str {
        self.entry.file_path()
    }

    pub(super) fn partition(&self) -> Partition {
        (self.spec_id, self.file().partition().clone())
    }

    pub(super) fn delete_key(&self) -> DeleteKey {
        (self.path().to_owned(), self.file().content_offset())
    }

    pub(super) fn is_vector(&self) -> bool {
        self.file().content_type() == DataContentType::PositionDeletes
            && self.file().file_format() == DataFileFormat::Puffin
    }

    /// The one data file whose rows a file of position deletes or a deletion vector tells, if it is one.
    pub(super) fn referenced(&self) -> Option<String> {
        let file = self.file();
        if file.content_type() != DataContentType::PositionDeletes {
            return None;
        }
        file.referenced_data_file().or_else(|| {
            let (lower, upper) =
                (file.lower_bounds().get(&PATH_FIELD)?, file.upper_bounds().get(&PATH_FIELD)?);
            let one = lower.literal() == upper.literal();
            match lower.literal() {
                // Bounds that are cut short are never equal.
                iceberg::spec::PrimitiveLiteral::String(path) if one => Some(path.clone()),
                _other => None,
            }
        })
    }

    /// Its description, as a manifest that takes it over says it.
    pub(super) fn described(&self) -> Result<DataFile, CompactError> {
        let file = self.file();
        if file.first_row_id() == self.first_row_id {
            return Ok(file.clone());
        }
        let mut described = DataFileBuilder::default();
        described
            .content(file.content_type())
            .file_path(file.file_path().to_owned())
            .file_format(file.file_format())
            .partition(file.partition().clone())
            .record_count(file.record_count())
            .file_size_in_bytes(file.file_size_in_bytes())
            .column_sizes(file.column_sizes().clone())
            .value_counts(file.value_counts().clone())
            .null_value_counts(file.null_value_counts().clone())
            .nan_value_counts(file.nan_value_counts().clone())
            .lower_bounds(file.lower_bounds().clone())
            .upper_bounds(file.upper_bounds().clone())
            .key_metadata(file.key_metadata().map(<[u8]>::to_vec))
            .split_offsets(file.split_offsets().map(<[i64]>::to_vec))
            .equality_ids(file.equality_ids())
            .first_row_id(self.first_row_id)
            .partition_spec_id(self.spec_id)
            .referenced_data_file(file.referenced_data_file())
            .content_offset(file.content_offset())
            .content_size_in_bytes(file.content_size_in_bytes());
        if let Some(order) = file.sort_order_id() {
            described.sort_order_id(order);
        }
        described.build().map_err(|error| CompactError::Unfit(error.to_string()))
    }
}

impl Compact<'_> {
    /// The live entries of a manifest.
    pub(super) async fn live(&self, manifest: &ManifestFile) -> Result<(Vec<Live>, Shape), CompactError> {
        live(self.files, manifest).await
    }
}

/// The live entries of a manifest.
pub(crate) async fn live(files: &Files, manifest: &ManifestFile) -> Result<(Vec<Live>, Shape), CompactError> {
    let bytes = files.read(&manifest.manifest_path).await?;
    let unpacked_bytes_max = files.unpacked_bytes_max;
    let parse = move || {
        // This reader stops at the limit; the other one has none.
        manifests::live_files(&bytes, unpacked_bytes_max).map_err(|error| error.to_string())?;
        Manifest::parse_avro(&bytes).map_err(|error| error.to_string())
    };
    let parsed = tokio::task::spawn_blocking(parse).await.map_err(|panic| panic.to_string()).flatten();
    let invalid = |message: String| FileError::Invalid { location: manifest.manifest_path.clone(), message };
    let (entries, metadata) = parsed.map_err(invalid)?.into_parts();
    let shape = Shape { schema: metadata.schema().clone(), spec: metadata.partition_spec().clone() };
    Ok((inherit(manifest, entries), shape))
}

/// Gives live entries what they do not say themselves (table spec, "Sequence Number Inheritance" and "First Row ID
/// Inheritance"). Row ids are reserved for added and existing files, so deleted ones take none.
fn inherit(manifest: &ManifestFile, entries: Vec<Arc<ManifestEntry>>) -> Vec<Live> {
    let path: Arc<str> = manifest.manifest_path.as_str().into();
    let mut next_row_id = manifest.first_row_id.and_then(|id| i64::try_from(id).ok());
    let mut live = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.status() == ManifestStatus::Deleted {
            continue;
        }
        let first_row_id = match (entry.content_type(), entry.data_file().first_row_id()) {
            (DataContentType::Data, Some(own)) => Some(own),
            (DataContentType::Data, None) => {
                let inherited = next_row_id;
                next_row_id = inherited.map(|id| id.saturating_add_unsigned(entry.record_count()));
                inherited
            }
            (DataContentType::PositionDeletes | DataContentType::EqualityDeletes, _) => None,
        };
        live.push(Live {
            manifest: path.clone(),
            spec_id: manifest.partition_spec_id,
            sequence_number: entry.sequence_number.unwrap_or(manifest.sequence_number),
            file_sequence_number: entry.file_sequence_number.unwrap_or(manifest.sequence_number),
            snapshot_id: entry.snapshot_id.unwrap_or(manifest.added_snapshot_id),
            first_row_id,
            entry,
        });
    }
    live
}
