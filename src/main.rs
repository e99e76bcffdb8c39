//! The `tarn` program.
fn main() {}
