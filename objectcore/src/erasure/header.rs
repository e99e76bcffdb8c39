//! The header of a shard file: whose shard it is, in 64 bytes.
//!
//! Reads do not need it (each block's hash binds it to its place); it lets tools and the sweep say what a
//! file is, and damage to it is found like any other. All numbers are little-endian.

use super::layout::{BlobId, Coding};

/// The length of the header.
pub(crate) const HEADER_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"TARNSHRD";
const VERSION: u16 = 1;

/// The header of shard `shard` of blob `id`.
pub(crate) fn encode(id: BlobId, coding: &Coding, shard: usize) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[0..8].copy_from_slice(MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[10] = coding.codec;
    bytes[11] = coding.geometry.data() as u8;
    bytes[12] = coding.geometry.parity() as u8;
    bytes[13] = shard as u8;
    bytes[16..20].copy_from_slice(&coding.stripe_bytes.to_le_bytes());
    bytes[20..24].copy_from_slice(&coding.block_bytes.to_le_bytes());
    bytes[24..40].copy_from_slice(&id.0);
    let sum = crc_fast::crc32_iscsi(&bytes[..60]);
    bytes[60..].copy_from_slice(&sum.to_le_bytes());
    bytes
}
