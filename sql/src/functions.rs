//! Functions whose values may be far longer than what they are made of: they are asked how long before they make them (Q3).
//!
//! What pools of memory account for is what operators hold; a value that is being made is nobody's yet.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::execution::registry::FunctionRegistry as _;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::{Bound, QueryError};

/// What one call may make for one batch of rows, in bytes.
const VALUES_BYTES_MAX: u64 = 64 << 20;
/// What a character may take, in bytes.
const CHAR_BYTES: u64 = 4;
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
    /// The elements from one number to another.
    Series,
}

const BOUNDED: [(&str, Length); 12] = [
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
];

/// Puts limits before the functions that need one.
pub(crate) fn bound(state: &mut SessionState) -> Result<()> {
    for (name, length) in BOUNDED {
        let Ok(inner) = state.udf(name) else { continue };
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(Bounded { inner, length })))?;
    }
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
            Length::Sum => Ok((0..arrays.len()).map(size).sum::<Result<u64>>()?.saturating_mul(rows as u64)),
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
                Ok(each.fold(0_u64, u64::saturating_add).saturating_mul(ELEMENT_BYTES))
            }
        }
    }
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
