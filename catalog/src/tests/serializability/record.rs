//! What is known of one transaction.

use std::collections::BTreeMap;

/// What its client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Outcome {
    #[default]
    Done,
    NotDone,
    Unknown,
}

/// One transaction over registers, which are numbered. Every version has a number of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transaction {
    /// Register -> version that was required or seen; `None` is what was there before all versions.
    pub(crate) reads: BTreeMap<usize, Option<i64>>,
    /// Register -> versions that were made, in their order; others may see only the last.
    pub(crate) writes: BTreeMap<usize, Vec<i64>>,
    /// When it began and ended on one logical clock. One of unknown outcome may happen at any later time.
    pub(crate) span: (u64, u64),
    pub(crate) outcome: Outcome,
}
