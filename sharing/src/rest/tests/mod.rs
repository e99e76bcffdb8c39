//! The front over tables in memory: whole answers are compared.

mod answer;
mod audit;
mod changes;
mod filters;
mod lists;
mod memory;
mod pages;
mod queries;
mod refused;
mod streams;
mod submitted;
mod tables;
mod urls;
mod world;

use serde_json::{Value, json};

use answer::{Answer, told};
use memory::{State, change, deleted_files, files, metadata, version, with_file};
use world::{DELTA, END, LATE, ORDERS, PLAIN, World, world, world_of};

/// A list of files with their kinds, for comparison.
fn kinds(told: &[(&str, u64)]) -> Vec<(String, u64)> {
    told.iter().map(|(kind, number)| ((*kind).to_owned(), *number)).collect()
}

fn invalid(message: &str) -> (u16, String, String) {
    (400, "INVALID_PARAMETER_VALUE".into(), message.into())
}

fn empty() -> Value {
    json!({})
}
