//! An index whose reads and writes are entered in its drive's watch.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::{Changes, Checkpoint, Index, IndexError, KeyRange, Live, Pin, Row, TakeRow};
use crate::drive::Watch;
use crate::log::Space;

/// An [`Index`] on a drive that is watched.
#[derive(Debug)]
pub(crate) struct WatchedIndex {
    index: Arc<dyn Index>,
    watch: Arc<Watch>,
}

impl WatchedIndex {
    pub(crate) fn over(index: Arc<dyn Index>, watch: Arc<Watch>) -> Arc<dyn Index> {
        Arc::new(Self { index, watch })
    }
}

impl Index for WatchedIndex {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Row>, IndexError> {
        let _entered = self.watch.enter();
        self.index.get(space, key)
    }

    fn scan(&self, space: Space, after: Bound<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Row)>, IndexError> {
        let _entered = self.watch.enter();
        self.index.scan(space, after, limit)
    }

    fn pin(&self) -> Pin {
        self.index.pin()
    }

    fn walk(
        &self,
        pin: Option<&Pin>,
        space: Space,
        range: KeyRange<'_>,
        take: &mut TakeRow<'_>,
    ) -> Result<(), IndexError> {
        let _entered = self.watch.enter();
        self.index.walk(pin, space, range, take)
    }

    fn apply(&self, changes: Changes) -> Result<(), IndexError> {
        let _entered = self.watch.enter();
        self.index.apply(changes)
    }

    fn sync(&self) -> Result<(), IndexError> {
        let _entered = self.watch.enter();
        self.index.sync()
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, IndexError> {
        let _entered = self.watch.enter();
        self.index.checkpoint()
    }

    fn live(&self) -> Result<BTreeMap<u64, Live>, IndexError> {
        let _entered = self.watch.enter();
        self.index.live()
    }
}
