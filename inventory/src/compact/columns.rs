//! From the columns of a file to those of the table, by field id (table spec, "Column Projection").
//!
//! - J1: a column that the file does not have has the value of its identity partition, else its initial default, else
//!   null; a required one without either makes the file unfit.
//! - J2: types change only as the table spec promotes them. What would change a value makes the file unfit.

mod apply;
mod constant;
mod mapping;

use std::collections::HashMap;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use iceberg::arrow::type_to_arrow_type;
use iceberg::spec::{Literal, NestedField, NestedFieldRef, StructType, Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

pub(super) use self::constant::{constant, promoted};
pub(super) use self::mapping::with_ids;
use super::Stop;

const OTHER_TYPES: Stop = Stop::Unfit("with columns of types that the schema's do not come from");

/// Values by field id that a file has by its partition; `None` is null.
pub(super) type Constants = HashMap<i32, Option<Literal>>;

/// How the columns of a file become those wanted.
pub(super) struct Projection {
    columns: Vec<Source>,
    /// The file's columns that are read, ascending.
    roots: Vec<usize>,
}

/// Where a wanted field comes from.
enum Source {
    /// A field of the file: its place among those read.
    Own(usize, Step),
    /// One value for all rows, of the wanted type.
    Constant(ArrayRef),
    /// Null for all rows.
    Null,
}

/// What is done to the values of a field.
enum Step {
    Keep,
    Cast,
    Struct(Vec<Source>),
    List(Box<Step>),
    Map(Box<Step>, Box<Step>),
}

impl Projection {
    /// How `own` becomes `wanted`.
    pub(super) fn new(own: &Fields, wanted: &StructType, constants: &Constants) -> Result<Self, Stop> {
        let mut columns = sources(own, wanted, constants)?;
        let mut roots: Vec<usize> = columns.iter().filter_map(Source::place).collect();
        roots.sort_unstable();
        roots.dedup();
        for source in &mut columns {
            if let Source::Own(at, _) = source {
                // Every place is among the roots.
                *at = roots.partition_point(|root| root < at);
            }
        }
        Ok(Self { columns, roots })
    }

    /// The file's columns to read.
    pub(super) fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// Whether the file has all the columns wanted itself.
    pub(super) fn is_whole(&self) -> bool {
        self.columns.iter().all(|source| source.place().is_some())
    }
}

impl Source {
    fn place(&self) -> Option<usize> {
        match self {
            Self::Own(at, _) => Some(*at),
            Self::Constant(_) | Self::Null => None,
        }
    }
}

/// The field id of a column.
pub(super) fn id(field: &Field) -> Option<i32> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

fn sources(own: &Fields, wanted: &StructType, constants: &Constants) -> Result<Vec<Source>, Stop> {
    wanted.fields().iter().map(|field| source(own, field, constants)).collect()
}

fn source(own: &Fields, wanted: &NestedFieldRef, constants: &Constants) -> Result<Source, Stop> {
    if let Some(at) = own.iter().position(|field| id(field) == Some(wanted.id)) {
        return Ok(Source::Own(at, step(own[at].data_type(), &wanted.field_type, constants)?));
    }
    match constants.get(&wanted.id) {
        Some(Some(literal)) => constant(literal, &wanted.field_type).map(Source::Constant).ok_or(OTHER_TYPES),
        Some(None) => Ok(Source::Null),
        None => missing(wanted),
    }
}

/// J1.
fn missing(wanted: &NestedField) -> Result<Source, Stop> {
    match &wanted.initial_default {
        Some(default) => {
            let value = constant(default, &wanted.field_type);
            value.map(Source::Constant).ok_or(Stop::Unfit("without a column whose default is not primitive"))
        }
        None if wanted.required => Err(Stop::Unfit("without a required column")),
        None => Ok(Source::Null),
    }
}

/// J2.
fn step(own: &DataType, wanted: &Type, constants: &Constants) -> Result<Step, Stop> {
    match (own, wanted) {
        (DataType::Struct(own), Type::Struct(wanted)) => Ok(Step::Struct(sources(own, wanted, constants)?)),
        (DataType::List(own), Type::List(wanted)) => {
            let element = &wanted.element_field;
            Ok(Step::List(Box::new(inner(own, element, constants)?)))
        }
        (DataType::Map(entries, _), Type::Map(wanted)) => {
            let DataType::Struct(own) = entries.data_type() else { return Err(OTHER_TYPES) };
            let [key, value] = &own[..] else { return Err(OTHER_TYPES) };
            let key = inner(key, &wanted.key_field, constants)?;
            Ok(Step::Map(Box::new(key), Box::new(inner(value, &wanted.value_field, constants)?)))
        }
        (own, Type::Primitive(_)) => {
            let arrow = type_to_arrow_type(wanted)?;
            if *own == arrow {
                return Ok(Step::Keep);
            }
            if promotes(own, &arrow) { Ok(Step::Cast) } else { Err(OTHER_TYPES) }
        }
        (_, Type::Struct(_) | Type::List(_) | Type::Map(_)) => Err(OTHER_TYPES),
    }
}

/// An element, key or value: there is just one, and its id must be the one wanted.
fn inner(own: &Field, wanted: &NestedField, constants: &Constants) -> Result<Step, Stop> {
    if id(own) != Some(wanted.id) {
        return Err(OTHER_TYPES);
    }
    step(own.data_type(), &wanted.field_type, constants)
}

/// Whether values of a type of a file are values of the table's type, or come to be by a promotion.
fn promotes(own: &DataType, wanted: &DataType) -> bool {
    match (own, wanted) {
        (DataType::Int32, DataType::Int64)
        | (DataType::Float32, DataType::Float64)
        | (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, DataType::Utf8)
        | (DataType::Binary | DataType::LargeBinary | DataType::BinaryView, DataType::LargeBinary)
        | (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, None)) => true,
        (
            DataType::Decimal32(own, own_scale)
            | DataType::Decimal64(own, own_scale)
            | DataType::Decimal128(own, own_scale),
            DataType::Decimal128(wanted, scale),
        ) => own <= wanted && own_scale == scale,
        // Zones are spelled in several ways, and all mean UTC.
        (DataType::Timestamp(own, own_zone), DataType::Timestamp(wanted, zone)) => {
            own_zone.is_some() == zone.is_some()
                && (own == wanted || matches!((own, wanted), (TimeUnit::Millisecond, TimeUnit::Microsecond)))
        }
        (_own, _wanted) => false,
    }
}
