//! The checksums of S3: computing them, and combining those of parts.

use crc_fast::{CrcAlgorithm, Digest as Crc};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::types::{Checksum, ChecksumAlgorithm, ChecksumKind};

/// A checksum being computed.
pub(crate) enum Hasher {
    Crc(ChecksumAlgorithm, Box<Crc>),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> Self {
        match crc(algorithm) {
            Some((crc, _)) => Self::Crc(algorithm, Box::new(Crc::new(crc))),
            None if algorithm == ChecksumAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            None => Self::Sha256(Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, crc) => crc.update(bytes),
            Self::Sha1(sha) => sha.update(bytes),
            Self::Sha256(sha) => sha.update(bytes),
        }
    }

    /// The checksum of what was given, big-endian.
    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc(algorithm, crc) => value(algorithm, crc.finalize()),
            Self::Sha1(sha) => sha.finalize().to_vec(),
            Self::Sha256(sha) => sha.finalize().to_vec(),
        }
    }
}

/// The CRC and its length in bytes, where the algorithm is one.
fn crc(algorithm: ChecksumAlgorithm) -> Option<(CrcAlgorithm, usize)> {
    match algorithm {
        ChecksumAlgorithm::Crc32 => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
        ChecksumAlgorithm::Crc32c => Some((CrcAlgorithm::Crc32Iscsi, 4)),
        ChecksumAlgorithm::Crc64Nvme => Some((CrcAlgorithm::Crc64Nvme, 8)),
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
    }
}

fn value(algorithm: ChecksumAlgorithm, sum: u64) -> Vec<u8> {
    let length = crc(algorithm).map_or(8, |(_, length)| length);
    sum.to_be_bytes()[8 - length..].to_vec()
}

/// The checksum of an object from those of its parts: `(size, checksum)` in order. `None` where the
/// kind and algorithm do not go together.
pub(crate) fn of_parts<'a>(
    (algorithm, kind): (ChecksumAlgorithm, ChecksumKind),
    parts: impl Iterator<Item = (u64, &'a [u8])>,
) -> Option<Checksum> {
    let value = match kind {
        ChecksumKind::Composite => {
            let mut hasher = Hasher::new(algorithm);
            parts.for_each(|(_, sum)| hasher.update(sum));
            hasher.finish()
        }
        ChecksumKind::FullObject => {
            let (crc, _) = crc(algorithm)?;
            let sum = parts.fold(None, |sum, (size, next)| {
                let next = next.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
                Some(sum.map_or(next, |sum| crc_fast::checksum_combine(crc, sum, next, size)))
            });
            self::value(algorithm, sum.unwrap_or(0))
        }
    };
    Some(Checksum { algorithm, kind, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Vec<u8> {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn checksums_have_their_published_values() {
        let values = [
            (ChecksumAlgorithm::Crc32, "cbf43926"),
            (ChecksumAlgorithm::Crc32c, "e3069283"),
            (ChecksumAlgorithm::Crc64Nvme, "ae8b14860a799888"),
            (ChecksumAlgorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (ChecksumAlgorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ];
        for (algorithm, value) in values {
            assert_eq!(hex::encode(sum(algorithm, b"123456789")), value);
        }
    }

    #[test]
    fn the_crc_of_the_whole_follows_from_those_of_uneven_parts() {
        for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme] {
            let parts: [&[u8]; 4] = [b"1234", b"", b"56", b"789"];
            let sums: Vec<(u64, Vec<u8>)> =
                parts.iter().map(|part| (part.len() as u64, sum(algorithm, part))).collect();
            let parts = sums.iter().map(|(size, sum)| (*size, &sum[..]));
            let whole = of_parts((algorithm, ChecksumKind::FullObject), parts).unwrap();
            assert_eq!(whole.value, sum(algorithm, b"123456789"));
        }
        assert_eq!(of_parts((ChecksumAlgorithm::Sha1, ChecksumKind::FullObject), std::iter::empty()), None);
    }
}
