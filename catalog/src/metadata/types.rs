//! The types of columns: primitives, structs, lists and maps (table spec, "Schemas and Data Types").
//!
//! Types are compared by meaning, so `decimal(9,2)` equals `decimal(9, 2)`, and written in the
//! form the Java reference writes.

use serde_json::Value;

use super::FormatVersion;
use super::object::{Extra, InvalidMetadata, ObjectReader, ObjectWriter, write_array, write_string};

/// The type of a column, a list element or a map entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// A type without parts.
    Primitive(PrimitiveType),
    /// Named fields.
    Struct(StructType),
    /// A list of one element type.
    List(ListType),
    /// A map of one key type to one value type.
    Map(MapType),
}

/// A type without parts, and the semi-structured type variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrimitiveType {
    /// `boolean`
    Boolean,
    /// `int`, 32 bits
    Int,
    /// `long`, 64 bits
    Long,
    /// `float`, 32 bits
    Float,
    /// `double`, 64 bits
    Double,
    /// `decimal(P, S)`
    Decimal {
        /// Digits, 1 to 38.
        precision: u8,
        /// Digits after the point, not more than `precision`.
        scale: u8,
    },
    /// `date`
    Date,
    /// `time`, microseconds
    Time,
    /// `timestamp`, microseconds without zone
    Timestamp,
    /// `timestamptz`, microseconds with zone
    Timestamptz,
    /// `timestamp_ns`, nanoseconds without zone (V3)
    TimestampNs,
    /// `timestamptz_ns`, nanoseconds with zone (V3)
    TimestamptzNs,
    /// `string`
    String,
    /// `uuid`
    Uuid,
    /// `fixed[L]`
    Fixed(u32),
    /// `binary`
    Binary,
    /// `unknown`: always null (V3)
    Unknown,
    /// `variant` (V3)
    Variant,
    /// `geometry` or `geometry(C)`; `None` is OGC:CRS84 (V3)
    Geometry(Option<String>),
    /// `geography`, `geography(C)` or `geography(C, A)`; `None` is OGC:CRS84 and spherical (V3)
    Geography {
        /// The coordinate reference system.
        crs: Option<String>,
        /// How edges are interpolated.
        algorithm: Option<EdgeAlgorithm>,
    },
}

/// How the edges of a geography are interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeAlgorithm {
    /// On a sphere.
    Spherical,
    /// Vincenty's formulae.
    Vincenty,
    /// Thomas' formulae.
    Thomas,
    /// Andoyer's formulae.
    Andoyer,
    /// Karney's formulae.
    Karney,
}

/// A struct type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StructType {
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// A field of a struct: a column, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The field id, unique in the table.
    pub id: i32,
    /// The name.
    pub name: String,
    /// Whether null is refused.
    pub required: bool,
    /// The type.
    pub field_type: Type,
    /// The comment.
    pub doc: Option<String>,
    /// The value of rows written before the field was added (V3).
    pub initial_default: Option<Value>,
    /// The value writers use when none is given (V3).
    pub write_default: Option<Value>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// A list type.
#[derive(Debug, Clone, PartialEq)]
pub struct ListType {
    /// The field id of the element.
    pub element_id: i32,
    /// Whether a null element is refused.
    pub element_required: bool,
    /// The type of the element.
    pub element: Box<Type>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// A map type.
#[derive(Debug, Clone, PartialEq)]
pub struct MapType {
    /// The field id of the key.
    pub key_id: i32,
    /// The type of the key.
    pub key: Box<Type>,
    /// The field id of the value.
    pub value_id: i32,
    /// Whether a null value is refused.
    pub value_required: bool,
    /// The type of the value.
    pub value: Box<Type>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

const CRS84: &str = "OGC:CRS84";

impl Type {
    pub(crate) fn parse(value: Value) -> Result<Self, InvalidMetadata> {
        if let Value::String(text) = &value {
            return PrimitiveType::parse(text).map(Type::Primitive);
        }
        let mut object = ObjectReader::new("type", value)?;
        let name = object.string("type")?;
        match name.as_str() {
            "struct" => Ok(Type::Struct(StructType::read(object)?)),
            "list" => Ok(Type::List(ListType {
                element_id: object.i32("element-id")?,
                element_required: object.bool("element-required")?,
                element: Box::new(Type::parse(object.required("element")?)?),
                extra: object.rest(),
            })),
            "map" => Ok(Type::Map(MapType {
                key_id: object.i32("key-id")?,
                key: Box::new(Type::parse(object.required("key")?)?),
                value_id: object.i32("value-id")?,
                value_required: object.bool("value-required")?,
                value: Box::new(Type::parse(object.required("value")?)?),
                extra: object.rest(),
            })),
            // The REST specification writes variant as an object.
            "variant" => Ok(Type::Primitive(PrimitiveType::Variant)),
            other => Err(InvalidMetadata::new(format!("unknown type '{other}'"))),
        }
    }

    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Type::Primitive(primitive) => write_string(out, &primitive.to_string()),
            Type::Struct(fields) => {
                let mut object = ObjectWriter::begin(out);
                object.string("type", "struct");
                fields.write_fields(&mut object);
                object.extra(&fields.extra);
                object.end();
            }
            Type::List(list) => {
                let mut object = ObjectWriter::begin(out);
                object.string("type", "list");
                object.number("element-id", i64::from(list.element_id));
                list.element.write(object.key("element"));
                object.bool("element-required", list.element_required);
                object.extra(&list.extra);
                object.end();
            }
            Type::Map(map) => {
                let mut object = ObjectWriter::begin(out);
                object.string("type", "map");
                object.number("key-id", i64::from(map.key_id));
                map.key.write(object.key("key"));
                object.number("value-id", i64::from(map.value_id));
                map.value.write(object.key("value"));
                object.bool("value-required", map.value_required);
                object.extra(&map.extra);
                object.end();
            }
        }
    }
}

