//! Tests of whole sets on simulated and real drives.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::{CommitError, Draft, ErasureSet, Expect, Op, OpenError, SetSettings, Space, open_sets};
use crate::drive::{Drive, FileDrive, SimDrive};
use crate::types::StorageError;

mod basics;
mod bench;
mod compaction;
mod crashes;
mod damage;
mod drives;
mod index;
mod rejoin;

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(super) fn small() -> SetSettings {
    SetSettings {
        segment_bytes: 2000,
        reserve_bytes: 1 << 20,
        compact_in_background: false,
        ..SetSettings::default()
    }
}

pub(super) fn sims(count: usize) -> Vec<SimDrive> {
    SimDrive::group(count)
}

pub(super) fn open_with(settings: &SetSettings, drives: &[SimDrive]) -> Result<ErasureSet, OpenError> {
    let drives = drives.iter().map(|drive| Arc::new(drive.clone()) as Arc<dyn Drive>).collect();
    open_sets(settings, None, drives).map(|opened| opened.sets[0].clone())
}

pub(super) fn open(drives: &[SimDrive]) -> Result<ErasureSet, OpenError> {
    open_with(&small(), drives)
}

pub(super) fn put(key: &str, value: &str) -> Op {
    let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
    Op::Put { space: Space::Object, key, value }
}

pub(super) fn delete(key: &str) -> Op {
    Op::Delete { space: Space::Object, key: Bytes::copy_from_slice(key.as_bytes()) }
}

pub(super) fn draft(ops: Vec<Op>) -> Draft {
    Draft { ops, expect: Vec::new(), inline: None }
}

/// Every slot's shard names the slot and the value, so that a wrong one is seen.
pub(super) fn shard(slot: usize, key: &str, value: &str) -> Bytes {
    Bytes::from(format!("shard {slot} of {key}={value}"))
}

pub(super) fn inlined(set: &ErasureSet, key: &str, value: &str) -> Draft {
    let shards = (0..set.slots().len()).map(|slot| shard(slot, key, value)).collect();
    Draft { inline: Some(shards), ..draft(vec![put(key, value)]) }
}

pub(super) fn value(set: &ErasureSet, key: &str) -> Option<String> {
    let entry = set.get(Space::Object, key.as_bytes()).unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

/// All keys and values of the object space.
pub(super) fn all(set: &ErasureSet) -> Vec<(String, String)> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let rows = set.scan(Space::Object, Bound::Unbounded, 10_000).unwrap();
    rows.iter().map(|(key, entry)| (text(key), text(&entry.value))).collect()
}
