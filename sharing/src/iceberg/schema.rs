//! A schema of Iceberg as Delta tells it.
//!
//! Columns are found in files by their ids (`delta.columnMapping.mode` = `id`), so renames, drops and moves are told
//! right. Tables with files that have no ids (`schema.name-mapping.default`) are told by name, and only while every
//! column kept the one name it had.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};
use tarn_catalog::metadata::Schema as IcebergSchema;
use tarn_catalog::metadata::types::{Field, ListType, MapType, PrimitiveType, StructType, Type};

use super::history::History;
use super::names::NameMapping;
use super::types::{delta_name, feature};
use crate::directory::UnsupportedColumns;
use crate::table::{Column, DataType, Feature, Nested, Schema, TableError};

/// The metadata key of the types a column had.
const TYPE_CHANGES: &str = "delta.typeChanges";

/// A schema as it is told, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) schema: Schema,
    pub(super) features: BTreeSet<Feature>,
    /// The first reason why a reader that goes by names alone would read it wrong.
    pub(super) plain: Result<(), String>,
    /// How columns are found in files.
    pub(super) mapping: Mapping,
    /// The told fields that have values of their own in each row, by id.
    pub(super) leaves: BTreeMap<i32, Leaf>,
}

/// How columns are found in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mapping {
    /// By id, up to this one.
    Id(i32),
    /// By name: some files may have no ids.
    Name,
}

/// A primitive field with nothing but structs around it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// Physical names from the column inwards.
    pub(super) path: Vec<String>,
    /// Its logical name.
    pub(super) name: String,
    pub(super) of: PrimitiveType,
}

/// Tells `schema`. `names` is the table's name mapping, if it has one.
pub(super) fn tell(
    schema: &IcebergSchema,
    history: &History,
    names: Option<&NameMapping>,
    unsupported: UnsupportedColumns,
) -> Result<Told, TableError> {
    let mapping = match names {
        None => Mapping::Id(schema.highest_field_id()),
        Some(_) => Mapping::Name,
    };
    let mut telling = Telling::new(history, mapping);
    let fields = telling.columns(schema.columns(), &mut Place::default())?;
    if unsupported == UnsupportedColumns::Error && !telling.offending.is_empty() {
        return Err(TableError::Unsupported(format!(
            "the table has columns that readers of Delta cannot read: {}; it can be shared without them (unsupported columns: omit)",
            list(&telling.offending)
        )));
    }
    if fields.is_empty() {
        return Err(TableError::Unsupported("the table has no column that readers of Delta can read".into()));
    }
    if let Some(names) = names {
        telling.check_names(names)?;
    }
    let Telling { mut features, plain, leaves, .. } = telling;
    if matches!(mapping, Mapping::Id(_)) {
        features.insert(Feature::ColumnMapping);
    }
    let plain = match plain {
        _ if !history.is_whole() => {
            Err("older schemas of the table are gone, so it is not known whether columns were renamed".into())
        }
        None => Ok(()),
        Some(why) => Err(why),
    };
    Ok(Told { schema: Schema { fields }, features, plain, mapping, leaves })
}

struct Telling<'a> {
    history: &'a History,
    never_renamed: HashSet<i32>,
    mapping: Mapping,
    features: BTreeSet<Feature>,
    plain: Option<String>,
    /// Columns that are left out, each with the reason.
    offending: Vec<String>,
    leaves: BTreeMap<i32, Leaf>,
    /// Told fields with their full names, parts of lists and maps included.
    told: Vec<(i32, Vec<String>)>,
}

/// What is around a field.
#[derive(Default, Clone)]
struct Place {
    /// Logical names from the column inwards.
    names: Vec<String>,
    /// Physical names from the column inwards; `None` inside of lists and maps.
    physical: Option<Vec<String>>,
    is_inside: bool,
}

