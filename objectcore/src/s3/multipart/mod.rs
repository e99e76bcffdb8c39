//! Operations of multipart uploads, one file each.

pub(super) mod abort;
pub(super) mod complete;
pub(super) mod create;
pub(super) mod list_parts;
pub(super) mod list_uploads;
pub(super) mod upload_part;
pub(super) mod upload_part_copy;
