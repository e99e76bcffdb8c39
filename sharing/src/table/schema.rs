//! A schema as Delta serializes it (Delta protocol, "Schema Serialization Format").

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The metadata key of a column's id.
const ID: &str = "delta.columnMapping.id";
/// The metadata key of a column's name in files.
const PHYSICAL_NAME: &str = "delta.columnMapping.physicalName";
/// The metadata key of the types a column had.
const TYPE_CHANGES: &str = "delta.typeChanges";
/// The one metadata key that the parquet format tells.
const COMMENT: &str = "comment";
/// The metadata keys that readers of the delta format look at, beside [`TYPE_CHANGES`]. The others are of writers, and a
/// reader that knows them asks for their features in the protocol.
const READ: [&str; 5] =
    [COMMENT, ID, PHYSICAL_NAME, "delta.columnMapping.nested.ids", "__CHAR_VARCHAR_TYPE_STRING"];

/// A table's columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "struct")]
pub struct Schema {
    /// The columns.
    pub fields: Vec<Column>,
}

/// A column, or a field of a struct.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Everything else.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DataType {
    /// `integer`, `decimal(10,2)` and the like.
    Primitive(String),
    /// One with types inside.
    Nested(Box<Nested>),
}

/// A type with types inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Nested {
    /// Fields by name.
    Struct {
        /// The fields.
        fields: Vec<Column>,
    },
    /// A list.
    Array {
        /// The type of its elements.
        element_type: DataType,
        /// Whether an element may be null.
        contains_null: bool,
    },
    /// A map.
    Map {
        /// The type of its keys.
        key_type: DataType,
        /// The type of its values.
        value_type: DataType,
        /// Whether a value may be null.
        value_contains_null: bool,
    },
}

/// Whether a reader is told which types columns had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeChanges {
    /// It is.
    Told,
    /// It does not know them, and reads older files right all the same.
    Untold,
}

impl Schema {
    /// `schemaString` of the delta format.
    pub fn to_delta(&self, changes: TypeChanges) -> String {
        let told = |key: &str| match changes {
            TypeChanges::Told => key == TYPE_CHANGES,
            TypeChanges::Untold => false,
        };
        to_json(&self.keeping(&|key| READ.contains(&key) || told(key)))
    }

    /// `schemaString` of the parquet format, which tells nothing of a column but its comment.
    pub fn to_plain(&self) -> String {
        to_json(&self.keeping(&|key| key == COMMENT))
    }

    /// The column of this name, whose case does not count.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let exact = self.fields.iter().find(|column| column.name == name);
        exact.or_else(|| self.fields.iter().find(|column| column.name.to_lowercase() == name.to_lowercase()))
    }

    /// Whether a column, or a field of one, may not be null.
    pub fn has_required(&self) -> bool {
        self.fields.iter().any(Column::is_or_has_required)
    }

    fn keeping(&self, keep: &dyn Fn(&str) -> bool) -> Self {
        Self { fields: self.fields.iter().map(|column| column.keeping(keep)).collect() }
    }
}

impl Column {
    /// A column with nothing beside its type.
    pub fn new(name: impl Into<String>, data_type: DataType, nullable: bool) -> Self {
        Self { name: name.into(), data_type, nullable, metadata: Map::new() }
    }

    /// With its id and its name in files.
    pub fn mapped(mut self, id: i32, physical_name: &str) -> Self {
        self.metadata.insert(ID.into(), id.into());
        self.metadata.insert(PHYSICAL_NAME.into(), physical_name.into());
        self
    }

    /// Its name in files, statistics and partition values.
    pub fn physical_name(&self) -> &str {
        self.metadata.get(PHYSICAL_NAME).and_then(Value::as_str).unwrap_or(&self.name)
    }

    /// The id of column mapping.
    pub fn id(&self) -> Option<i64> {
        self.metadata.get(ID).and_then(Value::as_i64)
    }

    fn is_or_has_required(&self) -> bool {
        !self.nullable || self.data_type.has_required()
    }

