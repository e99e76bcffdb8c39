//! Transforms of partition and sort fields (table spec, "Partition Transforms").

use super::types::PrimitiveType;

/// How a source value becomes a partition or sort value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Transform {
    /// The value itself.
    Identity,
    /// Always null.
    Void,
    /// Hash modulo the number of buckets.
    Bucket(u32),
    /// Truncated to a width.
    Truncate(u32),
    /// Years since 1970.
    Year,
    /// Months since 1970-01.
    Month,
    /// Days since 1970-01-01.
    Day,
    /// Hours since 1970-01-01 00:00.
    Hour,
    /// A transform this version of Tarn does not know, kept as it came.
    Other(String),
}

impl Transform {
    pub(crate) fn parse(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let argument = |name: &str| -> Option<u32> {
            let inside = lower.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            inside.parse().ok().filter(|&number| number > 0 && number <= i32::MAX as u32)
        };
        match lower.as_str() {
            "identity" => Self::Identity,
            "void" => Self::Void,
            "year" => Self::Year,
            "month" => Self::Month,
            "day" => Self::Day,
            "hour" => Self::Hour,
            _ => argument("bucket")
                .map(Self::Bucket)
                .or_else(|| argument("truncate").map(Self::Truncate))
                .unwrap_or_else(|| Self::Other(text.to_owned())),
        }
    }

    /// Whether the transform applies to values of `source`.
    pub(crate) fn accepts(&self, source: &PrimitiveType) -> bool {
        let is_timestamp = matches!(
            source,
            PrimitiveType::Timestamp
                | PrimitiveType::Timestamptz
                | PrimitiveType::TimestampNs
                | PrimitiveType::TimestamptzNs
        );
        match self {
            Self::Void | Self::Other(_) => true,
            Self::Identity => !matches!(
                source,
                PrimitiveType::Variant | PrimitiveType::Geometry(_) | PrimitiveType::Geography { .. }
            ),
            Self::Bucket(_) => {
                is_timestamp
                    || matches!(
                        source,
                        PrimitiveType::Int
                            | PrimitiveType::Long
                            | PrimitiveType::Decimal { .. }
                            | PrimitiveType::Date
                            | PrimitiveType::Time
                            | PrimitiveType::String
                            | PrimitiveType::Uuid
                            | PrimitiveType::Fixed(_)
                            | PrimitiveType::Binary
                            | PrimitiveType::Unknown
                    )
            }
            Self::Truncate(_) => matches!(
                source,
                PrimitiveType::Int
                    | PrimitiveType::Long
                    | PrimitiveType::Decimal { .. }
                    | PrimitiveType::String
                    | PrimitiveType::Binary
                    | PrimitiveType::Unknown
            ),
            Self::Year | Self::Month | Self::Day => {
                is_timestamp || matches!(source, PrimitiveType::Date | PrimitiveType::Unknown)
            }
            Self::Hour => is_timestamp || matches!(source, PrimitiveType::Unknown),
        }
    }
}

impl std::fmt::Display for Transform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Identity => formatter.write_str("identity"),
            Self::Void => formatter.write_str("void"),
            Self::Bucket(buckets) => write!(formatter, "bucket[{buckets}]"),
            Self::Truncate(width) => write!(formatter, "truncate[{width}]"),
            Self::Year => formatter.write_str("year"),
            Self::Month => formatter.write_str("month"),
            Self::Day => formatter.write_str("day"),
            Self::Hour => formatter.write_str("hour"),
            Self::Other(text) => formatter.write_str(text),
        }
    }
}
