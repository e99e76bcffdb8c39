//! Finding columns in a Parquet file by field id, or by the table's name mapping in a file without ids.

use arrow_array::cast::AsArray as _;
use arrow_array::{ArrayRef, RecordBatch};
use iceberg::spec::{MappedField, NameMapping};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::key::Column;
use super::other_columns;
use crate::table::TableError;

/// Columns of a Parquet file, by the field ids asked for.
pub(super) struct Columns {
    /// The leaf of each, or none where the file does not have it.
    leaves: Vec<Option<usize>>,
    /// Names from the root to each leaf.
    paths: Vec<Vec<String>>,
    /// Where the root of each stands among the roots that are read.
    roots: Vec<usize>,
}

impl Columns {
    pub(super) fn new(
        schema: &SchemaDescriptor,
        ids: &[i32],
        mapping: Option<&NameMapping>,
    ) -> Result<Self, TableError> {
        let known = FieldIds::new(schema, mapping)?;
        let leaves: Vec<Option<usize>> = ids.iter().map(|&id| known.leaf(id)).collect();
        for &leaf in leaves.iter().flatten() {
            if schema.column(leaf).max_rep_level() > 0 {
                return Err(TableError::Invalid("equality deletes compare elements of lists".into()));
            }
        }
        let mut read: Vec<usize> =
            leaves.iter().flatten().map(|&leaf| schema.get_column_root_idx(leaf)).collect();
        read.sort_unstable();
        read.dedup();
        let root = |leaf: &Option<usize>| {
            leaf.map_or(0, |leaf| read.partition_point(|&root| root < schema.get_column_root_idx(leaf)))
        };
        let path = |leaf: &Option<usize>| {
            leaf.map_or_else(Vec::new, |leaf| schema.column(leaf).path().parts().to_vec())
        };
        let (paths, roots) = (leaves.iter().map(path).collect(), leaves.iter().map(root).collect());
        Ok(Self { leaves, paths, roots })
    }

    /// The leaves to read.
    pub(super) fn leaves(&self) -> Vec<usize> {
        self.leaves.iter().flatten().copied().collect()
    }

    /// Whether the file has the column asked for at this place.
    pub(super) fn has(&self, at: usize) -> bool {
        self.leaves[at].is_some()
    }

    /// The column asked for at this place; `None` where the file does not have it.
    pub(super) fn of<'a>(&self, batch: &'a RecordBatch, at: usize) -> Result<Option<Column<'a>>, TableError> {
        if !self.has(at) {
            return Ok(None);
        }
        let mut column: &ArrayRef = batch.columns().get(self.roots[at]).ok_or_else(other_columns)?;
        let mut around = Vec::new();
        for name in &self.paths[at][1..] {
            around.push(column);
            let fields = column.as_struct_opt().ok_or_else(other_columns)?;
            column = fields.column_by_name(name).ok_or_else(other_columns)?;
        }
        let found = Column::new(column, around);
        let refused = || {
            let of = column.data_type();
            TableError::Unsupported(format!("equality deletes compare a column of the type {of}"))
        };
        found.map(Some).ok_or_else(refused)
    }
}

/// The field id of each leaf.
struct FieldIds(Vec<Option<i32>>);

impl FieldIds {
    fn new(schema: &SchemaDescriptor, mapping: Option<&NameMapping>) -> Result<Self, TableError> {
        let leaves = 0..schema.num_columns();
        if schema.root_schema().get_fields().iter().any(|field| has_ids(field)) {
            let own = |leaf| {
                let leaf = schema.column(leaf);
                let info = leaf.self_type().get_basic_info();
                info.has_id().then(|| info.id())
            };
            return Ok(Self(leaves.map(own).collect()));
        }
        let mapping = mapping.ok_or_else(|| {
            TableError::Unsupported(
                "equality deletes apply to files without field ids, in a table without a name mapping".into(),
            )
        })?;
        let mapped = |leaf| {
            let leaf = schema.column(leaf);
            mapped(leaf.path().parts(), mapping.fields().iter())
        };
        Ok(Self(leaves.map(mapped).collect()))
    }

    fn leaf(&self, id: i32) -> Option<usize> {
        self.0.iter().position(|known| *known == Some(id))
    }
}

fn has_ids(of: &Type) -> bool {
    of.get_basic_info().has_id() || (of.is_group() && of.get_fields().iter().any(|field| has_ids(field)))
}

fn mapped<'a>(path: &[String], mut among: impl Iterator<Item = &'a MappedField>) -> Option<i32> {
    let (name, rest) = path.split_first()?;
    let field = among.find(|field| field.names().iter().any(|known| known == name))?;
    if rest.is_empty() {
        return field.field_id();
    }
    mapped(rest, field.fields().iter().map(AsRef::as_ref).collect::<Vec<&MappedField>>().into_iter())
}
