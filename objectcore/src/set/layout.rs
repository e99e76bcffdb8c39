//! How drives form sets and which set a key belongs to.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::geometry::Geometry;

/// The drives cannot be laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLayout {
    /// There are no drives.
    #[error("there are no drives")]
    NoDrives,
    /// No set size from 2 to 16 divides the number of drives.
    #[error("{drives} drives cannot be split into equal sets of 2 to 16 drives")]
    Uneven {
        /// How many there are.
        drives: usize,
    },
    /// The parity leaves too few data shards.
    #[error("{parity} parity shards are too many for sets of {drives} drives")]
    Parity {
        /// The parity asked for.
        parity: u8,
        /// The drives of a set.
        drives: usize,
    },
}

/// The geometry of a set of `drives` drives; `parity` overrides the default.
pub fn geometry_for(drives: usize, parity: Option<u8>) -> Result<Geometry, InvalidLayout> {
    if drives == 0 {
        return Err(InvalidLayout::NoDrives);
    }
    if drives > Geometry::DRIVES_MAX {
        return Err(InvalidLayout::Uneven { drives });
    }
    let parity = parity.unwrap_or(match drives {
        1 => 0,
        2 | 3 => 1,
        4 | 5 => 2,
        6 | 7 => 3,
        _ => 4,
    });
    let refused = InvalidLayout::Parity { parity, drives };
    let data = (drives as u8).checked_sub(parity).ok_or(refused)?;
    Geometry::new(data, parity).map_err(|_| refused)
}

/// The fewest drives that make a write count: with one parity shard or none the data shards, so that three
/// drives go on with two; otherwise one more.
pub fn writes_needed(geometry: Geometry) -> usize {
    if geometry.parity() <= 1 { geometry.data() } else { geometry.data() + 1 }
}

/// The drives of each set, when `drives` drives are given: as few sets as possible, all of one size.
pub fn set_size(drives: usize) -> Result<usize, InvalidLayout> {
    match drives {
        0 => Err(InvalidLayout::NoDrives),
        1..=Geometry::DRIVES_MAX => Ok(drives),
        _ => (2..=Geometry::DRIVES_MAX)
            .rev()
            .find(|size| drives.is_multiple_of(*size))
            .ok_or(InvalidLayout::Uneven { drives }),
    }
}

/// The set of a key: SipHash-2-4 keyed by the deployment over bucket, NUL and key.
pub fn set_of(deployment: u128, sets: usize, bucket: &str, key: &str) -> usize {
    let mut hasher = SipHasher24::new_with_keys((deployment >> 64) as u64, deployment as u64);
    hasher.write(bucket.as_bytes());
    hasher.write(&[0]);
    hasher.write(key.as_bytes());
    (hasher.finish() % sets as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_follows_the_number_of_drives() {
        let expected = [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 3), (4, 4), (5, 4)];
        for (drives, (data, parity)) in (1..).zip(expected) {
            let geometry = geometry_for(drives, None).unwrap();
            assert_eq!((geometry.data(), geometry.parity()), (data, parity), "{drives} drives");
        }
        assert_eq!(geometry_for(16, None).unwrap().data(), 12);
        assert_eq!(geometry_for(6, Some(2)).unwrap().data(), 4);
        assert!(geometry_for(4, Some(3)).is_err());
        assert!(geometry_for(4, Some(9)).is_err());
        assert!(geometry_for(0, None).is_err());
    }

    #[test]
    fn drives_split_into_equal_sets() {
        assert_eq!(set_size(16), Ok(16));
        assert_eq!(set_size(20), Ok(10));
        assert_eq!(set_size(48), Ok(16));
        assert_eq!(set_size(17), Err(InvalidLayout::Uneven { drives: 17 }));
    }

    #[test]
    fn placement_is_stable_and_uses_every_set() {
        let counts = (0..4000).fold([0; 4], |mut counts, i| {
            counts[set_of(7, 4, "bucket", &format!("key-{i}"))] += 1;
            counts
        });
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        // Pinned: objects are found by it for ever.
        assert_eq!(set_of(1, 1 << 30, "main", "a/b"), 733_953_941);
    }
}
