//! The engine, over a catalog in memory.

mod limits;
mod queries;
