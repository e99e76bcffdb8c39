//! The operations of a simulated drive.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::gate::Gate;
use super::state::{Name, Pending, State};
use super::{Fault, Hang, SimDrive, TOTAL_BYTES, failed, shortage};
use crate::drive::{Drive, DriveSpace, ShardReader, ShardWriter, failed_sync};

impl Drive for SimDrive {
    fn label(&self) -> &str {
        &self.label
    }

    fn reopen(&self) -> io::Result<Arc<dyn Drive>> {
        self.gate.pass(Hang::Looks);
        if self.is_dead(&self.lock()) {
            return Err(failed("reopen"));
        }
        Ok(Arc::new(self.clone()))
    }

    fn space(&self) -> io::Result<DriveSpace> {
        self.gate.pass(Hang::Looks);
        let state = self.lock();
        if self.is_dead(&state) {
            return Err(failed("space"));
        }
        Ok(DriveSpace { free_bytes: state.free_bytes, total_bytes: TOTAL_BYTES })
    }

    fn read_format(&self) -> io::Result<Option<Vec<u8>>> {
        self.gate.pass(Hang::Looks);
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
        self.gate.pass(Hang::Looks);
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
        let synced = self.change("sync directory", |state| {
            state.sync_names();
            Ok(())
        });
        synced.map_err(failed_sync)
    }

    fn segment_len(&self, segment: u64) -> io::Result<u64> {
        self.gate.pass(Hang::LogReads);
        self.look(Name::Segment(segment), |node| Ok(node.bytes.len() as u64))
    }

    fn append(&self, segment: u64, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let torn = {
            let state = self.lock();
            let fault = state.faults.get(&state.operations).filter(|_| !self.is_dead(&state));
            match fault {
                Some(Fault::Tear(kept) | Fault::PowerLoss(kept) | Fault::ShortageAfter(kept)) => {
                    Some((*kept, fault.copied()))
                }
                Some(
                    Fault::FailBefore
                    | Fault::LoseReply
                    | Fault::Full
                    | Fault::Shortage
                    | Fault::Die
                    | Fault::PowerLossAfter,
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
            return Err(match fault {
                Some(Fault::ShortageAfter(_)) => shortage(),
                Some(_) | None => failed("append"),
            });
        }
        self.change("append", |state| write(state, bytes))
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        let synced = self.change("sync", |state| {
            let node = *state.names.get(&Name::Segment(segment)).ok_or(io::ErrorKind::NotFound)?;
            state.sync_node(node)
        });
        synced.map_err(failed_sync)
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
        self.gate.pass(Hang::LogReads);
        self.look(Name::Segment(segment), |node| copy_out(&node.bytes, offset, buffer))
    }

    fn create_shard(&self, id: u128) -> io::Result<Box<dyn ShardWriter>> {
        self.gate.pass(Hang::ShardWrites);
        let node = self.change("create shard", |state| {
            let node = state.create();
            state.rename(vec![(Name::Temporary(node), Some(node))]);
            Ok(node)
        })?;
        Ok(Box::new(SimShardWriter { drive: self.clone(), node, id, len: 0, named: false }))
    }

    fn open_shard(&self, id: u128) -> io::Result<Box<dyn ShardReader>> {
        self.gate.pass(Hang::ShardReads);
        let bytes = self.look(Name::Shard(id), |node| Ok(node.bytes.clone()))?;
        Ok(Box::new(SimShardReader { bytes, gate: self.gate.clone() }))
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
        self.gate.pass(Hang::Looks);
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

    fn before_index(&self) {
        self.gate.pass(Hang::Index);
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
        self.drive.gate.pass(Hang::ShardWrites);
        let (node, at) = (self.node, self.len);
        self.drive.change("write shard", |state| state.write(node, at, bytes))?;
        self.len += bytes.len();
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.drive.gate.pass(Hang::ShardWrites);
        let (node, id) = (self.node, self.id);
        self.drive.change("sync shard", |state| state.sync_node(node)).map_err(failed_sync)?;
        self.drive.change("rename shard", |state| {
            state.rename(vec![(Name::Temporary(node), None), (Name::Shard(id), Some(node))]);
            Ok(())
        })?;
        self.named = true;
        let synced = self.drive.change("sync directory", |state| {
            state.sync_names();
            Ok(())
        });
        synced.map_err(failed_sync)
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
    gate: Arc<Gate>,
}

impl ShardReader for SimShardReader {
    fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.gate.pass(Hang::ShardReads);
        copy_out(&self.bytes, offset, buffer)
    }

    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        if self.gate.is_shut(Hang::ShardReads) {
            return Ok(false);
        }
        copy_out(&self.bytes, offset, buffer).map(|()| true)
    }
}
