//! A simulated drive: what was synced and what was not are kept apart, and every operation can fail.
//!
//! Each changing operation has a number. A fault is planned for a number; [`SimDrive::crash`] then keeps a
//! chosen part of what was not durable, as a power loss would. Nothing here reads a clock or a random source.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod gate;
mod operations;
mod state;

pub use gate::Hang;

use gate::Gate;
use state::{Name, Node, Pending, State};

/// What happens to one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails and nothing took effect.
    FailBefore,
    /// It takes effect, durably where it would be, and answers an error.
    LoseReply,
    /// An append writes only its first `n` bytes and answers an error; any other operation fails before.
    Tear(usize),
    /// It answers "no space left" and nothing took effect.
    Full,
    /// The process has no more open files, and nothing took effect.
    Shortage,
    /// The machine has no memory; of an append the first `n` bytes are written, of anything else nothing.
    ShortageAfter(usize),
    /// It and all later ones fail and take no effect, until [`SimDrive::crash`].
    Die,
    /// The power of the drive and its group is lost during it; of an append the first `n` bytes are written,
    /// any other operation takes no effect.
    PowerLoss(usize),
    /// The power is lost just after it took effect.
    PowerLossAfter,
}

/// What a crash keeps of one operation that was not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    Whole,
    /// Of an append the first `n` bytes, of anything else nothing.
    Part(usize),
    /// Of an append all but these bytes, which are zeros; of anything else nothing.
    Hole(usize, usize),
    /// Nothing.
    Nothing,
}

/// A drive in memory with faults. Clones are the same drive.
#[derive(Debug, Clone)]
pub struct SimDrive {
    label: String,
    state: Arc<Mutex<State>>,
    /// Whether the group has power.
    power: Arc<AtomicBool>,
    gate: Arc<Gate>,
}

const TOTAL_BYTES: u64 = 1 << 40;

/// No more open files: EMFILE.
fn shortage() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error())
}

fn failed(what: &str) -> io::Error {
    io::Error::other(format!("simulated failure: {what}"))
}

impl SimDrive {
    /// A blank drive that logs call `label`.
    pub fn new(label: &str) -> Self {
        let state = State { free_bytes: TOTAL_BYTES, ..State::default() };
        let power = Arc::new(AtomicBool::new(true));
        Self { label: label.into(), state: Arc::new(Mutex::new(state)), power, gate: Arc::default() }
    }

    /// Blank drives that lose power together.
    pub fn group(count: usize) -> Vec<Self> {
        let power = Arc::new(AtomicBool::new(true));
        (0..count).map(|number| Self { power: power.clone(), ..Self::new(&format!("sim{number}")) }).collect()
    }

    /// Copies of `drives`, as [`SimDrive::copy`] makes them, in a group of their own.
    pub fn copy_group(drives: &[Self]) -> Vec<Self> {
        let power = Arc::new(AtomicBool::new(true));
        drives.iter().map(|drive| Self { power: power.clone(), ..drive.copy() }).collect()
    }

