//! The catalog as a whole over stores in memory.

mod basics;
mod batches;
mod dropped;
mod faults;
mod history;
mod idempotency;
mod isolation;
mod pace;
mod purge;
mod restart;
mod rollback;
mod serializability;
mod views;
