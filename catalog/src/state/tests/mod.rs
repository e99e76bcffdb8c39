//! Tests of the state.

mod tables;
