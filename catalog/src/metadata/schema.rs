//! A schema: a struct of columns with an id and the fields that identify a row.
//!
//! - S1: field ids and full names (`a.b`, `list.element`, `map.key`) are unique in a schema.
//! - S2: an identifier field is a required primitive, not a float, double or variant, and every struct around
//!   it is required; lists and maps are never around it.
//!
//! A schema never changes once it is in a table, so its JSON is made once and kept beside it.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hasher as _;
use std::sync::Arc;

use serde_json::Value;

use super::FormatVersion;
use super::default;
use super::object::{InvalidMetadata, ObjectReader, ObjectWriter};
use super::types::{Field, PrimitiveType, StructType, Type};

/// A schema of a table.
#[derive(Debug, Clone)]
pub struct Schema {
    id: i32,
    columns: StructType,
    identifier_field_ids: Vec<i32>,
    by_id: HashMap<i32, Located>,
    json: Arc<str>,
}

/// A field of a schema with its place in it.
#[derive(Debug, Clone)]
struct Located {
    name: String,
    primitive: Option<PrimitiveType>,
    /// Whether this field and all around it are required structs.
    required_path: bool,
    /// Whether only structs are around it.
    in_structs: bool,
    since: FormatVersion,
    has_initial_default: bool,
}

impl Schema {
    /// Reads a schema; one without `schema-id` gets id 0.
    pub fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("schema", value)?;
        if let Some(name) = object.string_opt("type")?
            && name != "struct"
        {
            return Err(InvalidMetadata::new(format!("schema: type is '{name}', not 'struct'")));
        }
        let id = object.i32_opt("schema-id")?.unwrap_or(0);
        let identifier_field_ids = object.i32s_opt("identifier-field-ids")?.unwrap_or_default();
        Self::new(id, StructType::read(object)?, identifier_field_ids)
    }

    /// A schema of these columns, checked (S1, S2).
    pub fn new(
        id: i32,
        columns: StructType,
        identifier_field_ids: Vec<i32>,
    ) -> Result<Self, InvalidMetadata> {
        let mut index = Index { by_id: HashMap::new(), paths: HashSet::new() };
        let top = Place { path: None, required_path: true, in_structs: true };
        index.add_struct(&columns, &top)?;
        let mut schema = Self { id, columns, identifier_field_ids, by_id: index.by_id, json: Arc::from("") };
        for &field_id in &schema.identifier_field_ids {
            schema.check_identifier(field_id)?;
        }
        schema.json = schema.write().into();
        Ok(schema)
    }

    fn check_identifier(&self, field_id: i32) -> Result<(), InvalidMetadata> {
        let refuse = |why: &str| Err(InvalidMetadata::new(format!("identifier field {field_id} {why}")));
        let Some(field) = self.by_id.get(&field_id) else { return refuse("does not exist") };
        match &field.primitive {
            None => return refuse("is not of a primitive type"),
            Some(PrimitiveType::Float | PrimitiveType::Double) => return refuse("is a float or double"),
            Some(PrimitiveType::Variant) => return refuse("is a variant"),
            Some(_) => {}
        }
        if !field.in_structs {
            return refuse("lies in a list or map");
        }
        if !field.required_path {
            return refuse("is optional or lies in an optional struct");
        }
        Ok(())
    }

    /// The same schema under another id.
    pub(crate) fn with_id(&self, id: i32) -> Self {
        let mut schema = self.clone();
        schema.id = id;
        schema.json = schema.write().into();
        schema
    }

    /// The schema id.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The columns.
    pub fn columns(&self) -> &StructType {
        &self.columns
    }

    /// The ids of the fields that identify a row.
    pub fn identifier_field_ids(&self) -> &[i32] {
        &self.identifier_field_ids
    }

    /// The highest field id in the schema, 0 when it has no field.
    pub fn highest_field_id(&self) -> i32 {
        self.by_id.keys().copied().max().unwrap_or(0)
    }

    /// The JSON of the schema.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The id of the top-level column of this name.
    pub(crate) fn column_id(&self, name: &str) -> Option<i32> {
        self.columns.fields.iter().find(|field| field.name == name).map(|field| field.id)
    }

    /// The type of a field that a partition or sort field may read: a primitive, only structs around it.
    pub(crate) fn source(&self, field_id: i32) -> Result<&PrimitiveType, InvalidMetadata> {
        let refuse = |why: &str| InvalidMetadata::new(format!("source column {field_id} {why}"));
        let field = self.by_id.get(&field_id).ok_or_else(|| refuse("does not exist in the schema"))?;
        if !field.in_structs {
            return Err(refuse("lies in a list or map"));
        }
        field.primitive.as_ref().ok_or_else(|| refuse("is not of a primitive type"))
    }

    /// Whether the two are the same but for their ids.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let sorted = |ids: &[i32]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        self.columns == other.columns
            && sorted(&self.identifier_field_ids) == sorted(&other.identifier_field_ids)
    }

    /// Refuses types and defaults that `version` does not have.
    pub(crate) fn check_version(&self, version: FormatVersion) -> Result<(), InvalidMetadata> {
        for field in self.by_id.values() {
            let since = if field.has_initial_default { FormatVersion::V3 } else { field.since };
            if since > version {
                let name = &field.name;
                return Err(InvalidMetadata::new(format!(
                    "column '{name}' needs format version {since}, the table has {version}"
                )));
            }
        }
        Ok(())
    }

    /// Refuses defaults that are not values of their types.
    pub(crate) fn check_defaults(&self) -> Result<(), InvalidMetadata> {
        default::check(&self.columns)
    }

    /// The same columns with ids from 1, and how old ids became new ones. The order is the Java
    /// reference's: all fields of a struct first, then what is inside each.
    pub(crate) fn with_fresh_ids(
        &self,
        schema_id: i32,
    ) -> Result<(Self, BTreeMap<i32, i32>), InvalidMetadata> {
        let mut fresh = FreshFieldIds { last: 0, by_old: BTreeMap::new() };
        let columns = fresh.of_struct(&self.columns);
        let identifiers =
            self.identifier_field_ids.iter().filter_map(|id| fresh.by_old.get(id).copied()).collect();
        Ok((Self::new(schema_id, columns, identifiers)?, fresh.by_old))
    }

    fn write(&self) -> String {
        let mut out = String::new();
        let mut object = ObjectWriter::begin(&mut out);
        object.string("type", "struct");
        object.number("schema-id", i64::from(self.id));
        if !self.identifier_field_ids.is_empty() {
            object.i32s("identifier-field-ids", self.identifier_field_ids.iter().copied());
        }
        self.columns.write_fields(&mut object);
        object.extra(&self.columns.extra);
        object.end();
        out
    }
}

