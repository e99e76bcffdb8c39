//! Delta Sharing over Tarn's tables. Not there yet: this crate holds no code.
