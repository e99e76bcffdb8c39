//! Tarn: one binary that is a lakehouse.

mod admin;
pub mod cli;
pub mod client;
pub mod config;
mod console;
mod demo;
mod events;
pub mod identity;
mod inventories;
mod journals;
mod outbound;
pub mod server;
mod stores;
mod webhooks;
