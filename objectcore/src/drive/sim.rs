//! A simulated drive: what was synced and what was not are kept apart, and every operation can fail.
//!
//! Each changing operation has a number. A fault is planned for a number; [`SimDrive::crash`] then keeps a
//! chosen part of what was not durable, as a power loss would. Nothing here reads a clock or a random source.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Drive, DriveSpace, ShardReader, ShardWriter};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Format,
    Segment(u64),
    Shard(u128),
    Temporary(u64),
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// What readers see.
    bytes: Vec<u8>,
    /// What a crash surely keeps.
    durable: Vec<u8>,
}

/// An effect that is not durable yet, in the order it was made.
#[derive(Debug, Clone)]
enum Pending {
    Write { node: u64, offset: usize, bytes: Vec<u8> },
    Cut { node: u64, len: usize },
    Names { changes: Vec<(Name, Option<u64>)> },
}

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<u64, Node>,
    names: BTreeMap<Name, u64>,
    durable_names: BTreeMap<Name, u64>,
    pending: Vec<Pending>,
    faults: BTreeMap<u64, Fault>,
    operations: u64,
    next_node: u64,
    dead: bool,
    free_bytes: u64,
    read_errors: BTreeSet<u64>,
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

/// Holds changing operations back while it is shut.
#[derive(Debug, Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
}

const TOTAL_BYTES: u64 = 1 << 40;

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

    /// Makes every later changing operation hang until [`SimDrive::release`].
    pub fn hold(&self) {
        *self.gate.shut.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Lets operations that hang go on.
    pub fn release(&self) {
        *self.gate.shut.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.gate.opened.notify_all();
    }

    fn wait_for_gate(&self) {
        let shut = self.gate.shut.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.gate.opened.wait_while(shut, |shut| *shut).unwrap_or_else(PoisonError::into_inner));
    }

    /// Makes every later operation fail.
    pub fn die(&self) {
        self.lock().dead = true;
    }

    /// Sets what [`Drive::space`] answers. Nothing is refused by it: plan [`Fault::Full`] for that.
    pub fn set_free_bytes(&self, free_bytes: u64) {
        self.lock().free_bytes = free_bytes;
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
        self.wait_for_gate();
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
        if let Name::Segment(segment) = name
            && state.read_errors.contains(&segment)
        {
            return Err(failed("read"));
        }
        let node = state.names.get(&name).ok_or(io::ErrorKind::NotFound)?;
        read(&state.nodes[node])
    }
}