/// What is around a field.
struct Place {
    /// The hash of the full name so far. Names nest, so keeping them whole would grow quadratically.
    path: Option<DefaultHasher>,
    required_path: bool,
    in_structs: bool,
}

struct Index {
    by_id: HashMap<i32, Located>,
    /// Hashes of the full names seen.
    paths: HashSet<u64>,
}

impl Index {
    fn add_struct(&mut self, fields: &StructType, place: &Place) -> Result<(), InvalidMetadata> {
        for field in &fields.fields {
            self.add_field(field, place)?;
        }
        Ok(())
    }

    fn add_field(&mut self, field: &Field, place: &Place) -> Result<(), InvalidMetadata> {
        let inner =
            Place { required_path: place.required_path && field.required, ..place.enter(&field.name) };
        self.add(field.id, &field.name, &field.field_type, &inner, field.initial_default.is_some())
    }

    fn add(
        &mut self,
        id: i32,
        name: &str,
        field_type: &Type,
        place: &Place,
        has_initial_default: bool,
    ) -> Result<(), InvalidMetadata> {
        let (primitive, since) = match field_type {
            Type::Primitive(primitive) => (Some(primitive.clone()), primitive.since()),
            Type::Struct(_) | Type::List(_) | Type::Map(_) => (None, FormatVersion::V1),
        };
        let located = Located {
            name: name.to_owned(),
            primitive,
            required_path: place.required_path,
            in_structs: place.in_structs,
            since,
            has_initial_default,
        };
        if self.by_id.insert(id, located).is_some() {
            return Err(InvalidMetadata::new(format!("field id {id} is used more than once")));
        }
        if let Some(path) = &place.path
            && !self.paths.insert(path.finish())
        {
            return Err(InvalidMetadata::new(format!("column '{name}' exists more than once")));
        }
        let inside = |part: &str| Place { required_path: false, in_structs: false, ..place.enter(part) };
        match field_type {
            Type::Primitive(_) => Ok(()),
            Type::Struct(fields) => self.add_struct(fields, place),
            Type::List(list) => {
                self.add(list.element_id, "element", &list.element, &inside("element"), false)
            }
            Type::Map(map) => {
                self.add(map.key_id, "key", &map.key, &inside("key"), false)?;
                self.add(map.value_id, "value", &map.value, &inside("value"), false)
            }
        }
    }
}

impl Place {
    fn enter(&self, part: &str) -> Self {
        let mut path = match &self.path {
            None => DefaultHasher::new(),
            Some(outer) => {
                let mut path = outer.clone();
                path.write(b".");
                path
            }
        };
        path.write(part.as_bytes());
        Self { path: Some(path), required_path: self.required_path, in_structs: self.in_structs }
    }
}

struct FreshFieldIds {
    last: i32,
    by_old: BTreeMap<i32, i32>,
}

impl FreshFieldIds {
    fn next(&mut self, old: i32) -> i32 {
        self.last += 1;
        self.by_old.insert(old, self.last);
        self.last
    }

    fn of_struct(&mut self, fields: &StructType) -> StructType {
        let ids: Vec<i32> = fields.fields.iter().map(|field| self.next(field.id)).collect();
        let fresh = fields.fields.iter().zip(ids).map(|(field, id)| {
            let field_type = self.of_type(&field.field_type);
            Field { id, field_type, ..field.clone() }
        });
        StructType { fields: fresh.collect(), extra: fields.extra.clone() }
    }

    fn of_type(&mut self, field_type: &Type) -> Type {
        match field_type {
            Type::Primitive(primitive) => Type::Primitive(primitive.clone()),
            Type::Struct(fields) => Type::Struct(self.of_struct(fields)),
            Type::List(list) => {
                let element_id = self.next(list.element_id);
                let element = Box::new(self.of_type(&list.element));
                Type::List(super::types::ListType { element_id, element, ..list.clone() })
            }
            Type::Map(map) => {
                let key_id = self.next(map.key_id);
                let value_id = self.next(map.value_id);
                let key = Box::new(self.of_type(&map.key));
                let value = Box::new(self.of_type(&map.value));
                Type::Map(super::types::MapType { key_id, key, value_id, value, ..map.clone() })
            }
        }
    }
}
