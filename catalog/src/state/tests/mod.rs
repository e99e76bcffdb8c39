//! Tests of the state.

mod checkpoint;
mod machine;
mod names;
mod tables;