impl StructType {
    /// Reads what follows the `type` of a struct.
    pub(crate) fn read(mut object: ObjectReader) -> Result<Self, InvalidMetadata> {
        let fields = object.array("fields")?.into_iter().map(Field::parse).collect::<Result<_, _>>()?;
        Ok(Self { fields, extra: object.rest() })
    }

    pub(crate) fn write_fields(&self, object: &mut ObjectWriter<'_>) {
        write_array(object.key("fields"), &self.fields, |out, field| field.write(out));
    }
}

impl Field {
    fn parse(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("schema field", value)?;
        let field = Self {
            id: object.i32("id")?,
            name: object.string("name")?,
            required: object.bool("required")?,
            field_type: Type::parse(object.required("type")?)?,
            doc: object.string_opt("doc")?,
            initial_default: object.take("initial-default"),
            write_default: object.take("write-default"),
            extra: object.rest(),
        };
        if field.required && field.field_type == Type::Primitive(PrimitiveType::Unknown) {
            let name = &field.name;
            return Err(InvalidMetadata::new(format!(
                "field '{name}': a column of type unknown is optional"
            )));
        }
        for default in [&field.initial_default, &field.write_default].into_iter().flatten() {
            if !default_fits(&field.field_type, default) {
                let name = &field.name;
                return Err(InvalidMetadata::new(format!(
                    "field '{name}': {default} is not a value of its type"
                )));
            }
        }
        Ok(field)
    }

    fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::begin(out);
        object.number("id", i64::from(self.id));
        object.string("name", &self.name);
        object.bool("required", self.required);
        self.field_type.write(object.key("type"));
        if let Some(doc) = &self.doc {
            object.string("doc", doc);
        }
        if let Some(value) = &self.initial_default {
            object.value("initial-default", value);
        }
        if let Some(value) = &self.write_default {
            object.value("write-default", value);
        }
        object.extra(&self.extra);
        object.end();
    }
}

/// Whether `default` has the JSON form of a value of `field_type` (table spec, Appendix D).
fn default_fits(field_type: &Type, default: &Value) -> bool {
    match field_type {
        Type::Struct(_) | Type::Map(_) => default.is_object(),
        Type::List(_) => default.is_array(),
        Type::Primitive(primitive) => match primitive {
            PrimitiveType::Boolean => default.is_boolean(),
            PrimitiveType::Int => default.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            PrimitiveType::Long => default.as_i64().is_some(),
            PrimitiveType::Float | PrimitiveType::Double => default.is_number(),
            PrimitiveType::Decimal { .. }
            | PrimitiveType::Date
            | PrimitiveType::Time
            | PrimitiveType::Timestamp
            | PrimitiveType::Timestamptz
            | PrimitiveType::TimestampNs
            | PrimitiveType::TimestamptzNs
            | PrimitiveType::String
            | PrimitiveType::Uuid
            | PrimitiveType::Fixed(_)
            | PrimitiveType::Binary => default.is_string(),
            // Only null is a default of these, and null reads as absent.
            PrimitiveType::Unknown
            | PrimitiveType::Variant
            | PrimitiveType::Geometry(_)
            | PrimitiveType::Geography { .. } => false,
        },
    }
}

