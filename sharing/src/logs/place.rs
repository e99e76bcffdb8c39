//! Where logs lie, and what readers are told of it. Pure.

use sha2::{Digest as _, Sha256};
use tarn_openapi::access::{Prefix, PrefixAccess, TableFiles};
use uuid::Uuid;

use crate::delta::{COMMIT, path_of};
use crate::table::{OWN_BUCKET, OWN_WINDOW, Place};
use crate::vectors;

/// Where logs lie in the own bucket.
pub const PREFIX: &str = "sharing/logs";
/// What parts the directory of a version from the bucket and key of a file: by such names the files lie in the directory, too.
/// Many readers of Delta take none that lie outside.
pub const LINK: &str = "/files/";
/// To be raised when the log of a version becomes another (L1).
const FORM: u8 = 1;

/// Where the logs of a table lie that is told in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlace {
    table: Uuid,
    /// `sharing/logs/<the table's uuid>/<hash of how it is told, in hex>`
    prefix: String,
}

impl LogPlace {
    /// Of the table with this UUID, whose source has this identity.
    pub fn new(table: Uuid, identity: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update([FORM]);
        hash.update(identity);
        let told = hex::encode(&hash.finalize()[..16]);
        Self { table, prefix: format!("{PREFIX}/{table}/{told}") }
    }

    /// The key of a version's log.
    pub(super) fn key(&self, version: i64) -> String {
        format!("{}/{version}/{COMMIT}", self.prefix)
    }

    /// The directory of a version.
    pub fn root(&self, version: i64) -> String {
        format!("s3://{OWN_WINDOW}/{}/{version}", self.prefix)
    }

    /// The version whose directory a location is, or lies in.
    pub fn version_at(&self, location: &str) -> Option<i64> {
        let rest = location.strip_prefix("s3://")?.strip_prefix(OWN_WINDOW)?.strip_prefix('/')?;
        let rest = rest.strip_prefix(&*self.prefix)?.strip_prefix('/')?;
        let segment = rest.split('/').next()?;
        let version: i64 = segment.parse().ok()?;
        (version.to_string() == segment).then_some(version)
    }

    /// The path of a data file in a version's log.
    pub(super) fn path(at: Place<'_>) -> String {
        format!("{}{}", &LINK[1..], path_of(as_seen(at)))
    }

    /// The URI of a file of vectors in a version's log.
    pub(super) fn vector(&self, version: i64, at: Place<'_>) -> String {
        format!("{}/{}", self.root(version), Self::path(at))
    }

    /// All that whoever reads a directory must be able to read: logs, vectors, and the table's files.
    pub fn opened(&self, files: &TableFiles) -> Vec<Prefix> {
        let vectors = format!("{}/{}", vectors::PREFIX, self.table);
        let own = [&self.prefix, &vectors]
            .map(|path| Prefix::new(OWN_WINDOW, path, PrefixAccess::Read).expect("a path is not empty"));
        own.into_iter().chain(files.prefixes.iter().cloned()).collect()
    }
}

/// A place by the name that clients have for its bucket.
pub(super) fn as_seen(at: Place<'_>) -> Place<'_> {
    if at.bucket == OWN_BUCKET { Place { bucket: OWN_WINDOW, key: at.key } } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_of_one_version_told_in_one_way() {
        let place = LogPlace::new(Uuid::from_u128(7), "iceberg/7/error/error/0");
        let root = place.root(12);
        assert!(
            root.starts_with("s3://tarn-shares-s3alias/sharing/logs/00000000-0000-0000-0000-000000000007/")
        );
        assert!(root.ends_with("/12"));
        assert_eq!(format!("s3://{OWN_WINDOW}/{}", place.key(12)), format!("{root}/{COMMIT}"));
        for (location, version) in [
            (root.clone(), Some(12)),
            (format!("{root}/"), Some(12)),
            (format!("{root}/_delta_log"), Some(12)),
            (place.root(-1), Some(-1)),
            (root.replace("/12", "/012"), None),
            (root.replace("/12", "/+12"), None),
            (root.replace("/12", ""), None),
            (root.replace("/12", "x/12"), None),
            (root.replace("s3://", "http://"), None),
            (String::new(), None),
        ] {
            assert_eq!(place.version_at(&location), version, "{location}");
        }
        let others = [
            LogPlace::new(Uuid::from_u128(7), "another"),
            LogPlace::new(Uuid::from_u128(8), "iceberg/7/error/error/0"),
        ];
        assert!(others.iter().all(|other| other.version_at(&root).is_none()));
    }
}
