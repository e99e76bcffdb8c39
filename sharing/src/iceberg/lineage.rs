//! Between which snapshots the rows changed that a version changed.
//!
//! A commit may add several snapshots. Those that only rearranged rows (`replace`) at its beginning and its end changed
//! nothing, and are left out; whatever else is between two snapshots is told as their difference, which is right for
//! rollbacks and changed branches too.

use tarn_catalog::metadata::{Snapshot, TableMetadata};

use super::versions::Base;

/// Snapshots that one commit may add and be told exactly; of more, the difference of the outermost is told.
const CHAIN_MAX: usize = 1_000;

/// The difference that a version is told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference<'a> {
    /// No row changed.
    None,
    /// From one snapshot to the other; no snapshot has no rows.
    Between(Option<&'a Snapshot>, Option<&'a Snapshot>),
    /// What was before is not known any more.
    Unknown,
}

/// What made `to` of `base`.
pub(super) fn difference<'a>(
    metadata: &'a TableMetadata,
    base: Base,
    to: Option<&'a Snapshot>,
) -> Difference<'a> {
    let outermost = || match base {
        Base::Empty => Difference::Between(None, to),
        Base::Snapshot(id) => match metadata.snapshot(id) {
            Some(from) => Difference::Between(Some(from), to),
            None => Difference::Unknown,
        },
    };
    let is_base = |id: Option<i64>| match base {
        Base::Empty => id.is_none(),
        Base::Snapshot(base) => id == Some(base),
    };
    if is_base(to.map(Snapshot::id)) {
        return Difference::None;
    }
    let Some(chain) = chain(metadata, to, &is_base) else { return outermost() };
    let changes =
        |snapshot: &&Snapshot| snapshot.summary().get("operation").is_none_or(|kind| kind != "replace");
    let (Some(newest), Some(oldest)) = (chain.iter().position(changes), chain.iter().rposition(changes))
    else {
        return Difference::None;
    };
    if !chain[newest..=oldest].iter().all(changes) {
        return outermost();
    }
    match chain[oldest].parent_id() {
        None => Difference::Between(None, Some(chain[newest])),
        Some(id) => match metadata.snapshot(id) {
            Some(from) => Difference::Between(Some(from), Some(chain[newest])),
            None => Difference::Unknown,
        },
    }
}

/// The snapshots from `to` back to the base, that one left out; `None` where it is no ancestor.
fn chain<'a>(
    metadata: &'a TableMetadata,
    to: Option<&'a Snapshot>,
    is_base: &dyn Fn(Option<i64>) -> bool,
) -> Option<Vec<&'a Snapshot>> {
    let mut chain = vec![to?];
    while let Some(last) = chain.last().copied() {
        if is_base(last.parent_id()) {
            return Some(chain);
        }
        if chain.len() >= CHAIN_MAX {
            return None;
        }
        chain.push(metadata.snapshot(last.parent_id()?)?.as_ref());
    }
    None
}
