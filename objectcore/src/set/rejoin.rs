//! A drive that was out comes back while its set works.
//!
//! - J1: it is opened only when nothing of its life before is left: no thread in one of its calls, no index, no file.
//! - J2: it is the drive it was, or a blank one, which gets an id of its own. It has shown that it can write.
//! - J3: what of its log does not count is cut off before an epoch makes it a member (`decide.rs` says what counts).
//! - J4: it comes back as one that is being filled: it takes every write from then on, and counts for reads of entries
//!   once nothing is missing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::committer::{Committer, Message};
use super::decide::{Decision, Present, Verdict, judge};
use super::format::{Format, InvalidFormat};
use super::open::OpenError;
use super::recover::{Seat, cut_end, identity};
use super::scan::{ScanError, apply_records, scan};
use super::slot::SlotState;
use super::start::Recovered;
use super::{CommitError, ErasureSet};
use crate::drive::Drive;
use crate::log::Seq;
use crate::log::epoch::{EpochBody, Member, Standing};
use crate::types::StorageError;

/// How long what is left of the drive's life before is waited for, and how often it is looked at.
const LEFT_ROUNDS_MAX: usize = 100;
const LEFT_ROUND: Duration = Duration::from_millis(5);

/// Why a drive does not come back now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RejoinError {
    /// It is not out.
    #[error("the drive is in its set")]
    NotOut,
    /// It was not there when the set was opened.
    #[error("the drive was not there at the start")]
    Missing,
    /// Something of before is still under way.
    #[error("an operation of before still hangs in the drive")]
    Held,
    /// It does not work.
    #[error("the drive does not work")]
    Drive(#[from] io::Error),
    /// It is another drive.
    #[error("{what}")]
    Other {
        /// What was found.
        what: String,
    },
    /// Its log cannot be used.
    #[error("its log cannot be used: {what}")]
    Log {
        /// Why.
        what: String,
    },
    /// The set takes no writes, or is being closed.
    #[error(transparent)]
    Set(#[from] StorageError),
}

impl From<CommitError> for RejoinError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => Self::Set(error),
            CommitError::Changed { .. } => Self::Set(StorageError::Unknown),
        }
    }
}

impl From<ScanError> for RejoinError {
    fn from(error: ScanError) -> Self {
        Self::Log { what: error.to_string() }
    }
}

impl From<OpenError> for RejoinError {
    fn from(error: OpenError) -> Self {
        Self::Log { what: error.to_string() }
    }
}

/// A drive that is ready to be a member again.
pub(crate) struct Returning(Recovered);

impl ErasureSet {
    /// Brings a drive back that is out (J1 to J4); it is to be filled then. Blocks, for ever if the drive hangs.
    pub(crate) fn rejoin(&self, slot: usize) -> Result<(), RejoinError> {
        let _trying = Trying::begin(&self.0.rejoining);
        let place = &self.slots()[slot];
        if place.state() != SlotState::Out {
            return Err(RejoinError::NotOut);
        }
        let home = place.home().ok_or(RejoinError::Missing)?;
        // Once the set says so, the epoch that leaves the drive out is durable, and its thread ends.
        let epoch = self.ask_epoch()?;
        wait_until(|| place.leave())?;
        let drive = home.reopen()?;
        let id = self.same_or_blank(slot, &*drive)?;
        try_out(&*drive)?;
        if self.is_closing() {
            return Err(StorageError::Closing.into());
        }
        let seat = Seat::new(slot, drive, id);
        let returning = self.prepare(seat, &epoch)?;
        if self.is_closing() {
            return Err(StorageError::Closing.into());
        }
        let (answer, outcome) = oneshot::channel();
        self.tell(Message::Rejoin { returning: Box::new(returning), answer })?;
        Ok(outcome.blocking_recv().unwrap_or(Err(StorageError::Unknown.into()))?)
    }

    fn ask_epoch(&self) -> Result<EpochBody, CommitError> {
        let (answer, outcome) = oneshot::channel();
        self.tell(Message::Epoch { answer })?;
        outcome.blocking_recv().unwrap_or(Err(StorageError::Closing.into()))
    }

