//! The sets of a scan: each is read a chunk ahead, and the one with the lowest key gives the next object.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::range::Range;
use super::rows::ScanRows;
use super::{Behind, Moment, ScanDepth, ScanError, ScanOptions};
use crate::bucket::unreadable;
use crate::object::value::InvalidValue;
use crate::set::{ErasureSet, Space, Weight, ended};

/// What is read of a set at a time.
struct Chunk {
    rows: ScanRows,
    /// Where the next one begins; `None` when there is none.
    behind: Behind,
}

/// How a set is read.
struct Reading {
    set: ErasureSet,
    /// The set's place among all.
    number: usize,
    range: Range,
    moment: Option<Arc<Moment>>,
    depth: ScanDepth,
}

/// A set, and where the scan is in it.
struct Source {
    reading: Arc<Reading>,
    rows: ScanRows,
    /// The next object of `rows`.
    at: usize,
    ahead: Option<AbortOnDropHandle<Result<Chunk, ScanError>>>,
}

/// The sets of a scan.
pub(super) struct Merge {
    sources: Vec<Source>,
    /// Sources that have an object, by its key, the lowest last. `None` before the first batch.
    order: Option<Vec<usize>>,
}

impl Reading {
    /// The next chunk, anew from another drive when one fails or hangs.
    async fn chunk(self: Arc<Self>, behind: Behind) -> Result<Chunk, ScanError> {
        let set = self.set.clone();
        let pinned = match &self.moment {
            Some(moment) => Some(moment.pinned()?),
            None => None,
        };
        let read = move || {
            let Some(range) = self.range.rest(&behind) else {
                return Ok(Some(Chunk { rows: ScanRows::default(), behind: None }));
            };
            let pinned = pinned.as_ref().map(|pinned| &pinned[self.number]);
            let read = self.set.read_index(pinned, |index, pin| {
                let mut chunk = Ok(Chunk { rows: ScanRows::default(), behind: None });
                index.walk(pin, Space::Object, range, &mut |key, value| self.take(&mut chunk, key, value))?;
                Ok(chunk)
            })?;
            read.transpose().map_err(unreadable)
        };
        set.read(Weight::Long, read).await?.ok_or(ScanError::Lost)
    }

    fn take(&self, into: &mut Result<Chunk, InvalidValue>, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        let Ok(chunk) = into else { return ControlFlow::Break(()) };
        if let Err(error) = chunk.rows.push_stored(&key[self.range.bucket_bytes..], value, self.depth) {
            *into = Err(error);
            return ControlFlow::Break(());
        }
        match chunk.rows.is_full() {
            true => {
                chunk.behind = Some(bytes::Bytes::copy_from_slice(key));
                ControlFlow::Break(())
            }
            false => ControlFlow::Continue(()),
        }
    }
}

impl Source {
    fn begin(reading: Reading) -> Self {
        let mut source = Self { reading: Arc::new(reading), rows: ScanRows::default(), at: 0, ahead: None };
        source.read_ahead(None);
        source
    }

    fn read_ahead(&mut self, behind: Behind) {
        let read = Arc::clone(&self.reading).chunk(behind);
        self.ahead = Some(AbortOnDropHandle::new(tokio::spawn(read)));
    }

    /// The next chunk; `None` after the last.
    async fn chunk(&mut self) -> Result<Option<ScanRows>, ScanError> {
        let Some(ahead) = &mut self.ahead else { return Ok(None) };
        let read = ahead.await;
        self.ahead = None;
        let Chunk { rows, behind } = read.map_err(ended)??;
        if behind.is_some() {
            self.read_ahead(behind);
        }
        Ok((!rows.is_empty()).then_some(rows))
    }

    /// Makes sure that it has an object, and answers whether it does.
    async fn fill(&mut self) -> Result<bool, ScanError> {
        if self.at < self.rows.len() {
            return Ok(true);
        }
        self.at = 0;
        self.rows = self.chunk().await?.unwrap_or_default();
        Ok(!self.rows.is_empty())
    }

    fn key(&self) -> &[u8] {
        self.rows.key(self.at).as_bytes()
    }
}

impl Merge {
    /// Begins to read all of them.
    pub(super) fn new(sets: impl Iterator<Item = ErasureSet>, range: Range, options: &ScanOptions) -> Self {
        let reading = |(number, set)| Reading {
            set,
            number,
            range: range.clone(),
            moment: options.moment.clone(),
            depth: options.depth,
        };
        let sources = sets.enumerate().map(reading).map(Source::begin).collect();
        Self { sources, order: None }
    }

    /// The next objects of all sets.
    pub(super) async fn next(&mut self) -> Result<Option<ScanRows>, ScanError> {
        if let [only] = &mut self.sources[..] {
            return only.chunk().await;
        }
        let mut order = match self.order.take() {
            Some(order) => order,
            None => self.first().await?,
        };
        let Some(lowest) = order.last() else {
            self.order = Some(order);
            return Ok(None);
        };
        let mut rows = ScanRows::with_room_like(&self.sources[*lowest].rows);
        while !rows.is_full()
            && let Some(lowest) = order.pop()
        {
            let source = &mut self.sources[lowest];
            rows.push_from(&mut source.rows, source.at);
            source.at += 1;
            if source.fill().await? {
                self.put_in(&mut order, lowest);
            }
        }
        self.order = Some(order);
        Ok(Some(rows))
    }

    async fn first(&mut self) -> Result<Vec<usize>, ScanError> {
        let mut order = Vec::with_capacity(self.sources.len());
        for number in 0..self.sources.len() {
            if self.sources[number].fill().await? {
                self.put_in(&mut order, number);
            }
        }
        Ok(order)
    }

    fn put_in(&self, order: &mut Vec<usize>, number: usize) {
        let key = self.sources[number].key();
        let place = order.partition_point(|other| self.sources[*other].key() > key);
        order.insert(place, number);
    }
}
