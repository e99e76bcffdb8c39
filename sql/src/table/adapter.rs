//! Columns of files by field id, for the engine's Parquet source.
//!
//! The engine finds columns by name. Here each column of a file is told to it under the table's name for its field id, and
//! what it makes of that is told back under the file's names.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{Result, ScalarValue};
use datafusion::parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use tarn_inventory::rows::TableRows;

use super::unread;

/// Makes the adapter of each file.
pub(super) struct ByFieldId(pub(super) Arc<TableRows>);

impl fmt::Debug for ByFieldId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ByFieldId")
    }
}

impl PhysicalExprAdapterFactory for ByFieldId {
    fn create(&self, logical: SchemaRef, physical: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let Self(rows) = self;
        let known: HashMap<i32, usize> =
            (0..rows.schema().fields().len()).map(|column| (rows.field_id(column), column)).collect();
        let own = rows.with_ids(physical.fields()).map_err(unread)?;
        let mut has = vec![false; known.len()];
        let mut names = Vec::with_capacity(own.len());
        for (at, field) in own.iter().enumerate() {
            let id = field.metadata().get(PARQUET_FIELD_ID_META_KEY).and_then(|id| id.parse().ok());
            let column = id.and_then(|id: i32| known.get(&id).copied());
            names.push(match column {
                Some(column) => {
                    has[column] = true;
                    rows.schema().field(column).name().clone()
                }
                // No column of the table has such a name.
                None => format!("\u{0}{at}"),
            });
        }
        let renamed = physical.fields().iter().zip(&names);
        let renamed: Vec<Field> =
            renamed.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
        let mut defaults = HashMap::new();
        for (column, _) in has.iter().enumerate().filter(|(_, has)| !**has) {
            let Some(value) = rows.default_of(column) else { continue };
            let name = rows.schema().field(column).name();
            let Ok(of) = logical.field_with_name(name) else { continue };
            let value = ScalarValue::try_from_array(&cast(&value, of.data_type())?, 0)?;
            defaults.insert(name.clone(), value);
        }
        let renamed = Arc::new(Schema::new(renamed));
        let inner = DefaultPhysicalExprAdapterFactory.create(logical, renamed)?;
        Ok(Arc::new(OneFile { inner, physical, defaults }))
    }
}

/// Rewrites expressions over the table's columns to those of one file.
#[derive(Debug)]
struct OneFile {
    inner: Arc<dyn PhysicalExprAdapter>,
    physical: SchemaRef,
    /// Values of columns that the file does not have.
    defaults: HashMap<String, ScalarValue>,
}

impl PhysicalExprAdapter for OneFile {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let with_defaults = expr.transform(|expr| {
            let column = expr.as_any().downcast_ref::<Column>();
            Ok(match column.and_then(|column| self.defaults.get(column.name())) {
                Some(value) => Transformed::yes(lit(value.clone())),
                None => Transformed::no(expr),
            })
        });
        let rewritten = self.inner.rewrite(with_defaults.data()?)?;
        let named = rewritten.transform(|expr| {
            let Some(column) = expr.as_any().downcast_ref::<Column>() else {
                return Ok(Transformed::no(expr));
            };
            let at = column.index();
            let name = self.physical.field(at).name();
            if name == column.name() {
                return Ok(Transformed::no(expr));
            }
            Ok(Transformed::yes(Arc::new(Column::new(name, at)) as Arc<dyn PhysicalExpr>))
        });
        named.data()
    }
}
