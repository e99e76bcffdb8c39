//! The files of an inventory: each holds the objects of a range of keys, in their order, and the ranges do not meet.

use std::collections::VecDeque;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use iceberg::spec::{DataContentType, DataFile, PrimitiveLiteral, Struct};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use uuid::Uuid;

use super::LiveError;
use super::entries::{Entry, entries};
use crate::compact::CompactError;
use crate::compact::live::Live;
use crate::compact::output::Output;
use crate::compact::stored::StoredFile;
use crate::journal::append::why;
use crate::journal::columns::KEY_COLUMN;
use crate::journal::rows::{Row, batch};
use crate::journal::table::{Table, TableError, Tables};

/// What names of files begin with that an inventory was made of.
const OWN: &str = "live-";
/// Rows that become columns, or are read, at a time.
const BATCH_ROWS: usize = 8192;

/// A file and the keys it holds.
#[derive(Debug, Clone)]
pub(in crate::journal) struct Shelf {
    pub(in crate::journal) path: String,
    pub(in crate::journal) size_bytes: u64,
    pub(in crate::journal) rows: u64,
    /// Its first key.
    pub(in crate::journal) lower: String,
    upper: String,
}

/// The files of the table in the order of their keys; `None`: somebody else wrote to it.
pub(in crate::journal) fn shelves(table: &Table, live: &[Live]) -> Option<Vec<Shelf>> {
    let key = table.columns.schema.field_by_name(KEY_COLUMN)?.id;
    let mut all = live.iter().map(|live| shelf(live, key)).collect::<Option<Vec<_>>>()?;
    all.sort_by(|one, other| one.lower.cmp(&other.lower));
    all.is_sorted_by(|one, next| one.upper < next.lower).then_some(all)
}

fn shelf(live: &Live, key: i32) -> Option<Shelf> {
    let file = live.file();
    let name = live.path().rsplit('/').next()?;
    if file.content_type() != DataContentType::Data || !name.starts_with(OWN) {
        return None;
    }
    let text = |literal: &PrimitiveLiteral| match literal {
        PrimitiveLiteral::String(text) => Some(text.clone()),
        _other => None,
    };
    Some(Shelf {
        path: live.path().to_owned(),
        size_bytes: file.file_size_in_bytes(),
        rows: file.record_count(),
        lower: text(file.lower_bounds().get(&key)?.literal())?,
        upper: text(file.upper_bounds().get(&key)?.literal())?,
    })
}

/// All files of the table, whoever made them, in the order of their first keys, with their sizes in bytes.
pub(in crate::journal) async fn contents(
    tables: &Tables,
    table: &Table,
) -> Result<VecDeque<(String, u64)>, LiveError> {
    let live = tables.live(table).await?;
    if live.iter().any(|live| live.file().content_type() != DataContentType::Data) {
        return Err(LiveError::Deletes);
    }
    if let Some(own) = shelves(table, &live) {
        return Ok(own.into_iter().map(|shelf| (shelf.path, shelf.size_bytes)).collect());
    }
    // Bounds that others wrote may be cut short.
    let mut all = Vec::with_capacity(live.len());
    for file in &live {
        let (path, size_bytes) = (file.path(), file.file().file_size_in_bytes());
        let first = rows(tables, path, size_bytes).await?.try_next().await?;
        let first = first.and_then(|rows| rows.into_iter().next()).map(|row| row.key);
        all.push((first, path.to_owned(), size_bytes));
    }
    all.sort();
    Ok(all.into_iter().map(|(_, path, size_bytes)| (path, size_bytes)).collect())
}

/// The rows of a file, some at a time.
pub(in crate::journal) async fn rows(
    tables: &Tables,
    path: &str,
    size_bytes: u64,
) -> Result<BoxStream<'static, Result<Vec<Entry>, LiveError>>, LiveError> {
    let stored = StoredFile::new(&tables.files, path, size_bytes);
    let (stored, metadata) = stored.open().await.map_err(LiveError::Parquet)?;
    let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(stored, metadata);
    let batches = builder.with_batch_size(BATCH_ROWS).build().map_err(LiveError::Parquet)?;
    let read = batches.map_err(LiveError::Parquet).map(|batch| Ok(entries(&batch?)?));
    Ok(read.boxed())
}

