//! Files in which rows are deleted, or whose columns take more than a name to find.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tarn_inventory::rows::{FileRows, TableRows};

use super::unread;

/// Reads these columns of files, in up to so many parts at once.
pub(super) fn scan(
    rows: &Arc<TableRows>,
    (files, partitions): (Vec<FileRows>, usize),
    columns: Vec<usize>,
    schema: SchemaRef,
) -> Arc<dyn ExecutionPlan> {
    let partitions = partitions.clamp(1, files.len().max(1));
    let mut groups: Vec<Vec<Arc<FileRows>>> = vec![Vec::new(); partitions];
    for (at, file) in files.into_iter().enumerate() {
        groups[at % partitions].push(Arc::new(file));
    }
    let properties = PlanProperties::new(
        EquivalenceProperties::new(schema.clone()),
        Partitioning::UnknownPartitioning(partitions),
        EmissionType::Incremental,
        Boundedness::Bounded,
    );
    Arc::new(LiveRows { rows: rows.clone(), groups, columns, schema, properties: Arc::new(properties) })
}

/// The rows of files that are not deleted.
struct LiveRows {
    rows: Arc<TableRows>,
    groups: Vec<Vec<Arc<FileRows>>>,
    columns: Vec<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for LiveRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.groups.iter().map(Vec::len).sum();
        let names: Vec<&String> = self.schema.fields().iter().map(|field| field.name()).collect();
        write!(formatter, "LiveRows: files={files}, groups={}, columns={names:?}", self.groups.len())
    }
}

impl DisplayAs for LiveRows {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl ExecutionPlan for LiveRows {
    fn name(&self) -> &str {
        "LiveRows"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let files = self.groups.get(partition).cloned().unwrap_or_default();
        let (rows, columns, schema) = (self.rows.clone(), self.columns.clone(), self.schema.clone());
        let batches = stream::iter(files).then(move |file| {
            let (rows, columns) = (rows.clone(), columns.clone());
            async move { rows.read(&file, &columns).await.map_err(unread) }
        });
        let batches = batches.map_ok(|batches| batches.map_err(unread)).try_flatten();
        let typed = batches.map(move |batch| typed(&batch?, &schema));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), typed)))
    }
}

/// The batch with the types that queries see.
fn typed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    use datafusion::arrow::array::RecordBatchOptions;
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_, _>>()?, &options)?)
}
