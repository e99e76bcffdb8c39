//! A directed graph and its cycles.

use std::collections::{BTreeMap, VecDeque};

/// Why one transaction comes before another (Adya).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// It made the version before.
    WriteWrite,
    /// The other saw what it made.
    WriteRead,
    /// The other replaced what it saw.
    ReadWrite,
    /// It was answered before the other began.
    RealTime,
}

/// Edges with their reasons.
pub(super) struct Graph {
    pub(super) after: Vec<Vec<(usize, Why)>>,
}

impl Graph {
    pub(super) fn new(nodes: usize) -> Self {
        Self { after: vec![Vec::new(); nodes] }
    }

    pub(super) fn node(&mut self) -> usize {
        self.after.push(Vec::new());
        self.after.len() - 1
    }

    pub(super) fn edge(&mut self, from: usize, to: usize, why: Why) {
        if from != to {
            self.after[from].push((to, why));
        }
    }

    /// A shortest cycle along edges of `whys` that begins with an edge of the reason `first`.
    pub(super) fn cycle(&self, first: Why, whys: &[Why]) -> Option<Vec<usize>> {
        let with_first: Vec<Why> = whys.iter().copied().chain([first]).collect();
        let parts = self.parts(&with_first);
        (0..self.after.len())
            .flat_map(|from| self.after[from].iter().map(move |&(to, why)| (from, to, why)))
            .filter(|&(from, to, why)| why == first && parts[from] == parts[to])
            .find_map(|(from, to, _)| self.path(to, from, whys, &parts))
    }

    /// The nodes of a shortest path, both ends included. It stays in one part.
    fn path(&self, from: usize, to: usize, whys: &[Why], parts: &[usize]) -> Option<Vec<usize>> {
        let mut before = BTreeMap::from([(from, from)]);
        let mut next = VecDeque::from([from]);
        while let Some(at) = next.pop_front() {
            if at == to {
                let mut path = vec![at];
                while before[&path[path.len() - 1]] != path[path.len() - 1] {
                    path.push(before[&path[path.len() - 1]]);
                }
                path.reverse();
                return Some(path);
            }
            for &(other, why) in &self.after[at] {
                if whys.contains(&why) && parts[other] == parts[to] && !before.contains_key(&other) {
                    before.insert(other, at);
                    next.push_back(other);
                }
            }
        }
        None
    }

    /// The strongly connected part of each node (Tarjan, without recursion).
    fn parts(&self, whys: &[Why]) -> Vec<usize> {
        const NONE: usize = usize::MAX;
        let nodes = self.after.len();
        let (mut index, mut low, mut part) = (vec![NONE; nodes], vec![0; nodes], vec![NONE; nodes]);
        let (mut count, mut stack) = (0, Vec::new());
        for start in 0..nodes {
            if index[start] != NONE {
                continue;
            }
            let mut open = vec![(start, 0)];
            while let Some(&(node, edge)) = open.last() {
                if edge == 0 {
                    index[node] = count;
                    low[node] = count;
                    count += 1;
                    stack.push(node);
                }
                let place = open.len() - 1;
                open[place].1 = edge + 1;
                match self.after[node].get(edge) {
                    Some((_, why)) if !whys.contains(why) => {}
                    Some(&(next, _)) if index[next] == NONE => open.push((next, 0)),
                    Some(&(next, _)) if part[next] == NONE => low[node] = low[node].min(index[next]),
                    Some(_) => {}
                    None => {
                        open.pop();
                        if let Some(&(parent, _)) = open.last() {
                            low[parent] = low[parent].min(low[node]);
                        }
                        if low[node] == index[node] {
                            while let Some(member) = stack.pop() {
                                part[member] = node;
                                if member == node {
                                    break;
                                }
                            }
                        }
                    }
                }
            }
        }
        part
    }
}
