//! Tarn: one binary that is a lakehouse.
