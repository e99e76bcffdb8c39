//! The last revisions of a table.
//!
//! Entries of tables are shared with readers, so every commit copies what it changes. Full chunks are shared
//! between the copies: a commit copies a few dozen revisions, not a thousand.

use std::sync::Arc;

use serde::de::Deserializer;
use serde::ser::{SerializeSeq as _, Serializer};
use serde::{Deserialize, Serialize};

use super::Revision;
use super::limits::REVISIONS_MAX;

/// Revisions of a full chunk.
const CHUNK: usize = 32;

/// Revisions, oldest first; at most [`REVISIONS_MAX`]. On disk a plain list.
#[derive(Debug, Clone, Default)]
pub struct Revisions {
    full: Vec<Arc<[Revision]>>,
    recent: Vec<Revision>,
}

impl Revisions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.held().min(REVISIONS_MAX)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.held() == 0
    }

    /// The newest.
    pub fn last(&self) -> Option<&Revision> {
        self.recent.last().or_else(|| self.full.last().and_then(|chunk| chunk.last()))
    }

    /// All, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Revision> {
        let full = self.full.iter().flat_map(|chunk| chunk.iter());
        full.chain(&self.recent).skip(self.held() - self.len())
    }

    /// A copy with one more.
    pub(super) fn with(&self, revision: Revision) -> Self {
        let mut next = self.clone();
        next.push(revision);
        next
    }

    fn push(&mut self, revision: Revision) {
        self.recent.push(revision);
        if self.recent.len() == CHUNK {
            self.full.push(std::mem::take(&mut self.recent).into());
        }
        if self.held() >= REVISIONS_MAX + CHUNK {
            self.full.remove(0);
        }
    }

    /// Those kept: up to a chunk more than there are.
    fn held(&self) -> usize {
        self.full.len() * CHUNK + self.recent.len()
    }
}

impl FromIterator<Revision> for Revisions {
    fn from_iter<I: IntoIterator<Item = Revision>>(revisions: I) -> Self {
        let mut made = Self::default();
        for revision in revisions {
            made.push(revision);
        }
        made
    }
}

impl PartialEq for Revisions {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for Revisions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for revision in self.iter() {
            list.serialize_element(revision)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Revisions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Vec::<Revision>::deserialize(deserializer)?;
        // Most tables have few: those stay as they were read.
        if list.len() < CHUNK {
            list.shrink_to_fit();
            return Ok(Self { full: Vec::new(), recent: list });
        }
        Ok(list.into_iter().collect())
    }
}
