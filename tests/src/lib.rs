//! End-to-end tests of Tarn live in `it/`; this library is empty.
