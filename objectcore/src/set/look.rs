//! Reads of the indexes, on behalf of threads that must not wait for a drive that hangs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::slot::{Slot, SlotState};
use super::start::join_or_leave;
use crate::geometry::Geometry;
use crate::index::{IndexError, Row};
use crate::log::Space;
use crate::types::StorageError;

/// Rows to read.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Of the set.
    pub(super) current: Vec<(Space, Bytes)>,
    /// Of single drives.
    pub(super) own: Vec<(usize, Space, Bytes)>,
}

/// Rows that were read. A row that is not here could not be read.
#[derive(Debug, Default)]
pub(super) struct Rows {
    needed: usize,
    /// What is not here was not read for want of means.
    busy: bool,
    current: HashMap<(Space, Bytes), Option<Row>>,
    own: HashMap<(usize, Space, Bytes), Option<Row>>,
}

impl Rows {
    fn read(slots: &[Slot], geometry: Geometry, wanted: &Wanted) -> Self {
        let mut rows = Self { needed: geometry.data(), ..Self::default() };
        for (space, key) in &wanted.current {
            let read = lookup(slots, geometry, |slot| slot.index().map(|index| index.get(*space, key)));
            let row = match read {
                Ok(row) => row,
                Err(error) => {
                    rows.busy = matches!(error, StorageError::Busy);
                    return rows;
                }
            };
            rows.current.insert((*space, key.clone()), row);
        }
        for (slot, space, key) in &wanted.own {
            let Some(index) = slots[*slot].index() else { continue };
            match index.get(*space, key) {
                Ok(row) => {
                    rows.own.insert((*slot, *space, key.clone()), row);
                }
                Err(error) => {
                    slots[*slot].fail_index(&error);
                }
            }
        }
        rows
    }

    /// The set's row.
    pub(super) fn current(&self, space: Space, key: &Bytes) -> Result<Option<&Row>, StorageError> {
        let row = self.current.get(&(space, key.clone()));
        match row {
            Some(row) => Ok(row.as_ref()),
            None if self.busy => Err(StorageError::Busy),
            None => Err(StorageError::TooFewDrives { healthy: 0, needed: self.needed }),
        }
    }

    /// A drive's own row.
    pub(super) fn own(&self, slot: usize, space: Space, key: &Bytes) -> Result<Option<&Row>, StorageError> {
        let row = self.own.get(&(slot, space, key.clone()));
        row.map(Option::as_ref).ok_or(StorageError::TooFewDrives { healthy: 0, needed: 1 })
    }
}

/// How often it is looked whether a drive hangs while rows are waited for.
const STALL_POLL: Duration = Duration::from_millis(10);

/// A thread that reads rows. When a drive hangs it is left behind, and another reads from the other drives.
pub(crate) struct Reader {
    set: u16,
    slots: Vec<Slot>,
    geometry: Geometry,
    stalls: watch::Receiver<u64>,
    thread: Option<Thread>,
}

struct Thread {
    jobs: Sender<(Arc<Wanted>, Sender<Rows>)>,
    handle: JoinHandle<()>,
}

impl Reader {
    pub(super) fn new(set: u16, slots: Vec<Slot>, geometry: Geometry, stalls: watch::Receiver<u64>) -> Self {
        Self { set, slots, geometry, stalls, thread: None }
    }

    /// Reads what is wanted. Ends: a drive that hangs is avoided or out after a while, and then all of its rows
    /// are errors.
    pub(super) fn look(&mut self, wanted: Wanted) -> Rows {
        let wanted = Arc::new(wanted);
        loop {
            self.stalls.mark_unchanged();
            let (answer, answers) = mpsc::channel();
            let thread = self.thread.take().unwrap_or_else(|| self.begin());
            if thread.jobs.send((wanted.clone(), answer)).is_err() {
                return Rows::default();
            }
            loop {
                match answers.recv_timeout(STALL_POLL) {
                    Ok(rows) => {
                        self.thread = Some(thread);
                        return rows;
                    }
                    Err(RecvTimeoutError::Timeout) => match self.stalls.has_changed() {
                        Ok(false) => {}
                        Ok(true) => break,
                        // No one looks after the drives any more: the set is gone.
                        Err(_) => return Rows::default(),
                    },
                    // It panicked, as a damaged index may make it.
                    Err(RecvTimeoutError::Disconnected) => return Rows::default(),
                }
            }
        }
    }

    fn begin(&self) -> Thread {
        let (jobs, inbox) = mpsc::channel::<(Arc<Wanted>, Sender<Rows>)>();
        let (slots, geometry) = (self.slots.clone(), self.geometry);
        let run = move || {
            while let Ok((wanted, answer)) = inbox.recv() {
                let _ = answer.send(Rows::read(&slots, geometry, &wanted));
            }
        };
        let name = format!("reader-{}", self.set);
        let handle = std::thread::Builder::new().name(name).spawn(run).expect("a thread starts");
        Thread { jobs, handle }
    }

    /// Ends the thread: until then it holds the indexes open.
    pub(super) fn close(self) {
        if let Some(Thread { jobs, handle }) = self.thread {
            drop(jobs);
            join_or_leave(handle);
        }
    }
}

/// Reads from the index of a drive that holds everything; one whose index fails is out and the next is asked.
pub(crate) fn lookup<T>(
    slots: &[Slot],
    geometry: Geometry,
    read: impl Fn(&Slot) -> Option<Result<T, IndexError>>,
) -> Result<T, StorageError> {
    let online = |suspect: bool| {
        slots.iter().filter(move |slot| slot.state() == SlotState::Online && slot.is_suspect() == suspect)
    };
    // A drive that is slow to answer is asked only when there is no other.
    for slot in online(false).chain(online(true)) {
        match read(slot) {
            Some(Ok(found)) => return Ok(found),
            Some(Err(IndexError::Shortage(_))) => return Err(StorageError::Busy),
            Some(Err(error @ IndexError::Failed(_))) => {
                slot.fail_index(&error);
            }
            None => {}
        }
    }
    Err(StorageError::TooFewDrives { healthy: 0, needed: geometry.data() })
}