impl Place {
    fn enter(&self, name: &str, physical: &str) -> Self {
        let around = if self.is_inside { self.physical.clone() } else { Some(Vec::new()) };
        let physical = around.map(|mut path| {
            path.push(physical.to_owned());
            path
        });
        let mut names = self.names.clone();
        names.push(name.to_owned());
        Self { names, physical, is_inside: true }
    }

    /// Inside a list or map.
    fn part(&self, name: &str) -> Self {
        Self { physical: None, ..self.enter(name, "") }
    }

    fn name(&self) -> String {
        self.names.join(".")
    }
}

/// Types that a field and the parts of its lists and maps had, as Delta keeps them with the field.
type Changes = Vec<Value>;

impl<'a> Telling<'a> {
    fn new(history: &'a History, mapping: Mapping) -> Self {
        Self {
            history,
            never_renamed: history.never_renamed(),
            mapping,
            features: BTreeSet::new(),
            plain: None,
            offending: Vec::new(),
            leaves: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    fn columns(&mut self, of: &StructType, place: &mut Place) -> Result<Vec<Column>, TableError> {
        let mut columns = Vec::with_capacity(of.fields.len());
        let mut seen = HashSet::new();
        for field in &of.fields {
            let Some(column) = self.column(field, place)? else { continue };
            if !seen.insert(column.name.to_lowercase()) {
                let name = place.enter(&column.name, "").name();
                return Err(TableError::Unsupported(format!(
                    "the name of column {name} differs from that of another by case only, which Delta does not tell apart"
                )));
            }
            columns.push(column);
        }
        Ok(columns)
    }

    /// `None` where it is left out.
    fn column(&mut self, field: &Field, place: &Place) -> Result<Option<Column>, TableError> {
        let known = self.history.field(field.id).ok_or_else(|| {
            TableError::Invalid(format!("field {} is in none of the table's schemas", field.id))
        })?;
        let inner = place.enter(&field.name, &known.physical);
        let default = field.initial_default.as_ref().filter(|value| !value.is_null());
        if default.is_some() && !self.history.is_original(known) {
            self.offending.push(format!("{} (rows from before it was added have a default)", inner.name()));
            return Ok(None);
        }
        let mut changes = Changes::new();
        let Some(data_type) = self.data_type(field.id, &field.field_type, &inner, ("", &mut changes))? else {
            return Ok(None);
        };
        if let (Type::Primitive(of), Some(path)) = (&field.field_type, &inner.physical) {
            let leaf = Leaf { path: path.clone(), name: field.name.clone(), of: of.clone() };
            self.leaves.insert(field.id, leaf);
        }
        self.note(field.id, &inner);
        let mut column = Column::new(field.name.clone(), data_type, !field.required);
        if matches!(self.mapping, Mapping::Id(_)) {
            column = column.mapped(field.id, &known.physical);
        }
        column.metadata.extend(field.doc.iter().map(|doc| ("comment".to_owned(), doc.clone().into())));
        if !changes.is_empty() {
            column.metadata.insert(TYPE_CHANGES.to_owned(), changes.into());
        }
        Ok(Some(column))
    }

    /// `path` is where in the field's lists and maps the type stands, and what changed there.
    fn data_type(
        &mut self,
        id: i32,
        of: &Type,
        place: &Place,
        (path, changes): (&str, &mut Changes),
    ) -> Result<Option<DataType>, TableError> {
        match of {
            Type::Primitive(primitive) => {
                let Some(name) = delta_name(primitive) else {
                    self.offending.push(format!("{} ({primitive})", place.name()));
                    return Ok(None);
                };
                self.note_type(id, &name, place, (path, changes));
                if let Some(needed) = feature(primitive) {
                    self.features.insert(needed);
                    self.not_plain(|| format!("column {} is of type {name}", place.name()));
                }
                Ok(Some(DataType::primitive(name)))
            }
            Type::Struct(fields) => {
                let fields = self.columns(fields, &mut place.clone())?;
                // One without fields says nothing that a reader could be told.
                let told = (!fields.is_empty()).then(|| nested(Nested::Struct { fields }));
                if told.is_none() {
                    self.offending.push(format!("{} (a struct without fields)", place.name()));
                }
                Ok(told)
            }
            Type::List(list) => self.list(list, place, (path, changes)),
            Type::Map(map) => self.map(map, place, (path, changes)),
        }
    }

    fn list(
        &mut self,
        list: &ListType,
        place: &Place,
        (path, changes): (&str, &mut Changes),
    ) -> Result<Option<DataType>, TableError> {
        let inner = place.part("element");
        let path = joined(path, "element");
        let element = self.data_type(list.element_id, &list.element, &inner, (&path, changes))?;
        let Some(element_type) = element else { return Ok(None) };
        self.note(list.element_id, &inner);
        Ok(Some(nested(Nested::Array { element_type, contains_null: !list.element_required })))
    }

    fn map(
        &mut self,
        map: &MapType,
        place: &Place,
        (path, changes): (&str, &mut Changes),
    ) -> Result<Option<DataType>, TableError> {
        let (key_place, value_place) = (place.part("key"), place.part("value"));
        let key = self.data_type(map.key_id, &map.key, &key_place, (&joined(path, "key"), changes))?;
        let value = joined(path, "value");
        let value = self.data_type(map.value_id, &map.value, &value_place, (&value, changes))?;
        let (Some(key_type), Some(value_type)) = (key, value) else { return Ok(None) };
        self.note(map.key_id, &key_place);
        self.note(map.value_id, &value_place);
        let value_contains_null = !map.value_required;
        Ok(Some(nested(Nested::Map { key_type, value_type, value_contains_null })))
    }

    fn note(&mut self, id: i32, place: &Place) {
        if !self.never_renamed.contains(&id) {
            self.not_plain(|| format!("column {} was renamed, or another had its name", place.name()));
        }
        self.told.push((id, place.names.clone()));
    }

    /// The types before `name`, each with the one that came after it.
    fn note_type(&mut self, id: i32, name: &str, place: &Place, (path, changes): (&str, &mut Changes)) {
        let before = self.history.field(id).map_or(&[][..], |field| field.types_before(name));
        let after = before.iter().map(String::as_str).skip(1).chain([name]);
        for (from, to) in before.iter().zip(after) {
            let mut change = json!({"fromType": from, "toType": to});
            if !path.is_empty() {
                change["fieldPath"] = path.into();
            }
            changes.push(change);
        }
        if !before.is_empty() {
            self.features.insert(Feature::TypeWidening);
            self.not_plain(|| format!("the type of column {} was widened", place.name()));
        }
    }

    fn not_plain(&mut self, why: impl FnOnce() -> String) {
        self.plain.get_or_insert_with(why);
    }

    /// Where columns are found by name, each must have had the one it has, and files must say so too.
    fn check_names(&self, names: &NameMapping) -> Result<(), TableError> {
        let fits = |(id, path): &&(i32, Vec<String>)| {
            self.never_renamed.contains(id) && names.only_name(*id) == path.last().map(String::as_str)
        };
        if !self.history.is_whole() {
            return Err(TableError::Unsupported(
                "some files of the table have no field ids, and its older schemas are gone".into(),
            ));
        }
        match self.told.iter().find(|told| !fits(told)) {
            None => Ok(()),
            Some((_, path)) => Err(TableError::Unsupported(format!(
                "some files of the table have no field ids, and column {} had other names",
                path.join(".")
            ))),
        }
    }
}

fn nested(of: Nested) -> DataType {
    DataType::Nested(Box::new(of))
}

fn joined(path: &str, part: &str) -> String {
    if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") }
}

/// So many columns are named in an error.
const NAMED_MAX: usize = 20;

fn list(columns: &[String]) -> String {
    let mut text = columns.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    if columns.len() > NAMED_MAX {
        text.push_str(&format!(" and {} more", columns.len() - NAMED_MAX));
    }
    text
}
