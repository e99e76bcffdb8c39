//! Statistics of a file, in Delta's JSON (Delta protocol, "Per-file Statistics").
//!
//! Only what is asked for is read, and what is not as it should be counts as absent. Bounds are read as loosely as
//! writers make them: texts may be cut, times cut to milliseconds, decimals and reals rounded to doubles.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::facts::Known;
use super::kind::Kind;
use super::number::Number;
use super::time::{DAY_US, MILLISECOND_US, Moment, ZONE_US, Zone, parse_date, parse_moment};
use super::value::{End, High, Range, Value};

/// Statistics with their objects still closed.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Stats<'a> {
    #[serde(borrow)]
    num_records: Option<&'a RawValue>,
    #[serde(borrow)]
    min_values: Option<&'a RawValue>,
    #[serde(borrow)]
    max_values: Option<&'a RawValue>,
    #[serde(borrow)]
    null_count: Option<&'a RawValue>,
}

/// The one value of an object that is looked for.
struct Member<'n, 'a> {
    name: &'n str,
    found: &'n mut Option<&'a RawValue>,
}

impl<'a> Stats<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// What they tell of a column.
    pub(super) fn known(&self, path: &[String], kind: Kind) -> Known<'a> {
        let records: Option<u64> = self.num_records.and_then(read);
        let nulls: Option<u64> = at(self.null_count, path).and_then(read);
        if nulls.is_some() && nulls == records && records != Some(0) {
            return Known::Nulls;
        }
        // Whether nulls of a struct count as nulls of its fields is up to the writer.
        let no_nulls = nulls == Some(0) && path.len() == 1;
        let low = at(self.min_values, path).and_then(|raw| bound(raw, kind)).map(|(low, _)| low);
        let high = at(self.max_values, path).and_then(|raw| bound(raw, kind)).map(|(_, high)| high);
        let end = End::Prefix;
        let range = Range { low, high: high.map(|value| High { value, end }) }.if_sound();
        Known::Values { range, nulls: !no_nulls, nan: kind == Kind::Real }
    }
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// The value at a path of nested objects.
fn at<'a>(object: Option<&'a RawValue>, path: &[String]) -> Option<&'a RawValue> {
    path.iter().try_fold(object?, |object, name| {
        let mut found = None;
        let mut json = serde_json::Deserializer::from_str(object.get());
        // It fails behind what is found: what follows is not read. What is found was read as JSON before.
        let _ = json.deserialize_map(Member { name, found: &mut found });
        found
    })
}

