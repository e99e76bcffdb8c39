//! Tests of the state.

mod checkpoint;
mod claims;
mod dropped;
mod format;
mod functions;
mod machine;
mod names;
mod places;
mod tables;
mod views;
