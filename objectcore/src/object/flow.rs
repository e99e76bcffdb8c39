//! The bytes of a large object as a stream: they are read ahead while others are sent.
//!
//! - F1: at most [`AHEAD_MAX`] stripes are being read or wait, and one is being sent. With what the connection
//!   buffers that is below the share of the memory that the read took (`memory.rs`).
//! - F2: a stream that is not taken holds no thread: the reader stops when what it read waits, and goes on when
//!   some of it was taken.
//! - F3: an error is the last the stream says; it never ends short (G2).
//! - F4: when a drive is found to hang, another thread reads on from the stripe that was not sent. The one that may be
//!   held is left behind and sends nothing more.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::{mpsc, watch};
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
#[derive(Clone)]
pub(super) struct Piece {
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

impl Piece {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// The piece that is all of `range`, where one stripe holds it.
pub(super) fn only_piece(object: &Object, range: &Range<u64>) -> Option<Piece> {
    let mut pieces = pieces(object, range);
    let first = pieces.next()?;
    pieces.next().is_none().then_some(first)
}

/// Blocking. The bytes of a piece.
fn read_piece(
    (core, set, key): (&ObjectCore, &Set, &Bytes),
    piece: &Piece,
    files: &mut ShardFiles,
) -> Chunks {
    let mut out = Vec::new();
    let mut source = FileShards { set, files };
    let mut window = Window::new(&set.codec, &piece.blob, piece.stripe, &mut source);
    let read = window.read(piece.bytes.clone(), &mut out);
    let mut bad = window.bad();
    if files.is_short() {
        return read.map(|()| out).map_err(|_| StorageError::Busy);
    }
    bad.extend(files.bad_headers());
    if !bad.is_empty() {
        core.report(set, key, (&piece.blob, bad));
    }
    read.map_err(damaged)?;
    Ok(out)
}

/// The bytes of a piece, if they can be had without asking a drive and nothing ails them.
pub(super) fn read_cached(
    core: &ObjectCore,
    (set, key): (&Set, &Bytes),
    piece: &Piece,
) -> Option<Vec<Bytes>> {
    let mut files = ShardFiles::cached(piece.blob);
    read_piece((core, set, key), piece, &mut files).ok()
}

/// A large object being read.
pub(super) struct FileReader {
    source: Arc<Source>,
    /// The reader that may send (F4).
    turn: u64,
    open: Option<ShardFiles>,
}

/// What is read, and how far.
struct Source {
    core: ObjectCore,
    set: Arc<Set>,
    key: Bytes,
    progress: Mutex<Progress>,
    _pin: Pin,
}

struct Progress {
    turn: u64,
    /// Being read, and not sent.
    current: Option<Piece>,
    pieces: Peekable<Box<dyn Iterator<Item = Piece> + Send>>,
}

type Chunks = Result<Vec<Bytes>, StorageError>;

/// What a reader does next.
enum Next {
    Read(Piece),
    End,
    /// Another has taken over.
    Left,
}

impl Source {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, turn: u64) -> Next {
        let mut progress = self.progress();
        if progress.turn != turn {
            return Next::Left;
        }
        if progress.current.is_none() {
            progress.current = progress.pieces.next();
        }
        progress.current.clone().map_or(Next::End, Next::Read)
    }

    fn has_more(&self) -> bool {
        let mut progress = self.progress();
        progress.current.is_some() || progress.pieces.peek().is_some()
    }

    /// Sends what was read, unless another has taken over.
    fn send(&self, turn: u64, room: mpsc::Permit<'_, Chunks>, chunks: Chunks) {
        let mut progress = self.progress();
        if progress.turn == turn {
            progress.current = None;
            room.send(chunks);
        }
    }
}

impl FileReader {
    pub(super) fn new(
        (core, set, key): (ObjectCore, Arc<Set>, Bytes),
        object: &Object,
        range: &Range<u64>,
        pin: Pin,
    ) -> Self {
        let pieces: Box<dyn Iterator<Item = Piece> + Send> = Box::new(pieces(object, range));
        let progress = Mutex::new(Progress { turn: 0, current: None, pieces: pieces.peekable() });
        Self { source: Arc::new(Source { core, set, key, progress, _pin: pin }), turn: 0, open: None }
    }

    /// Blocking. The bytes of a stripe.
    fn read(&mut self, piece: &Piece) -> Chunks {
        let files = match self.open.take() {
            Some(files) if files.blob().id == piece.blob.id => self.open.insert(files),
            Some(_) | None => self.open.insert(ShardFiles::new(piece.blob)),
        };
        let Source { core, set, key, .. } = &*self.source;
        read_piece((core, set, key), piece, files)
    }

    /// Blocking. Reads on while there is room; returns the reader where there is more.
    fn read_on(mut self, to: &mpsc::Sender<Chunks>) -> Option<Self> {
        for _ in 0..STRIPES_PER_HOP {
            if !self.source.has_more() {
                return None;
            }
            let Ok(room) = to.try_reserve() else { return Some(self) };
            let Next::Read(piece) = self.source.next(self.turn) else { return None };
            let read = self.read(&piece);
            let failed = read.is_err();
            self.source.send(self.turn, room, read);
            if failed {
                return None;
            }
        }
        Some(self)
    }

    /// Reads the first stripe, so that what cannot be read at all is an error before the answer begins. The
    /// rest follows.
    pub(super) async fn start(
        self,
        share: Option<Share>,
    ) -> Result<impl Stream<Item = Result<Bytes, StorageError>> + Send + use<>, StorageError> {
        let (to, queue) = mpsc::channel(AHEAD_MAX);
        let source = Arc::clone(&self.source);
        let stalls = source.set.log.stalls();
        let mut flow =
            Flow { source, ready: VecDeque::new(), queue, to, reading: None, stalls, _held: share };
        flow.read_on(self);
        if let Some(first) = flow.next().await? {
            flow.ready.push_front(first);
        }
        Ok(stream::try_unfold(flow, async |mut flow| Ok(flow.next().await?.map(|bytes| (bytes, flow)))))
    }
}

pub(super) fn damaged(error: TooFewShards) -> StorageError {
    StorageError::Damaged { intact: error.intact, needed: error.needed }
}

struct Flow {
    source: Arc<Source>,
    ready: VecDeque<Bytes>,
    queue: mpsc::Receiver<Chunks>,
    to: mpsc::Sender<Chunks>,
    /// `None` when all was read.
    reading: Option<JoinHandle<Option<FileReader>>>,
    stalls: watch::Receiver<u64>,
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

    /// Another reader takes over (F4).
    fn begin_anew(&mut self) -> Result<(), StorageError> {
        let turn = {
            let mut progress = self.source.progress();
            progress.turn += 1;
            progress.turn
        };
        // The reader before may hold room in the queue for ever. What it sent comes first.
        let (to, queue) = mpsc::channel(AHEAD_MAX);
        let mut before = std::mem::replace(&mut self.queue, queue);
        self.to = to;
        while let Ok(chunks) = before.try_recv() {
            self.ready.extend(chunks?);
        }
        metrics::counter!("tarn_reads_abandoned_total").increment(1);
        self.read_on(FileReader { source: Arc::clone(&self.source), turn, open: None });
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
                _ = self.stalls.changed() => self.begin_anew()?,
            }
        }
    }
}
