//! Partition specs (table spec, "Partition Specs").
//!
//! - P1: names of partition fields are unique in a spec and not empty.
//! - P2: every source column of the default spec exists in the current schema and fits its
//!   transform; a void field may outlive its column.
//! - P3: in a V1 table the field ids are 1000, 1001, ... in order.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::object::{Extra, InvalidMetadata, ObjectReader, ObjectWriter, write_array};
use super::schema::Schema;
use super::transform::Transform;

/// The field id before the first partition field's.
pub(crate) const LAST_PARTITION_ID_START: i32 = 999;

/// A partition spec of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionSpec {
    /// The spec id.
    pub id: i32,
    /// The fields, in order; none for an unpartitioned table.
    pub fields: Vec<PartitionField>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// A field of a partition spec.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionField {
    /// The source columns: one, but for transforms of several arguments (V3).
    pub source_ids: Vec<i32>,
    /// The partition field id; absent only in specs a client sends.
    pub field_id: Option<i32>,
    /// The name.
    pub name: String,
    /// How the source becomes the partition value.
    pub transform: Transform,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

impl PartitionSpec {
    /// The spec of an unpartitioned table.
    pub fn unpartitioned() -> Self {
        Self { id: 0, fields: Vec::new(), extra: Extra::new() }
    }

    /// Reads a spec; one without `spec-id` gets id 0.
    pub fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("partition spec", value)?;
        let id = object.i32_opt("spec-id")?.unwrap_or(0);
        let fields = Self::fields_from_json(object.array("fields")?)?;
        Ok(Self { id, fields, extra: object.rest() })
    }

    /// Reads the fields of a spec, as V1 tables hold them in `partition-spec`.
    pub(crate) fn fields_from_json(items: Vec<Value>) -> Result<Vec<PartitionField>, InvalidMetadata> {
        items.into_iter().map(PartitionField::parse).collect()
    }

    /// Gives every field without id one: that of an equal field of `known`, else the next after `last`.
    pub(crate) fn with_field_ids(
        mut self,
        known: &[Arc<PartitionSpec>],
        last: i32,
    ) -> Result<Self, InvalidMetadata> {
        let mut equal = BTreeMap::new();
        for field in known.iter().flat_map(|spec| &spec.fields) {
            equal.insert((field.source_ids.clone(), field.transform.to_string()), field.field_id);
        }
        let mut last = self.fields.iter().filter_map(|field| field.field_id).fold(last, i32::max);
        let mut used: HashSet<i32> = self.fields.iter().filter_map(|field| field.field_id).collect();
        for field in self.fields.iter_mut().filter(|field| field.field_id.is_none()) {
            let reused =
                equal.get(&(field.source_ids.clone(), field.transform.to_string())).copied().flatten();
            let id = match reused {
                Some(id) if !used.contains(&id) => id,
                Some(_) | None => {
                    last = last
                        .checked_add(1)
                        .ok_or_else(|| InvalidMetadata::new("no partition field id is left"))?;
                    last
                }
            };
            used.insert(id);
            field.field_id = Some(id);
        }
        Ok(self)
    }

    /// The highest field id, or 999.
    pub fn last_field_id(&self) -> i32 {
        self.fields.iter().filter_map(|field| field.field_id).fold(LAST_PARTITION_ID_START, i32::max)
    }

    /// Whether the two partition alike: same sources, transforms and names in the same order.
    pub(crate) fn compatible_with(&self, other: &Self) -> bool {
        self.fields.len() == other.fields.len()
            && self.fields.iter().zip(&other.fields).all(|(this, that)| {
                this.source_ids == that.source_ids
                    && this.transform == that.transform
                    && this.name == that.name
            })
    }

    /// Checks P1 and the names against the columns.
    pub(crate) fn check_names(&self, schema: &Schema) -> Result<(), InvalidMetadata> {
        let mut names = HashSet::new();
        for field in &self.fields {
            let name = &field.name;
            if name.is_empty() {
                return Err(InvalidMetadata::new("a partition field has an empty name"));
            }
            if !names.insert(name.as_str()) {
                return Err(InvalidMetadata::new(format!(
                    "partition field name '{name}' is used more than once"
                )));
            }
            if schema.column_id(name).is_some_and(|id| field.source_ids != [id]) {
                return Err(InvalidMetadata::new(format!(
                    "partition field '{name}' has the name of a column that is not its source"
                )));
            }
        }
        Ok(())
    }

    /// Checks P2.
    pub(crate) fn check_sources(&self, schema: &Schema) -> Result<(), InvalidMetadata> {
        for field in self.fields.iter().filter(|field| field.transform != Transform::Void) {
            for &source_id in &field.source_ids {
                check_source(schema, source_id, &field.transform)?;
            }
        }
        Ok(())
    }

    /// Checks P3.
    pub(crate) fn has_sequential_ids(&self) -> bool {
        let expected = (LAST_PARTITION_ID_START + 1)..;
        self.fields.iter().zip(expected).all(|(field, id)| field.field_id == Some(id))
    }

    pub(crate) fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::begin(out);
        object.number("spec-id", i64::from(self.id));
        self.write_fields(object.key("fields"));
        object.extra(&self.extra);
        object.end();
    }

    pub(crate) fn write_fields(&self, out: &mut String) {
        write_array(out, &self.fields, |out, field| field.write(out));
    }
}

/// Checks that `source_id` is a column the transform applies to.
pub(crate) fn check_source(
    schema: &Schema,
    source_id: i32,
    transform: &Transform,
) -> Result<(), InvalidMetadata> {
    let source = schema.source(source_id)?;
    if transform.accepts(source) {
        return Ok(());
    }
    Err(InvalidMetadata::new(format!(
        "transform {transform} does not apply to column {source_id} of type {source}"
    )))
}

/// Reads `source-id`, or `source-ids` of a transform with several arguments.
pub(crate) fn read_sources(object: &mut ObjectReader) -> Result<Vec<i32>, InvalidMetadata> {
    match (object.i32_opt("source-id")?, object.i32s_opt("source-ids")?) {
        (_, Some(ids)) if !ids.is_empty() => Ok(ids),
        (Some(id), _) => Ok(vec![id]),
        (None, _) => Err(InvalidMetadata::new("field 'source-id' is missing")),
    }
}

pub(crate) fn write_sources(object: &mut ObjectWriter<'_>, source_ids: &[i32]) {
    match source_ids {
        [id] => object.number("source-id", i64::from(*id)),
        ids => object.i32s("source-ids", ids.iter().copied()),
    }
}

impl PartitionField {
    fn parse(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("partition field", value)?;
        Ok(Self {
            source_ids: read_sources(&mut object)?,
            field_id: object.i32_opt("field-id")?,
            name: object.string("name")?,
            transform: Transform::parse(&object.string("transform")?),
            extra: object.rest(),
        })
    }

    fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::begin(out);
        object.string("name", &self.name);
        object.string("transform", &self.transform.to_string());
        write_sources(&mut object, &self.source_ids);
        object.number_opt("field-id", self.field_id.map(i64::from));
        object.extra(&self.extra);
        object.end();
    }
}
