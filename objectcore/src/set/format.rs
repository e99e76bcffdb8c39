//! `format.json`: which deployment, set and slot a drive belongs to. Written once, when the drive is first used.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::geometry::Geometry;

/// The newest format this code writes and reads.
pub(crate) const VERSION: u32 = 1;

/// The content of `format.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Format {
    pub(crate) version: u32,
    pub(crate) deployment: Uuid,
    pub(crate) drive: Uuid,
    pub(crate) set: u16,
    pub(crate) slot: u16,
    pub(crate) sets: u16,
    pub(crate) geometry: Geometry,
    /// CRC-32C over the other fields as written, in hex.
    #[serde(default)]
    pub(crate) check: String,
}

/// Why a `format.json` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidFormat {
    #[error("its format has version {0}, newer than this program")]
    Newer(u32),
    #[error("its format.json is damaged: {0}")]
    Damaged(String),
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

impl Format {
    fn checksum(&self) -> String {
        let bare = Self { check: String::new(), ..self.clone() };
        let text = serde_json::to_string(&bare).expect("a format is plain data");
        format!("{:08x}", crc_fast::crc32_iscsi(text.as_bytes()))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let whole = Self { check: self.checksum(), ..self.clone() };
        let mut text = serde_json::to_vec_pretty(&whole).expect("a format is plain data");
        text.push(b'\n');
        text
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, InvalidFormat> {
        let damaged = |error: serde_json::Error| InvalidFormat::Damaged(error.to_string());
        let version = serde_json::from_slice::<VersionOnly>(bytes).map_err(damaged)?.version;
        if version > VERSION {
            return Err(InvalidFormat::Newer(version));
        }
        let mut format: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        if format.check != format.checksum() {
            return Err(InvalidFormat::Damaged("the checksum differs".into()));
        }
        format.check = String::new();
        let valid = Geometry::new(format.geometry.data() as u8, format.geometry.parity() as u8).is_ok();
        if !valid || format.set >= format.sets || usize::from(format.slot) >= format.geometry.total() {
            return Err(InvalidFormat::Damaged("the layout is impossible".into()));
        }
        Ok(format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Format {
        Format {
            version: 1,
            deployment: Uuid::from_u128(1),
            drive: Uuid::from_u128(2),
            set: 0,
            slot: 3,
            sets: 1,
            geometry: Geometry::new(2, 2).unwrap(),
            check: String::new(),
        }
    }

    #[test]
    fn a_format_reads_back_and_no_flipped_bit_changes_it() {
        let bytes = example().encode();
        assert_eq!(Format::decode(&bytes), Ok(example()));
        for at in 0..bytes.len() {
            for mask in [1, 0x20, 0x80] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                // White space may change; what it says may not.
                if let Ok(format) = Format::decode(&flipped) {
                    assert_eq!(format, example(), "byte {at} mask {mask}");
                }
            }
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_version() {
        let text = r#"{"version": 9, "something": "else"}"#;
        assert_eq!(Format::decode(text.as_bytes()), Err(InvalidFormat::Newer(9)));
    }
}
