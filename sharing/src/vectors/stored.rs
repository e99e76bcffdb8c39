//! Files of a table in their store, read by ranges. Their content is anybody's: no read is longer than its limit.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{
    AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tarn_catalog::WarehouseStores;

use super::limits::Used;
use crate::table::{Place, TableError};

/// The longest range that is read at once: a column of a row group, or a footer.
const READ_BYTES_MAX: u64 = 256 << 20;
/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8192;

/// A file in a store.
pub(super) struct StoredFile {
    store: Arc<dyn ObjectStore>,
    at: Path,
    size: u64,
    what: &'static str,
}

impl StoredFile {
    /// `what` tells readers which file it is, without its name.
    pub(super) fn new(
        stores: &dyn WarehouseStores,
        place: Place<'_>,
        size: u64,
        what: &'static str,
    ) -> Result<Self, TableError> {
        let at = Path::parse(place.key);
        let at = at.map_err(|_| TableError::Invalid(format!("{what} has no usable name")))?;
        Ok(Self { store: stores.store(place.bucket), at, size, what })
    }

    /// A part of it.
    pub(super) async fn range(&self, range: Range<u64>) -> Result<Bytes, TableError> {
        let length = range.end.saturating_sub(range.start);
        if length > READ_BYTES_MAX {
            return Err(TableError::TooLarge {
                what: format!("a part of {}", self.what),
                most: format!("{} MiB", READ_BYTES_MAX >> 20),
            });
        }
        let bytes = self.store.get_range(&self.at, range).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => TableError::Invalid(format!("{} is missing", self.what)),
            other => TableError::Store(Box::new(other)),
        })?;
        if bytes.len() as u64 != length {
            return Err(TableError::Invalid(format!("{} is shorter than it should be", self.what)));
        }
        Ok(bytes)
    }

    /// Opens it as a Parquet file. Its columns have the types that Parquet says, whatever Arrow schema lies beside.
    pub(super) async fn open(mut self) -> Result<ParquetFile, TableError> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let what = self.what;
        let metadata = ArrowReaderMetadata::load_async(&mut self, options).await;
        Ok(ParquetFile { metadata: metadata.map_err(|error| failed(what, error))?, file: self })
    }
}

/// A Parquet file whose footer was read.
pub(super) struct ParquetFile {
    pub(super) metadata: ArrowReaderMetadata,
    file: StoredFile,
}

impl ParquetFile {
    /// Its rows, with the leaf columns `leaves` only. What they take counts.
    pub(super) fn rows(self, leaves: &[usize], used: &Used) -> Result<Rows, TableError> {
        let groups = self.metadata.metadata().row_groups();
        for column in groups.iter().flat_map(|group| leaves.iter().map(|&leaf| group.column(leaf))) {
            let bytes = column.compressed_size().max(column.uncompressed_size());
            used.scanned(u64::try_from(bytes).unwrap_or(u64::MAX))?;
        }
        let what = self.file.what;
        let mask = ProjectionMask::leaves(self.metadata.parquet_schema(), leaves.iter().copied());
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(self.file, self.metadata);
        let stream = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
        Ok(Rows { stream: stream.map_err(|error| failed(what, error))?, what })
    }
}

/// The rows of a Parquet file.
pub(super) struct Rows {
    stream: ParquetRecordBatchStream<StoredFile>,
    what: &'static str,
}

impl Rows {
    /// The next rows; `None` behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<arrow_array::RecordBatch>, TableError> {
        // What is decoded here may be much; others want to go on meanwhile.
        tokio::task::yield_now().await;
        self.stream.try_next().await.map_err(|error| failed(self.what, error))
    }
}

fn failed(what: &str, error: ParquetError) -> TableError {
    match error {
        ParquetError::External(inner) => match inner.downcast::<TableError>() {
            Ok(own) => *own,
            Err(other) => TableError::Store(other),
        },
        other => TableError::Invalid(format!("{what} cannot be read as Parquet: {other}")),
    }
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        Box::pin(
            async move { self.range(range).await.map_err(|error| ParquetError::External(Box::new(error))) },
        )
    }

    fn get_metadata<'b>(
        &'b mut self,
        _options: Option<&'b ArrowReaderOptions>,
    ) -> BoxFuture<'b, parquet::errors::Result<Arc<ParquetMetaData>>> {
        Box::pin(async move {
            let size = self.size;
            let metadata = ParquetMetaDataReader::new().load_and_finish(self, size).await?;
            Ok(Arc::new(metadata))
        })
    }
}
