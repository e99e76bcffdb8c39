//! The lines of a commit (Delta protocol, "Delta Log Entries").

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::{Error, ObjectStoreExt as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::bench::Bench;
use super::definition::{MetaData, Protocol};
use super::file::Action;
use super::log;
use super::vector::Vector;
use crate::table::TableError;

/// A line that says which files came and went, or another one.
#[derive(Deserialize)]
pub(super) struct FilesLine {
    #[serde(default)]
    pub(super) add: Option<FileLine>,
    #[serde(default)]
    pub(super) remove: Option<FileLine>,
    #[serde(default)]
    pub(super) cdc: Option<FileLine>,
}

/// A line that says what the table is, or another one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinitionLine {
    #[serde(default)]
    pub(super) meta_data: Option<Arc<MetaData>>,
    #[serde(default)]
    pub(super) protocol: Option<Arc<Protocol>>,
}

/// An `add`, `remove` or `cdc` action.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileLine {
    pub(super) path: String,
    #[serde(default)]
    pub(super) partition_values: Option<HashMap<String, Option<String>>>,
    #[serde(default)]
    pub(super) size: Option<i64>,
    #[serde(default)]
    modification_time: Option<i64>,
    #[serde(default)]
    pub(super) data_change: Option<bool>,
    #[serde(default)]
    stats: Option<String>,
    #[serde(default)]
    deletion_vector: Option<VectorLine>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VectorLine {
    storage_type: String,
    path_or_inline_dv: String,
    #[serde(default)]
    offset: Option<i32>,
    size_in_bytes: i32,
    cardinality: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimeLine {
    #[serde(default)]
    commit_info: Option<CommitInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitInfo {
    #[serde(default)]
    in_commit_timestamp: Option<i64>,
}

impl FileLine {
    /// The action, of a file of `size` bytes in a commit of `committed_ms`.
    pub(super) fn action(&self, size: i64, committed_ms: i64) -> Action<'_> {
        let values = self.partition_values.iter().flatten();
        let vector = self.deletion_vector.as_ref().map(|vector| Vector {
            storage_type: &vector.storage_type,
            path_or_inline_dv: &vector.path_or_inline_dv,
            offset: vector.offset,
            size_in_bytes: vector.size_in_bytes,
            cardinality: vector.cardinality,
        });
        Action {
            path: &self.path,
            size,
            modified_ms: self.modification_time.unwrap_or(committed_ms),
            partition_values: values.map(|(name, value)| (name.as_str(), value.as_deref())).collect(),
            stats: self.stats.as_deref(),
            vector,
        }
    }
}

/// The lines of a commit, of which one is in memory at a time.
pub(super) struct Lines<'a> {
    bench: &'a Bench,
    version: i64,
    chunks: BoxStream<'static, object_store::Result<Bytes>>,
    open: Vec<u8>,
    /// Where in `open` the next line begins, and up to where no line ends.
    next: usize,
    searched: usize,
    ended: bool,
}

impl<'a> Lines<'a> {
    /// Of a version; `None` when its commit is not there.
    pub(super) fn of(bench: &'a Bench, version: i64) -> Result<Option<Self>, TableError> {
        let found = match bench.wait(bench.store.get(&log::commit_path(version))) {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(TableError::Store(Box::new(error))),
        };
        let (chunks, open) = (found.into_stream(), Vec::new());
        Ok(Some(Self { bench, version, chunks, open, next: 0, searched: 0, ended: false }))
    }

    /// The next line; `None` behind the last.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, TableError> {
        let Some(line) = self.next_range()? else { return Ok(None) };
        serde_json::from_slice(&self.open[line]).map(Some).map_err(|error| {
            TableError::Invalid(format!("version {} of its log cannot be read: {error}", self.version))
        })
    }

    fn next_range(&mut self) -> Result<Option<Range<usize>>, TableError> {
        loop {
            let end = self.open[self.searched..].iter().position(|byte| *byte == b'\n');
            if end.is_none() && !self.ended {
                self.searched = self.open.len();
                self.read_on()?;
                continue;
            }
            let start = self.next;
            let until = end.map_or(self.open.len(), |end| self.searched + end);
            self.next = (until + 1).min(self.open.len());
            self.searched = self.next;
            if !self.open[start..until].trim_ascii().is_empty() {
                return Ok(Some(start..until));
            }
            if end.is_none() {
                return Ok(None);
            }
        }
    }

    fn read_on(&mut self) -> Result<(), TableError> {
        self.open.drain(..self.next);
        self.searched -= self.next;
        self.next = 0;
        match self.bench.wait(self.chunks.next()) {
            Some(Ok(chunk)) => self.open.extend_from_slice(&chunk),
            Some(Err(error)) => return Err(TableError::Store(Box::new(error))),
            None => self.ended = true,
        }
        Ok(())
    }
}

/// The time a commit tells itself, in milliseconds since 1970: its first action does.
pub(super) fn time(bench: &Bench, version: i64) -> Result<Option<i64>, TableError> {
    let Some(mut lines) = Lines::of(bench, version)? else { return Ok(None) };
    let first: Option<TimeLine> = lines.next()?;
    Ok(first.and_then(|line| line.commit_info).and_then(|told| told.in_commit_timestamp))
}
