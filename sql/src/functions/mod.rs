//! Functions whose values may be far longer than what they are made of: they are asked how long before they make them (Q3).
//!
//! What pools of memory account for is what operators hold; a value that is being made is nobody's yet.

mod concat;

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::execution::registry::FunctionRegistry as _;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use self::concat::{AsFunction, Concat};
use crate::{Bound, QueryError};

/// What one call may make for one batch of rows, in bytes.
const VALUES_BYTES_MAX: u64 = 64 << 20;
/// What a character may take, in bytes.
const CHAR_BYTES: u64 = 4;
/// What a sign of a format makes at most, in bytes: the longest name of a day, a month or a zone.
const FORMATTED_BYTES: u64 = 16;
const DAY_NANOSECONDS: u64 = 86_400_000_000_000;
/// What an element of a list takes beside its value, in bytes.
const ELEMENT_BYTES: u64 = 8;

/// How long the values of a function are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Length {
    /// The first argument, as often as the second says.
    Times,
    /// So many characters as the second argument says.
    Characters,
    /// So many elements as the second argument says.
    Elements,
    /// The first argument, with the third in each place.
    Replaced,
    /// All arguments together.
    Sum,
    /// The elements of the first argument, with the second between them.
    Joined,
    /// What the second argument, a format, makes of each value.
    Formatted,
    /// Not the value but the work: each character of the first argument with each of the second.
    Compared,
    /// The elements from one number to another.
    Series,
}

const BOUNDED: [(&str, Length); 15] = [
    ("repeat", Length::Times),
    ("array_repeat", Length::Times),
    ("lpad", Length::Characters),
    ("rpad", Length::Characters),
    ("array_resize", Length::Elements),
    ("replace", Length::Replaced),
    ("regexp_replace", Length::Replaced),
    ("concat", Length::Sum),
    ("concat_ws", Length::Sum),
    ("array_concat", Length::Sum),
    ("range", Length::Series),
    ("generate_series", Length::Series),
    ("array_to_string", Length::Joined),
    ("to_char", Length::Formatted),
    ("levenshtein", Length::Compared),
];

/// Puts limits before the functions that need one.
pub(crate) fn bound(state: &mut SessionState) -> Result<()> {
    for (name, length) in BOUNDED {
        let Ok(inner) = state.udf(name) else { continue };
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(Bounded { inner, length })))?;
    }
    let inner = Arc::new(ScalarUDF::new_from_impl(Concat::new()));
    let concat = Arc::new(ScalarUDF::new_from_impl(Bounded { inner, length: Length::Sum }));
    // Lists are joined by planners that come before.
    state.register_expr_planner(Arc::new(AsFunction(concat)))?;
    Ok(())
}

/// A function that refuses to make too much.
#[derive(Debug, PartialEq, Eq)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    length: Length,
}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
        self.length.hash(state);
    }
}

