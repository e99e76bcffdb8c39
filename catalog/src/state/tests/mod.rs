//! Tests of the state.

mod checkpoint;
mod format;
mod functions;
mod machine;
mod names;
mod places;
mod tables;
mod views;