    /// The id of the drive that is in the slot's place now (J2).
    fn same_or_blank(&self, slot: usize, drive: &dyn Drive) -> Result<Uuid, RejoinError> {
        let ours = Format {
            drive: Uuid::from_u128(self.slots()[slot].drive_id()),
            slot: slot as u16,
            ..self.format()
        };
        let other = |what: &str| RejoinError::Other { what: what.to_owned() };
        let Some(bytes) = drive.read_format()? else {
            if !drive.segments()?.is_empty() {
                return Err(other("it holds a log but no format.json"));
            }
            let format = Format { drive: Uuid::new_v4(), ..ours };
            drive.write_format(&format.encode())?;
            tracing::warn!(drive.path = drive.label(), "a blank drive takes the place of the one before");
            return Ok(format.drive);
        };
        match Format::decode(&bytes) {
            Ok(found)
                if (found.deployment, found.set, found.slot) != (ours.deployment, ours.set, ours.slot) =>
            {
                Err(other("the drive belongs to another place"))
            }
            Ok(found) => Ok(found.drive),
            Err(error @ (InvalidFormat::Newer(_) | InvalidFormat::Damaged(_))) => {
                Err(other(&error.to_string()))
            }
        }
    }

    /// Reads the drive's log and cuts off what does not count (J3).
    fn prepare(&self, seat: Seat, epoch: &EpochBody) -> Result<Returning, RejoinError> {
        let budget = self.0.settings.index_budget(self.geometry());
        let set = self.number() as u16;
        let identity = identity(self.format().deployment, set, &seat);
        let scanned = scan(&seat.drive, &seat.watch, &identity, budget)?;
        let mut one = Present { seat, identity, scanned };
        let decision =
            Decision { epoch: epoch.number, cut: epoch.resume_after, batch: epoch.batch, doubt: None };
        let Verdict { keep, .. } = judge(epoch, &one, &decision)?;
        let log = cut_end(&one, keep, self.0.settings.segment_bytes)?;
        let scanned = &mut one.scanned;
        let kept = scanned.tail.iter().flat_map(|tail| &tail.records[..keep]).cloned().collect::<Vec<_>>();
        let checkpoint = &mut scanned.applier.checkpoint;
        (checkpoint.segment, checkpoint.offset) = log.position();
        checkpoint.seq = kept.iter().map(|record| record.seq).max().unwrap_or(Seq(0)).max(checkpoint.seq);
        // Until it is filled it counts as having holes, whatever becomes of the epoch.
        checkpoint.holes = true;
        checkpoint.segments = log.segments().to_vec();
        apply_records(&mut scanned.applier, &kept).map_err(ScanError::from)?;
        Ok(Returning(Recovered { one, standing: Standing::Filling, log }))
    }
}

/// A try under way: the set waits for it when it is closed.
struct Trying<'a>(&'a AtomicUsize);

impl<'a> Trying<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Waits for what is left of the drive's life before (J1).
fn wait_until(over: impl Fn() -> bool) -> Result<(), RejoinError> {
    for _ in 0..LEFT_ROUNDS_MAX {
        if over() {
            return Ok(());
        }
        std::thread::sleep(LEFT_ROUND);
    }
    Err(RejoinError::Held)
}

/// Writes, reads and removes a shard file (J2).
fn try_out(drive: &dyn Drive) -> io::Result<()> {
    const PROBE: [u8; 4096] = [0xA5; 4096];
    let id = Uuid::new_v4().as_u128();
    let mut writer = drive.create_shard(id)?;
    writer.write(&PROBE)?;
    writer.finish()?;
    let mut read = [0; PROBE.len()];
    drive.open_shard(id)?.read_exact_at(0, &mut read)?;
    drive.remove_shard(id)?;
    if read == PROBE { Ok(()) } else { Err(io::Error::other("it does not give back what was written")) }
}

impl Committer {
    /// Makes a drive a member again: durable on every member before it is given anything (E1, J4).
    pub(super) fn rejoin(&mut self, returning: Returning) -> Result<(), CommitError> {
        self.check_members()?;
        let Returning(mut drive) = returning;
        // Its next segment says that all before it is settled up to here.
        drive.one.scanned.applier.checkpoint.batch = self.batch;
        let number = drive.one.seat.slot;
        let id = drive.one.seat.drive_id.as_u128();
        assert!(self.workers[number].is_none(), "a drive that is out has no thread");
        // What its thread of before still said.
        while self.replies.try_recv().is_ok() {}
        let slot = self.slots[number].clone();
        slot.come_back(drive.place(), id);
        let told: (&Sender<_>, &Sender<()>) = (&self.reply_to, &self.compact[number]);
        let (worker, thread) = drive.start(&slot, Arc::new(self.epoch.clone()), told);
        self.workers[number] = Some(worker);
        self.threads.push(thread);
        self.epoch.members[number] =
            Member { drive: id, standing: Standing::Filling, since: 0, valid_through: Seq(0) };
        self.begin_epoch();
        self.record_failures();
        if self.halted {
            return Err(StorageError::Unknown.into());
        }
        match slot.state() {
            SlotState::Filling => Ok(()),
            SlotState::Online | SlotState::Out => {
                Err(StorageError::TooFewDrives { healthy: 0, needed: 1 }.into())
            }
        }
    }
}
