//! Which names and types the columns of a table had, and the name each keeps in Delta: its physical name.
//!
//! Readers find a column in a file by its id, and where the file does not have it by its physical name. Therefore:
//!
//! - H1: a field's physical name was never the name of another field of the same struct, as far as files go back: it is
//!   the oldest name of the field if the field was the first to have it, else one made of its id.
//! - H2: a physical name is for good. It is kept in a document of the catalog, under the table's UUID, for schemas may be
//!   removed from a table.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tarn_catalog::metadata::types::{StructType, Type};
use tarn_catalog::metadata::{Schema, TableMetadata};

use super::types::delta_name;

/// What is known of the columns a table has and had.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct History {
    /// The highest id of a schema that was seen.
    last_schema: Option<i32>,
    /// Whether a schema or field went unseen: it was removed from the table before.
    #[serde(default)]
    has_gaps: bool,
    fields: BTreeMap<i32, FieldHistory>,
}

/// What is known of a field, a list's element, or a map's key or value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FieldHistory {
    /// The field it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<i32>,
    /// The first schema it was seen in.
    since: i32,
    /// Its physical name.
    pub(super) physical: String,
    /// The names it had, oldest first.
    names: Vec<String>,
    /// The primitive types it had, as Delta calls them, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    types: Vec<String>,
}

impl History {
    /// With what the schemas of `metadata` say; the same where they say nothing new.
    pub(super) fn with(&self, metadata: &TableMetadata) -> Self {
        let mut schemas: Vec<&Schema> = metadata.schemas().iter().map(AsRef::as_ref).collect();
        schemas.sort_by_key(|schema| schema.id());
        let mut next = self.clone();
        next.has_gaps |= next.misses_schemas(&schemas);
        next.last_schema = next.last_schema.max(schemas.last().map(|schema| schema.id()));
        let mut adding = Adding::new(next, &schemas);
        for schema in schemas {
            adding.schema = schema.id();
            adding.add_struct(schema.columns(), None);
        }
        adding.history
    }

    fn misses_schemas(&self, schemas: &[&Schema]) -> bool {
        let is_new = |id: &i32| self.last_schema.is_none_or(|last| *id > last);
        let expected = self.last_schema.map_or(0, |last| last.saturating_add(1))..;
        let mut new = schemas.iter().map(|schema| schema.id()).filter(is_new).zip(expected);
        new.any(|(id, expected)| id != expected)
    }

    pub(super) fn field(&self, id: i32) -> Option<&FieldHistory> {
        self.fields.get(&id)
    }

    /// Whether every schema the table had is known.
    pub(super) fn is_whole(&self) -> bool {
        !self.has_gaps
    }

    /// Whether the field is as old as the table.
    pub(super) fn is_original(&self, field: &FieldHistory) -> bool {
        self.is_whole() && field.since == 0
    }

    /// The fields that only ever had one name, which no other field ever had.
    pub(super) fn never_renamed(&self) -> HashSet<i32> {
        let mut bearers: HashMap<(Option<i32>, String), u32> = HashMap::new();
        for field in self.fields.values() {
            let names: HashSet<String> = field.names.iter().map(|name| name.to_lowercase()).collect();
            names.into_iter().for_each(|name| *bearers.entry((field.parent, name)).or_default() += 1);
        }
        let mut found = HashSet::new();
        for (id, field) in &self.fields {
            if let [name] = field.names.as_slice()
                && field.physical == *name
                && bearers.get(&(field.parent, name.to_lowercase())) == Some(&1)
            {
                found.insert(*id);
            }
        }
        found
    }
}

impl FieldHistory {
    /// The types it had before it was `now`, oldest first.
    pub(super) fn types_before(&self, now: &str) -> &[String] {
        let at = self.types.iter().position(|of| of == now).unwrap_or(0);
        &self.types[..at]
    }
}

/// A history that schemas are added to, the oldest first.
struct Adding {
    history: History,
    schema: i32,
    /// Names that are taken, in lower case: of columns and inside each field.
    taken: HashMap<Option<i32>, HashSet<String>>,
    /// The lowest id that no schema has: a field whose name is not known.
    missing: i32,
}

impl Adding {
    fn new(mut history: History, schemas: &[&Schema]) -> Self {
        let mut taken: HashMap<Option<i32>, HashSet<String>> = HashMap::new();
        for field in history.fields.values() {
            let names = taken.entry(field.parent).or_default();
            names.extend(field.names.iter().chain([&field.physical]).map(|name| name.to_lowercase()));
        }
        let mut ids: BTreeSet<i32> = history.fields.keys().copied().collect();
        schemas.iter().for_each(|schema| collect_ids(schema.columns(), &mut ids));
        let missing = (1..).find(|id| !ids.contains(id)).unwrap_or(i32::MAX);
        history.has_gaps |= ids.last().is_some_and(|last| *last > missing);
        Self { history, schema: 0, taken, missing }
    }

    fn add_struct(&mut self, of: &StructType, parent: Option<i32>) {
        for field in &of.fields {
            self.add(field.id, &field.name, &field.field_type, parent);
        }
    }

    fn add(&mut self, id: i32, name: &str, of: &Type, parent: Option<i32>) {
        let type_name = match of {
            Type::Primitive(primitive) => delta_name(primitive),
            Type::Struct(_) | Type::List(_) | Type::Map(_) => None,
        };
        match self.history.fields.get_mut(&id) {
            Some(known) => {
                if !known.names.iter().any(|had| had == name) {
                    known.names.push(name.to_owned());
                }
                known.types.extend(type_name.filter(|of| !known.types.contains(of)));
            }
            None => {
                let physical = self.physical_name(id, name, parent);
                self.taken.entry(parent).or_default().insert(physical.to_lowercase());
                let types = type_name.into_iter().collect();
                let names = vec![name.to_owned()];
                let field = FieldHistory { parent, since: self.schema, physical, names, types };
                self.history.fields.insert(id, field);
            }
        }
        self.taken.entry(parent).or_default().insert(name.to_lowercase());
        match of {
            Type::Primitive(_) => {}
            Type::Struct(fields) => self.add_struct(fields, Some(id)),
            Type::List(list) => self.add(list.element_id, "element", &list.element, Some(id)),
            Type::Map(map) => {
                self.add(map.key_id, "key", &map.key, Some(id));
                self.add(map.value_id, "value", &map.value, Some(id));
            }
        }
    }

    /// H1. A field that is not known may have had any name before those after it came.
    fn physical_name(&self, id: i32, name: &str, parent: Option<i32>) -> String {
        let is_free = |name: &str| {
            self.taken.get(&parent).is_none_or(|taken| !taken.contains(name.to_lowercase().as_str()))
        };
        if id < self.missing && is_free(name) {
            return name.to_owned();
        }
        let mut made = format!("col-{id}");
        while !is_free(&made) {
            made.push('_');
        }
        made
    }
}

fn collect_ids(of: &StructType, ids: &mut BTreeSet<i32>) {
    for field in &of.fields {
        ids.insert(field.id);
        collect_inner_ids(&field.field_type, ids);
    }
}

fn collect_inner_ids(of: &Type, ids: &mut BTreeSet<i32>) {
    match of {
        Type::Primitive(_) => {}
        Type::Struct(fields) => collect_ids(fields, ids),
        Type::List(list) => {
            ids.insert(list.element_id);
            collect_inner_ids(&list.element, ids);
        }
        Type::Map(map) => {
            ids.extend([map.key_id, map.value_id]);
            collect_inner_ids(&map.key, ids);
            collect_inner_ids(&map.value, ids);
        }
    }
}
