//! Writing manifests and manifest lists, in the table's version.

use iceberg::io::FileIO;
use iceberg::spec::{
    FormatVersion, ManifestContentType, ManifestFile, ManifestListWriter, ManifestWriter,
    ManifestWriterBuilder,
};
use uuid::Uuid;

use super::head::Head;
use super::live::{Live, Shape};
use super::{Compact, CompactError};

/// A manifest being written.
pub(super) struct Draft {
    io: FileIO,
    location: String,
    pub(super) writer: ManifestWriter,
}

/// A manifest list that is written.
pub(super) struct StoredList {
    pub(super) location: String,
    /// The row id after those that it assigns (V3).
    pub(super) next_row_id: Option<u64>,
}

impl Draft {
    /// A manifest of the snapshot `id`, in memory until it is stored.
    pub(super) fn new(
        head: &Head,
        id: i64,
        shape: &Shape,
        content: ManifestContentType,
    ) -> Result<Self, CompactError> {
        let io = FileIO::new_with_memory();
        let location = head.location(&format!("metadata/{}-m.avro", Uuid::now_v7()))?;
        let output = io.new_output(&location)?;
        let builder = ManifestWriterBuilder::new(output, Some(id), shape.schema.clone(), shape.spec.clone());
        let writer = match (head.version(), content) {
            (FormatVersion::V1, _) => builder.build_v1(),
            (FormatVersion::V2, ManifestContentType::Data) => builder.build_v2_data(),
            (FormatVersion::V2, ManifestContentType::Deletes) => builder.build_v2_deletes(),
            (FormatVersion::V3, ManifestContentType::Data) => builder.build_v3_data(),
            (FormatVersion::V3, ManifestContentType::Deletes) => builder.build_v3_deletes(),
        };
        Ok(Self { io, location, writer })
    }

    /// Takes over a file that stays.
    pub(super) fn keep(&mut self, live: &Live) -> Result<(), CompactError> {
        let file = live.described()?;
        let (sequence, of_file) = (live.sequence_number, Some(live.file_sequence_number));
        Ok(self.writer.add_existing_file(file, live.snapshot_id, sequence, of_file)?)
    }

    /// Tells a file that goes.
    pub(super) fn delete(&mut self, live: &Live) -> Result<(), CompactError> {
        let file = live.described()?;
        Ok(self.writer.add_delete_file(file, live.sequence_number, Some(live.file_sequence_number))?)
    }
}

impl Compact<'_> {
    pub(super) async fn store(&self, draft: Draft) -> Result<ManifestFile, CompactError> {
        let manifest = draft.writer.write_manifest_file().await?;
        let bytes = draft.io.new_input(&draft.location)?.read().await?;
        self.files.create(&draft.location, bytes).await?;
        Ok(manifest)
    }

    /// Writes the manifest list of the snapshot `id` on top of `head`.
    pub(super) async fn list(
        &self,
        head: &Head,
        id: i64,
        manifests: Vec<ManifestFile>,
    ) -> Result<StoredList, CompactError> {
        let io = FileIO::new_with_memory();
        let location = head.location(&format!("metadata/snap-{id}-1-{}.avro", Uuid::now_v7()))?;
        let output = io.new_output(&location)?.writer().await?;
        let (parent, sequence) = (Some(head.snapshot_id), head.next_sequence_number());
        let mut writer = match head.version() {
            FormatVersion::V1 => ManifestListWriter::v1(output, id, parent),
            FormatVersion::V2 => ManifestListWriter::v2(output, id, parent, sequence),
            FormatVersion::V3 => {
                ManifestListWriter::v3(output, id, parent, sequence, Some(head.parsed.next_row_id()))
            }
        };
        writer.add_manifests(manifests.into_iter())?;
        let next_row_id = writer.next_row_id();
        writer.close().await?;
        self.files.create(&location, io.new_input(&location)?.read().await?).await?;
        Ok(StoredList { location, next_row_id })
    }
}