impl PrimitiveType {
    fn parse(text: &str) -> Result<Self, InvalidMetadata> {
        let unknown = || InvalidMetadata::new(format!("unknown type '{text}'"));
        let (name, argument) = split_argument(text).ok_or_else(unknown)?;
        let name = name.to_ascii_lowercase();
        match (name.as_str(), argument) {
            ("decimal", Some(argument)) => parse_decimal(argument).ok_or_else(unknown),
            ("fixed", Some(argument)) => argument.parse().map(Self::Fixed).map_err(|_| unknown()),
            ("geometry", Some(crs)) => Ok(Self::Geometry(crs_of(crs))),
            ("geography", Some(argument)) => parse_geography(argument).ok_or_else(unknown),
            (_, Some(_)) => Err(unknown()),
            ("boolean", None) => Ok(Self::Boolean),
            ("int", None) => Ok(Self::Int),
            ("long", None) => Ok(Self::Long),
            ("float", None) => Ok(Self::Float),
            ("double", None) => Ok(Self::Double),
            ("date", None) => Ok(Self::Date),
            ("time", None) => Ok(Self::Time),
            ("timestamp", None) => Ok(Self::Timestamp),
            ("timestamptz", None) => Ok(Self::Timestamptz),
            ("timestamp_ns", None) => Ok(Self::TimestampNs),
            ("timestamptz_ns", None) => Ok(Self::TimestamptzNs),
            ("string", None) => Ok(Self::String),
            ("uuid", None) => Ok(Self::Uuid),
            ("binary", None) => Ok(Self::Binary),
            ("unknown", None) => Ok(Self::Unknown),
            ("variant", None) => Ok(Self::Variant),
            ("geometry", None) => Ok(Self::Geometry(None)),
            ("geography", None) => Ok(Self::Geography { crs: None, algorithm: None }),
            (_, None) => Err(unknown()),
        }
    }

    /// The first format version that may hold this type.
    pub fn since(&self) -> FormatVersion {
        match self {
            Self::TimestampNs
            | Self::TimestamptzNs
            | Self::Unknown
            | Self::Variant
            | Self::Geometry(_)
            | Self::Geography { .. } => FormatVersion::V3,
            Self::Boolean
            | Self::Int
            | Self::Long
            | Self::Float
            | Self::Double
            | Self::Decimal { .. }
            | Self::Date
            | Self::Time
            | Self::Timestamp
            | Self::Timestamptz
            | Self::String
            | Self::Uuid
            | Self::Fixed(_)
            | Self::Binary => FormatVersion::V1,
        }
    }
}

/// Splits `name`, `name[argument]` or `name(argument)`.
fn split_argument(text: &str) -> Option<(&str, Option<&str>)> {
    let Some(open) = text.find(['(', '[']) else { return Some((text.trim(), None)) };
    let close = if text[open..].starts_with('(') { ')' } else { ']' };
    let inside = text[open + 1..].trim_end().strip_suffix(close)?;
    Some((text[..open].trim(), Some(inside.trim())))
}

fn parse_decimal(argument: &str) -> Option<PrimitiveType> {
    let (precision, scale) = argument.split_once(',')?;
    let (precision, scale): (u8, u8) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=38).contains(&precision) && scale <= precision)
        .then_some(PrimitiveType::Decimal { precision, scale })
}

fn parse_geography(argument: &str) -> Option<PrimitiveType> {
    match argument.rsplit_once(',') {
        None => Some(PrimitiveType::Geography { crs: crs_of(argument), algorithm: None }),
        Some((crs, algorithm)) => {
            let algorithm = EdgeAlgorithm::parse(algorithm.trim())?;
            Some(PrimitiveType::Geography { crs: crs_of(crs.trim()), algorithm: Some(algorithm) })
        }
    }
}

fn crs_of(text: &str) -> Option<String> {
    (!text.is_empty() && !text.eq_ignore_ascii_case(CRS84)).then(|| text.to_owned())
}

impl EdgeAlgorithm {
    const ALL: [(Self, &str); 5] = [
        (Self::Spherical, "spherical"),
        (Self::Vincenty, "vincenty"),
        (Self::Thomas, "thomas"),
        (Self::Andoyer, "andoyer"),
        (Self::Karney, "karney"),
    ];

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(algorithm, _)| *algorithm)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Spherical => "spherical",
            Self::Vincenty => "vincenty",
            Self::Thomas => "thomas",
            Self::Andoyer => "andoyer",
            Self::Karney => "karney",
        }
    }
}

impl std::fmt::Display for PrimitiveType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Decimal { precision, scale } => return write!(formatter, "decimal({precision}, {scale})"),
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::TimestampNs => "timestamp_ns",
            Self::TimestamptzNs => "timestamptz_ns",
            Self::String => "string",
            Self::Uuid => "uuid",
            Self::Fixed(length) => return write!(formatter, "fixed[{length}]"),
            Self::Binary => "binary",
            Self::Unknown => "unknown",
            Self::Variant => "variant",
            Self::Geometry(None) => "geometry",
            Self::Geometry(Some(crs)) => return write!(formatter, "geometry({crs})"),
            Self::Geography { crs: None, algorithm: None } => "geography",
            Self::Geography { crs: Some(crs), algorithm: None } => {
                return write!(formatter, "geography({crs})");
            }
            Self::Geography { crs, algorithm: Some(algorithm) } => {
                let crs = crs.as_deref().unwrap_or(CRS84);
                return write!(formatter, "geography({crs}, {})", algorithm.name());
            }
        };
        formatter.write_str(name)
    }
}
