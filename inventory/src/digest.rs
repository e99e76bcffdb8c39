//! Paths as digests: a set of them is small, whatever the paths' lengths.
//!
//! - D1: two spellings of one object have one digest: the schemes `s3`, `s3a` and `s3n` are one, repeated slashes
//!   count once.
//! - D2: 128 bits of SHA-256: a manifest must not be taken for another that was read already.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest(u128);

/// One of `of` equal parts of all digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) of: u32,
}

/// More digests than may be held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Digests of one part, not more than `max`.
#[derive(Debug)]
pub(crate) struct Digests {
    part: Part,
    max: usize,
    set: HashSet<Digest>,
}

impl Digest {
    /// The digest of a location.
    pub(crate) fn of(location: &str) -> Self {
        let schemes = ["s3://", "s3a://", "s3n://"];
        let rest = schemes.iter().find_map(|scheme| location.strip_prefix(scheme));
        let mut hash = Sha256::new();
        match rest {
            Some(rest) => {
                for part in rest.split('/').filter(|part| !part.is_empty()) {
                    hash.update(part);
                    hash.update("/");
                }
            }
            None => hash.update(location),
        }
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        Self(u128::from_le_bytes(first))
    }

    /// The digest of an object of a warehouse.
    pub(crate) fn of_object(warehouse: &str, key: &str) -> Self {
        Self::of(&format!("s3://{warehouse}/{key}"))
    }
}

impl Part {
    pub(crate) fn holds(self, digest: Digest) -> bool {
        digest.0 % u128::from(self.of) == u128::from(self.number)
    }
}

impl Digests {
    pub(crate) fn new(part: Part, max: usize) -> Self {
        Self { part, max, set: HashSet::new() }
    }

    /// Holds `digest` from now on, if it is of this part; whether it is new.
    pub(crate) fn insert(&mut self, digest: Digest) -> Result<bool, Full> {
        if !self.part.holds(digest) {
            return Ok(false);
        }
        if self.set.len() >= self.max && !self.set.contains(&digest) {
            return Err(Full);
        }
        Ok(self.set.insert(digest))
    }

    pub(crate) fn contains(&self, digest: Digest) -> bool {
        self.set.contains(&digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_object_have_one_digest() {
        let one = Digest::of("s3://main/a/b.parquet");
        assert_eq!(one, Digest::of("s3a://main/a/b.parquet"));
        assert_eq!(one, Digest::of("s3n://main//a///b.parquet"));
        assert_eq!(one, Digest::of_object("main", "a/b.parquet"));
        assert_ne!(one, Digest::of("s3://main/ab.parquet"));
        assert_ne!(one, Digest::of("s3://main/a/b%2Eparquet"));
    }

    #[test]
    fn the_parts_of_the_digests_are_disjoint_and_whole() {
        let digests: Vec<_> = (0..100).map(|n| Digest::of(&format!("s3://main/{n}"))).collect();
        for digest in digests {
            assert_eq!((0..7).filter(|&number| Part { number, of: 7 }.holds(digest)).count(), 1);
        }
    }

    #[test]
    fn a_full_set_refuses_what_is_new_and_knows_what_it_has() {
        let mut set = Digests::new(Part { number: 0, of: 1 }, 1);
        assert_eq!(set.insert(Digest::of("s3://main/a")), Ok(true));
        assert_eq!(set.insert(Digest::of("s3://main/a")), Ok(false));
        assert_eq!(set.insert(Digest::of("s3://main/b")), Err(Full));
    }
}
