//! Putting a batch together: which of the drafts and copies that wait count.
//!
//! All that the batch needs of the indexes is read at once, before (C5): only the committer changes what they
//! hold, so it does not change meanwhile.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::committer::{Answer, Committer, CopyIf, CopyRequest, Message};
use super::look::{Rows, Wanted};
use super::outbox;
use super::types::{CommitError, Committed, Draft, Entry, Expect};
use super::worker::{Job, LocalCopy, Numbered};
use crate::index::Row;
use crate::log::record::{self, Inline};
use crate::log::{Op, Seq, Space};
use crate::types::StorageError;

pub(super) struct Waiting {
    pub(super) replaced: Vec<Option<Entry>>,
    pub(super) answer: Answer<Committed>,
}

/// A batch as it is put together.
#[derive(Default)]
pub(super) struct Assembly {
    pub(super) entries: Vec<Numbered>,
    pub(super) copies: Vec<Vec<LocalCopy>>,
    pub(super) bytes: usize,
    /// Changes that are put into the outbox.
    pub(super) told: u64,
    /// What the indexes held before it.
    rows: Rows,
    /// Drives that seemed full were asked for their room.
    room_asked: bool,
    pub(super) overlay: HashMap<(Space, Bytes), Option<Entry>>,
    pub(super) drafts: Vec<Waiting>,
    pub(super) copied: Vec<Answer<()>>,
    /// Drafts refused because of what this batch will hold: told once the batch is durable (C4).
    pub(super) refused: Vec<(Answer<Committed>, CommitError)>,
}

pub(crate) fn entry_of(row: &Row) -> Entry {
    Entry { seq: row.seq, value: row.value.clone(), inline: row.inline != Inline::None }
}

impl Wanted {
    fn of(messages: &[Message]) -> Self {
        let mut wanted = Self::default();
        for message in messages {
            match message {
                Message::Draft { draft, .. } => {
                    let expected = draft.expect.iter().map(|(space, key, _)| (*space, key.clone()));
                    wanted.current.extend(expected);
                    let known = draft.ops.iter().filter(|op| op.space() != Space::Journal);
                    wanted.current.extend(known.map(|op| (op.space(), op.key().clone())));
                }
                Message::Copies { copies, .. } => {
                    for CopyRequest { slot, when, copy } in copies {
                        let (space, key) = (copy.op.space(), copy.op.key().clone());
                        match when {
                            CopyIf::Current(_) => wanted.current.push((space, key)),
                            CopyIf::At(_) | CopyIf::NotSince(_) => wanted.own.push((*slot, space, key)),
                            CopyIf::Gone(_) => {
                                wanted.current.push((space, key.clone()));
                                wanted.own.push((*slot, space, key));
                            }
                        }
                    }
                }
                Message::Filled { .. }
                | Message::RemoveSegment { .. }
                | Message::Rejoin { .. }
                | Message::Keep { .. }
                | Message::Epoch { .. } => {}
            }
        }
        wanted
    }
}

impl Committer {
    pub(super) fn assemble(&mut self, messages: Vec<Message>) -> Assembly {
        let rows = self.reader.look(Wanted::of(&messages));
        let copies = (0..self.slots.len()).map(|_| Vec::new()).collect();
        let mut assembly = Assembly { rows, copies, ..Assembly::default() };
        for message in messages {
            match message {
                Message::Draft { draft, bytes, answer } => {
                    self.figures.waiting_drafts.fetch_sub(1, Ordering::Relaxed);
                    self.figures.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    self.add_draft(&mut assembly, draft, bytes, answer);
                }
                Message::Copies { copies, bytes, answer } => {
                    self.figures.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    self.add_copies(&mut assembly, copies, bytes, answer);
                }
                Message::Filled { .. }
                | Message::RemoveSegment { .. }
                | Message::Rejoin { .. }
                | Message::Keep { .. }
                | Message::Epoch { .. } => {
                    unreachable!("it is never taken into a batch")
                }
            }
        }
        assembly
    }

    fn add_draft(&mut self, into: &mut Assembly, draft: Draft, bytes: usize, answer: Answer<Committed>) {
        match self.plan_draft(into, draft, bytes) {
            Ok(replaced) => into.drafts.push(Waiting { replaced, answer }),
            Err(error @ CommitError::Changed { .. }) if !into.overlay.is_empty() => {
                into.refused.push((answer, error));
            }
            Err(error) => {
                let _ = answer.send(Err(error));
            }
        }
    }

