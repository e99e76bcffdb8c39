//! The catalog as a whole over stores in memory.

mod basics;
mod faults;
mod history;
mod isolation;
mod purge;
mod restart;
