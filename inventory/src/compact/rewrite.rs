//! Reading the rows of a group and writing those that stay into new files.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_select::filter::filter_record_batch;
use futures::TryStreamExt as _;
use iceberg::arrow::RecordBatchPartitionSplitter;
use iceberg::spec::{DataFile, Literal, Struct, Transform};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

use super::arrange::{Arranged, Arranger, BATCH_ROWS, Destination, SortPlan};
use super::columns::{Constants, Projection, promoted, with_ids};
use super::equality::EqualityDeletes;
use super::head::Head;
use super::lineage::{self, Remaining};
use super::live::{DeleteKey, Live};
use super::schema::RowSchema;
use super::select::{Group, Selected};
use super::stored::StoredFile;
use super::{Compact, Stop};

/// What replaces a group.
#[derive(Default)]
pub(super) struct Rewritten {
    /// None when no row was left.
    pub(super) files: Vec<DataFile>,
    pub(super) rows_dropped: u64,
    /// The delete files whose rows the files made no longer hold.
    pub(super) applied: HashSet<DeleteKey>,
}

/// What all files of a group are read with.
struct Reading<'a> {
    head: &'a Head,
    schema: RowSchema,
    equality: EqualityDeletes,
    sort_order_id: Option<i32>,
}

impl Rewritten {
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(DataFile::file_size_in_bytes).sum()
    }
}

impl Compact<'_> {
    /// Writes the rows of a group that are not deleted into files of about `target_bytes`.
    pub(super) async fn rewrite(
        &self,
        head: &Head,
        group: &Group,
        sort: &Arc<SortPlan>,
        target_bytes: u64,
    ) -> Result<Rewritten, Stop> {
        let equality = self.equality(head, &group.equality).await?;
        let schema = RowSchema::new(&head.parsed, &equality.ids())?;
        let to = destination(head, group, &schema)?;
        let mut arranger = Arranger::new(schema.written.clone(), sort.clone(), to, target_bytes);
        let reading = Reading { head, schema, equality, sort_order_id: sort.order_id };
        let mut made = Rewritten::default();
        made.applied.extend(group.equality.iter().map(Live::delete_key));
        for file in &group.files {
            made.applied.extend(file.told_by.iter().map(Live::delete_key));
            arranger = self.copy(&reading, file, arranger, &mut made).await?;
        }
        let last = blocking(move || arranger.finish()).await?;
        self.keep(&reading, last, &mut made).await?;
        Ok(made)
    }

    /// Hands the rows of a file that stay to the arranger.
    async fn copy(
        &self,
        reading: &Reading<'_>,
        file: &Selected,
        mut arranger: Arranger,
        made: &mut Rewritten,
    ) -> Result<Arranger, Stop> {
        let (live, rows) = (&file.live, &reading.schema);
        let vector = match &file.vector {
            Some(vector) => Some(self.vector(vector).await?),
            None => None,
        };
        let deleted = vector.as_deref().unwrap_or(&file.deleted);
        let count = live.file().record_count();
        if deleted.last().is_some_and(|&last| last >= count) {
            return Err(Stop::Unfit("under deletes of rows that they do not have"));
        }
        let stored = StoredFile::new(self.files, live.path(), live.file().file_size_in_bytes());
        let (stored, metadata) = stored.open().await?;
        let own = with_ids(metadata.schema().fields(), &reading.head.parsed)?;
        let wanted = rows.read.schema.as_struct();
        let projection = Projection::new(&own, wanted, &constants(reading.head, live))?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), projection.roots().iter().copied());
        let builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(stored, metadata).with_projection(mask);
        let builder = builder.with_batch_size(BATCH_ROWS).with_row_selection(selection(deleted, count));
        let (mut batches, mut read, mut positions) = (builder.build()?, 0, Remaining::new(deleted));
        while let Some(batch) = batches.try_next().await? {
            read += batch.num_rows() as u64;
            let mut batch = projection.apply(&batch, &rows.read.arrow)?;
            if let Some(at) = rows.lineage {
                batch = lineage::inherit(batch, at, live, &mut positions);
            }
            let batch = remaining(batch, reading, live, made)?;
            let (returned, done) = blocking(move || {
                let done = arranger.push(batch);
                Ok((arranger, done))
            })
            .await?;
            arranger = returned;
            self.keep(reading, done?, made).await?;
        }
        if read + deleted.len() as u64 != count {
            return Err(Stop::Unfit("with other rows than their manifest tells"));
        }
        made.rows_dropped += deleted.len() as u64;
        Ok(arranger)
    }

    /// Stores files made.
    async fn keep(
        &self,
        reading: &Reading<'_>,
        files: Vec<Arranged>,
        made: &mut Rewritten,
    ) -> Result<(), Stop> {
        let head = reading.head;
        for (file, partition) in files {
            let location = head.location(&format!("data/{}-compacted.parquet", uuid::Uuid::now_v7()))?;
            self.files.create(&location, file.bytes.clone()).await?;
            let partition = (head.parsed.default_partition_spec_id(), partition);
            made.files.push(file.describe(location, partition, reading.sort_order_id)?);
        }
        Ok(())
    }
}

