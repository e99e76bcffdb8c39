//! Operations on buckets, one file each.

pub(super) mod acl;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod delete_objects;
pub(super) mod head;
pub(super) mod inventory;
pub(super) mod list;
pub(super) mod list_buckets;
pub(super) mod list_versions;
pub(super) mod metadata;
pub(super) mod settings;
