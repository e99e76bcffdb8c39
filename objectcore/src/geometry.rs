//! The shape of an erasure set: how many shards carry data and how many carry parity.

use serde::{Deserialize, Serialize};

/// `data` shards hold the bytes, `parity` more let as many be lost. `data + parity` is the number
/// of drives of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u8, u8)", into = "(u8, u8)")]
pub struct Geometry {
    data: u8,
    parity: u8,
}

/// The two numbers make no erasure set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{data} data and {parity} parity shards make no set: 1 to 16 drives, parity at most data")]
pub struct InvalidGeometry {
    /// The data shards asked for.
    pub data: u8,
    /// The parity shards asked for.
    pub parity: u8,
}

impl Geometry {
    /// The most drives of one set.
    pub const DRIVES_MAX: usize = 16;

    /// Checks the numbers: at least one data shard, parity at most data, 16 drives in all.
    pub fn new(data: u8, parity: u8) -> Result<Self, InvalidGeometry> {
        let total = usize::from(data) + usize::from(parity);
        if data == 0 || parity > data || total > Self::DRIVES_MAX {
            return Err(InvalidGeometry { data, parity });
        }
        Ok(Self { data, parity })
    }

    /// The shards that hold the bytes; as many intact ones suffice for a read.
    pub fn data(self) -> usize {
        usize::from(self.data)
    }

    /// The shards that may be lost.
    pub fn parity(self) -> usize {
        usize::from(self.parity)
    }

    /// All shards, one for each drive of the set.
    pub fn total(self) -> usize {
        self.data() + self.parity()
    }
}

impl TryFrom<(u8, u8)> for Geometry {
    type Error = InvalidGeometry;

    fn try_from((data, parity): (u8, u8)) -> Result<Self, Self::Error> {
        Self::new(data, parity)
    }
}

impl From<Geometry> for (u8, u8) {
    fn from(geometry: Geometry) -> Self {
        (geometry.data, geometry.parity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geometry_has_data_no_more_parity_than_data_and_at_most_sixteen_drives() {
        for (data, parity) in [(1, 0), (1, 1), (2, 1), (2, 2), (12, 4), (16, 0), (8, 8)] {
            let geometry = Geometry::new(data, parity).expect("valid");
            assert_eq!(geometry.total(), usize::from(data + parity));
        }
        for (data, parity) in [(0, 0), (0, 1), (1, 2), (13, 4), (255, 255)] {
            assert_eq!(Geometry::new(data, parity), Err(InvalidGeometry { data, parity }));
        }
    }
}
