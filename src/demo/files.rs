//! Data files, manifests and the manifest list of one table, made in memory with the `iceberg` crate.

use std::sync::Arc;

use bytes::Bytes;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileFormat, ManifestListWriter, ManifestWriterBuilder, Struct,
    TableMetadata,
};
use iceberg::writer::file_writer::{FileWriter as _, FileWriterBuilder as _, ParquetWriterBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::columns::Columns;
use super::tables::{Flow, Source, Table};

/// Rows of an Arrow batch.
const BATCH_ROWS: usize = 32 * 1024;

/// A file and where it belongs (`s3://...`).
pub(super) struct Made {
    pub(super) location: String,
    pub(super) bytes: Bytes,
}

/// Makes one Parquet file with the rows of a part. `None` when the part has no rows.
pub(super) async fn data_file(
    table: &Table,
    source: &Source<'_>,
    metadata: &TableMetadata,
) -> iceberg::Result<Option<(DataFile, Made)>> {
    let io = FileIO::new_with_memory();
    let name = format!("{:05}-{}.parquet", source.part, uuid::Uuid::now_v7());
    let location = format!("{}/data/{name}", metadata.location());
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let schema = metadata.current_schema();
    let builder = ParquetWriterBuilder::new(properties, schema.clone());
    let mut writer = builder.build(io.new_output(&location)?).await?;
    let arrow = Arc::new(schema_to_arrow_schema(schema)?);
    for batch in batches(table, source, &arrow)? {
        writer.write(&batch).await?;
    }
    let Some(mut file) = writer.close().await?.pop() else { return Ok(None) };
    let file = file
        .content(DataContentType::Data)
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::empty())
        .partition_spec_id(metadata.default_partition_spec_id())
        .build()
        .map_err(|error| iceberg::Error::new(iceberg::ErrorKind::Unexpected, error.to_string()))?;
    let bytes = io.new_input(&location)?.read().await?;
    Ok(Some((file, Made { location, bytes })))
}

fn batches(
    table: &Table,
    source: &Source<'_>,
    schema: &Arc<arrow_schema::Schema>,
) -> iceberg::Result<Vec<arrow_array::RecordBatch>> {
    let failed = |error: arrow_schema::ArrowError| {
        iceberg::Error::new(iceberg::ErrorKind::Unexpected, "a batch could not be built").with_source(error)
    };
    let mut columns = Columns::new(table.columns.iter().map(|(_, kind)| *kind)).map_err(failed)?;
    let mut batches = Vec::new();
    let mut outcome = Ok(());
    table.rows(source, &mut |row| {
        columns.row(row);
        if columns.rows() < BATCH_ROWS {
            return Flow::Continue;
        }
        match columns.batch(schema.clone()) {
            Ok(batch) => {
                batches.push(batch);
                Flow::Continue
            }
            Err(error) => {
                outcome = Err(error);
                Flow::Stop
            }
        }
    });
    outcome.map_err(failed)?;
    if columns.rows() > 0 {
        batches.push(columns.batch(schema.clone()).map_err(failed)?);
    }
    Ok(batches)
}

/// Makes the manifest of `files` and the manifest list of the first snapshot. The list is the last.
pub(super) async fn manifests(
    metadata: &TableMetadata,
    snapshot_id: i64,
    sequence_number: i64,
    files: Vec<DataFile>,
) -> iceberg::Result<[Made; 2]> {
    let io = FileIO::new_with_memory();
    let at = |name: String| format!("{}/metadata/{name}", metadata.location());
    let manifest = at(format!("{}-m0.avro", uuid::Uuid::now_v7()));
    let (schema, spec) =
        (metadata.current_schema().clone(), metadata.default_partition_spec().as_ref().clone());
    let output = io.new_output(&manifest)?;
    let mut writer = ManifestWriterBuilder::new(output, Some(snapshot_id), schema, spec).build_v2_data();
    for file in files {
        writer.add_file(file, sequence_number)?;
    }
    let entry = writer.write_manifest_file().await?;
    let list = at(format!("snap-{snapshot_id}-1-{}.avro", uuid::Uuid::now_v7()));
    let output = io.new_output(&list)?.writer().await?;
    let mut writer = ManifestListWriter::v2(output, snapshot_id, None, sequence_number);
    writer.add_manifests(std::iter::once(entry))?;
    writer.close().await?;
    let bytes = io.new_input(&manifest)?.read().await?;
    let list_bytes = io.new_input(&list)?.read().await?;
    Ok([Made { location: manifest, bytes }, Made { location: list, bytes: list_bytes }])
}