impl State {
    fn write_durable(&mut self, node: u64, offset: usize, bytes: &[u8]) {
        let Some(node) = self.nodes.get_mut(&node) else { return };
        if node.durable.len() < offset + bytes.len() {
            node.durable.resize(offset + bytes.len(), 0);
        }
        node.durable[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn name_durable(&mut self, changes: &[(Name, Option<u64>)]) {
        for (name, node) in changes {
            match node {
                Some(node) => self.durable_names.insert(*name, *node),
                None => self.durable_names.remove(name),
            };
        }
    }

    fn create(&mut self) -> u64 {
        let id = self.next_node;
        self.next_node += 1;
        self.nodes.insert(id, Node::default());
        id
    }

    fn write(&mut self, id: u64, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let node = self.nodes.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        if node.bytes.len() < offset + bytes.len() {
            node.bytes.resize(offset + bytes.len(), 0);
        }
        node.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        self.pending.push(Pending::Write { node: id, offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn sync_node(&mut self, id: u64) -> io::Result<()> {
        self.pending.retain(|effect| match effect {
            Pending::Write { node, .. } | Pending::Cut { node, .. } => *node != id,
            Pending::Names { .. } => true,
        });
        let node = self.nodes.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        node.durable = node.bytes.clone();
        Ok(())
    }

    fn rename(&mut self, changes: Vec<(Name, Option<u64>)>) {
        for (name, node) in &changes {
            match node {
                Some(node) => self.names.insert(*name, *node),
                None => self.names.remove(name),
            };
        }
        self.pending.push(Pending::Names { changes });
    }

    fn sync_names(&mut self) {
        self.pending.retain(|effect| !matches!(effect, Pending::Names { .. }));
        self.durable_names = self.names.clone();
    }
}

impl Drive for SimDrive {
    fn label(&self) -> &str {
        &self.label
    }

    fn space(&self) -> io::Result<DriveSpace> {
        let state = self.lock();
        if self.is_dead(&state) {
            return Err(failed("space"));
        }
        Ok(DriveSpace { free_bytes: state.free_bytes, total_bytes: TOTAL_BYTES })
    }

    fn read_format(&self) -> io::Result<Option<Vec<u8>>> {
        match self.look(Name::Format, |node| Ok(node.bytes.clone())) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_format(&self, bytes: &[u8]) -> io::Result<()> {
        let node = self.change("write format", |state| {
            let node = state.create();
            state.write(node, 0, bytes)?;
            Ok(node)
        })?;
        self.change("sync format", |state| state.sync_node(node))?;
        self.change("rename format", |state| {
            state.rename(vec![(Name::Format, Some(node))]);
            Ok(())
        })?;
        self.change("sync directory", |state| {
            state.sync_names();
            Ok(())
        })
    }

    fn segments(&self) -> io::Result<Vec<u64>> {
        let state = self.lock();
        if self.is_dead(&state) {
            return Err(failed("list"));
        }
        let number = |name: &Name| match name {
            Name::Segment(segment) => Some(*segment),
            Name::Format | Name::Shard(_) | Name::Temporary(_) => None,
        };
        Ok(state.names.keys().filter_map(number).collect())
    }

    fn create_segment(&self, segment: u64, _reserve_bytes: u64) -> io::Result<()> {
        self.change("create segment", |state| {
            if state.names.contains_key(&Name::Segment(segment)) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let node = state.create();
            state.rename(vec![(Name::Segment(segment), Some(node))]);
            Ok(())
        })?;
        self.change("sync directory", |state| {
            state.sync_names();
            Ok(())
        })
    }

    fn segment_len(&self, segment: u64) -> io::Result<u64> {
        self.look(Name::Segment(segment), |node| Ok(node.bytes.len() as u64))
    }

    fn append(&self, segment: u64, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let torn = {
            let state = self.lock();
            let fault = state.faults.get(&state.operations).filter(|_| !self.is_dead(&state));
            match fault {
                Some(Fault::Tear(kept) | Fault::PowerLoss(kept)) => Some((*kept, fault.copied())),
                Some(
                    Fault::FailBefore | Fault::LoseReply | Fault::Full | Fault::Die | Fault::PowerLossAfter,
                )
                | None => None,
            }
        };
        let write = |state: &mut State, bytes: &[u8]| {
            let node = *state.names.get(&Name::Segment(segment)).ok_or(io::ErrorKind::NotFound)?;
            state.write(node, offset as usize, bytes)
        };
        if let Some((kept, fault)) = torn {
            let mut state = self.lock();
            state.operations += 1;
            if matches!(fault, Some(Fault::PowerLoss(_))) {
                self.power.store(false, Ordering::SeqCst);
            }
            write(&mut state, &bytes[..kept.min(bytes.len())])?;
            return Err(failed("append"));
        }
        self.change("append", |state| write(state, bytes))
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        self.change("sync", |state| {
            let node = *state.names.get(&Name::Segment(segment)).ok_or(io::ErrorKind::NotFound)?;
            state.sync_node(node)
        })
    }

    fn truncate(&self, segment: u64, len: u64) -> io::Result<()> {
        let node = self.change("truncate", |state| {
            let id = *state.names.get(&Name::Segment(segment)).ok_or(io::ErrorKind::NotFound)?;
            let node = state.nodes.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
            node.bytes.truncate(len as usize);
            state.pending.push(Pending::Cut { node: id, len: len as usize });
            Ok(id)
        })?;
        self.change("sync", |state| state.sync_node(node))
    }

    fn remove_segment(&self, segment: u64) -> io::Result<()> {
        self.change("remove segment", |state| {
            if state.names.contains_key(&Name::Segment(segment)) {
                state.rename(vec![(Name::Segment(segment), None)]);
            }
            Ok(())
        })?;
        self.change("sync directory", |state| {
            state.sync_names();
            Ok(())
        })
    }

    fn read_at(&self, segment: u64, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.look(Name::Segment(segment), |node| copy_out(&node.bytes, offset, buffer))
    }

    fn create_shard(&self, id: u128) -> io::Result<Box<dyn ShardWriter>> {
        let node = self.change("create shard", |state| {
            let node = state.create();
            state.rename(vec![(Name::Temporary(node), Some(node))]);
            Ok(node)
        })?;
        Ok(Box::new(SimShardWriter { drive: self.clone(), node, id, len: 0, named: false }))
    }

    fn open_shard(&self, id: u128) -> io::Result<Box<dyn ShardReader>> {
        let bytes = self.look(Name::Shard(id), |node| Ok(node.bytes.clone()))?;
        Ok(Box::new(SimShardReader { bytes }))
    }

    fn remove_shard(&self, id: u128) -> io::Result<()> {
        self.change("remove shard", |state| {
            if state.names.contains_key(&Name::Shard(id)) {
                state.rename(vec![(Name::Shard(id), None)]);
            }
            Ok(())
        })
    }

    fn list_shards(&self) -> io::Result<Vec<u128>> {
        let state = self.lock();
        if self.is_dead(&state) {
            return Err(failed("list"));
        }
        let id = |name: &Name| match name {
            Name::Shard(id) => Some(*id),
            Name::Format | Name::Segment(_) | Name::Temporary(_) => None,
        };
        Ok(state.names.keys().filter_map(id).collect())
    }

    fn index_path(&self) -> Option<PathBuf> {
        None
    }
}

fn copy_out(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
    let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
    buffer.copy_from_slice(bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}

struct SimShardWriter {
    drive: SimDrive,
    node: u64,
    id: u128,
    len: usize,
    named: bool,
}

impl ShardWriter for SimShardWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (node, at) = (self.node, self.len);
        self.drive.change("write shard", |state| state.write(node, at, bytes))?;
        self.len += bytes.len();
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let (node, id) = (self.node, self.id);
        self.drive.change("sync shard", |state| state.sync_node(node))?;
        self.drive.change("rename shard", |state| {
            state.rename(vec![(Name::Temporary(node), None), (Name::Shard(id), Some(node))]);
            Ok(())
        })?;
        self.named = true;
        self.drive.change("sync directory", |state| {
            state.sync_names();
            Ok(())
        })
    }
}

impl Drop for SimShardWriter {
    fn drop(&mut self) {
        if !self.named {
            let mut state = self.drive.lock();
            let name = Name::Temporary(self.node);
            if state.names.get(&name) == Some(&self.node) {
                state.rename(vec![(name, None)]);
            }
        }
    }
}

struct SimShardReader {
    bytes: Vec<u8>,
}

impl ShardReader for SimShardReader {
    fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        copy_out(&self.bytes, offset, buffer)
    }
}
