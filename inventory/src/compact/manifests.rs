//! Writing manifests and manifest lists, in the table's version.

use iceberg::io::FileIO;
use iceberg::spec::{
    FormatVersion, ManifestContentType, ManifestFile, ManifestListWriter, ManifestWriter,
    ManifestWriterBuilder, TableMetadata,
};
use uuid::Uuid;

use super::head::Head;
use super::live::{Live, Shape};
use super::{Compact, CompactError};
use crate::files::Files;

/// A manifest being written.
pub(crate) struct Draft {
    io: FileIO,
    location: String,
    pub(crate) writer: ManifestWriter,
}

/// A manifest list that is written.
pub(crate) struct StoredList {
    pub(crate) location: String,
    /// The row id after those that it assigns (V3).
    pub(crate) next_row_id: Option<u64>,
}

impl Draft {
    /// A manifest of the snapshot `id`, in memory until it is stored.
    pub(super) fn new(
        head: &Head,
        id: i64,
        shape: &Shape,
        content: ManifestContentType,
    ) -> Result<Self, CompactError> {
        let location = head.location(&format!("metadata/{}-m.avro", Uuid::now_v7()))?;
        Self::at(location, id, head.version(), shape, content)
    }

    /// The same, at a place of its own.
    pub(crate) fn at(
        location: String,
        id: i64,
        version: FormatVersion,
        shape: &Shape,
        content: ManifestContentType,
    ) -> Result<Self, CompactError> {
        let io = FileIO::new_with_memory();
        let output = io.new_output(&location)?;
        let builder = ManifestWriterBuilder::new(output, Some(id), shape.schema.clone(), shape.spec.clone());
        let writer = match (version, content) {
            (FormatVersion::V1, _) => builder.build_v1(),
            (FormatVersion::V2, ManifestContentType::Data) => builder.build_v2_data(),
            (FormatVersion::V2, ManifestContentType::Deletes) => builder.build_v2_deletes(),
            (FormatVersion::V3, ManifestContentType::Data) => builder.build_v3_data(),
            (FormatVersion::V3, ManifestContentType::Deletes) => builder.build_v3_deletes(),
        };
        Ok(Self { io, location, writer })
    }

    /// Takes over a file that stays.
    pub(crate) fn keep(&mut self, live: &Live) -> Result<(), CompactError> {
        let file = live.described()?;
        let (sequence, of_file) = (live.sequence_number, Some(live.file_sequence_number));
        Ok(self.writer.add_existing_file(file, live.snapshot_id, sequence, of_file)?)
    }

    /// Tells a file that goes.
    pub(crate) fn delete(&mut self, live: &Live) -> Result<(), CompactError> {
        let file = live.described()?;
        Ok(self.writer.add_delete_file(file, live.sequence_number, Some(live.file_sequence_number))?)
    }

    /// Stores it; what a manifest list tells of it.
    pub(crate) async fn store(self, files: &Files) -> Result<ManifestFile, CompactError> {
        let manifest = self.writer.write_manifest_file().await?;
        let bytes = self.io.new_input(&self.location)?.read().await?;
        files.create(&self.location, bytes).await?;
        Ok(manifest)
    }
}

/// Writes the manifest list of the snapshot `id` at `location`, on top of the snapshot `parent`.
pub(crate) async fn store_list(
    files: &Files,
    table: &TableMetadata,
    (id, parent): (i64, Option<i64>),
    location: String,
    manifests: Vec<ManifestFile>,
) -> Result<StoredList, CompactError> {
    let io = FileIO::new_with_memory();
    let output = io.new_output(&location)?.writer().await?;
    let sequence = table.last_sequence_number() + 1;
    let mut writer = match table.format_version() {
        FormatVersion::V1 => ManifestListWriter::v1(output, id, parent),
        FormatVersion::V2 => ManifestListWriter::v2(output, id, parent, sequence),
        FormatVersion::V3 => ManifestListWriter::v3(output, id, parent, sequence, Some(table.next_row_id())),
    };
    writer.add_manifests(manifests.into_iter())?;
    let next_row_id = writer.next_row_id();
    writer.close().await?;
    files.create(&location, io.new_input(&location)?.read().await?).await?;
    Ok(StoredList { location, next_row_id })
}

impl Compact<'_> {
    pub(super) async fn store(&self, draft: Draft) -> Result<ManifestFile, CompactError> {
        draft.store(self.files).await
    }

    /// Writes the manifest list of the snapshot `id` on top of `head`.
    pub(super) async fn list(
        &self,
        head: &Head,
        id: i64,
        manifests: Vec<ManifestFile>,
    ) -> Result<StoredList, CompactError> {
        let location = head.location(&format!("metadata/snap-{id}-1-{}.avro", Uuid::now_v7()))?;
        store_list(self.files, &head.parsed, (id, Some(head.snapshot_id)), location, manifests).await
    }
}
