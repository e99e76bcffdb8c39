//! The types of columns: structs, lists and maps around primitives (table spec, "Schemas and Data Types").
//!
//! Types are compared by meaning, so `decimal(9,2)` equals `decimal(9, 2)`, and written in the
//! form the Java reference writes.

use serde_json::Value;

use super::default::fits;
use super::object::{Extra, InvalidMetadata, ObjectReader, ObjectWriter, write_array, write_string};
pub use super::primitive::{EdgeAlgorithm, PrimitiveType};

/// The type of a column, a list element or a map entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// A type without parts.
    Primitive(PrimitiveType),
    /// Named fields.
    Struct(StructType),
    /// A list of one element type.
    List(ListType),
    /// A map of one key type to one value type.
    Map(MapType),
}

/// A struct type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StructType {
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// A field of a struct: a column, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The field id, unique in the table.
    pub id: i32,
    /// The name.
    pub name: String,
    /// Whether null is refused.
    pub required: bool,
    /// The type.
    pub field_type: Type,
    /// The comment.
    pub doc: Option<String>,
    /// The value of rows written before the field was added (V3).
    pub initial_default: Option<Value>,
    /// The value writers use when none is given (V3).
    pub write_default: Option<Value>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// A list type.
#[derive(Debug, Clone, PartialEq)]
pub struct ListType {
    /// The field id of the element.
    pub element_id: i32,
    /// Whether a null element is refused.
    pub element_required: bool,
    /// The type of the element.
    pub element: Box<Type>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// A map type.
#[derive(Debug, Clone, PartialEq)]
pub struct MapType {
    /// The field id of the key.
    pub key_id: i32,
    /// The type of the key.
    pub key: Box<Type>,
    /// The field id of the value.
    pub value_id: i32,
    /// Whether a null value is refused.
    pub value_required: bool,
    /// The type of the value.
    pub value: Box<Type>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

impl Type {
    pub(crate) fn parse(value: Value) -> Result<Self, InvalidMetadata> {
        if let Value::String(text) = &value {
            return PrimitiveType::parse(text).map(Type::Primitive);
        }
        let mut object = ObjectReader::new("type", value)?;
        let name = object.string("type")?;
        match name.as_str() {
            "struct" => Ok(Type::Struct(StructType::read(object)?)),
            "list" => Ok(Type::List(ListType {
                element_id: object.i32("element-id")?,
                element_required: object.bool("element-required")?,
                element: Box::new(Type::parse(object.required("element")?)?),
                extra: object.rest(),
            })),
            "map" => Ok(Type::Map(MapType {
                key_id: object.i32("key-id")?,
                key: Box::new(Type::parse(object.required("key")?)?),
                value_id: object.i32("value-id")?,
                value_required: object.bool("value-required")?,
                value: Box::new(Type::parse(object.required("value")?)?),
                extra: object.rest(),
            })),
            // The REST specification writes variant as an object.
            "variant" => Ok(Type::Primitive(PrimitiveType::Variant)),
            other => Err(InvalidMetadata::new(format!("unknown type '{other}'"))),
        }
    }

    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Type::Primitive(primitive) => write_string(out, &primitive.to_string()),
            Type::Struct(fields) => {
                let mut object = ObjectWriter::begin(out);
                object.string("type", "struct");
                fields.write_fields(&mut object);
                object.extra(&fields.extra);
                object.end();
            }
            Type::List(list) => {
                let mut object = ObjectWriter::begin(out);
                object.string("type", "list");
                object.number("element-id", i64::from(list.element_id));
                list.element.write(object.key("element"));
                object.bool("element-required", list.element_required);
                object.extra(&list.extra);
                object.end();
            }
            Type::Map(map) => {
                let mut object = ObjectWriter::begin(out);
                object.string("type", "map");
                object.number("key-id", i64::from(map.key_id));
                map.key.write(object.key("key"));
                object.number("value-id", i64::from(map.value_id));
                map.value.write(object.key("value"));
                object.bool("value-required", map.value_required);
                object.extra(&map.extra);
                object.end();
            }
        }
    }
}

impl StructType {
    /// Reads what follows the `type` of a struct.
    pub(crate) fn read(mut object: ObjectReader) -> Result<Self, InvalidMetadata> {
        let fields = object.array("fields")?.into_iter().map(Field::parse).collect::<Result<_, _>>()?;
        Ok(Self { fields, extra: object.rest() })
    }

    pub(crate) fn write_fields(&self, object: &mut ObjectWriter<'_>) {
        write_array(object.key("fields"), &self.fields, |out, field| field.write(out));
    }
}

impl Field {
    fn parse(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("schema field", value)?;
        let field = Self {
            id: object.i32("id")?,
            name: object.string("name")?,
            required: object.bool("required")?,
            field_type: Type::parse(object.required("type")?)?,
            doc: object.string_opt("doc")?,
            initial_default: object.take("initial-default"),
            write_default: object.take("write-default"),
            extra: object.rest(),
        };
        if field.required && field.field_type == Type::Primitive(PrimitiveType::Unknown) {
            let name = &field.name;
            return Err(InvalidMetadata::new(format!(
                "field '{name}': a column of type unknown is optional"
            )));
        }
        for default in [&field.initial_default, &field.write_default].into_iter().flatten() {
            if !fits(&field.field_type, default) {
                let name = &field.name;
                return Err(InvalidMetadata::new(format!(
                    "field '{name}': {default} is not a value of its type"
                )));
            }
        }
        Ok(field)
    }

    fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::begin(out);
        object.number("id", i64::from(self.id));
        object.string("name", &self.name);
        object.bool("required", self.required);
        self.field_type.write(object.key("type"));
        if let Some(doc) = &self.doc {
            object.string("doc", doc);
        }
        if let Some(value) = &self.initial_default {
            object.value("initial-default", value);
        }
        if let Some(value) = &self.write_default {
            object.value("write-default", value);
        }
        object.extra(&self.extra);
        object.end();
    }
}
