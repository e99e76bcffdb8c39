//! Tests of the metadata model.

mod round_trip;
