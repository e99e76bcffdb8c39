//! Name mappings: the names of fields in files that have no ids (table spec, "Column Projection").

use std::collections::HashMap;

use serde::Deserialize;

use crate::table::TableError;

/// The property that holds it.
pub(super) const PROPERTY: &str = "schema.name-mapping.default";

/// A table's name mapping.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct NameMapping {
    /// The name of each field that has one only.
    only: HashMap<i32, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mapped {
    field_id: Option<i32>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    fields: Vec<Mapped>,
}

impl NameMapping {
    /// Reads the property.
    pub(super) fn read(json: &str) -> Result<Self, TableError> {
        let fields: Vec<Mapped> = serde_json::from_str(json)
            .map_err(|error| TableError::Invalid(format!("{PROPERTY} is no name mapping: {error}")))?;
        let mut mapping = Self::default();
        mapping.add(fields);
        Ok(mapping)
    }

    fn add(&mut self, fields: Vec<Mapped>) {
        for Mapped { field_id, names, fields } in fields {
            if let (Some(id), [name]) = (field_id, names.as_slice()) {
                self.only.insert(id, name.clone());
            }
            self.add(fields);
        }
    }

    /// The name of a field, where it has one and no other.
    pub(super) fn only_name(&self, id: i32) -> Option<&str> {
        self.only.get(&id).map(String::as_str)
    }
}
