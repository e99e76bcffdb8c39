//! What manifest lists and manifests name. Both may be of any version, and of tables with types that are not known here.

pub use crate::scan::Content;
use crate::scan::{InvalidAvro, named_files, named_manifests};

/// A manifest list or a manifest is not what it must be, or unpacks to more than is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidManifest(#[from] InvalidAvro);

/// The manifests that a manifest list names. No more than `unpacked_bytes_max` are unpacked.
pub fn manifests(list: &[u8], unpacked_bytes_max: usize) -> Result<Vec<String>, InvalidManifest> {
    Ok(named_manifests(list, unpacked_bytes_max)?)
}

/// The files that are live in a manifest: added by it or taken over. No more than `unpacked_bytes_max` are unpacked.
pub fn live_files(
    manifest: &[u8],
    unpacked_bytes_max: usize,
) -> Result<Vec<(Content, String)>, InvalidManifest> {
    Ok(named_files(manifest, unpacked_bytes_max)?)
}
