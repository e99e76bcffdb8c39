//! Data files and manifests of a table: those there are, and those that are made.

use bytes::Bytes;
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, FormatVersion, Manifest, ManifestFile,
    ManifestList, ManifestListWriter, ManifestWriter, ManifestWriterBuilder, Struct,
};
use object_store::path::Path;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use uuid::Uuid;

use super::Table;
use super::draft::Draft;
use crate::compact::output::metrics;
use crate::report::checkpoint::Checkpoint;
use crate::report::error::RunError;
use crate::report::target::Stores;

/// What is read of a file at first: most footers are shorter.
const FOOTER_BYTES: u64 = 64 << 10;

/// The files of a table.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) stores: &'a Stores,
    pub(super) table: &'a Table,
}

/// A file of the current snapshot.
pub(super) struct Live {
    pub(super) file: DataFile,
    pub(super) sequence_number: i64,
    pub(super) file_sequence_number: i64,
}

/// A manifest being written.
pub(super) struct Unstored {
    io: FileIO,
    location: String,
    pub(super) writer: ManifestWriter,
}

impl Files<'_> {
    /// The files that a run has finished, as manifests tell them. Each is looked at: what is told is there.
    pub(super) async fn describe(
        &self,
        run: Uuid,
        state: &Checkpoint,
        index: usize,
    ) -> Result<Vec<DataFile>, RunError> {
        let target = &state.targets[index];
        let mut files = Vec::with_capacity(state.sets.len());
        for number in 0..state.sets.len() {
            let key = target.key(run, number);
            let (metadata, size) = self.footer(&target.bucket, &key).await?;
            let location = format!("s3://{}/{key}", target.bucket);
            files.push(
                self.data_file(location, size, &metadata).map_err(|message| self.table.unfit(message))?,
            );
        }
        Ok(files)
    }

    async fn footer(&self, bucket: &str, key: &Path) -> Result<(ParquetMetaData, u64), RunError> {
        let mut wanted = FOOTER_BYTES;
        loop {
            let (tail, size) = self.stores.tail(bucket, key, wanted).await?;
            let mut reader = ParquetMetaDataReader::new();
            let read = reader.try_parse_sized(&tail, size).and_then(|()| reader.finish());
            match read {
                Ok(metadata) => return Ok((metadata, size)),
                Err(ParquetError::NeedMoreData(needed)) if (needed as u64) > wanted => wanted = needed as u64,
                Err(error) => {
                    return Err(self.table.unfit(format!("its file {key} cannot be read: {error}")));
                }
            }
        }
    }

    fn data_file(&self, location: String, size: u64, metadata: &ParquetMetaData) -> Result<DataFile, String> {
        let schema = self.table.parsed.current_schema();
        let metrics = metrics::of(metadata, schema).map_err(|error| error.to_string())?;
        let offsets = metadata.row_groups().iter().filter_map(|group| group.file_offset());
        let mut described = DataFileBuilder::default();
        described
            .content(DataContentType::Data)
            .file_path(location)
            .file_format(DataFileFormat::Parquet)
            .partition(Struct::empty())
            .partition_spec_id(self.table.parsed.default_partition_spec_id())
            .record_count(metadata.file_metadata().num_rows().unsigned_abs())
            .file_size_in_bytes(size)
            .column_sizes(metrics.sizes)
            .value_counts(metrics.values)
            .null_value_counts(metrics.nulls)
            .lower_bounds(metrics.lower)
            .upper_bounds(metrics.upper)
            .split_offsets(Some(offsets.collect()));
        described.build().map_err(|error| error.to_string())
    }

    /// The data files of the current snapshot. Rows that were deleted in them go with them.
    pub(super) async fn live(&self) -> Result<Vec<Live>, RunError> {
        let Some(snapshot) = self.table.parsed.current_snapshot() else { return Ok(Vec::new()) };
        let unfit = |error: iceberg::Error| self.table.unfit(error.to_string());
        let list = self.read(snapshot.manifest_list()).await?;
        let version = self.table.parsed.format_version();
        let list = ManifestList::parse_with_version(&list, version).map_err(unfit)?;
        let mut live = Vec::new();
        let manifests: Vec<ManifestFile> = list.consume_entries().into_iter().collect();
        for manifest in manifests {
            let bytes = self.read(&manifest.manifest_path).await?;
            let (entries, _) = Manifest::parse_avro(&bytes).map_err(unfit)?.into_parts();
            // An entry without numbers of its own has those of its manifest.
            let own = manifest.sequence_number;
            live.extend(entries.iter().filter(|entry| entry.is_alive()).map(|entry| Live {
                file: entry.data_file().clone(),
                sequence_number: entry.sequence_number().unwrap_or(own),
                file_sequence_number: entry.file_sequence_number.unwrap_or(own),
            }));
        }
        Ok(live)
    }

    /// A manifest of a snapshot, in memory until it is stored.
    pub(super) fn manifest(
        &self,
        draft: Draft,
        index: usize,
        content: DataContentType,
    ) -> Result<Unstored, RunError> {
        let parsed = &self.table.parsed;
        let io = FileIO::new_with_memory();
        let location = self.location(&draft.manifest(index));
        let output = io.new_output(&location).map_err(|error| self.table.unfit(error.to_string()))?;
        let (schema, spec) =
            (parsed.current_schema().clone(), parsed.default_partition_spec().as_ref().clone());
        let builder = ManifestWriterBuilder::new(output, Some(draft.id()), schema, spec);
        let writer = match (parsed.format_version(), content) {
            (FormatVersion::V1, _) => builder.build_v1(),
            (FormatVersion::V2, DataContentType::Data) => builder.build_v2_data(),
            (FormatVersion::V3, DataContentType::Data) => builder.build_v3_data(),
            (FormatVersion::V2, DataContentType::PositionDeletes | DataContentType::EqualityDeletes) => {
                builder.build_v2_deletes()
            }
            (FormatVersion::V3, DataContentType::PositionDeletes | DataContentType::EqualityDeletes) => {
                builder.build_v3_deletes()
            }
        };
        Ok(Unstored { io, location, writer })
    }

    pub(super) async fn store(&self, made: Unstored) -> Result<ManifestFile, RunError> {
        let unfit = |error: iceberg::Error| self.table.unfit(error.to_string());
        let manifest = made.writer.write_manifest_file().await.map_err(unfit)?;
        let bytes = async { made.io.new_input(&made.location)?.read().await };
        self.write(&made.location, bytes.await.map_err(unfit)?).await?;
        Ok(manifest)
    }

    /// Writes the manifest list of a snapshot; where it is, and the row id after those that it assigns (V3).
    pub(super) async fn list(
        &self,
        draft: Draft,
        manifests: Vec<ManifestFile>,
    ) -> Result<(String, Option<u64>), RunError> {
        let location = self.location(&draft.list());
        let (bytes, next_row_id) = self
            .list_bytes(&location, draft.id(), manifests)
            .await
            .map_err(|error| self.table.unfit(error.to_string()))?;
        self.write(&location, bytes).await?;
        Ok((location, next_row_id))
    }

    async fn list_bytes(
        &self,
        location: &str,
        id: i64,
        manifests: Vec<ManifestFile>,
    ) -> iceberg::Result<(Bytes, Option<u64>)> {
        let parsed = &self.table.parsed;
        let io = FileIO::new_with_memory();
        let output = io.new_output(location)?.writer().await?;
        let (parent, sequence) = (parsed.current_snapshot_id(), parsed.last_sequence_number() + 1);
        let mut writer = match parsed.format_version() {
            FormatVersion::V1 => ManifestListWriter::v1(output, id, parent),
            FormatVersion::V2 => ManifestListWriter::v2(output, id, parent, sequence),
            FormatVersion::V3 => {
                ManifestListWriter::v3(output, id, parent, sequence, Some(parsed.next_row_id()))
            }
        };
        writer.add_manifests(manifests.into_iter())?;
        let next_row_id = writer.next_row_id();
        writer.close().await?;
        Ok((io.new_input(location)?.read().await?, next_row_id))
    }

    fn location(&self, name: &str) -> String {
        format!("{}/{name}", self.table.loaded.metadata.location().trim_end_matches('/'))
    }

    async fn read(&self, location: &str) -> Result<Bytes, RunError> {
        let (bucket, path) = self.place(location)?;
        self.stores.read(bucket, &path).await
    }

    async fn write(&self, location: &str, bytes: Bytes) -> Result<(), RunError> {
        let (bucket, path) = self.place(location)?;
        self.stores.put(bucket, &path, bytes).await
    }

    /// A file of the table's warehouse; others are not touched, whatever the table's writers named.
    fn place<'a>(&self, location: &'a str) -> Result<(&'a str, Path), RunError> {
        match crate::files::split(location) {
            Some((bucket, path)) if bucket == self.table.ident.warehouse.as_ref() => Ok((bucket, path)),
            Some(_) | None => Err(self.table.unfit(format!("its file {location} lies elsewhere"))),
        }
    }
}
