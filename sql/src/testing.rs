//! What the tests of this crate share: a catalog in memory, a table of the server's, and readers.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt as _, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use tarn_catalog::{Catalog, InMemoryWarehouses};
use tarn_openapi::access::{Action, Resource};

use crate::{Engine, QueryError, Question, Reader, Settings, SystemScan, SystemTables};

/// May read everything, but the tables named.
#[derive(Debug, Default)]
pub(crate) struct Anyone {
    pub(crate) not: Vec<String>,
}

impl Reader for Anyone {
    fn name(&self) -> String {
        "anyone".into()
    }

    fn may(&self, _action: Action, resource: Resource<'_>) -> bool {
        match resource {
            Resource::Table(_, _, name) | Resource::View(_, _, name) => {
                !self.not.iter().any(|not| not == name)
            }
            _other => true,
        }
    }

    fn is_denied(&self, _action: Action, _resource: Resource<'_>) -> bool {
        false
    }
}

/// `system.numbers`: `n` from 0 to 9 with a name.
pub(crate) struct Numbers;

impl SystemTables for Numbers {
    fn names(&self) -> Vec<&'static str> {
        vec!["numbers"]
    }

    fn schema(&self, name: &str) -> Option<SchemaRef> {
        let fields = vec![Field::new("n", DataType::Int64, false), Field::new("name", DataType::Utf8, false)];
        (name == "numbers").then(|| Arc::new(Schema::new(fields)))
    }

    fn scan(&self, name: &str, scan: SystemScan, _who: Arc<dyn Reader>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema(name).unwrap();
        let names = (0..10).map(|n| format!("number {n}"));
        let columns: Vec<datafusion::arrow::array::ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..10)),
            Arc::new(StringArray::from_iter_values(names)),
        ];
        let batch = RecordBatch::try_new(schema, columns)?.project(&scan.projection)?;
        Ok(Box::pin(RecordBatchStreamAdapter::new(scan.schema, stream::iter([Ok(batch)]))))
    }
}

pub(crate) async fn engine(settings: Settings) -> Engine {
    let stores = Arc::new(InMemoryWarehouses::default());
    let log = Arc::new(InMemory::new());
    let catalog = tarn_catalog::Settings::default();
    let catalog = Catalog::open(log, Path::from("log"), stores.clone(), catalog).await.unwrap();
    Engine::new(catalog, stores, Arc::new(Numbers), settings).unwrap()
}

/// All rows of an answer, each value as text.
pub(crate) async fn rows(engine: &Engine, question: Question) -> Result<Vec<Vec<String>>, QueryError> {
    let answer = engine.query(question, Arc::new(Anyone::default())).await?;
    let batches: Vec<RecordBatch> = answer.try_collect().await?;
    let row = |batch: &RecordBatch, row: usize| {
        batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect()
    };
    Ok(batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(|at| row(batch, at)).collect::<Vec<_>>())
        .collect())
}
