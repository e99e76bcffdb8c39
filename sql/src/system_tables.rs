//! Tables that are the server's own state.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use crate::Reader;

/// The schema that holds them, in every warehouse.
pub const SYSTEM: &str = "system";

/// The server's state as tables.
pub trait SystemTables: Send + Sync + 'static {
    /// Their names.
    fn names(&self) -> Vec<&'static str>;

    /// The columns of a table; `None` when there is none of this name.
    fn schema(&self, name: &str) -> Option<SchemaRef>;

    /// The rows of a table that `who` may see, with the columns of `scan.projection` in its order.
    fn scan(&self, name: &str, scan: SystemScan, who: Arc<dyn Reader>) -> Result<SendableRecordBatchStream>;
}

/// What is read of a table.
#[derive(Debug, Clone)]
pub struct SystemScan {
    /// The columns, by their places in the table's schema.
    pub projection: Vec<usize>,
    /// What the rows must fulfil, all of it. May be left aside: it is tested again.
    pub filters: Vec<Expr>,
    /// So many rows are enough. May be left aside. Holds for rows that fulfil the filters only: where those are left
    /// aside and there are any, so is this.
    pub limit: Option<usize>,
    /// The schema of what is answered: the table's, projected.
    pub schema: SchemaRef,
}

/// A server without tables of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSystemTables;

impl SystemTables for NoSystemTables {
    fn names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn schema(&self, _name: &str) -> Option<SchemaRef> {
        None
    }

    fn scan(
        &self,
        name: &str,
        _scan: SystemScan,
        _who: Arc<dyn Reader>,
    ) -> Result<SendableRecordBatchStream> {
        datafusion::common::plan_err!("there is no table system.{name}")
    }
}

/// One of them, as one reader sees it.
pub(crate) struct SystemTable {
    pub(crate) tables: Arc<dyn SystemTables>,
    pub(crate) name: String,
    pub(crate) schema: SchemaRef,
    pub(crate) who: Arc<dyn Reader>,
}

impl fmt::Debug for SystemTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "system.{}", self.name)
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.fields().len()).collect();
        let projection: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.schema.project(&projection)?);
        let scan = SystemScan { projection, filters: filters.to_vec(), limit, schema: schema.clone() };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (tables, name, who) = (self.tables.clone(), self.name.clone(), self.who.clone());
        Ok(Arc::new(SystemRows { tables, name, scan, who, properties: Arc::new(properties) }))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// The reading of one.
struct SystemRows {
    tables: Arc<dyn SystemTables>,
    name: String,
    scan: SystemScan,
    who: Arc<dyn Reader>,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for SystemRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SystemTable: system.{}", self.name)
    }
}

impl DisplayAs for SystemRows {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl ExecutionPlan for SystemRows {
    fn name(&self) -> &str {
        "SystemTable"
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

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.tables.scan(&self.name, self.scan.clone(), self.who.clone())
    }

    fn partition_statistics(&self, _partition: Option<usize>) -> Result<Statistics> {
        Ok(Statistics::new_unknown(&self.scan.schema))
    }
}
