//! About how many items a run will look at: as many as the last completed one that looked at the same.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::definition::Definition;
use super::run::Run;
use super::state::RunState;
use super::work::Work;

/// What is remembered: some dozen bytes each.
const REMEMBERED_MAX: usize = 20_000;

/// What completed runs looked at. An estimate: nothing but what is shown rests on it.
#[derive(Default)]
pub(super) struct Expected(HashMap<u64, u64>);

impl Expected {
    /// About how many items there are; 0 when nobody knows.
    pub(super) fn of(&self, work: &dyn Work, definition: &Definition) -> u64 {
        self.0.get(&name(work, definition)).copied().unwrap_or(0)
    }

    /// Takes a run into account; runs come in order of time.
    pub(super) fn learn(&mut self, work: &dyn Work, run: &Run) {
        if run.state != RunState::Completed {
            return;
        }
        if self.0.len() >= REMEMBERED_MAX {
            self.0.clear();
        }
        self.0.insert(name(work, &run.definition), run.counts.scanned);
    }
}

fn name(work: &dyn Work, definition: &Definition) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&definition.kind, work.looks_at(&definition.spec)).hash(&mut hasher);
    hasher.finish()
}
