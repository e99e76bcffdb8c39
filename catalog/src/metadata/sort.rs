//! Sort orders (table spec, "Sorting"). Order id 0 is the unsorted order and no other.

use serde_json::Value;

use super::object::{Extra, InvalidMetadata, ObjectReader, ObjectWriter, write_array};
use super::partition::{check_source, read_sources, write_sources};
use super::schema::Schema;
use super::transform::Transform;

/// A sort order of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct SortOrder {
    /// The order id.
    pub id: i32,
    /// The fields, most significant first.
    pub fields: Vec<SortField>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// A field of a sort order.
#[derive(Debug, Clone, PartialEq)]
pub struct SortField {
    /// The source columns: one, but for transforms of several arguments (V3).
    pub source_ids: Vec<i32>,
    /// How the source becomes the sort value.
    pub transform: Transform,
    /// Which way the values go.
    pub direction: SortDirection,
    /// Where null values go.
    pub null_order: NullOrder,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// Which way sorted values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortDirection {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Where null values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullOrder {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

impl SortOrder {
    /// The unsorted order.
    pub fn unsorted() -> Self {
        Self { id: 0, fields: Vec::new(), extra: Extra::new() }
    }

    /// Reads an order; one without `order-id` gets id 0.
    pub fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("sort order", value)?;
        let id = object.i32_opt("order-id")?.unwrap_or(0);
        let fields = object.array("fields")?.into_iter().map(SortField::parse).collect::<Result<_, _>>()?;
        Ok(Self { id, fields, extra: object.rest() })
    }

    /// Whether this is the unsorted order.
    pub fn is_unsorted(&self) -> bool {
        self.fields.is_empty()
    }

    pub(crate) fn check_sources(&self, schema: &Schema) -> Result<(), InvalidMetadata> {
        for field in &self.fields {
            for &source_id in &field.source_ids {
                check_source(schema, source_id, &field.transform)?;
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::begin(out);
        object.number("order-id", i64::from(self.id));
        write_array(object.key("fields"), &self.fields, |out, field| field.write(out));
        object.extra(&self.extra);
        object.end();
    }
}

impl SortField {
    fn parse(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("sort field", value)?;
        let source_ids = read_sources(&mut object)?;
        let transform = Transform::parse(&object.string("transform")?);
        let direction = match object.string("direction")?.to_ascii_lowercase().as_str() {
            "asc" => SortDirection::Ascending,
            "desc" => SortDirection::Descending,
            other => return Err(InvalidMetadata::new(format!("unknown sort direction '{other}'"))),
        };
        let null_order = match object.string("null-order")?.to_ascii_lowercase().as_str() {
            "nulls-first" => NullOrder::First,
            "nulls-last" => NullOrder::Last,
            other => return Err(InvalidMetadata::new(format!("unknown null order '{other}'"))),
        };
        Ok(Self { source_ids, transform, direction, null_order, extra: object.rest() })
    }

    fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::begin(out);
        object.string("transform", &self.transform.to_string());
        write_sources(&mut object, &self.source_ids);
        object.string(
            "direction",
            match self.direction {
                SortDirection::Ascending => "asc",
                SortDirection::Descending => "desc",
            },
        );
        object.string(
            "null-order",
            match self.null_order {
                NullOrder::First => "nulls-first",
                NullOrder::Last => "nulls-last",
            },
        );
        object.extra(&self.extra);
        object.end();
    }
}
