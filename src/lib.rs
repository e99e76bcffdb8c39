//! Tarn: one binary that is a lakehouse.

pub mod cli;
pub mod client;
pub mod config;
pub mod identity;
pub mod server;
