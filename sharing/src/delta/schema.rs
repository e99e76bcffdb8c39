//! What a schema asks of its readers.

use crate::table::{Column, DataType, Nested, Schema};

const MAPPING_KEYS: [&str; 3] =
    ["delta.columnMapping.id", "delta.columnMapping.physicalName", "delta.columnMapping.nested.ids"];
const TYPE_CHANGES: &str = "delta.typeChanges";

/// What of a schema not every reader can read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traits {
    /// A column has another name in files.
    pub(super) renamed: bool,
    pub(super) timestamp_ntz: bool,
    pub(super) variant: bool,
    pub(super) void: bool,
    /// A column had another type.
    pub(super) widened: bool,
}

/// The traits of all its columns, at any depth.
pub(super) fn traits_of(schema: &Schema) -> Traits {
    let mut traits = Traits::default();
    schema.fields.iter().for_each(|column| traits.see(column));
    traits
}

/// Takes out what is said of column mapping: it does not count where the table has none.
pub(super) fn forget_mapping(schema: &mut Schema) {
    schema.fields.iter_mut().for_each(forget);
}

impl Traits {
    fn see(&mut self, column: &Column) {
        self.renamed |= column.physical_name() != column.name;
        self.widened |= column.metadata.contains_key(TYPE_CHANGES);
        self.see_type(&column.data_type);
    }

    fn see_type(&mut self, data_type: &DataType) {
        match data_type {
            DataType::Primitive(name) => {
                self.timestamp_ntz |= name == "timestamp_ntz";
                self.variant |= name == "variant";
                self.void |= name == "void";
            }
            DataType::Nested(nested) => match &**nested {
                Nested::Struct { fields } => fields.iter().for_each(|field| self.see(field)),
                Nested::Array { element_type, .. } => self.see_type(element_type),
                Nested::Map { key_type, value_type, .. } => {
                    self.see_type(key_type);
                    self.see_type(value_type);
                }
            },
        }
    }
}

fn forget(column: &mut Column) {
    column.metadata.retain(|key, _| !MAPPING_KEYS.contains(&key.as_str()));
    forget_in(&mut column.data_type);
}

fn forget_in(data_type: &mut DataType) {
    match data_type {
        DataType::Primitive(_) => {}
        DataType::Nested(nested) => match &mut **nested {
            Nested::Struct { fields } => fields.iter_mut().for_each(forget),
            Nested::Array { element_type, .. } => forget_in(element_type),
            Nested::Map { key_type, value_type, .. } => {
                forget_in(key_type);
                forget_in(value_type);
            }
        },
    }
}
