//! Planning tested against rows, against the `iceberg` crate's files, and against a store.

mod filters;
pub(crate) mod lake;
mod limits;
mod oracle;
mod planner;
mod soundness;
