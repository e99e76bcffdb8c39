//! Columns by name.

use super::kind::Kind;
use crate::table::{Column as SchemaColumn, DataType, HiddenField, Metadata, Nested, Transform};

/// A column that a predicate names.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Physical names, outermost first.
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
    /// Whether its values are partition values.
    pub(super) partition: bool,
    /// Hidden fields of its values, by their position.
    pub(super) hidden: Vec<(usize, Transform)>,
}

/// The columns that a predicate names so far.
pub(super) struct Columns<'a> {
    metadata: &'a Metadata,
    hidden: &'a [HiddenField],
    named: Vec<Column>,
}

impl<'a> Columns<'a> {
    pub(super) fn new(metadata: &'a Metadata, hidden: &'a [HiddenField]) -> Self {
        Self { metadata, hidden, named: Vec::new() }
    }

    /// The position of the column, or of the field of a struct, of this name. Case does not count.
    pub(super) fn position(&mut self, names: &[&str]) -> Option<usize> {
        let (first, rest) = names.split_first()?;
        let mut found = self.metadata.schema.column(first)?;
        let mut path = vec![found.physical_name().to_owned()];
        for name in rest {
            found = field(found, name)?;
            path.push(found.physical_name().to_owned());
        }
        if let Some(position) = self.named.iter().position(|column| column.path == path) {
            return Some(position);
        }
        let partition = rest.is_empty()
            && self.metadata.partition_columns.iter().any(|name| name.to_lowercase() == first.to_lowercase());
        let hidden = self.hidden.iter().enumerate().filter(|(_, field)| field.column == path);
        let hidden = hidden.map(|(position, field)| (position, field.transform)).collect();
        self.named.push(Column { kind: Kind::of(found), path, partition, hidden });
        Some(self.named.len() - 1)
    }

    pub(super) fn at(&self, position: usize) -> &Column {
        &self.named[position]
    }

    pub(super) fn into_named(self) -> Vec<Column> {
        self.named
    }
}

fn field<'a>(column: &'a SchemaColumn, name: &str) -> Option<&'a SchemaColumn> {
    let DataType::Nested(nested) = &column.data_type else { return None };
    match &**nested {
        Nested::Struct { fields } => {
            let exact = fields.iter().find(|field| field.name == name);
            exact.or_else(|| fields.iter().find(|field| field.name.to_lowercase() == name.to_lowercase()))
        }
        Nested::Array { .. } | Nested::Map { .. } => None,
    }
}