/// The rows of a batch that no equality delete applies to, with the columns that are written.
fn remaining(
    batch: RecordBatch,
    reading: &Reading<'_>,
    file: &Live,
    made: &mut Rewritten,
) -> Result<RecordBatch, Stop> {
    const UNFIT: Stop = Stop::Unfit("whose rows cannot be told apart");
    let rows = &reading.schema;
    let stay = reading.equality.stay(&batch, &rows.read, file.sequence_number)?;
    let written: Vec<usize> = (0..rows.written.arrow.fields().len()).collect();
    let before = batch.num_rows();
    let batch = match stay {
        Some(stay) => filter_record_batch(&batch, &stay).map_err(|_| UNFIT)?,
        None => batch,
    };
    made.rows_dropped += (before - batch.num_rows()) as u64;
    batch.project(&written).map_err(|_| UNFIT)
}

/// The rows that are not deleted.
pub(super) fn selection(deleted: &[u64], rows: u64) -> RowSelection {
    let (mut next, mut selectors) = (0_u64, Vec::new());
    for &position in deleted {
        if position > next {
            selectors.push(RowSelector::select((position - next) as usize));
        }
        selectors.push(RowSelector::skip(1));
        next = position + 1;
    }
    if rows > next {
        selectors.push(RowSelector::select((rows - next) as usize));
    }
    selectors.into()
}

/// Values that all rows of a file have by its partition.
fn constants(head: &Head, file: &Live) -> Constants {
    let fields = head.spec(file.spec_id).map(|spec| spec.fields()).unwrap_or_default();
    let values = fields.iter().zip(file.file().partition().iter());
    let identity = values.filter(|(field, _)| field.transform == Transform::Identity);
    identity.map(|(field, value)| (field.source_id, value.cloned())).collect()
}

/// Where the rows of a group go: files of the current spec stay in their partition.
fn destination(head: &Head, group: &Group, schema: &RowSchema) -> Result<Destination, Stop> {
    const UNKNOWN: Stop = Stop::Unfit("whose partitions cannot be told");
    let spec = head.parsed.default_partition_spec();
    let (spec_id, partition) = &group.partition;
    if *spec_id == spec.spec_id() {
        let types = spec.partition_type(&schema.written.schema).map_err(|_| UNKNOWN)?;
        if types.fields().len() != partition.fields().len() {
            return Err(UNKNOWN);
        }
        let values = partition.iter().zip(types.fields()).map(|(value, field)| match value {
            None => Ok(None),
            Some(Literal::Primitive(value)) => {
                let of = field.field_type.as_primitive_type().ok_or(UNKNOWN)?;
                promoted(value, of).map(|value| Some(Literal::Primitive(value))).ok_or(UNKNOWN)
            }
            Some(Literal::Struct(_) | Literal::List(_) | Literal::Map(_)) => Err(UNKNOWN),
        });
        return Ok(Destination::One(values.collect::<Result<Struct, _>>()?));
    }
    if spec.is_unpartitioned() {
        return Ok(Destination::One(spec.fields().iter().map(|_void| None).collect()));
    }
    let columns = schema.written.schema.clone();
    let splitter = RecordBatchPartitionSplitter::try_new_with_computed_values(columns, spec.clone());
    splitter.map(|splitter| Destination::Each(Box::new(splitter))).map_err(|_| UNKNOWN)
}

/// Sorting and encoding compute for long: they have a thread of their own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Stop> + Send + 'static,
) -> Result<T, Stop> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_panic) => Err(Stop::Unfit("that could not be encoded")),
    }
}
