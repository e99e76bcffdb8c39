//! Where the files of a report lie: AWS's layout.
//!
//! A data file is named by its run and its number in it, so that a run that goes on after a kill writes over what it had
//! not finished.

use md5::{Digest as _, Md5};
use object_store::path::Path;
use uuid::Uuid;

use super::checkpoint::{Role, Target};
use super::spec::{Compression, Destination, Format, Spec};

/// The places of one inventory in its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// `<prefix>/<source>/<id>`
    root: String,
}

impl Places {
    pub(super) fn new(spec: &Spec, to: &Destination) -> Self {
        let below = format!("{}/{}", spec.bucket, spec.id);
        let root = match to.prefix.trim_end_matches('/') {
            "" => below,
            prefix => format!("{prefix}/{below}"),
        };
        Self { root }
    }

    /// What all keys of the inventory begin with.
    pub(super) fn root(&self) -> String {
        format!("{}/", self.root)
    }

    /// Where data files go.
    pub(super) fn target(&self, to: &Destination) -> Target {
        let extension = extension(to.format, to.compression).to_owned();
        Target {
            role: Role::Report,
            bucket: to.bucket.clone(),
            below: format!("{}/data/", self.root),
            extension,
        }
    }

    /// The manifest of the run told as of `folder_ms`.
    pub(super) fn manifest(&self, folder_ms: i64) -> Path {
        key(&format!("{}/{}/manifest.json", self.root, stamp(folder_ms, "%Y-%m-%dT%H-%MZ")))
    }

    /// The MD5 of the manifest, the last to be written.
    pub(super) fn checksum(&self, folder_ms: i64) -> Path {
        key(&format!("{}/{}/manifest.checksum", self.root, stamp(folder_ms, "%Y-%m-%dT%H-%MZ")))
    }

    /// Hive's list of data files.
    pub(super) fn symlink(&self, folder_ms: i64) -> Path {
        key(&format!("{}/hive/dt={}/symlink.txt", self.root, stamp(folder_ms, "%Y-%m-%d-%H-%M")))
    }
}

/// The path of a key as it is written. Made from text, a path has some characters as `%` and their number; only what can be
/// no path otherwise is written so.
pub(super) fn key(text: &str) -> Path {
    Path::parse(text).unwrap_or_else(|_| Path::from(text))
}

/// The name of a data file.
pub(super) fn file_id(run: Uuid, number: usize) -> Uuid {
    let mut digest = Md5::new();
    digest.update(run.as_bytes());
    digest.update((number as u64).to_be_bytes());
    uuid::Builder::from_custom_bytes(digest.finalize().into()).into_uuid()
}

fn extension(format: Format, compression: Compression) -> &'static str {
    match (format, compression) {
        (Format::Csv, Compression::None) => "csv",
        (Format::Csv, Compression::Gzip) => "csv.gz",
        (Format::Csv, Compression::Zstd) => "csv.zst",
        (Format::Json, Compression::None) => "json",
        (Format::Json, Compression::Gzip) => "json.gz",
        (Format::Json, Compression::Zstd) => "json.zst",
        (Format::Parquet, Compression::None | Compression::Gzip | Compression::Zstd) => "parquet",
    }
}

fn stamp(at_ms: i64, form: &str) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::MIN);
    at.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::spec::Layout;
    use super::*;

    #[test]
    fn keys_begin_with_the_prefix_as_it_was_written() {
        let spec: Spec =
            serde_json::from_value(serde_json::json!({"bucket": "photos", "id": "daily"})).unwrap();
        for prefix in ["reports", "~old/50% of [all]#1", "caf\u{e9} {x}"] {
            let to = Destination {
                bucket: "reports".into(),
                prefix: prefix.into(),
                format: Format::Csv,
                compression: Compression::None,
                layout: Layout::Aws,
                file_bytes_hint: 1 << 20,
            };
            let places = Places::new(&spec, &to);
            let root = format!("{prefix}/photos/daily/");
            let keys = [
                places.target(&to).key(Uuid::nil(), 0),
                places.manifest(0),
                places.checksum(0),
                places.symlink(0),
            ];
            for key in keys {
                assert!(key.as_ref().starts_with(&root), "{key} of {root}");
            }
            assert_eq!(places.root(), root);
        }
    }
}
