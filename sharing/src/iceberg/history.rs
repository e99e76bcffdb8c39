//! Which names and types the columns of a table had, and the name each is told with: its physical name.
//!
//! Readers look for a file's columns by id, and for those whose id they do not ask for by name: a column that is dropped
//! or not selected is taken for another one if that has its name for physical name. Therefore:
//!
//! - H1: a field's physical name is the name of no other field of the same struct, now or ever before. It is the oldest
//!   name of the field where no other had it, so that readers that know names only find it too; else one made of its id.
//! - H2: a physical name is for good, until another field takes it for a name: then it is changed once, and so told
//!   ([`History::naming`]).
//! - H3: while not all names are known, for schemas were removed before they were seen, all names are made of ids.
//!
//! It is kept in a document of the catalog, under the table's UUID, for schemas may be removed from a table.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

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
    /// How often physical names had to be changed.
    #[serde(default)]
    naming: u32,
    /// The revisions below this one whose schemas the table may not have any more were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_until: Option<u64>,
    fields: BTreeMap<i32, FieldHistory>,
}

/// What is known of a field, a list's element, or a map's key or value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FieldHistory {
    /// The field it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<i32>,
    /// The first schema it was seen in.
    since: i32,
    /// Its physical name; empty until it has one.
    pub(super) physical: String,
    /// The names it had, oldest first.
    names: Vec<String>,
    /// The primitive types it had, as Delta calls them, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    types: Vec<String>,
}

/// The schema of a revision, which the table may not have any more; `None` where it cannot be read any more.
pub(super) struct Former {
    pub(super) revision: u64,
    pub(super) schema: Option<Arc<Schema>>,
}

impl History {
    /// With what the schemas of `metadata` say, and those of former revisions that it may not have any more; the same where
    /// they say nothing new.
    pub(super) fn with(&self, metadata: &TableMetadata, former: &[Former]) -> Self {
        let mut schemas: Vec<&Schema> = metadata.schemas().iter().map(AsRef::as_ref).collect();
        schemas.sort_by_key(|schema| schema.id());
        let mut next = self.clone();
        next.has_gaps |= next.misses_schemas(&schemas);
        next.last_schema = next.last_schema.max(schemas.last().map(|schema| schema.id()));
        for schema in schemas {
            next.add_struct(schema.columns(), (schema.id(), None));
        }
        for Former { revision, schema } in former {
            next.seen_until = next.seen_until.max(Some(revision.saturating_add(1)));
            match schema {
                Some(schema) => next.add_struct(schema.columns(), (schema.id(), None)),
                None => next.has_gaps = true,
            }
        }
        let is_last = |id: &i32| usize::try_from(*id) == Ok(next.fields.len());
        next.has_gaps |= !next.fields.last_key_value().is_none_or(|(last, _)| is_last(last));
        next.name_fields();
        next
    }

    /// Whether the schema of a revision, which the table may not have any more, was looked at.
    pub(super) fn has_seen(&self, revision: u64) -> bool {
        self.seen_until.is_some_and(|until| revision < until)
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

    /// Which physical names these are: another number for others.
    pub(super) fn naming(&self) -> u32 {
        self.naming
    }

    /// The fields that only ever had one name, which no other field ever had.
    pub(super) fn never_renamed(&self) -> HashSet<i32> {
        let bearers = self.bearers();
        let is_sole = |field: &FieldHistory, name: &str| bearers[&place(field, name)].len() == 1;
        let same = self.fields.iter().filter(|(_, field)| match field.names.as_slice() {
            [name] => is_sole(field, name),
            _several => false,
        });
        same.map(|(id, _)| *id).collect()
    }

    /// The fields that ever had a name, by the struct they are in and the name in lower case.
    fn bearers(&self) -> HashMap<(Option<i32>, String), BTreeSet<i32>> {
        let mut bearers: HashMap<_, BTreeSet<i32>> = HashMap::new();
        for (id, field) in &self.fields {
            for name in &field.names {
                bearers.entry(place(field, name)).or_default().insert(*id);
            }
        }
        bearers
    }

    fn add_struct(&mut self, of: &StructType, (schema, parent): (i32, Option<i32>)) {
        for field in &of.fields {
            self.add((field.id, &field.name, &field.field_type), (schema, parent));
        }
    }

    fn add(&mut self, (id, name, of): (i32, &str, &Type), (schema, parent): (i32, Option<i32>)) {
        let new = FieldHistory { parent, since: schema, ..FieldHistory::default() };
        let field = self.fields.entry(id).or_insert(new);
        if !field.names.iter().any(|had| had == name) {
            field.names.push(name.to_owned());
        }
        match of {
            Type::Primitive(primitive) => {
                field.types.extend(delta_name(primitive).filter(|of| !field.types.contains(of)));
            }
            Type::Struct(fields) => self.add_struct(fields, (schema, Some(id))),
            Type::List(list) => {
                self.add((list.element_id, "element", &list.element), (schema, Some(id)));
            }
            Type::Map(map) => {
                self.add((map.key_id, "key", &map.key), (schema, Some(id)));
                self.add((map.value_id, "value", &map.value), (schema, Some(id)));
            }
        }
    }

    /// Gives new fields their physical names, and others to those whose are no more theirs (H1, H3).
    fn name_fields(&mut self) {
        let bearers = self.bearers();
        let is_own = |id: i32, field: &FieldHistory, name: &str| {
            bearers.get(&place(field, name)).is_none_or(|bearers| bearers.iter().all(|bearer| *bearer == id))
        };
        let is_changed = |(id, field): (&i32, &FieldHistory)| {
            let is_real = field.names.contains(&field.physical);
            !field.physical.is_empty() && (!is_own(*id, field, &field.physical) || is_real && self.has_gaps)
        };
        let changed: Vec<i32> =
            self.fields.iter().filter(|one| is_changed(*one)).map(|(id, _)| *id).collect();
        self.naming += u32::from(!changed.is_empty());
        let mut given: HashSet<(Option<i32>, String)> = HashSet::new();
        for (id, field) in &self.fields {
            if !changed.contains(id) {
                given.insert(place(field, &field.physical));
            }
        }
        for (id, field) in &mut self.fields {
            let is_new = field.physical.is_empty();
            if !is_new && !changed.contains(id) {
                continue;
            }
            let is_free = |name: &str| is_own(*id, field, name) && !given.contains(&place(field, name));
            let oldest = field.names.first().filter(|name| is_new && !self.has_gaps && is_free(name));
            let physical = oldest.cloned().unwrap_or_else(|| {
                let mut made = format!("col-{id}");
                while !is_free(&made) {
                    made.push('_');
                }
                made
            });
            given.insert(place(field, &physical));
            field.physical = physical;
        }
    }
}

/// A name in the struct that a field is in.
fn place(field: &FieldHistory, name: &str) -> (Option<i32>, String) {
    (field.parent, name.to_lowercase())
}

impl FieldHistory {
    /// The types it had before it was `now`, oldest first.
    pub(super) fn types_before(&self, now: &str) -> &[String] {
        let at = self.types.iter().position(|of| of == now).unwrap_or(0);
        &self.types[..at]
    }
}
