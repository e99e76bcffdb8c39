//! Tests of the metadata model.

mod input;
mod large;
mod oracle;
mod round_trip;
mod types;
mod updates;
mod v3;
