//! Files in which rows are deleted, or whose columns take more than a name to find.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::physical_plan::{FileGroup, FileGroupPartitioner};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::parts::{DeletedIn, How, Part, Reading};

/// A file is read in several parts at once if all are at least as long, in bytes.
const SPLIT_BYTES_MIN: usize = 10 << 20;

/// Reads files, in up to so many parts at once. `statistics` are of the columns read.
pub(super) fn scan(
    (files, partitions): (Vec<DeletedIn>, usize),
    reading: Reading,
    statistics: Statistics,
) -> Arc<dyn ExecutionPlan> {
    let groups = arranged(files, partitions);
    let properties = PlanProperties::new(
        EquivalenceProperties::new(reading.schema.clone()),
        Partitioning::UnknownPartitioning(groups.len()),
        EmissionType::Incremental,
        Boundedness::Bounded,
    );
    Arc::new(LiveRows { groups, reading, statistics, properties: Arc::new(properties) })
}

/// Groups of parts that are about as long.
fn arranged(files: Vec<DeletedIn>, partitions: usize) -> Vec<Vec<Part>> {
    let (mut divisible, mut whole) = (Vec::new(), Vec::new());
    for file in files.into_iter().map(Arc::new) {
        match file.how {
            How::Positions => divisible.push(file),
            How::Values { .. } => whole.push(Part { file, range: None }),
        }
    }
    // The engine divides what it knows; which file that is goes with it.
    let known = divisible.into_iter().map(|file: Arc<DeletedIn>| file.known.clone().with_extensions(file));
    let group = FileGroup::new(known.collect());
    let partitioner = FileGroupPartitioner::new()
        .with_target_partitions(partitions)
        .with_repartition_file_min_size(SPLIT_BYTES_MIN);
    let groups = partitioner.repartition_file_groups(std::slice::from_ref(&group));
    let groups = groups.unwrap_or_else(|| group.split_files(partitions));
    let part = |known: datafusion::datasource::listing::PartitionedFile| {
        let file = known.extensions?.downcast::<DeletedIn>().ok()?;
        Some(Part { file, range: known.range })
    };
    let mut groups: Vec<Vec<Part>> =
        groups.into_iter().map(|group| group.into_inner().into_iter().filter_map(part).collect()).collect();
    let least = partitions.min(groups.len() + whole.len()).max(1);
    groups.resize_with(groups.len().max(least), Vec::new);
    let count = groups.len();
    for (at, part) in whole.into_iter().enumerate() {
        groups[count - 1 - at % count].push(part);
    }
    groups
}

/// The rows of files that are not deleted.
#[derive(Clone)]
struct LiveRows {
    groups: Vec<Vec<Part>>,
    reading: Reading,
    statistics: Statistics,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for LiveRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = || self.groups.iter().flatten();
        let by_position = parts().filter(|part| part.file.how == How::Positions).count();
        let Reading { schema, filters, .. } = &self.reading;
        let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let (parts, groups) = (parts().count(), self.groups.len());
        write!(
            formatter,
            "LiveRows: groups={groups}, parts={parts}, by_position={by_position}, columns={names:?}"
        )?;
        let filters: Vec<String> = filters.iter().map(ToString::to_string).collect();
        if filters.is_empty() { Ok(()) } else { write!(formatter, ", wanted={}", filters.join(" AND ")) }
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

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Statistics> {
        Ok(match partition {
            Some(_) => Statistics::new_unknown(&self.reading.schema),
            None => self.statistics.clone(),
        })
    }

    /// Filters are hints here: whoever filters still does.
    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        asked: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let filters: Vec<_> = asked.parent_filters.into_iter().map(|asked| asked.filter).collect();
        let told = vec![PushedDown::No; filters.len()];
        let mut with = self.clone();
        with.reading.filters.extend(filters);
        let told = FilterPushdownPropagation::with_parent_pushdown_result(told);
        Ok(told.with_updated_node(Arc::new(with)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let parts = self.groups.get(partition).cloned().unwrap_or_default();
        let reading = self.reading.clone();
        let batches = stream::iter(parts).then(move |part| part.read(reading.clone(), context.clone()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.reading.schema.clone(),
            batches.try_flatten().boxed(),
        )))
    }
}
