//! Arranging rows into files: as they come, sorted, or divided by partitions.
//!
//! Rows to sort or divide are held up to [`BUFFER_BYTES_MAX`]; what is held then becomes files of its own, so each file
//! is sorted, and no file is of two partitions.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use arrow_select::take::take;
use iceberg::arrow::RecordBatchPartitionSplitter;
use iceberg::spec::{NullOrder, SortDirection, Struct, Transform};
use iceberg::transform::{BoxedTransformFunction, create_transform_function};

use super::head::Head;
use super::output::{Made, Output};
use super::schema::Columns;
use super::{BUFFER_BYTES_MAX, CompactError, Order, PARTITIONS_MAX, Stop};

/// Rows of a batch.
pub(super) const BATCH_ROWS: usize = 8 * 1024;

/// The order that rows of a file are brought into.
pub(super) struct SortPlan {
    /// The table's sort order; `None` when rows stay as they come.
    pub(super) order_id: Option<i32>,
    keys: Vec<SortKey>,
}

struct SortKey {
    /// Where its column stands.
    place: usize,
    transform: BoxedTransformFunction,
    options: SortOptions,
}

impl SortPlan {
    pub(super) fn new(head: &Head, order: Order) -> Result<Self, CompactError> {
        let as_is = Self { order_id: None, keys: Vec::new() };
        let found = match order {
            Order::AsIs => return Ok(as_is),
            Order::Sorted | Order::AllSorted => Self::of_table(head),
        };
        match (found, order) {
            (Some(plan), _) => Ok(plan),
            (None, Order::AllSorted) => {
                Err(CompactError::Unfit("the table has no sort order that rows can be brought into".into()))
            }
            (None, Order::AsIs | Order::Sorted) => Ok(as_is),
        }
    }

    fn of_table(head: &Head) -> Option<Self> {
        let order = head.parsed.default_sort_order();
        let fields = head.parsed.current_schema().as_struct().fields();
        let key = |field: &iceberg::spec::SortField| {
            let place = fields.iter().position(|column| column.id == field.source_id)?;
            fields[place].field_type.as_primitive_type()?;
            let transform = match field.transform {
                Transform::Unknown => return None,
                known => create_transform_function(&known).ok()?,
            };
            let descending = field.direction == SortDirection::Descending;
            let options = SortOptions { descending, nulls_first: field.null_order == NullOrder::First };
            Some(SortKey { place, transform, options })
        };
        let keys = order.fields.iter().map(key).collect::<Option<Vec<_>>>()?;
        let order_id = i32::try_from(order.order_id).ok()?;
        (!keys.is_empty()).then_some(Self { order_id: Some(order_id), keys })
    }

    fn sort(&self, batch: RecordBatch) -> Result<RecordBatch, Stop> {
        if self.keys.is_empty() || batch.num_rows() < 2 {
            return Ok(batch);
        }
        let mut columns = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            let values = key.transform.transform(batch.column(key.place).clone())?;
            columns.push(SortColumn { values, options: Some(key.options) });
        }
        let sorted = || -> Result<RecordBatch, ArrowError> {
            let order = lexsort_to_indices(&columns, None)?;
            let taken =
                batch.columns().iter().map(|column| take(column, &order, None)).collect::<Result<_, _>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(batch.schema(), taken, &options)
        };
        sorted().map_err(|_| Stop::Unfit("whose rows cannot be sorted"))
    }
}

/// Where rows of a group go.
pub(super) enum Destination {
    /// All to one partition.
    One(Struct),
    /// Each to the partition that its values tell.
    Each(Box<RecordBatchPartitionSplitter>),
}

/// A file made, with its partition.
pub(super) type Arranged = (Made, Struct);

/// Takes rows and makes files of them.
pub(super) struct Arranger {
    columns: Columns,
    sort: Arc<SortPlan>,
    to: Destination,
    /// A file that is longer is followed by the next one.
    file_bytes_max: u64,
    open: Option<Output>,
    held: Vec<RecordBatch>,
    held_bytes: usize,
    partitions: HashSet<Struct>,
    made: Vec<Arranged>,
}

impl Arranger {
    pub(super) fn new(columns: Columns, sort: Arc<SortPlan>, to: Destination, target_bytes: u64) -> Self {
        // Other encodings make a file somewhat longer; that is no reason for a second one of a few rows.
        let file_bytes_max = target_bytes + target_bytes / 2;
        Self {
            columns,
            sort,
            to,
            file_bytes_max,
            open: None,
            held: Vec::new(),
            held_bytes: 0,
            partitions: HashSet::new(),
            made: Vec::new(),
        }
    }

    /// Takes rows; the files that became complete.
    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<Vec<Arranged>, Stop> {
        match &self.to {
            Destination::One(partition) if self.sort.keys.is_empty() => {
                let partition = partition.clone();
                self.write(&batch, &partition)?;
            }
            Destination::One(_) | Destination::Each(_) => {
                self.held_bytes += batch.get_array_memory_size();
                self.held.push(batch);
                if self.held_bytes > BUFFER_BYTES_MAX {
                    self.flush()?;
                }
            }
        }
        Ok(std::mem::take(&mut self.made))
    }

    /// The last files.
    pub(super) fn finish(mut self) -> Result<Vec<Arranged>, Stop> {
        self.flush()?;
        if let Destination::One(partition) = &self.to {
            let partition = partition.clone();
            self.close(&partition)?;
        }
        Ok(self.made)
    }

    /// Makes files of what is held.
    fn flush(&mut self) -> Result<(), Stop> {
        if self.held.is_empty() {
            return Ok(());
        }
        let whole = concat_batches(&self.columns.arrow, &std::mem::take(&mut self.held));
        let whole = whole.map_err(|_| Stop::Unfit("whose rows cannot be brought together"))?;
        self.held_bytes = 0;
        let parts = match &self.to {
            Destination::One(partition) => vec![(partition.clone(), whole)],
            Destination::Each(splitter) => {
                let parts = splitter.split(&whole)?;
                parts.into_iter().map(|(key, rows)| (key.data().clone(), rows)).collect()
            }
        };
        for (partition, rows) in parts {
            self.partitions.insert(partition.clone());
            if self.partitions.len() > PARTITIONS_MAX {
                return Err(Stop::Unfit("whose rows fall into more than 1,000 partitions"));
            }
            self.write(&self.sort.sort(rows)?, &partition)?;
            self.close(&partition)?;
        }
        Ok(())
    }

    fn write(&mut self, rows: &RecordBatch, partition: &Struct) -> Result<(), Stop> {
        let mut at = 0;
        while at < rows.num_rows() {
            let part = rows.slice(at, BATCH_ROWS.min(rows.num_rows() - at));
            at += part.num_rows();
            let output = match &mut self.open {
                Some(output) => output,
                None => self.open.insert(Output::new(&self.columns)?),
            };
            output.write(&part)?;
            if output.size_bytes() >= self.file_bytes_max {
                self.close(partition)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, partition: &Struct) -> Result<(), Stop> {
        if let Some(output) = self.open.take() {
            self.made.push((output.finish()?, partition.clone()));
        }
        Ok(())
    }
}
