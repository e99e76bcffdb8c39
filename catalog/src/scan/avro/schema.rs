//! Schemas of Avro files, with the field ids that Iceberg keeps in them.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::InvalidAvro;

/// Types nest no deeper; named types may be used again, but not within themselves.
const DEPTH_MAX: usize = 32;
/// A type that is used again is copied, so all of them together are limited.
const TYPES_MAX: usize = 100_000;

#[derive(Debug, Clone)]
pub(crate) struct Schema {
    pub(crate) kind: Kind,
    pub(crate) logical: Option<Box<str>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum,
    Array(Box<Schema>),
    Map(Box<Schema>),
    Union(Vec<Schema>),
    Record(Vec<Field>),
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: Box<str>,
    /// The Iceberg field id.
    pub(crate) id: Option<i32>,
    pub(crate) schema: Schema,
}

pub(super) fn parse_schema(json: &[u8]) -> Result<Schema, InvalidAvro> {
    let json: Json = serde_json::from_slice(json).map_err(|error| InvalidAvro::Schema(error.to_string()))?;
    let mut parser = Parser { named: HashMap::new(), types: 0 };
    parser.schema(&json, 0)
}

struct Parser {
    named: HashMap<String, (Schema, usize)>,
    types: usize,
}

impl Parser {
    fn schema(&mut self, json: &Json, depth: usize) -> Result<Schema, InvalidAvro> {
        self.count(1)?;
        if depth > DEPTH_MAX {
            return refuse("its types nest too deep");
        }
        match json {
            Json::String(name) => self.primitive_or_named(name),
            Json::Array(branches) => {
                let branches = branches.iter().map(|branch| self.schema(branch, depth + 1));
                Ok(plain(Kind::Union(branches.collect::<Result<_, _>>()?)))
            }
            Json::Object(object) => self.object(object, depth),
            Json::Null | Json::Bool(_) | Json::Number(_) => refuse("a type is neither name nor object"),
        }
    }

    fn count(&mut self, types: usize) -> Result<(), InvalidAvro> {
        self.types += types;
        if self.types > TYPES_MAX { refuse("it has too many types") } else { Ok(()) }
    }

    fn primitive_or_named(&mut self, name: &str) -> Result<Schema, InvalidAvro> {
        let kind = match name {
            "null" => Kind::Null,
            "boolean" => Kind::Boolean,
            "int" => Kind::Int,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "bytes" => Kind::Bytes,
            "string" => Kind::String,
            other => {
                let Some((schema, types)) = self.named.get(other) else {
                    return refuse(format!("type '{other}' is not known"));
                };
                let (schema, types) = (schema.clone(), *types);
                self.count(types)?;
                return Ok(schema);
            }
        };
        Ok(plain(kind))
    }

    fn object(&mut self, object: &Map<String, Json>, depth: usize) -> Result<Schema, InvalidAvro> {
        let before = self.types;
        let name = match object.get("type") {
            Some(Json::String(name)) => name.as_str(),
            Some(inner @ (Json::Object(_) | Json::Array(_))) => return self.schema(inner, depth + 1),
            Some(_) | None => return refuse("a type has no name"),
        };
        let logical = object.get("logicalType").and_then(Json::as_str).map(Into::into);
        let kind = match name {
            "array" => Kind::Array(Box::new(self.schema(get(object, "items")?, depth + 1)?)),
            "map" => Kind::Map(Box::new(self.schema(get(object, "values")?, depth + 1)?)),
            "fixed" => match get(object, "size")?.as_u64().and_then(|size| usize::try_from(size).ok()) {
                Some(size) => Kind::Fixed(size),
                None => return refuse("a fixed type has no size"),
            },
            "enum" => Kind::Enum,
            "record" | "error" => Kind::Record(self.fields(get(object, "fields")?, depth)?),
            primitive => self.primitive_or_named(primitive)?.kind,
        };
        let schema = Schema { kind, logical };
        if let Some(named) = object.get("name").and_then(Json::as_str) {
            self.named.insert(named.to_owned(), (schema.clone(), self.types - before + 1));
        }
        Ok(schema)
    }

    fn fields(&mut self, json: &Json, depth: usize) -> Result<Vec<Field>, InvalidAvro> {
        let Json::Array(fields) = json else { return refuse("'fields' is no array") };
        let field = |field: &Json| {
            let Json::Object(object) = field else { return refuse("a field is no object") };
            let name = get(object, "name")?.as_str().unwrap_or_default().into();
            let id = object.get("field-id").and_then(Json::as_i64).and_then(|id| i32::try_from(id).ok());
            Ok(Field { name, id, schema: self.schema(get(object, "type")?, depth + 1)? })
        };
        fields.iter().map(field).collect()
    }
}

fn plain(kind: Kind) -> Schema {
    Schema { kind, logical: None }
}

fn get<'a>(object: &'a Map<String, Json>, key: &str) -> Result<&'a Json, InvalidAvro> {
    object.get(key).ok_or_else(|| InvalidAvro::Schema(format!("'{key}' is missing")))
}

fn refuse<T>(why: impl Into<String>) -> Result<T, InvalidAvro> {
    Err(InvalidAvro::Schema(why.into()))
}
