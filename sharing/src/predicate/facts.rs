//! What is known of a column's values in a file.

use super::column::Column;
use super::hidden;
use super::kind::{Kind, integers};
use super::literal::parse_integer;
use super::number::Number;
use super::stats::Stats;
use super::time::{DAY_US, ZONE_US, Zone, parse_date, parse_moment};
use super::value::{Range, Value};
use crate::table::DataFile;

/// A statement about the values of a column in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known<'a> {
    /// All are null.
    Nulls,
    Values {
        range: Range<'a>,
        /// Whether some may be null.
        nulls: bool,
        /// Whether some may be NaN.
        nan: bool,
    },
    /// None is null, and their hash is in this bucket of a hidden field.
    Bucket { field: usize, bucket: i64 },
}

/// Statements about each column that a predicate names.
pub(super) struct Facts<'a>(Vec<Vec<Known<'a>>>);

impl<'a> Facts<'a> {
    pub(super) fn of(columns: &[Column], file: &'a DataFile<'a>) -> Self {
        let mut stats = None;
        Self(columns.iter().map(|column| of_column(column, file, &mut stats)).collect())
    }

    pub(super) fn of_column(&self, position: usize) -> &[Known<'a>] {
        &self.0[position]
    }
}

fn of_column<'a>(column: &Column, file: &'a DataFile<'a>, stats: &mut Option<Stats<'a>>) -> Vec<Known<'a>> {
    let partition_value = || file.partition_values.iter().find(|(name, _)| *name == column.path[0]);
    if column.partition
        && let Some((_, value)) = partition_value()
    {
        return vec![of_partition(column.kind, *value)];
    }
    let mut known = Vec::new();
    if let Some(text) = file.stats {
        known.push(stats.get_or_insert_with(|| Stats::parse(text)).known(&column.path, column.kind));
    }
    let hidden = column.hidden.iter().filter_map(|(field, transform)| {
        // No value may mean null, or that the file is older than the field.
        let value = file.hidden.get(*field).copied().flatten().filter(|value| !value.is_empty())?;
        hidden::known(column.kind, *transform, *field, value)
    });
    known.extend(hidden);
    known
}

/// What a partition value tells (Delta protocol, "Partition Value Serialization").
fn of_partition(kind: Kind, value: Option<&str>) -> Known<'_> {
    match value {
        None => Known::Nulls,
        // Null; but a reader of the parquet format may take it for a text.
        Some("") if matches!(kind, Kind::Text | Kind::Opaque) => unknown(kind),
        Some("") => Known::Nulls,
        Some(text) => exactly(kind, text).map_or_else(|| unknown(kind), values),
    }
}

/// The values that a partition value stands for; `None` where readers may differ about it.
pub(super) fn exactly(kind: Kind, text: &str) -> Option<Range<'_>> {
    let point = |number| Some(Range::point(Value::Number(Number::whole(number))));
    match kind {
        Kind::Boolean if text == "true" => point(1),
        Kind::Boolean if text == "false" => point(0),
        Kind::Boolean => None,
        Kind::Integer { bits } => {
            let whole = parse_integer(text)?.to_whole()?;
            let (least, most) = integers(bits);
            if (least..=most).contains(&whole) { point(whole) } else { None }
        }
        Kind::Decimal { scale } => {
            let number = Number::parse(text)?;
            number.at_scale(scale).map(|_| Range::point(Value::Number(number)))
        }
        Kind::Real => {
            let real = text.parse::<f64>().ok().filter(|real| real.is_finite())?;
            Some(Range::point(Value::Real(real)))
        }
        Kind::Text => Some(Range::point(Value::Text(text.into()))),
        Kind::Date => point(parse_date(text)?.into()),
        Kind::Instant => moment(text, Zone::Known),
        Kind::Local => moment(text, Zone::Unknown),
        Kind::Opaque => None,
    }
}

/// A time; without the zone that its column should have, in any.
fn moment(text: &str, expected: Zone) -> Option<Range<'static>> {
    let (micros, zone, more) = match parse_date(text) {
        Some(days) => (i128::from(days) * DAY_US, Zone::Unknown, false),
        None => parse_moment(text).map(|moment| (moment.micros, moment.zone, moment.more))?,
    };
    let slack = if zone == expected { 0 } else { ZONE_US };
    let number = |micros| Number::whole(micros);
    Some(Range::numbers(number(micros - slack), number(micros + slack + i128::from(more))))
}

pub(super) fn values(range: Range<'_>) -> Known<'_> {
    Known::Values { range, nulls: false, nan: false }
}

fn unknown(kind: Kind) -> Known<'static> {
    Known::Values { range: Range::default(), nulls: true, nan: kind == Kind::Real }
}