    fn plan_draft(
        &mut self,
        into: &mut Assembly,
        mut draft: Draft,
        bytes: usize,
    ) -> Result<Vec<Option<Entry>>, CommitError> {
        self.check_members()?;
        if draft.ops.iter().any(takes_room) {
            self.check_room(into, bytes)?;
        }
        for (space, key, expect) in &draft.expect {
            let found = self.seen(into, *space, key)?;
            let holds = match expect {
                Expect::Any => true,
                Expect::Absent => found.is_none(),
                Expect::Present => found.is_some(),
                Expect::Seq(seq) => found.as_ref().is_some_and(|entry| entry.seq == *seq),
            };
            if !holds {
                return Err(CommitError::Changed { space: *space, key: key.clone(), found });
            }
        }
        let seq = Seq(self.next_seq);
        let told = outbox::number(&mut draft.ops, seq);
        let mut replaced = Vec::with_capacity(draft.ops.len());
        let mut next = Vec::with_capacity(draft.ops.len());
        for (number, op) in draft.ops.iter().enumerate() {
            replaced.push(match op.space() {
                Space::Journal => None,
                space @ (Space::Bucket | Space::Object | Space::Upload | Space::Part | Space::System) => {
                    self.seen(into, space, op.key())?
                }
            });
            let inline = number == 0 && draft.inline.is_some();
            next.push(match op {
                Op::Put { value, .. } => Some(Entry { seq, value: value.clone(), inline }),
                Op::Delete { .. } => None,
            });
        }
        for (op, entry) in draft.ops.iter().zip(next) {
            into.overlay.insert((op.space(), op.key().clone()), entry);
        }
        self.next_seq += 1;
        into.bytes += bytes;
        into.told += told;
        into.entries.push(Numbered { seq, ops: draft.ops, inline: draft.inline });
        Ok(replaced)
    }

    /// What the key holds for the next draft of the batch (C4).
    fn seen(&self, assembly: &Assembly, space: Space, key: &Bytes) -> Result<Option<Entry>, StorageError> {
        if !assembly.overlay.is_empty()
            && let Some(entry) = assembly.overlay.get(&(space, key.clone()))
        {
            return Ok(entry.clone());
        }
        assembly.rows.current(space, key).map(|row| row.map(entry_of))
    }

    /// Refuses what would eat into the reserve. Drives that were full are asked again: room may have come back.
    fn check_room(&mut self, into: &mut Assembly, bytes: usize) -> Result<(), StorageError> {
        let needed = self.settings.reserve_bytes.saturating_add((into.bytes + bytes) as u64);
        let short = |committer: &Self| -> Vec<usize> {
            let is_short = |slot: &usize| {
                committer.workers[*slot].as_ref().is_some_and(|worker| worker.report.free_bytes < needed)
            };
            committer.members().into_iter().filter(is_short).collect()
        };
        let mut full = short(self);
        if !full.is_empty() && !into.room_asked {
            into.room_asked = true;
            self.ask(&full, || Job::Report);
            full = short(self);
        }
        if full.is_empty() { Ok(()) } else { Err(StorageError::Full) }
    }

    fn add_copies(
        &mut self,
        into: &mut Assembly,
        copies: Vec<CopyRequest>,
        bytes: usize,
        answer: Answer<()>,
    ) {
        let result = self.check_members().and_then(|()| {
            let mut keep = Vec::with_capacity(copies.len());
            for request in copies {
                if self.copy_counts(into, &request)? {
                    keep.push(request);
                }
            }
            Ok(keep)
        });
        match result {
            Ok(keep) => {
                into.bytes += bytes;
                for request in keep {
                    into.copies[request.slot].push(request.copy);
                }
                into.copied.push(answer);
            }
            Err(error) => {
                let _ = answer.send(Err(error.into()));
            }
        }
    }

    fn copy_counts(&self, assembly: &Assembly, request: &CopyRequest) -> Result<bool, StorageError> {
        let (space, key) = (request.copy.op.space(), request.copy.op.key());
        if !self.members().contains(&request.slot) {
            return Err(StorageError::TooFewDrives { healthy: 0, needed: 1 });
        }
        // The batch itself replaces the entry: its own record follows.
        if assembly.overlay.contains_key(&(space, key.clone())) {
            return Ok(false);
        }
        let own = || assembly.rows.own(request.slot, space, key);
        Ok(match &request.when {
            CopyIf::Current(seq) => assembly.rows.current(space, key)?.is_some_and(|row| row.seq == *seq),
            CopyIf::At(location) => own()?.is_some_and(|row| row.location == *location),
            CopyIf::NotSince(seq) => own()?.is_none_or(|row| row.seq < *seq),
            CopyIf::Gone(seq) => {
                own()?.is_some_and(|row| row.seq == *seq) && assembly.rows.current(space, key)?.is_none()
            }
        })
    }
}

/// Whether a full drive refuses it. What tells of a deletion must not keep it from giving room back, nor a note of the
/// set's own that comes with one.
fn takes_room(op: &Op) -> bool {
    match op {
        Op::Put { space, .. } => match space {
            Space::Bucket | Space::Object | Space::Upload | Space::Part => true,
            Space::System | Space::Journal => false,
        },
        Op::Delete { .. } => false,
    }
}

/// The bytes a draft takes in each drive's log.
pub(crate) fn draft_bytes(draft: &Draft) -> usize {
    let inline = draft.inline.as_ref().and_then(|shards| shards.iter().map(Bytes::len).max()).unwrap_or(0);
    record::entry_bytes(&draft.ops, inline)
}