impl Bounded {
    /// How far apart the elements of a series are at least, in units of its ends: nanoseconds of moments, days of dates.
    fn step(&self, args: &ScalarFunctionArgs) -> u64 {
        let nanoseconds = match args.args.get(2) {
            Some(ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(Some(step)))) => {
                let days = i64::from(step.months).abs() * 28 + i64::from(step.days).abs();
                (days.unsigned_abs() * DAY_NANOSECONDS).saturating_add(step.nanoseconds.unsigned_abs())
            }
            Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(step)))) => return step.unsigned_abs().max(1),
            _other => return 1,
        };
        let unit = match args.arg_fields.first().map(|field| field.data_type()) {
            Some(DataType::Date32) => DAY_NANOSECONDS,
            Some(DataType::Timestamp(TimeUnit::Second, _)) => 1_000_000_000,
            Some(DataType::Timestamp(TimeUnit::Millisecond, _)) => 1_000_000,
            Some(DataType::Timestamp(TimeUnit::Microsecond, _)) => 1_000,
            _other => 1,
        };
        (nanoseconds / unit).max(1)
    }

    /// About how many bytes the values take.
    fn bytes(&self, args: &ScalarFunctionArgs) -> Result<u64> {
        let is_one = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_one { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let number = |at: usize| -> Result<Option<Int64Array>> {
            let Some(array) = arrays.get(at) else { return Ok(None) };
            Ok(Some(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone()))
        };
        let size = |at: usize| arrays.get(at).map_or(Ok(0), longest);
        let counted = |unit: u64| -> Result<u64> {
            let counts = number(1)?;
            let counts = counts.iter().flat_map(|counts| counts.iter().flatten());
            let all = counts.map(|count| u64::try_from(count).unwrap_or(0)).fold(0_u64, u64::saturating_add);
            Ok(all.saturating_mul(unit))
        };
        match self.length {
            Length::Times => counted(size(0)? + ELEMENT_BYTES),
            Length::Characters => counted(CHAR_BYTES),
            Length::Elements => counted(ELEMENT_BYTES + size(2)?),
            Length::Replaced => Ok((rows as u64).saturating_mul(size(0)? + 1).saturating_mul(size(2)? + 1)),
            Length::Sum => arrays.iter().map(total).sum(),
            Length::Joined => {
                let Some(lists) = arrays.first() else { return Ok(0) };
                let elements = elements(lists)?;
                Ok(total(lists)?.saturating_add(elements.saturating_mul(size(1)?.saturating_add(size(2)?))))
            }
            Length::Formatted => Ok((rows as u64).saturating_mul(size(1)?).saturating_mul(FORMATTED_BYTES)),
            Length::Compared => Ok((rows as u64).saturating_mul(size(0)?).saturating_mul(size(1)?)),
            Length::Series => {
                let (first, last) = (number(0)?, number(1)?);
                let (first, last) = match (first, last) {
                    (Some(first), Some(last)) => (first, last),
                    (Some(only), None) => (Int64Array::from(vec![0; only.len()]), only),
                    (None, _) => return Ok(0),
                };
                let each = first.iter().zip(last.iter()).map(|(first, last)| match (first, last) {
                    (Some(first), Some(last)) => last.abs_diff(first),
                    _none => 0,
                });
                let all = each.fold(0_u64, u64::saturating_add).saturating_mul(ELEMENT_BYTES);
                Ok(all / self.step(args))
            }
        }
    }
}

/// The bytes of all values.
fn total(array: &ArrayRef) -> Result<u64> {
    Ok(match array.data_type() {
        DataType::Utf8View => array.as_string_view().lengths().map(u64::from).sum(),
        _other => array.to_data().get_slice_memory_size()? as u64,
    })
}

/// The elements of all lists.
fn elements(lists: &ArrayRef) -> Result<u64> {
    Ok(match lists.data_type() {
        DataType::List(_) => lists.as_list::<i32>().iter().flatten().map(|list| list.len() as u64).sum(),
        DataType::LargeList(_) => lists.as_list::<i64>().iter().flatten().map(|list| list.len() as u64).sum(),
        _other => lists.to_data().get_slice_memory_size()? as u64,
    })
}

/// The bytes of the longest value, or what values take on the average where they are no texts.
fn longest(array: &ArrayRef) -> Result<u64> {
    let text = match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => cast(array, &DataType::LargeUtf8)?,
        _other => {
            let bytes = array.to_data().get_slice_memory_size()? as u64;
            return Ok(bytes.div_ceil(array.len().max(1) as u64));
        }
    };
    Ok(text.as_string::<i64>().iter().flatten().map(str::len).max().unwrap_or(0) as u64)
}

impl ScalarUDFImpl for Bounded {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes = self.bytes(&args)?;
        if bytes > VALUES_BYTES_MAX {
            let function = self.name().to_owned();
            return Err(QueryError::from(Bound::Value { function, bytes, max: VALUES_BYTES_MAX }).into());
        }
        self.inner.invoke_with_args(args)
    }
}