    fn is_dead(&self, state: &State) -> bool {
        state.dead || !self.power.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changing operations were made.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Plans `fault` for the operation with this number (the first is 0).
    pub fn plan(&self, operation: u64, fault: Fault) {
        self.lock().faults.insert(operation, fault);
    }

    /// Makes every later operation of that kind hang until [`SimDrive::release`].
    pub fn hang(&self, what: Hang) {
        self.gate.shut(what);
    }

    /// Lets operations that hang go on.
    pub fn release(&self) {
        self.gate.open();
    }

    /// How many operations hang.
    pub fn hanging(&self) -> usize {
        self.gate.waiting()
    }

    /// Makes every later operation fail.
    pub fn die(&self) {
        self.lock().dead = true;
    }

    /// Ends [`SimDrive::die`]: the drive works again, with all that was written to it.
    pub fn revive(&self) {
        self.lock().dead = false;
    }

    /// Sets what [`Drive::space`] answers. Nothing is refused by it: plan [`Fault::Full`] for that.
    pub fn set_free_bytes(&self, free_bytes: u64) {
        self.lock().free_bytes = free_bytes;
    }

    /// Whether the process has no open files left: opening and reading fails until it has.
    pub fn starve(&self, starved: bool) {
        self.lock().starved = starved;
    }

    /// Makes every read of this segment fail.
    pub fn fail_reads(&self, segment: u64) {
        self.lock().read_errors.insert(segment);
    }

    /// Loses power: of each effect that is not durable, in order, what `keep` says stays. The drive works
    /// again afterwards, has no planned faults and counts from 0.
    pub fn crash(&self, mut keep: impl FnMut(usize) -> Kept) {
        let mut state = self.lock();
        let pending = std::mem::take(&mut state.pending);
        for (index, effect) in pending.into_iter().enumerate() {
            match (keep(index), effect) {
                (Kept::Nothing, _)
                | (Kept::Part(_) | Kept::Hole(..), Pending::Cut { .. } | Pending::Names { .. }) => {}
                (Kept::Hole(from, until), Pending::Write { node, offset, mut bytes }) => {
                    let until = until.min(bytes.len());
                    bytes[from.min(until)..until].fill(0);
                    state.write_durable(node, offset, &bytes);
                }
                (Kept::Whole, Pending::Write { node, offset, bytes }) => {
                    state.write_durable(node, offset, &bytes)
                }
                (Kept::Part(part), Pending::Write { node, offset, bytes }) => {
                    state.write_durable(node, offset, &bytes[..part.min(bytes.len())]);
                }
                (Kept::Whole, Pending::Cut { node, len }) => {
                    if let Some(node) = state.nodes.get_mut(&node) {
                        node.durable.truncate(len);
                    }
                }
                (Kept::Whole, Pending::Names { changes }) => state.name_durable(&changes),
            }
        }
        state.names = state.durable_names.clone();
        let reachable: BTreeSet<u64> = state.names.values().copied().collect();
        state.nodes.retain(|id, _| reachable.contains(id));
        for node in state.nodes.values_mut() {
            node.bytes = node.durable.clone();
        }
        state.names.retain(|name, _| !matches!(name, Name::Temporary(_)));
        state.durable_names = state.names.clone();
        state.faults.clear();
        state.dead = false;
        state.operations = 0;
        self.power.store(true, Ordering::SeqCst);
    }

    /// The number of effects a crash could lose now.
    pub fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    /// A separate drive with the same bytes, all of them durable.
    pub fn copy(&self) -> Self {
        let from = self.lock();
        let mut nodes = from.nodes.clone();
        for node in nodes.values_mut() {
            node.durable = node.bytes.clone();
        }
        let state = State {
            nodes,
            names: from.names.clone(),
            durable_names: from.names.clone(),
            next_node: from.next_node,
            free_bytes: from.free_bytes,
            ..State::default()
        };
        let power = Arc::new(AtomicBool::new(true));
        Self { label: self.label.clone(), state: Arc::new(Mutex::new(state)), power, gate: Arc::default() }
    }

    /// Forgets everything: the drive is blank.
    pub fn wipe(&self) {
        let mut state = self.lock();
        *state = State { free_bytes: state.free_bytes, ..State::default() };
    }

    /// The names and lengths of all files, in a fixed order.
    pub fn files(&self) -> Vec<(String, usize)> {
        let state = self.lock();
        state.names.iter().map(|(name, node)| (format!("{name:?}"), state.nodes[node].bytes.len())).collect()
    }

    /// Flips bits of one byte of the file at `file` (an index into [`SimDrive::files`]).
    pub fn flip(&self, file: usize, offset: usize, mask: u8) {
        let mut state = self.lock();
        let id = *state.names.values().nth(file).expect("the file is listed");
        let node = state.nodes.get_mut(&id).expect("a named node is kept");
        node.bytes[offset] ^= mask;
        node.durable = node.bytes.clone();
    }

    /// Cuts the file at `file` (an index into [`SimDrive::files`]) to `len` bytes.
    pub fn cut(&self, file: usize, len: usize) {
        let mut state = self.lock();
        let id = *state.names.values().nth(file).expect("the file is listed");
        let node = state.nodes.get_mut(&id).expect("a named node is kept");
        node.bytes.truncate(len);
        node.durable = node.bytes.clone();
    }

    /// Runs a changing operation under its planned fault.
    fn change<T>(&self, what: &str, apply: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.gate.pass(Hang::Changes);
        let mut state = self.lock();
        let number = state.operations;
        state.operations += 1;
        let fault = state.faults.get(&number).copied();
        if self.is_dead(&state) {
            return Err(failed(what));
        }
        match fault {
            None => apply(&mut state),
            Some(Fault::LoseReply) => {
                apply(&mut state)?;
                Err(failed(what))
            }
            Some(Fault::PowerLossAfter) => {
                self.power.store(false, Ordering::SeqCst);
                apply(&mut state)?;
                Err(failed(what))
            }
            Some(Fault::PowerLoss(_)) => {
                self.power.store(false, Ordering::SeqCst);
                Err(failed(what))
            }
            Some(Fault::FailBefore | Fault::Tear(_)) => Err(failed(what)),
            Some(Fault::Full) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Shortage | Fault::ShortageAfter(_)) => Err(shortage()),
            Some(Fault::Die) => {
                state.dead = true;
                Err(failed(what))
            }
        }
    }

    fn look<T>(&self, name: Name, read: impl FnOnce(&Node) -> io::Result<T>) -> io::Result<T> {
        let state = self.lock();
        if self.is_dead(&state) {
            return Err(failed("read"));
        }
        if state.starved {
            return Err(shortage());
        }
        if let Name::Segment(segment) = name
            && state.read_errors.contains(&segment)
        {
            return Err(failed("read"));
        }
        let node = state.names.get(&name).ok_or(io::ErrorKind::NotFound)?;
        read(&state.nodes[node])
    }
}
