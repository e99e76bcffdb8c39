//! Objects: how they are kept, written, read, listed and removed.

pub(crate) mod blob_writer;
pub(crate) mod buffers;
mod copy;
mod delete;
mod flow;
mod get;
pub(crate) mod in_flight;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod pins;
pub(crate) mod publish;
mod put;
pub(crate) mod receive;
pub(crate) mod removal;
pub(crate) mod shards;
mod small;
pub(crate) mod sweep;
mod tag;
pub(crate) mod value;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod sweep_tests;
#[cfg(test)]
mod tag_tests;
#[cfg(test)]
mod tests;
