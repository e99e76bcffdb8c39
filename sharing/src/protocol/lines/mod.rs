//! The lines of an answer: one JSON object each.

mod end;
mod file;
mod head;
#[cfg(test)]
mod tests;
mod text;

pub use end::{End, Fault, end_line};
pub use file::{FileLines, LineError, Part, Stamp};

pub(crate) use head::log_head;
pub use head::{Head, metadata_line, protocol_line, writes_changes};
pub(crate) use text::{object, quoted};
