//! The bytes of a large object as a stream: they are read ahead while others are sent.
//!
//! - F1: at most [`AHEAD_MAX`] stripes are being read or wait, and one is being sent. With what the connection
//!   buffers that is below the share of the memory that the read took (`memory.rs`).
//! - F2: a stream that is not taken holds no thread: the reader stops when what it read waits, and goes on when
//!   some of it was taken.
//! - F3: an error is the last the stream says; it never ends short (G2).

use std::collections::VecDeque;
use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use super::pins::Pin;
use super::shards::{FileShards, ShardFiles};
use super::value::Object;
use crate::core::{ObjectCore, Set};
use crate::erasure::layout::Blob;
use crate::erasure::window::{TooFewShards, Window};
use crate::memory::Share;
use crate::types::StorageError;

/// Stripes that are being read or wait to be sent.
const AHEAD_MAX: usize = 2;

/// Stripes read in one go on a thread of the blocking pool: other requests want it too.
const STRIPES_PER_HOP: usize = 32;

/// A range of one stripe of one blob.
struct Piece {
    blob: Blob,
    stripe: u64,
    bytes: Range<usize>,
}

/// The pieces that make up `range`, in order.
fn pieces(object: &Object, range: &Range<u64>) -> impl Iterator<Item = Piece> + Send + use<> {
    let range = range.clone();
    let mut start = 0;
    let mut spans = Vec::new();
    for extent in object.tail.files() {
        let end = start + extent.blob.size;
        if start < range.end && range.start < end {
            spans.push((extent.blob, range.start.max(start) - start..range.end.min(end) - start));
        }
        start = end;
    }
    spans.into_iter().flat_map(|(blob, span)| {
        let full = u64::from(blob.coding.stripe_bytes);
        (span.start / full..span.end.div_ceil(full)).map(move |stripe| {
            let base = stripe * full;
            let bytes = span.start.max(base) - base..span.end.min(base + full) - base;
            Piece { blob, stripe, bytes: bytes.start as usize..bytes.end as usize }
        })
    })
}

/// A large object being read.
pub(super) struct FileReader {
    pub(super) core: ObjectCore,
    pub(super) set: Arc<Set>,
    pub(super) key: Bytes,
    pieces: Peekable<Box<dyn Iterator<Item = Piece> + Send>>,
    open: Option<ShardFiles>,
    _pin: Pin,
}

type Chunks = Result<Vec<Bytes>, StorageError>;

impl FileReader {
    pub(super) fn new(
        (core, set, key): (ObjectCore, Arc<Set>, Bytes),
        object: &Object,
        range: &Range<u64>,
        pin: Pin,
    ) -> Self {
        let pieces: Box<dyn Iterator<Item = Piece> + Send> = Box::new(pieces(object, range));
        Self { core, set, key, pieces: pieces.peekable(), open: None, _pin: pin }
    }

    /// Blocking. The bytes of the next stripe; none at the end.
    fn read(&mut self) -> Chunks {
        let mut out = Vec::new();
        let Some(piece) = self.pieces.next() else { return Ok(out) };
        let files = match self.open.take() {
            Some(files) if files.blob().id == piece.blob.id => self.open.insert(files),
            Some(_) | None => self.open.insert(ShardFiles::new(piece.blob)),
        };
        let mut source = FileShards { set: &self.set, files };
        let mut window = Window::new(&self.set.codec, &piece.blob, piece.stripe, &mut source);
        let read = window.read(piece.bytes, &mut out);
        let mut bad = window.bad();
        bad.extend(files.bad_headers());
        if !bad.is_empty() {
            self.core.report(&self.set, &self.key, (&piece.blob, bad));
        }
        read.map_err(damaged)?;
        Ok(out)
    }

    /// Blocking. Reads on while there is room; returns the reader where there is more.
    fn read_on(mut self, to: &mpsc::Sender<Chunks>) -> Option<Self> {
        for _ in 0..STRIPES_PER_HOP {
            self.pieces.peek()?;
            let Ok(room) = to.try_reserve() else { return Some(self) };
            let read = self.read();
            let failed = read.is_err();
            room.send(read);
            if failed {
                return None;
            }
        }
        Some(self)
    }

    /// Reads the first stripe, so that what cannot be read at all is an error before the answer begins. The
    /// rest follows.
    pub(super) async fn start(
        mut self,
        share: Option<Share>,
    ) -> Result<impl Stream<Item = Result<Bytes, StorageError>> + Send + use<>, StorageError> {
        let hop = tokio::task::spawn_blocking(move || self.read().map(|bytes| (self, bytes)));
        let (mut reader, first) = hop.await.map_err(|_| StorageError::Closing)??;
        let (to, queue) = mpsc::channel(AHEAD_MAX);
        let more = reader.pieces.peek().is_some();
        let mut flow = Flow { ready: first.into(), queue, to, reading: None, _held: share };
        if more {
            flow.read_on(reader);
        }
        Ok(stream::try_unfold(flow, async |mut flow| Ok(flow.next().await?.map(|bytes| (bytes, flow)))))
    }
}

pub(super) fn damaged(error: TooFewShards) -> StorageError {
    StorageError::Damaged { intact: error.intact, needed: error.needed }
}

struct Flow {
    ready: VecDeque<Bytes>,
    queue: mpsc::Receiver<Chunks>,
    to: mpsc::Sender<Chunks>,
    /// `None` when all was read.
    reading: Option<JoinHandle<Option<FileReader>>>,
    _held: Option<Share>,
}

impl Flow {
    fn read_on(&mut self, reader: FileReader) {
        let to = self.to.clone();
        self.reading = Some(tokio::task::spawn_blocking(move || reader.read_on(&to)));
    }

    /// Starts the reader again where it stopped with more to read.
    fn go_on(&mut self, stopped: Result<Option<FileReader>, JoinError>) -> Result<(), StorageError> {
        self.reading = None;
        if let Some(reader) = stopped.map_err(|_| StorageError::Closing)? {
            self.read_on(reader);
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(bytes));
            }
            let Some(reading) = &mut self.reading else {
                // What was sent before the reader ended is in the queue by now.
                match self.queue.try_recv() {
                    Ok(chunks) => self.ready = chunks?.into(),
                    Err(_) => return Ok(None),
                }
                continue;
            };
            tokio::select! {
                biased;
                Some(chunks) = self.queue.recv() => {
                    self.ready = chunks?.into();
                    // There is room again.
                    if reading.is_finished() {
                        let stopped = reading.await;
                        self.go_on(stopped)?;
                    }
                }
                stopped = &mut *reading => self.go_on(stopped)?,
            }
        }
    }
}
