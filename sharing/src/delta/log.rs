//! The files of a log, by their names (Delta protocol, "Delta Log Entries" and "Checkpoints").
//!
//! - G1: stores list in the order of keys, so a log is walked by version.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _};

use super::bench::Bench;
use crate::table::TableError;

/// The folder of a log.
const LOG: &str = "_delta_log";
/// Digits of a version in a name.
const VERSION_DIGITS: usize = 20;

/// A file of a log that says what a version is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LogFile {
    version: i64,
    kind: Kind,
    modified_ms: i64,
    stamp: Stamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Commit,
    /// A checkpoint, or a part of one: the first is number 1.
    Checkpoint {
        part: u32,
        parts: u32,
    },
}

/// A file of a log as it was written: another one for an object written anew under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    tag: Option<String>,
    modified_ms: i64,
    size: u64,
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.tag.as_deref().unwrap_or_default();
        write!(formatter, "{tag}:{}:{}", self.modified_ms, self.size)
    }
}

/// The path of a commit.
pub(super) fn commit_path(version: i64) -> Path {
    Path::from(format!("{LOG}/{version:020}.json"))
}

/// Walks the log from a version on, until `each` ends it.
fn walk(
    bench: &Bench,
    from: i64,
    mut each: impl FnMut(LogFile) -> ControlFlow<()>,
) -> Result<(), TableError> {
    // A name ends behind its version's digits with a letter or a dot, and so comes behind them.
    let offset = Path::from(format!("{LOG}/{from:020}"));
    let mut listed = bench.store.list_with_offset(Some(&Path::from(LOG)), &offset);
    bench.wait(async {
        while let Some(meta) = listed.next().await {
            let meta = meta.map_err(|error| TableError::Store(Box::new(error)))?;
            // Behind the versions come folders: sidecars and the like (G1).
            if !name_of(&meta).starts_with(|first: char| first.is_ascii_digit()) {
                break;
            }
            if let Some(file) = LogFile::of(&meta)
                && each(file).is_break()
            {
                break;
            }
        }
        Ok(())
    })
}

/// Which parts of a checkpoint were seen.
#[derive(Default)]
struct Parts {
    of: Option<(i64, u32)>,
    seen: BTreeSet<u32>,
}

impl Parts {
    /// Whether a checkpoint is whole with this part.
    fn whole_with(&mut self, version: i64, part: u32, parts: u32) -> bool {
        if self.of != Some((version, parts)) {
            *self = Self { of: Some((version, parts)), seen: BTreeSet::new() };
        }
        self.seen.insert(part);
        self.seen.len() == parts as usize
    }
}

/// The earliest version that the log still tells.
pub(super) fn earliest(bench: &Bench) -> Result<Option<i64>, TableError> {
    let mut earliest = None;
    let mut seen = Parts::default();
    walk(bench, 0, |file| {
        let whole = match file.kind {
            Kind::Commit => file.version == 0,
            Kind::Checkpoint { part, parts } => seen.whole_with(file.version, part, parts),
        };
        if whole {
            earliest = Some(file.version);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(earliest)
}

/// The versions of a log from one on.
#[derive(Default)]
pub(super) struct Tail {
    /// In order, with the times of their files in milliseconds since 1970.
    pub(super) versions: Vec<(i64, i64)>,
    /// The file that tells the first version, when it is the one asked for.
    pub(super) first: Option<Stamp>,
    /// The file that tells the last version.
    pub(super) last: Option<Stamp>,
}

/// The versions from one on. Each is told by its commit, or by a checkpoint where that is gone.
pub(super) fn tail(bench: &Bench, from: i64) -> Result<Tail, TableError> {
    let mut tail = Tail::default();
    let mut seen = Parts::default();
    walk(bench, from, |LogFile { version, kind, modified_ms, stamp }| {
        let told = tail.versions.last().is_some_and(|(last, _)| *last == version);
        match kind {
            Kind::Commit if told => {
                tail.versions.pop();
            }
            Kind::Commit => {}
            // A commit is listed behind its checkpoint.
            Kind::Checkpoint { part, parts } if told || !seen.whole_with(version, part, parts) => {
                return ControlFlow::Continue(());
            }
            Kind::Checkpoint { .. } => {}
        }
        tail.versions.push((version, modified_ms));
        if version == from {
            tail.first = Some(stamp.clone());
        }
        tail.last = Some(stamp);
        ControlFlow::Continue(())
    })?;
    Ok(tail)
}

impl LogFile {
    fn of(meta: &ObjectMeta) -> Option<Self> {
        let name = name_of(meta);
        let (digits, kind) = name.split_at_checked(VERSION_DIGITS)?;
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let modified_ms = meta.last_modified.timestamp_millis();
        let stamp = Stamp { tag: meta.e_tag.clone(), modified_ms, size: meta.size };
        Some(Self { version: digits.parse().ok()?, kind: Kind::of(kind)?, modified_ms, stamp })
    }
}

impl Kind {
    /// Of what follows the version in a name.
    fn of(name: &str) -> Option<Self> {
        if name == ".json" {
            return Some(Self::Commit);
        }
        let rest = name.strip_prefix(".checkpoint")?;
        match rest.strip_suffix(".parquet") {
            Some("") => Some(Self::Checkpoint { part: 1, parts: 1 }),
            Some(middle) => match middle.strip_prefix('.')?.split_once('.') {
                Some((part, parts)) => {
                    let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
                    (part >= 1 && part <= parts).then_some(Self::Checkpoint { part, parts })
                }
                None => Some(Self::Checkpoint { part: 1, parts: 1 }),
            },
            None => rest.ends_with(".json").then_some(Self::Checkpoint { part: 1, parts: 1 }),
        }
    }
}

/// The name within the log's folder.
fn name_of(meta: &ObjectMeta) -> &str {
    meta.location.as_ref().strip_prefix(LOG).and_then(|name| name.strip_prefix('/')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_files_of_a_log_are() {
        let told = |name: &str| {
            let meta = ObjectMeta {
                location: Path::from(format!("{LOG}/{name}")),
                last_modified: std::time::UNIX_EPOCH.into(),
                size: 1,
                e_tag: None,
                version: None,
            };
            LogFile::of(&meta).map(|file| (file.version, file.kind))
        };
        let whole = Kind::Checkpoint { part: 1, parts: 1 };
        assert_eq!(told("00000000000000000007.json"), Some((7, Kind::Commit)));
        assert_eq!(told("00000000000000000010.checkpoint.parquet"), Some((10, whole)));
        let part = Kind::Checkpoint { part: 2, parts: 3 };
        assert_eq!(told("00000000000000000010.checkpoint.0000000002.0000000003.parquet"), Some((10, part)));
        let id = "80a083e8-7026-4e79-81be-64bd76c43a11";
        assert_eq!(told(&format!("00000000000000000010.checkpoint.{id}.json")), Some((10, whole)));
        assert_eq!(told(&format!("00000000000000000010.checkpoint.{id}.parquet")), Some((10, whole)));
        let others = [
            "00000000000000000010.crc",
            "00000000000000000001.00000000000000000009.compacted.json",
            "00000000000000000010.checkpoint.0000000004.0000000003.parquet",
            "7.json",
            "99999999999999999999.json",
            "_last_checkpoint",
        ];
        for name in others {
            assert_eq!(told(name), None, "{name}");
        }
    }
}
