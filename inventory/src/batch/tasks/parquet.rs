//! The rows of an inventory's file in Parquet: only bucket and key are read, one row group after the other.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::{Task, fatal, path, store_error};
use crate::jobs::WorkError;

/// The columns that are read.
const COLUMNS: [&str; 2] = ["bucket", "key"];
/// Rows that are read at a time.
const ROWS: usize = 1024;
/// What these columns may have in one row group, in bytes: they are in memory together.
const GROUP_BYTES_MAX: i64 = 512 << 20;

/// A file in a store.
struct Stored {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

/// The rows of a file that are left.
pub(super) struct ParquetRows {
    batches: ParquetRecordBatchStream<Stored>,
    /// Those at hand: buckets, keys and the next of them.
    rows: Option<(StringArray, StringArray, usize)>,
}

impl ParquetRows {
    /// Those behind the first `skipped`.
    pub(super) async fn open(
        store: Arc<dyn ObjectStore>,
        key: &str,
        skipped: u64,
    ) -> Result<Self, WorkError> {
        let path = path(key)?;
        let size = store.head(&path).await.map_err(|error| store_error(key, error))?.size;
        let mut stored = Stored { store, path, size };
        // The types are those that Parquet says, whatever Arrow schema lies beside.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load_async(&mut stored, options).await;
        let metadata = metadata.map_err(|error| unreadable(key, error))?;
        let schema = metadata.metadata().file_metadata().schema_descr();
        for name in COLUMNS {
            if !schema.columns().iter().any(|column| column.path().string() == name) {
                return Err(fatal(format!("{key} has no column {name}")));
            }
        }
        let mask = ProjectionMask::columns(schema, COLUMNS);
        for (number, group) in metadata.metadata().row_groups().iter().enumerate() {
            let columns = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
            let bytes: i64 = columns.map(|(_, column)| column.uncompressed_size()).sum();
            if bytes > GROUP_BYTES_MAX {
                return Err(fatal(format!(
                    "{key}: bucket and key of row group {number} have {bytes} bytes; {GROUP_BYTES_MAX} are allowed"
                )));
            }
        }
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(stored, metadata)
            .with_projection(mask)
            .with_batch_size(ROWS)
            .with_offset(usize::try_from(skipped).unwrap_or(usize::MAX));
        let batches = builder.build().map_err(|error| unreadable(key, error))?;
        Ok(Self { batches, rows: None })
    }

    pub(super) async fn next(&mut self, key: &str) -> Result<Option<Task>, WorkError> {
        loop {
            if let Some((buckets, keys, at)) = &mut self.rows
                && *at < keys.len()
            {
                let row = *at;
                *at += 1;
                if buckets.is_null(row) || keys.is_null(row) {
                    return Err(fatal(format!("{key}: a row has a bucket and a key")));
                }
                let (bucket, key) = (buckets.value(row).to_owned(), keys.value(row).to_owned());
                return Ok(Some(Task { bucket, key, etag: None, size: 0 }));
            }
            let Some(batch) = self.batches.next().await else { return Ok(None) };
            let batch = batch.map_err(|error| unreadable(key, error))?;
            let (buckets, keys) = (text(&batch, "bucket"), text(&batch, "key"));
            let (Some(buckets), Some(keys)) = (buckets, keys) else {
                return Err(fatal(format!("{key}: bucket and key are texts")));
            };
            self.rows = Some((buckets, keys, 0));
        }
    }
}

/// A column as texts.
pub(super) fn text(batch: &RecordBatch, name: &str) -> Option<StringArray> {
    let column = cast(batch.column_by_name(name)?, &DataType::Utf8).ok()?;
    column.as_string_opt::<i32>().cloned()
}

fn unreadable(key: &str, error: ParquetError) -> WorkError {
    match error {
        ParquetError::External(source) => WorkError::Retry(format!("{key} could not be read"), Some(source)),
        error => WorkError::Fatal(format!("{key} cannot be read as Parquet"), Some(Box::new(error))),
    }
}

impl AsyncFileReader for Stored {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let external = |error| ParquetError::External(Box::new(error));
        Box::pin(async move { self.store.get_range(&self.path, range).await.map_err(external) })
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
