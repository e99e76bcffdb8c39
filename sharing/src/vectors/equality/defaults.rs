//! What a data file's rows have in a column that the file does not have (E3).

use std::collections::HashMap;

use iceberg::spec::NameMapping;
use serde_json::Value;
use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::metadata::transform::Transform;
use tarn_catalog::metadata::types::{Field, PrimitiveType, StructType, Type};

use super::key::{write_bytes, write_null, write_number, write_real};
use crate::table::TableError;
use crate::vectors::NAME_MAPPING;

/// How missing columns of a table are read.
#[derive(Debug)]
pub(in crate::vectors) struct Defaults {
    /// The key of each column that may be missing.
    columns: HashMap<i32, Missing>,
    mapping: Option<NameMapping>,
}

#[derive(Debug, Clone, PartialEq)]
enum Missing {
    /// It has this key.
    Key(Vec<u8>),
    /// What it has is not told here, and why.
    Unknown(&'static str),
}

impl Defaults {
    pub(in crate::vectors) fn new(table: &TableMetadata) -> Result<Self, TableError> {
        let mut columns = HashMap::new();
        for schema in table.schemas() {
            add(schema.columns(), true, &mut columns);
        }
        for field in table.specs().iter().flat_map(|spec| &spec.fields) {
            if field.transform == Transform::Identity {
                let sources = field.source_ids.iter();
                let why = "a column that the table is partitioned by";
                columns.extend(sources.map(|id| (*id, Missing::Unknown(why))));
            }
        }
        let mapping = table.properties().get(NAME_MAPPING).map(|json| serde_json::from_str(json));
        let mapping = mapping.transpose().map_err(|error: serde_json::Error| {
            TableError::Invalid(format!("{NAME_MAPPING} is no name mapping: {error}"))
        })?;
        Ok(Self { columns, mapping })
    }

    pub(super) fn mapping(&self) -> Option<&NameMapping> {
        self.mapping.as_ref()
    }

    /// Adds the value of a missing column to a key.
    pub(super) fn write(&self, id: i32, key: &mut Vec<u8>) -> Result<(), TableError> {
        let why = match self.columns.get(&id) {
            Some(Missing::Key(own)) => {
                key.extend_from_slice(own);
                return Ok(());
            }
            Some(Missing::Unknown(why)) => *why,
            None => "a column that is in no schema of the table",
        };
        Err(TableError::Unsupported(format!(
            "equality deletes compare {why}, and a data file does not have it"
        )))
    }
}

fn add(fields: &StructType, is_root: bool, columns: &mut HashMap<i32, Missing>) {
    for field in &fields.fields {
        match &field.field_type {
            Type::Primitive(of) => {
                columns.insert(field.id, missing(field, of, is_root));
            }
            Type::Struct(inner) => add(inner, false, columns),
            Type::List(_) | Type::Map(_) => {}
        }
    }
}

fn missing(field: &Field, of: &PrimitiveType, is_root: bool) -> Missing {
    let mut key = Vec::new();
    match &field.initial_default {
        None | Some(Value::Null) => write_null(&mut key),
        // Whether its struct is null there is not known.
        Some(_) if !is_root => return Missing::Unknown("a field of a struct that has a default"),
        Some(default) => match (of, default) {
            (PrimitiveType::Boolean, Value::Bool(value)) => write_number((*value).into(), &mut key),
            (PrimitiveType::Int | PrimitiveType::Long, Value::Number(value)) if value.is_i64() => {
                write_number(value.as_i64().unwrap_or_default().into(), &mut key);
            }
            (PrimitiveType::Float, Value::Number(value)) => {
                write_real((value.as_f64().unwrap_or_default() as f32).into(), &mut key);
            }
            (PrimitiveType::Double, Value::Number(value)) => {
                write_real(value.as_f64().unwrap_or_default(), &mut key);
            }
            (PrimitiveType::String, Value::String(value)) => write_bytes(value.as_bytes(), &mut key),
            _others => return Missing::Unknown("a column whose default is not read here"),
        },
    }
    Missing::Key(key)
}
