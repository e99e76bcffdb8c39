//! Operations on objects, one file each.

pub(super) mod attributes;
pub(super) mod copy;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod head;
pub(super) mod put;
mod read;
pub(super) mod settings;
pub(super) mod tagging;
