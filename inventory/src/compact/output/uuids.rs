//! The Parquet schema of columns. UUIDs are marked as such (table spec, "Parquet"), which Arrow's types do not tell.

use std::sync::Arc;

use iceberg::spec::{PrimitiveType, Type as TableType};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::LogicalType;
use parquet::errors::ParquetError;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use crate::compact::schema::Columns;

pub(super) fn parquet_schema(columns: &Columns) -> Result<SchemaDescriptor, ParquetError> {
    let converted = ArrowSchemaConverter::new().schema_root("table").convert(&columns.arrow)?;
    let marked = marked(&converted.root_schema_ptr(), columns)?;
    Ok(SchemaDescriptor::new(marked))
}

fn marked(of: &TypePtr, columns: &Columns) -> Result<TypePtr, ParquetError> {
    let about = of.get_basic_info();
    let id = about.has_id().then(|| about.id());
    match of.as_ref() {
        Type::PrimitiveType { physical_type, type_length, .. } => {
            let field = id.and_then(|id| columns.schema.field_by_id(id));
            if !field
                .is_some_and(|field| matches!(*field.field_type, TableType::Primitive(PrimitiveType::Uuid)))
            {
                return Ok(of.clone());
            }
            let builder = Type::primitive_type_builder(of.name(), *physical_type);
            let builder = builder.with_length(*type_length).with_repetition(about.repetition());
            Ok(Arc::new(builder.with_logical_type(Some(LogicalType::Uuid)).with_id(id).build()?))
        }
        Type::GroupType { fields, .. } => {
            let fields = fields.iter().map(|field| marked(field, columns)).collect::<Result<Vec<_>, _>>()?;
            let mut builder = Type::group_type_builder(of.name()).with_fields(fields).with_id(id);
            if about.has_repetition() {
                builder = builder.with_repetition(about.repetition());
            }
            let builder = builder.with_logical_type(about.logical_type_ref().cloned());
            Ok(Arc::new(builder.with_converted_type(about.converted_type()).build()?))
        }
    }
}
