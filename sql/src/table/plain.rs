//! Files in which nothing is deleted, by the engine's Parquet source: it leaves out row groups and pages.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::cache::DefaultFilesMetadataCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;
use object_store::ObjectMeta;
use object_store::path::Path;
use tarn_catalog::reads::File;

use super::CatalogTable;
use super::adapter::ByFieldId;

/// Footers that one scan keeps, in bytes.
const FOOTERS_BYTES_MAX: usize = 64 << 20;
/// What is read of a file's end at once, in bytes: most footers fit.
const FOOTER_BYTES: usize = 64 << 10;

/// Reads these columns of files of one bucket.
pub(super) fn scan(
    table: &CatalogTable,
    session: &dyn Session,
    (bucket, files): (&str, &[(Path, &File)]),
    columns: &[usize],
) -> Result<Arc<dyn ExecutionPlan>> {
    let url = ObjectStoreUrl::parse(format!("s3://{bucket}"))?;
    let store = session.runtime_env().object_store(&url)?;
    // A cache of this scan's own: it knows files by their paths, and another table may be in another bucket.
    let footers = Arc::new(DefaultFilesMetadataCache::new(FOOTERS_BYTES_MAX));
    let source = ParquetSource::new(table.schema.clone())
        .with_table_parquet_options(session.table_options().parquet.clone())
        .with_metadata_size_hint(FOOTER_BYTES)
        .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, footers)));
    let parts = files.iter().map(|(path, file)| {
        PartitionedFile::from(ObjectMeta {
            location: path.clone(),
            // Files of a table never change.
            last_modified: Default::default(),
            size: u64::try_from(file.file().size_bytes).unwrap_or_default(),
            e_tag: None,
            version: None,
        })
    });
    let partitions = session.config().target_partitions();
    let config = FileScanConfigBuilder::new(url, Arc::new(source))
        .with_file_groups(FileGroup::new(parts.collect()).split_files(partitions))
        .with_statistics(statistics(table, files))
        .with_expr_adapter(Some(Arc::new(ByFieldId(table.rows.clone()))))
        .with_projection_indices(Some(columns.to_vec()))?
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

/// What manifests say of the files together.
fn statistics(table: &CatalogTable, files: &[(Path, &File)]) -> Statistics {
    let sum = |of: &dyn Fn(&File) -> Option<i64>| {
        let all = files.iter().map(|(_, file)| of(file).and_then(|number| usize::try_from(number).ok()));
        all.sum::<Option<usize>>()
    };
    let inexact = |number: Option<usize>| number.map_or(Precision::Absent, Precision::Inexact);
    let column = |column: usize| {
        let id = table.rows.field_id(column);
        ColumnStatistics {
            null_count: inexact(sum(&|file| file.file().null_count(id))),
            ..ColumnStatistics::new_unknown()
        }
    };
    Statistics {
        num_rows: sum(&|file| Some(file.file().record_count)).map_or(Precision::Absent, Precision::Exact),
        total_byte_size: inexact(sum(&|file| Some(file.file().size_bytes))),
        column_statistics: (0..table.schema.fields().len()).map(column).collect(),
    }
}
