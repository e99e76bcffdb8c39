//! Parquet files in a store, read by ranges.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::files::Files;

/// A Parquet file in a store.
pub(crate) struct StoredFile {
    files: Arc<Files>,
    location: String,
    size: u64,
}

impl StoredFile {
    pub(crate) fn new(files: &Arc<Files>, location: &str, size: u64) -> Self {
        Self { files: files.clone(), location: location.to_owned(), size }
    }

    /// The file with its metadata. Its columns have the types that Parquet says, whatever Arrow schema lies beside.
    pub(crate) async fn open(mut self) -> Result<(Self, ArrowReaderMetadata), ParquetError> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load_async(&mut self, options).await?;
        Ok((self, metadata))
    }
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let external = |error| ParquetError::External(Box::new(error));
        Box::pin(async move { self.files.range(&self.location, range).await.map_err(external) })
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
