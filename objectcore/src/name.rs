//! Names of buckets and objects, checked once at the edge.

use std::fmt;
use std::sync::Arc;

/// A bucket name as S3 allows it: 3 to 63 of `a-z 0-9 - .`, first and last a letter or digit, no
/// two dots in a row, not shaped like an IPv4 address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Arc<str>);

/// The bucket name breaks S3's naming rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bucket name is not valid: 3 to 63 characters of a-z, 0-9, '-' and '.', first and last a letter or digit"
)]
pub struct InvalidBucketName;

impl BucketName {
    /// Checks `name` against the rules of general purpose buckets.
    pub fn new(name: &str) -> Result<Self, InvalidBucketName> {
        let bytes = name.as_bytes();
        let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let shape = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|&b| alnum(b) || b == b'-' || b == b'.')
            && alnum(bytes[0])
            && alnum(bytes[bytes.len() - 1])
            && !name.contains("..");
        let address = name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok());
        if shape && !address { Ok(Self(name.into())) } else { Err(InvalidBucketName) }
    }

    /// The bucket that holds Tarn's own state. No client can name it: its name starts with a dot.
    pub fn system() -> Self {
        Self(".tarn".into())
    }

    /// Whether this is [`BucketName::system`].
    pub fn is_system(&self) -> bool {
        self.0.starts_with('.')
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An object key: 1 to 1,024 bytes of UTF-8 without NUL. Any such text is a key (`..`, `//` and
/// a leading or trailing `/` too): a key never becomes a file path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Arc<str>);

/// Why a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidObjectKey {
    /// The key has no bytes.
    #[error("the key is empty")]
    Empty,
    /// The key has more than [`ObjectKey::BYTES_MAX`] bytes.
    #[error("the key is longer than 1024 bytes")]
    TooLong,
    /// The key holds a NUL byte.
    #[error("the key holds a NUL byte")]
    Nul,
}

impl ObjectKey {
    /// The longest key, in bytes (S3's limit).
    pub const BYTES_MAX: usize = 1024;

    /// Checks `key`.
    pub fn new(key: &str) -> Result<Self, InvalidObjectKey> {
        if key.is_empty() {
            return Err(InvalidObjectKey::Empty);
        }
        if key.len() > Self::BYTES_MAX {
            return Err(InvalidObjectKey::TooLong);
        }
        if key.contains('\0') {
            return Err(InvalidObjectKey::Nul);
        }
        Ok(Self(key.into()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A bucket and a key in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The bucket.
    pub bucket: BucketName,
    /// The key in the bucket.
    pub key: ObjectKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_rules_of_s3() {
        for good in ["abc", "a-b.c", "000", "main", &"a".repeat(63)] {
            assert!(BucketName::new(good).is_ok(), "{good}");
        }
        for bad in ["ab", "", ".tarn", "a..b", "-ab", "ab-", "ABC", "a_b", "10.0.0.1", "a/b", &"a".repeat(64)]
        {
            assert!(BucketName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_may_look_like_a_path_but_holds_no_nul() {
        for good in ["..", "/", "a//b", "../../etc/passwd", "\u{1f600}", &"k".repeat(1024)] {
            assert!(ObjectKey::new(good).is_ok(), "{good}");
        }
        assert_eq!(ObjectKey::new(""), Err(InvalidObjectKey::Empty));
        assert_eq!(ObjectKey::new(&"k".repeat(1025)), Err(InvalidObjectKey::TooLong));
        assert_eq!(ObjectKey::new("a\0b"), Err(InvalidObjectKey::Nul));
    }
}
