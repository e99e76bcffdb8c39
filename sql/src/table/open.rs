//! From a name to a table that may be read (Q2).

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tarn_catalog::reads::{ReadPlanner, ReadSchema};
use tarn_catalog::state::{TableEntry, TableIdent};
use tarn_catalog::{Catalog, LoadError, WarehouseStores};
use tarn_inventory::rows::TableRows;

use super::version::{self, Version};
use super::{CatalogTable, Footers, unread};
use crate::{QueryError, Reader};

/// What tables are opened with.
pub(crate) struct Tables {
    pub(crate) catalog: Catalog,
    pub(crate) stores: Arc<dyn WarehouseStores>,
    pub(crate) planner: Arc<ReadPlanner>,
    pub(crate) footers: Arc<Footers>,
    pub(crate) files_max: usize,
}

/// Opens a table at a version.
pub(crate) async fn open(
    tables: &Tables,
    ident: TableIdent,
    entry: &TableEntry,
    asked: Option<&str>,
    who: Arc<dyn Reader>,
) -> Result<CatalogTable, QueryError> {
    let metadata = tables.catalog.read_metadata(&entry.metadata_location).await.map_err(unloaded)?;
    let Version { snapshot, names } = version::find(&metadata, asked)?;
    let of_snapshot = snapshot.and_then(|id| metadata.snapshot(id)).and_then(|snapshot| snapshot.schema_id());
    let schema_id = match names {
        ReadSchema::Table => metadata.current_schema_id(),
        ReadSchema::Snapshot => of_snapshot.unwrap_or(metadata.current_schema_id()),
    };
    let rows = TableRows::new(tables.stores.clone(), &metadata, schema_id).map_err(unread)?;
    let schema = shown(rows.schema());
    Ok(CatalogTable {
        ident,
        metadata_location: entry.metadata_location.clone(),
        snapshot,
        names,
        rows: Arc::new(rows),
        schema,
        planner: tables.planner.clone(),
        footers: tables.footers.clone(),
        files_max: tables.files_max,
        who,
        metadata,
    })
}

/// The columns as queries see them: texts as views, which the engine computes with fastest; without field ids; and none
/// required, as a file decides only when it is read.
fn shown(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &Arc<Field>| {
        let of = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
            other => other.clone(),
        };
        Field::new(field.name(), of, true)
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn unloaded(error: LoadError) -> QueryError {
    QueryError::Failed(error.to_string(), Some(Box::new(error)))
}
