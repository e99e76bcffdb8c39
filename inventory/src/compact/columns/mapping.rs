//! Field ids of files that have none, by the table's name mapping (table spec, "Name Mapping Serialization").

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};
use iceberg::spec::{DEFAULT_SCHEMA_NAME_MAPPING, MappedField, NameMapping, TableMetadata};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::id;
use crate::compact::Stop;

/// The columns of a file with their ids; those of a file that has none by the table's name mapping.
pub(in crate::compact) fn with_ids(own: &Fields, table: &TableMetadata) -> Result<Fields, Stop> {
    if own.iter().any(|field| has_ids(field)) {
        return Ok(own.clone());
    }
    let property = table.properties().get(DEFAULT_SCHEMA_NAME_MAPPING);
    let property = property.ok_or(Stop::Unfit("without field ids, in a table without a name mapping"))?;
    let mapping: NameMapping = serde_json::from_str(property)
        .map_err(|_| Stop::Unfit("without field ids, in a table with a broken name mapping"))?;
    Ok(own.iter().map(|field| map(field, field.name(), mapping.fields().iter())).collect())
}

fn has_ids(field: &Field) -> bool {
    id(field).is_some() || children(field.data_type()).iter().any(|child| has_ids(child))
}

fn children(of: &DataType) -> Fields {
    match of {
        DataType::Struct(fields) => fields.clone(),
        DataType::List(inner) | DataType::Map(inner, _) => [inner.clone()].into(),
        _primitive => Fields::empty(),
    }
}

/// The field with its id and those inside. `name` is the one that mappings know it by.
fn map<'a>(field: &Field, name: &str, mut among: impl Iterator<Item = &'a MappedField>) -> Arc<Field> {
    let mapped = among.find(|mapped| mapped.names().iter().any(|known| known == name));
    let inner = || mapped.map(MappedField::fields).unwrap_or_default().iter().map(Arc::as_ref);
    let data_type = match field.data_type() {
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| map(field, field.name(), inner())).collect())
        }
        DataType::List(element) => DataType::List(map(element, "element", inner())),
        DataType::Map(entries, ordered) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let pair = [map(&pair[0], "key", inner()), map(&pair[1], "value", inner())];
                let entries = entries.as_ref().clone().with_data_type(DataType::Struct(pair.into()));
                DataType::Map(Arc::new(entries), *ordered)
            }
            _broken => field.data_type().clone(),
        },
        primitive => primitive.clone(),
    };
    let mut named = field.clone().with_data_type(data_type);
    if let Some(id) = mapped.and_then(MappedField::field_id) {
        let mut metadata = named.metadata().clone();
        metadata.insert(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string());
        named.set_metadata(metadata);
    }
    Arc::new(named)
}
