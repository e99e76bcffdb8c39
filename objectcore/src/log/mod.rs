//! The log of one drive: segments of checksummed records. It is the truth; everything else is a cache of it.
//!
//! `record.rs` frames single records, `epoch.rs` says who belongs to the set, `reader.rs` walks a segment and
//! tells tears from damage, `writer.rs` appends. What a record does to the index is decided in `set/`.

use bytes::Bytes;

pub(crate) mod epoch;
pub(crate) mod reader;
pub(crate) mod record;
pub(crate) mod writer;

/// Where keys live apart from each other. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Space {
    /// Buckets.
    Bucket = 1,
    /// Objects, by bucket and key.
    Object = 2,
    /// Multipart uploads in progress.
    Upload = 3,
    /// Parts of multipart uploads.
    Part = 4,
    /// The set's own notes.
    System = 5,
    /// Changes of objects that were not told yet, in order.
    Journal = 6,
}

impl Space {
    /// Every space there is.
    pub(crate) const ALL: [Self; 6] =
        [Self::Bucket, Self::Object, Self::Upload, Self::Part, Self::System, Self::Journal];

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|space| *space as u8 == number)
    }
}

/// The number of a committed draft: ascending in a set, dense but for a jump at each recovery.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct Seq(pub(crate) u64);

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Put { space: Space, key: Bytes, value: Bytes },
    Delete { space: Space, key: Bytes },
}

impl Op {
    pub(crate) fn space(&self) -> Space {
        match self {
            Self::Put { space, .. } | Self::Delete { space, .. } => *space,
        }
    }

    pub(crate) fn key(&self) -> &Bytes {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }
}

#[cfg(test)]
mod tests;
