//! Parts of files in which rows are deleted: what is left in them is read by the engine's Parquet source where only
//! positions are deleted, else by the reader that knows every kind of delete.

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_err};
use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::parquet::{
    ParquetAccessPlan, ParquetFileMetrics, RowGroupAccess, RowGroupAccessPlanFilter,
};
use datafusion::datasource::source::{DataSource, DataSourceExec};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection, RowSelector};
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_expr_adapter::PhysicalExprAdapterFactory as _;
use datafusion::physical_optimizer::pruning::PruningPredicate;
use datafusion::physical_plan::ExecutionPlan as _;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt as _, TryStreamExt as _};
use tarn_inventory::rows::FileRows;

use super::adapter::ByFieldId;
use super::plain::{FOOTER_BYTES, Source};
use super::unread;

/// A file in which rows are deleted.
pub(super) struct DeletedIn {
    pub(super) source: Source,
    pub(super) known: PartitionedFile,
    pub(super) rows: FileRows,
    pub(super) how: How,
}

/// What reads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The engine's source, whole or in parts.
    Positions,
    /// The other reader.
    Values {
        /// The file has all columns: what it says of row groups is true of them.
        is_whole: bool,
    },
}

/// What is read of a file.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) file: Arc<DeletedIn>,
    pub(super) range: Option<FileRange>,
}

/// What is wanted of parts.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) columns: Vec<usize>,
    pub(super) schema: SchemaRef,
    /// Rows that do not fulfil them may be left out.
    pub(super) filters: Vec<Arc<dyn PhysicalExpr>>,
}

impl Part {
    pub(super) async fn read(
        self,
        reading: Reading,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match self.file.how {
            How::Positions => self.positions(reading, context).await,
            How::Values { is_whole } => self.values(reading, is_whole).await,
        }
    }

    async fn positions(
        self,
        reading: Reading,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Self { file, range } = self;
        let DeletedIn { source, known, rows, .. } = &*file;
        let deleted = source.rows.deleted_positions(rows).await.map_err(unread)?;
        let footer = DFParquetMetadata::new(&source.store, &known.object_meta)
            .with_metadata_size_hint(Some(FOOTER_BYTES))
            .with_file_metadata_cache(Some(source.footers.clone()))
            .fetch_metadata()
            .await?;
        let groups =
            footer.row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or_default());
        let plan = left(&deleted, groups).map_or_else(
            || exec_err!("rows are deleted in file {} that it does not have", known.object_meta.location),
            Ok,
        )?;
        let mut known = known.clone().with_extensions(Arc::new(plan) as Arc<dyn Any + Send + Sync>);
        known.range = range;
        let config = source.read(vec![FileGroup::new(vec![known])], &reading.columns)?.build();
        let asked = config.try_pushdown_filters(reading.filters, context.session_config().options())?;
        let config = asked.updated_node.unwrap_or_else(|| Arc::new(config));
        DataSourceExec::new(config).execute(0, context)
    }

    async fn values(self, reading: Reading, is_whole: bool) -> Result<SendableRecordBatchStream> {
        let Reading { columns, schema, filters } = reading;
        let DeletedIn { source, rows, .. } = &*self.file;
        let wanted = |metadata: &ArrowReaderMetadata| {
            // What cannot be told of a file leaves all of it in.
            is_whole.then(|| groups(source, &schema, &filters, metadata).ok().flatten()).flatten()
        };
        let batches = source.rows.read(rows, &columns, &wanted).await.map_err(unread)?;
        let shown = schema.clone();
        let batches = batches.map_err(unread).map(move |batch| typed(&batch?, &shown));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches.map_err(Into::into))))
    }
}

/// What is left of row groups of so many rows. `None`: they have fewer rows than are deleted.
fn left(deleted: &[u64], groups: impl Iterator<Item = u64>) -> Option<ParquetAccessPlan> {
    let (mut begin, mut rest, mut plan) = (0, deleted, Vec::new());
    for rows in groups {
        let end = begin + rows;
        let (own, others) = rest.split_at(rest.partition_point(|&position| position < end));
        plan.push(match own.len() as u64 {
            0 => RowGroupAccess::Scan,
            all if all == rows => RowGroupAccess::Skip,
            _some => RowGroupAccess::Selection(selection(own, begin, end)),
        });
        (begin, rest) = (end, others);
    }
    rest.is_empty().then(|| ParquetAccessPlan::new(plan))
}

fn selection(deleted: &[u64], begin: u64, end: u64) -> RowSelection {
    let (mut next, mut selectors) = (begin, Vec::new());
    for &position in deleted {
        if position > next {
            selectors.push(RowSelector::select((position - next) as usize));
        }
        selectors.push(RowSelector::skip(1));
        next = position + 1;
    }
    if end > next {
        selectors.push(RowSelector::select((end - next) as usize));
    }
    selectors.into()
}

/// The row groups that may hold a row which is wanted; `None` is all.
fn groups(
    source: &Source,
    schema: &SchemaRef,
    filters: &[Arc<dyn PhysicalExpr>],
    metadata: &ArrowReaderMetadata,
) -> Result<Option<Vec<bool>>> {
    if filters.is_empty() {
        return Ok(None);
    }
    let physical = metadata.schema().clone();
    let adapter = ByFieldId(source.rows.clone()).create(schema.clone(), physical.clone())?;
    let wanted =
        PruningPredicate::try_new(adapter.rewrite(conjunction(filters.to_vec()))?, physical.clone())?;
    let row_groups = metadata.metadata().row_groups();
    let mut kept = RowGroupAccessPlanFilter::new(ParquetAccessPlan::new_all(row_groups.len()));
    let metrics = ParquetFileMetrics::new(0, "", &ExecutionPlanMetricsSet::new());
    kept.prune_by_statistics(&physical, metadata.parquet_schema(), row_groups, &wanted, &metrics);
    let kept = kept.build();
    Ok(Some((0..row_groups.len()).map(|group| kept.should_scan(group)).collect()))
}

/// The batch with the types that queries see.
fn typed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_, _>>()?, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(deleted: &[u64], groups: &[u64]) -> Option<Vec<String>> {
        let plan = left(deleted, groups.iter().copied())?;
        let of = |access: RowGroupAccess| match access {
            RowGroupAccess::Skip => "none".to_owned(),
            RowGroupAccess::Scan => "all".to_owned(),
            RowGroupAccess::Selection(rows) => {
                let sign = |part: &RowSelector| if part.skip { "-" } else { "+" };
                rows.iter().map(|part| format!("{}{}", sign(part), part.row_count)).collect()
            }
        };
        Some(plan.into_inner().into_iter().map(of).collect())
    }

    #[test]
    fn what_is_left_is_told_by_row_group() {
        let told = |deleted: &[u64]| told(deleted, &[3, 2, 4]).map(|told| told.join(" "));
        assert_eq!(told(&[]).unwrap(), "all all all");
        assert_eq!(told(&[1]).unwrap(), "+1-1+1 all all");
        assert_eq!(told(&[0, 1, 2, 4, 5]).unwrap(), "none +1-1 -1+3");
        assert_eq!(told(&[3, 4, 8]).unwrap(), "all none +3-1");
        assert_eq!(told(&[9]), None);
    }
}
