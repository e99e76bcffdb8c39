//! The columns that rows are read with: those of the table, the two of row lineage, and those that only equality
//! deletes ask for.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::SchemaRef as ArrowSchemaRef;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::metadata_columns::{
    RESERVED_COL_NAME_LAST_UPDATED_SEQUENCE_NUMBER, RESERVED_COL_NAME_ROW_ID,
    RESERVED_FIELD_ID_LAST_UPDATED_SEQUENCE_NUMBER, RESERVED_FIELD_ID_ROW_ID,
};
use iceberg::spec::{
    FormatVersion, NestedField, NestedFieldRef, PrimitiveType, Schema, SchemaRef, TableMetadata, Type,
};

use super::{CompactError, Stop};

/// Columns, as the table and as Arrow has them.
#[derive(Clone)]
pub(crate) struct Columns {
    pub(crate) schema: SchemaRef,
    pub(crate) arrow: ArrowSchemaRef,
}

/// What rows of a group are read and written with.
pub(super) struct RowSchema {
    /// What files are written with: the table's columns, and row lineage where the version has it.
    pub(super) written: Columns,
    /// The same, and behind them what only equality deletes ask for.
    pub(super) read: Columns,
    /// Where the column of row ids stands; that of sequence numbers is the next.
    pub(super) lineage: Option<usize>,
}

impl Columns {
    pub(crate) fn new(fields: Vec<NestedFieldRef>) -> Result<Self, CompactError> {
        let schema = Schema::builder().with_fields(fields).build()?;
        let arrow = Arc::new(schema_to_arrow_schema(&schema)?);
        Ok(Self { schema: Arc::new(schema), arrow })
    }

    /// Where the column of a field id stands.
    pub(super) fn place(&self, id: i32) -> Option<usize> {
        self.schema.as_struct().fields().iter().position(|field| field.id == id)
    }
}

impl RowSchema {
    pub(super) fn new(table: &TableMetadata, equality_ids: &[i32]) -> Result<Self, Stop> {
        let mut fields = table.current_schema().as_struct().fields().to_vec();
        let lineage = match table.format_version() {
            FormatVersion::V1 | FormatVersion::V2 => None,
            FormatVersion::V3 => {
                let names = [RESERVED_COL_NAME_ROW_ID, RESERVED_COL_NAME_LAST_UPDATED_SEQUENCE_NUMBER];
                if fields.iter().any(|field| names.contains(&&*field.name)) {
                    return Err(Stop::Unfit("of a table with a column named as one of row lineage"));
                }
                let ids = [RESERVED_FIELD_ID_ROW_ID, RESERVED_FIELD_ID_LAST_UPDATED_SEQUENCE_NUMBER];
                let at = fields.len();
                for (id, name) in ids.into_iter().zip(names) {
                    fields.push(NestedField::optional(id, name, Type::Primitive(PrimitiveType::Long)).into());
                }
                Some(at)
            }
        };
        let written = Columns::new(fields.clone())?;
        for &id in equality_ids {
            if written.place(id).is_some() {
                continue;
            }
            let mut dropped =
                field_of(table, id).ok_or(Stop::Unfit("under equality deletes of unknown columns"))?;
            // Its name may be another column's by now.
            dropped.name = format!("_dropped_{id}");
            fields.push(dropped.into());
        }
        let read = if fields.len() == written.arrow.fields().len() {
            written.clone()
        } else {
            Columns::new(fields)?
        };
        Ok(Self { written, read, lineage })
    }
}

/// A column of any schema of the table, as the latest has it; a column that is optional once is so for all.
pub(super) fn field_of(table: &TableMetadata, id: i32) -> Option<NestedField> {
    let current = table.current_schema().as_struct().field_by_id(id);
    let mut by_age: HashMap<i32, &NestedFieldRef> = HashMap::new();
    for schema in table.schemas_iter() {
        if let Some(field) = schema.as_struct().field_by_id(id) {
            by_age.insert(schema.schema_id(), field);
        }
    }
    let latest = by_age.iter().max_by_key(|(age, _)| **age).map(|(_, field)| *field);
    let mut field = current.or(latest)?.as_ref().clone();
    field.required = false;
    Some(field)
}
