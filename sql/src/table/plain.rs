//! The engine's Parquet source: it leaves out row groups and pages.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use tarn_catalog::manifests::ContentFile;
use tarn_catalog::reads::File;
use tarn_inventory::rows::TableRows;

use super::CatalogTable;
use super::adapter::ByFieldId;
use super::statistics::{self, Rows};

/// What is read of a file's end at once, in bytes: most footers fit.
pub(super) const FOOTER_BYTES: usize = 64 << 10;

/// Files of one bucket, as one table shows them.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) rows: Arc<TableRows>,
    /// All columns of the table.
    pub(super) schema: datafusion::arrow::datatypes::SchemaRef,
    pub(super) url: ObjectStoreUrl,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) footers: Arc<dyn FileMetadataCache>,
    pub(super) options: TableParquetOptions,
}

impl Source {
    pub(super) fn new(table: &CatalogTable, session: &dyn Session, bucket: &str) -> Result<Self> {
        let url = ObjectStoreUrl::parse(format!("s3://{bucket}"))?;
        Ok(Self {
            rows: table.rows.clone(),
            schema: table.schema.clone(),
            store: session.runtime_env().object_store(&url)?,
            url,
            footers: table.footers.of(bucket),
            options: session.table_options().parquet.clone(),
        })
    }

    /// Reads these columns of groups of files.
    pub(super) fn read(&self, groups: Vec<FileGroup>, columns: &[usize]) -> Result<FileScanConfigBuilder> {
        let reader = CachedParquetFileReaderFactory::new(self.store.clone(), self.footers.clone());
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(self.options.clone())
            .with_metadata_size_hint(FOOTER_BYTES)
            .with_parquet_file_reader_factory(Arc::new(reader));
        FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_expr_adapter(Some(Arc::new(ByFieldId(self.rows.clone()))))
            .with_projection_indices(Some(columns.to_vec()))
    }
}

/// A file as the engine knows files.
pub(super) fn known(path: Path, file: &ContentFile) -> PartitionedFile {
    PartitionedFile::from(ObjectMeta {
        location: path,
        // Files of a table never change.
        last_modified: Default::default(),
        size: u64::try_from(file.size_bytes).unwrap_or_default(),
        e_tag: None,
        version: None,
    })
}

/// Reads these columns of files of one bucket in which nothing is deleted.
pub(super) fn scan(
    table: &CatalogTable,
    session: &dyn Session,
    (bucket, files): (&str, Vec<(Path, &File)>),
    columns: &[usize],
) -> Result<Arc<dyn ExecutionPlan>> {
    let contents: Vec<&ContentFile> = files.iter().map(|(_, file)| file.file()).collect();
    let statistics = statistics::of(&contents, &table.rows, &table.schema, Rows::All);
    let parts = files.into_iter().map(|(path, file)| known(path, file.file()));
    let groups = FileGroup::new(parts.collect()).split_files(session.config().target_partitions());
    let config: FileScanConfig =
        Source::new(table, session, bucket)?.read(groups, columns)?.with_statistics(statistics).build();
    Ok(DataSourceExec::from_data_source(config))
}