impl<'a> Visitor<'a> for Member<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(name)) = map.next_key()? {
            if name == self.name {
                *self.found = Some(map.next_value()?);
                return Ok(());
            }
            map.next_value::<de::IgnoredAny>()?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// What a least and a greatest value written so may stand for.
fn bound<'a>(raw: &'a RawValue, kind: Kind) -> Option<(Value<'a>, Value<'a>)> {
    let both = |number| Some((Value::Number(number), Value::Number(number)));
    match kind {
        Kind::Boolean => both(Number::whole(i128::from(read::<bool>(raw)?))),
        Kind::Integer { .. } => both(Number::parse(raw.get())?),
        Kind::Decimal { scale } => {
            let number = Number::parse(raw.get())?;
            // A double tells decimals of up to 15 digits apart.
            let exact =
                number.at_scale(scale).is_some_and(|unscaled| unscaled.unsigned_abs() < 10_u128.pow(15));
            let (low, high) = if exact { (number, number) } else { number.loosened() };
            Some((Value::Number(low), Value::Number(high)))
        }
        // What is compared with it is rounded to floats, so that no rounding of the bound counts.
        Kind::Real => {
            let real = raw.get().parse::<f64>().ok().filter(|real| real.is_finite())?;
            Some((Value::Real(real), Value::Real(real)))
        }
        Kind::Text => {
            let text: Cow<'a, str> = read::<Key<'a>>(raw)?.0;
            Some((Value::Text(text.clone()), Value::Text(text)))
        }
        Kind::Date => both(Number::whole(parse_date(&read::<Key<'a>>(raw)?.0)?.into())),
        Kind::Instant => time(&read::<Key<'a>>(raw)?.0, Zone::Known),
        Kind::Local => time(&read::<Key<'a>>(raw)?.0, Zone::Unknown),
        Kind::Opaque => None,
    }
}

/// A time as a bound. Without the zone that its column should have it may be one in any.
fn time(text: &str, expected: Zone) -> Option<(Value<'static>, Value<'static>)> {
    let Moment { micros, zone, milliseconds, more } = match parse_date(text) {
        // The column had dates once.
        Some(days) => {
            Moment { micros: i128::from(days) * DAY_US, zone: expected, milliseconds: false, more: false }
        }
        None => parse_moment(text)?,
    };
    let slack = if zone == expected { 0 } else { ZONE_US };
    let cut = if milliseconds { MILLISECOND_US } else { i128::from(more) };
    let number = |micros| Value::Number(Number::whole(micros));
    Some((number(micros - slack), number(micros + slack + cut)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(stats: &str, path: &[&str], kind: Kind) -> (bool, Option<String>, Option<String>) {
        let stats: &'static str = stats.to_owned().leak();
        let path: Vec<_> = path.iter().map(|name| (*name).to_owned()).collect();
        match Stats::parse(stats).known(&path, kind) {
            Known::Nulls => panic!("not all of it is null"),
            Known::Bucket { .. } => panic!("statistics tell no buckets"),
            Known::Values { range, nulls, .. } => (
                nulls,
                range.low.map(|low| format!("{low:?}")),
                range.high.map(|high| format!("{:?}", high.value)),
            ),
        }
    }

    #[test]
    fn statistics_that_are_not_what_they_should_be_count_as_absent() {
        let deep = format!("{{\"minValues\":{}{}}}", "{\"a\":".repeat(5000), "}".repeat(5000));
        for stats in [
            "",
            "[]",
            "7",
            "{\"minValues\":7,\"maxValues\":[],\"nullCount\":\"x\"}",
            "{\"minValues\":{\"a\":null},\"maxValues\":{\"a\":{\"a\":1}},\"nullCount\":{\"a\":-1}}",
            "{\"minValues\":{\"a\":1e999999999},\"maxValues\":{\"a\":\"5\"}}",
            "{\"minValues\":{\"a\":9},\"maxValues\":{\"a\":5}}",
            &deep,
        ] {
            assert_eq!(known(stats, &["a"], Kind::Integer { bits: 64 }), (true, None, None), "{stats:.80}");
        }
    }

    #[test]
    fn bounds_are_as_loose_as_writers_make_them() {
        let stats = |low: &str, high: &str| {
            format!("{{\"minValues\":{{\"a\":{low}}},\"maxValues\":{{\"a\":{high}}}}}")
        };
        let micros = |number: i128| Some(format!("{:?}", Value::Number(Number::whole(number))));
        let text = stats("\"1970-01-01T00:00:00.001Z\"", "\"1970-01-01T00:00:00.001Z\"");
        assert_eq!(known(&text, &["a"], Kind::Instant), (true, micros(1000), micros(2000)));
        let text = stats("\"1970-01-01T00:00:00.000001Z\"", "\"1970-01-01T00:00:00.000001\"");
        let (_, low, high) = known(&text, &["a"], Kind::Instant);
        assert_eq!((low, high), (micros(1), micros(1 + ZONE_US)));
        // 123456789012345678.9 as a double.
        let text = stats("123456789012345680.0", "123456789012345680.0");
        let decimal = Stats::parse(&text).known(&["a".to_owned()], Kind::Decimal { scale: 1 });
        let Known::Values { range, .. } = decimal else { panic!("{decimal:?}") };
        let real = Value::Number(Number::parse("123456789012345678.9").unwrap());
        assert!(range.low.unwrap().order(&real).unwrap().is_lt());
    }

    #[test]
    fn null_counts_tell_none_or_all_or_nothing() {
        let of = |count: u64, path: &[&str]| {
            let inner =
                path.iter().rev().fold(count.to_string(), |inner, name| format!("{{\"{name}\":{inner}}}"));
            let text = format!("{{\"numRecords\":4,\"tightBounds\":false,\"nullCount\":{inner}}}");
            let path: Vec<_> = path.iter().map(|name| (*name).to_owned()).collect();
            match Stats::parse(&text).known(&path, Kind::Text) {
                Known::Nulls => "all",
                Known::Values { nulls: true, .. } => "some",
                Known::Values { nulls: false, .. } => "none",
                Known::Bucket { .. } => "a bucket",
            }
        };
        assert_eq!((of(0, &["a"]), of(3, &["a"]), of(4, &["a"])), ("none", "some", "all"));
        assert_eq!((of(0, &["a", "b"]), of(4, &["a", "b"])), ("some", "all"));
    }
}
