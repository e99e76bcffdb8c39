//! What a simulated drive holds: bytes and names, durable or not.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Format,
    Segment(u64),
    Shard(u128),
    Temporary(u64),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// What readers see.
    pub(super) bytes: Vec<u8>,
    /// What a crash surely keeps.
    pub(super) durable: Vec<u8>,
}

/// An effect that is not durable yet, in the order it was made.
#[derive(Debug, Clone)]
pub(super) enum Pending {
    Write { node: u64, offset: usize, bytes: Vec<u8> },
    Cut { node: u64, len: usize },
    Names { changes: Vec<(Name, Option<u64>)> },
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) nodes: BTreeMap<u64, Node>,
    pub(super) names: BTreeMap<Name, u64>,
    pub(super) durable_names: BTreeMap<Name, u64>,
    pub(super) pending: Vec<Pending>,
    pub(super) faults: BTreeMap<u64, Fault>,
    pub(super) operations: u64,
    pub(super) next_node: u64,
    pub(super) dead: bool,
    pub(super) starved: bool,
    pub(super) free_bytes: u64,
    pub(super) read_errors: BTreeSet<u64>,
}

impl State {
    pub(super) fn write_durable(&mut self, node: u64, offset: usize, bytes: &[u8]) {
        let Some(node) = self.nodes.get_mut(&node) else { return };
        if node.durable.len() < offset + bytes.len() {
            node.durable.resize(offset + bytes.len(), 0);
        }
        node.durable[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn name_durable(&mut self, changes: &[(Name, Option<u64>)]) {
        for (name, node) in changes {
            match node {
                Some(node) => self.durable_names.insert(*name, *node),
                None => self.durable_names.remove(name),
            };
        }
    }

    pub(super) fn create(&mut self) -> u64 {
        let id = self.next_node;
        self.next_node += 1;
        self.nodes.insert(id, Node::default());
        id
    }

    pub(super) fn write(&mut self, id: u64, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let node = self.nodes.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        if node.bytes.len() < offset + bytes.len() {
            node.bytes.resize(offset + bytes.len(), 0);
        }
        node.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        self.pending.push(Pending::Write { node: id, offset, bytes: bytes.to_vec() });
        Ok(())
    }

    pub(super) fn sync_node(&mut self, id: u64) -> io::Result<()> {
        self.pending.retain(|effect| match effect {
            Pending::Write { node, .. } | Pending::Cut { node, .. } => *node != id,
            Pending::Names { .. } => true,
        });
        let node = self.nodes.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        node.durable = node.bytes.clone();
        Ok(())
    }

    pub(super) fn rename(&mut self, changes: Vec<(Name, Option<u64>)>) {
        for (name, node) in &changes {
            match node {
                Some(node) => self.names.insert(*name, *node),
                None => self.names.remove(name),
            };
        }
        self.pending.push(Pending::Names { changes });
    }

    pub(super) fn sync_names(&mut self) {
        self.pending.retain(|effect| !matches!(effect, Pending::Names { .. }));
        self.durable_names = self.names.clone();
    }
}