    fn keeping(&self, keep: &dyn Fn(&str) -> bool) -> Self {
        let kept = self.metadata.iter().filter(|(key, _)| keep(key));
        Self {
            name: self.name.clone(),
            data_type: self.data_type.keeping(keep),
            nullable: self.nullable,
            metadata: kept.map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }
}

impl DataType {
    /// A primitive type.
    pub fn primitive(name: impl Into<String>) -> Self {
        Self::Primitive(name.into())
    }

    fn has_required(&self) -> bool {
        let Self::Nested(nested) = self else { return false };
        match &**nested {
            Nested::Struct { fields } => fields.iter().any(Column::is_or_has_required),
            Nested::Array { element_type, .. } => element_type.has_required(),
            Nested::Map { key_type, value_type, .. } => key_type.has_required() || value_type.has_required(),
        }
    }

    fn keeping(&self, keep: &dyn Fn(&str) -> bool) -> Self {
        let Self::Nested(nested) = self else { return self.clone() };
        Self::Nested(Box::new(match &**nested {
            Nested::Struct { fields } => {
                Nested::Struct { fields: fields.iter().map(|field| field.keeping(keep)).collect() }
            }
            Nested::Array { element_type, contains_null } => {
                Nested::Array { element_type: element_type.keeping(keep), contains_null: *contains_null }
            }
            Nested::Map { key_type, value_type, value_contains_null } => Nested::Map {
                key_type: key_type.keeping(keep),
                value_type: value_type.keeping(keep),
                value_contains_null: *value_contains_null,
            },
        }))
    }
}

fn to_json(schema: &Schema) -> String {
    serde_json::to_string(schema).expect("texts and lists always become JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_written_as_delta_reads_it() {
        let inner = Column::new("x", DataType::primitive("integer"), false).mapped(3, "col-3");
        let list = Nested::Array {
            element_type: DataType::Nested(Box::new(Nested::Struct { fields: vec![inner] })),
            contains_null: true,
        };
        let column = Column::new("a", DataType::Nested(Box::new(list)), true).mapped(1, "a");
        let schema = Schema { fields: vec![column] };
        let told = r#"{"type":"struct","fields":[{"name":"a","type":{"type":"array","elementType":{"type":"struct","fields":[{"name":"x","type":"integer","nullable":false,"metadata":{"delta.columnMapping.id":3,"delta.columnMapping.physicalName":"col-3"}}]},"containsNull":true},"nullable":true,"metadata":{"delta.columnMapping.id":1,"delta.columnMapping.physicalName":"a"}}]}"#;
        assert_eq!(schema.to_delta(TypeChanges::Told), told);
        assert_eq!(serde_json::from_str::<Schema>(told).unwrap(), schema);
        let plain = r#"{"type":"struct","fields":[{"name":"a","type":{"type":"array","elementType":{"type":"struct","fields":[{"name":"x","type":"integer","nullable":false,"metadata":{}}]},"containsNull":true},"nullable":true,"metadata":{}}]}"#;
        assert_eq!(schema.to_plain(), plain);
        assert_eq!((schema.column("A").unwrap().id(), schema.column("b")), (Some(1), None));
        assert!(schema.has_required());
    }

    #[test]
    fn what_only_writers_look_at_is_not_told() {
        let mut column = Column::new("a", DataType::primitive("integer"), true).mapped(1, "a");
        for key in
            ["delta.invariants", "delta.generationExpression", "CURRENT_DEFAULT", TYPE_CHANGES, COMMENT]
        {
            column.metadata.insert(key.into(), "x".into());
        }
        let schema = Schema { fields: vec![column] };
        let told: Schema = serde_json::from_str(&schema.to_delta(TypeChanges::Told)).unwrap();
        let mut keys: Vec<&String> = told.fields[0].metadata.keys().collect();
        keys.sort();
        assert_eq!(keys, [COMMENT, ID, PHYSICAL_NAME, TYPE_CHANGES]);
        assert!(!schema.has_required());
    }
}
