//! Doing to the rows of a file what a projection says.

use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, ListArray, MapArray, RecordBatch, RecordBatchOptions, StructArray, UInt32Array,
    new_null_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Fields, SchemaRef};
use arrow_select::take::take;

use super::{Projection, Source, Step};
use crate::compact::Stop;

impl Projection {
    /// The rows of a batch of the file's columns, with the columns wanted.
    pub(in crate::compact) fn apply(
        &self,
        batch: &RecordBatch,
        wanted: &SchemaRef,
    ) -> Result<RecordBatch, Stop> {
        let columns = fields(&self.columns, batch.columns(), wanted.fields(), batch.num_rows());
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let made =
            columns.and_then(|columns| RecordBatch::try_new_with_options(wanted.clone(), columns, &options));
        made.map_err(|_| Stop::Unfit("with values that the schema's types do not hold"))
    }
}

fn fields(
    sources: &[Source],
    own: &[ArrayRef],
    wanted: &Fields,
    rows: usize,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let one = |(source, wanted): (&Source, &Arc<arrow_schema::Field>)| match source {
        Source::Own(at, step) => apply(step, &own[*at], wanted.data_type()),
        Source::Constant(value) => take(value, &UInt32Array::from(vec![0; rows]), None),
        Source::Null => Ok(new_null_array(wanted.data_type(), rows)),
    };
    sources.iter().zip(wanted).map(one).collect()
}

fn apply(step: &Step, own: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    let other = || ArrowError::SchemaError(format!("{} is not read as {wanted}", own.data_type()));
    match (step, wanted) {
        (Step::Keep, _) => Ok(own.clone()),
        // Not safe: a value that does not fit is an error, not a null.
        (Step::Cast, _) => {
            cast_with_options(own, wanted, &CastOptions { safe: false, ..CastOptions::default() })
        }
        (Step::Struct(sources), DataType::Struct(wanted)) => {
            let own = own.as_any().downcast_ref::<StructArray>().ok_or_else(other)?;
            let columns = fields(sources, own.columns(), wanted, own.len())?;
            let made =
                StructArray::try_new_with_length(wanted.clone(), columns, own.nulls().cloned(), own.len())?;
            Ok(Arc::new(made))
        }
        (Step::List(element), DataType::List(wanted)) => {
            let own = own.as_any().downcast_ref::<ListArray>().ok_or_else(other)?;
            let values = apply(element, own.values(), wanted.data_type())?;
            Ok(Arc::new(ListArray::try_new(
                wanted.clone(),
                own.offsets().clone(),
                values,
                own.nulls().cloned(),
            )?))
        }
        (Step::Map(key, value), DataType::Map(wanted, ordered)) => {
            let own = own.as_any().downcast_ref::<MapArray>().ok_or_else(other)?;
            let DataType::Struct(inner) = wanted.data_type() else { return Err(other()) };
            let [key_field, value_field] = &inner[..] else { return Err(other()) };
            let keys = apply(key, own.keys(), key_field.data_type())?;
            let values = apply(value, own.values(), value_field.data_type())?;
            let entries = StructArray::try_new(inner.clone(), vec![keys, values], None)?;
            let (offsets, nulls) = (own.offsets().clone(), own.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(wanted.clone(), offsets, entries, nulls, *ordered)?))
        }
        (Step::Struct(_) | Step::List(_) | Step::Map(..), _) => Err(other()),
    }
}