/// Makes files of rows that come in the order of their keys. One file is in memory at a time.
pub(in crate::journal) struct Maker<'a> {
    tables: &'a Tables,
    table: &'a Table,
    /// Rows of a file.
    limit: usize,
    waiting: Vec<Entry>,
    open: Option<(Output, usize)>,
    made: Vec<DataFile>,
}

impl<'a> Maker<'a> {
    pub(in crate::journal) fn new(tables: &'a Tables, table: &'a Table, limit: usize) -> Self {
        Self { tables, table, limit: limit.max(1), waiting: Vec::new(), open: None, made: Vec::new() }
    }

    /// Files from here on have about so many of `rows` rows: none is much smaller than the others.
    pub(in crate::journal) async fn expect(&mut self, rows: u64, of_file: usize) -> Result<(), LiveError> {
        self.end().await?;
        let of_file = of_file.max(1) as u64;
        let files = ((rows + of_file / 2) / of_file).max(1);
        self.limit = usize::try_from(rows.div_ceil(files)).unwrap_or(usize::MAX).max(1);
        Ok(())
    }

    pub(in crate::journal) async fn push(&mut self, entry: Entry) -> Result<(), LiveError> {
        self.waiting.push(entry);
        let rows = self.open.as_ref().map_or(0, |(_, rows)| *rows) + self.waiting.len();
        if rows >= self.limit {
            return self.end().await;
        }
        if self.waiting.len() >= BATCH_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LiveError> {
        let bucket = &self.table.ident.namespace.levels()[0];
        let rows: Vec<Row<'_>> = self.waiting.iter().map(|entry| row(bucket, entry)).collect();
        let made = batch(&self.table.columns.arrow, &rows);
        let made = made.map_err(|error| self.table.unfit(format!("its columns were changed: {error}")))?;
        let (mut output, before) = match self.open.take() {
            Some(open) => open,
            None => {
                // The bounds tell which file a key is in: they are whole.
                let output = Output::with_bounds(&self.table.columns, None);
                (output.map_err(|stop| why(self.table, stop))?, 0)
            }
        };
        output.write(&made).map_err(|stop| why(self.table, stop))?;
        self.open = Some((output, before + rows.len()));
        self.waiting.clear();
        Ok(())
    }

    /// Ends the file that is being made.
    pub(in crate::journal) async fn end(&mut self) -> Result<(), LiveError> {
        if !self.waiting.is_empty() {
            self.flush()?;
        }
        let Some((output, _)) = self.open.take() else { return Ok(()) };
        let made = output.finish().map_err(|stop| why(self.table, stop))?;
        let location = self.table.location(&format!("data/{OWN}{}.parquet", Uuid::now_v7()))?;
        let stored = self.tables.files.create(&location, made.bytes.clone()).await;
        stored.map_err(CompactError::from).map_err(TableError::from)?;
        let parsed = &self.table.parsed;
        let partition = (parsed.default_partition_spec_id(), Struct::empty());
        let order = i32::try_from(parsed.default_sort_order_id()).ok();
        self.made.push(made.describe(location, partition, order).map_err(|stop| why(self.table, stop))?);
        Ok(())
    }

    /// All files.
    pub(in crate::journal) async fn finish(mut self) -> Result<Vec<DataFile>, LiveError> {
        self.end().await?;
        Ok(self.made)
    }
}

fn row<'a>(bucket: &'a str, entry: &'a Entry) -> Row<'a> {
    Row {
        bucket,
        key: &entry.key,
        sequence_number: &entry.sequence_number,
        state: Some(&entry.state),
        change: None,
    }
}
