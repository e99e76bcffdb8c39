//! The engine, over a catalog in memory.

mod lake;
mod limits;
mod queries;
mod tables;
mod views;
