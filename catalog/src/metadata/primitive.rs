//! The types without parts (table spec, "Primitive Types"), and variant.

use super::FormatVersion;
use super::object::InvalidMetadata;

const CRS84: &str = "OGC:CRS84";

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

impl PrimitiveType {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidMetadata> {
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
