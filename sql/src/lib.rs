//! SQL over Tarn's tables, reports and state: read-only, bounded, in process.
//!
//! - Q1: only what reads is run: checked on the statement (`parse`) and again on its plan (`check`).
//! - Q2: a table that the reader may not read is as if it were not there (`names`).
//! - Q3: every query has limits of rows, bytes, time, memory and disk, and ends when its answer is dropped (`answer`).
//! - Q4: queries compute on threads of their own, which give way to those that serve (`engine`).
//! - Q5: a view grants nothing: the tables it reads are those that the reader may read (`views`).
//!
//! Names are `warehouse.namespace.table`; a namespace of several levels is one quoted name, as `"a.b"`. The server's own
//! state ([`SystemTables`]) is the schema `system` of every warehouse.

mod answer;
mod check;
mod engine;
mod error;
mod format;
mod functions;
mod grid;
mod names;
mod parse;
mod reader;
pub mod reports;
mod settings;
mod stores;
pub mod system;
mod system_tables;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod turns;
mod views;

pub use answer::Answer;
pub use datafusion;
pub use engine::{Engine, Parameters};
pub use error::{Bound, QueryError};
pub use format::{Format, UnknownFormat, WriteError, Writer};
pub use grid::Grid;
pub use reader::Reader;
pub use settings::{Limits, Question, Settings};
pub use system_tables::{NoSystemTables, SYSTEM, SystemScan, SystemTables};
