//! What tests of this folder share.

use crate::name::ObjectKey;
use crate::types::{Attributes, ETag, Millis, ObjectInfo};

/// An object that exists only as a value.
pub(crate) fn info(key: &str, size: u64) -> ObjectInfo {
    ObjectInfo {
        key: ObjectKey::new(key).unwrap(),
        size,
        etag: ETag("d41d8cd98f00b204e9800998ecf8427e".into()),
        modified: Millis(0),
        attributes: Attributes::default(),
        checksum: None,
        parts: Vec::new(),
    }
}
