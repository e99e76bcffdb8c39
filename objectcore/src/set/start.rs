//! The threads of a set: a committer, a worker and a compactor for each drive, and one that looks for drives that hang.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::Semaphore;

use super::committer::{Committer, Figures, WorkerHandle};
use super::decide::{Decision, Present};
use super::look::Reader;
use super::reads::THREADS_MAX;
use super::recover::Recovery;
use super::slot::{Place, Slot, SlotParts, SlotState};
use super::stalls::{self, Limits};
use super::worker::{Reply, Report, Worker};
use super::{ErasureSet, REPAIRS_WAITING_MAX, Shared};
use crate::log::epoch::{EpochBody, Standing};
use crate::log::writer::LogWriter;

/// Seqs jump by at least this at each recovery, so that no seq is used twice whatever an absent drive holds.
const SEQ_JUMP: u64 = 1 << 20;
/// And by up to this more, at random: drives that went on apart from each other do not use the same seqs.
const SEQ_SPREAD: u64 = 1 << 40;

/// How long the end of a drive's thread is waited for.
const LEAVE_AFTER_ROUNDS: usize = 2000;
const LEAVE_ROUND: std::time::Duration = std::time::Duration::from_millis(1);

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name(name).spawn(run).expect("a thread starts")
}

/// A drive as recovery leaves it.
pub(super) struct Recovered {
    pub(super) one: Present,
    pub(super) standing: Standing,
    pub(super) log: LogWriter,
}

impl Recovered {
    pub(super) fn place(&self) -> Place {
        Place {
            drive: self.one.seat.drive.clone(),
            index: self.one.scanned.applier.index.clone(),
            stamp: self.one.identity.stamp(),
            usage: self.one.scanned.applier.usage().clone(),
            damaged_segments: self.one.scanned.damaged_segments.clone(),
            watch: self.one.seat.watch.clone(),
        }
    }

    /// Starts the drive's thread.
    pub(super) fn start(
        self,
        slot: &Slot,
        epoch: Arc<EpochBody>,
        (replies, compact): (&Sender<Reply>, &Sender<()>),
    ) -> (WorkerHandle, JoinHandle<()>) {
        let space = self.one.seat.drive.space().ok();
        space.into_iter().for_each(|space| slot.figures().note_space(space));
        let report =
            Report { room_bytes: self.log.room(), free_bytes: space.map_or(0, |space| space.free_bytes) };
        let worker = Worker {
            slot: slot.clone(),
            drive: self.one.seat.drive,
            log: self.log,
            applier: self.one.scanned.applier,
            epoch,
            written: None,
            failed: false,
            compact: compact.clone(),
        };
        worker.publish_segments();
        let (jobs, inbox) = mpsc::channel();
        let replies = replies.clone();
        let name = format!("drive-{}-{}", self.one.identity.set, slot.number());
        (WorkerHandle { jobs, report }, spawn(name, move || worker.run(&inbox, &replies)))
    }
}

impl Recovery<'_> {
    pub(super) fn start(&self, drives: Vec<Recovered>, epoch: EpochBody, decision: &Decision) -> ErasureSet {
        let total = self.geometry.total();
        let figures = Arc::new(Figures::default());
        figures.epoch.store(epoch.number, Ordering::Relaxed);
        figures.seq.store(decision.cut.0, Ordering::Relaxed);
        figures.batch.store(decision.batch, Ordering::Relaxed);
        let highest =
            drives.iter().map(|drive| drive.one.scanned.applier.checkpoint.seq.0).max().unwrap_or(0);
        let highest = highest.max(decision.cut.0).max(epoch.resume_after.0);
        let slots: Vec<Slot> = (0..total)
            .map(|number| {
                self.slot(number, drives.iter().find(|drive| drive.one.seat.slot == number), &epoch)
            })
            .collect();
        let (reply_to, replies) = mpsc::channel();
        let (compact, compactions): (Vec<_>, Vec<_>) = (0..total).map(|_| mpsc::channel()).unzip();
        let mut workers: Vec<Option<WorkerHandle>> = (0..total).map(|_| None).collect();
        let mut threads = Vec::new();
        let shared_epoch = Arc::new(epoch.clone());
        for drive in drives {
            let number = drive.one.seat.slot;
            let told = (&reply_to, &compact[number]);
            let (worker, thread) = drive.start(&slots[number], shared_epoch.clone(), told);
            workers[number] = Some(worker);
            threads.push(thread);
        }
        let out = slots.iter().filter(|slot| slot.state() == SlotState::Out).count();
        metrics::gauge!("tarn_drives_out_count", "set" => self.set.to_string()).set(out as f64);
        let stalls = self.reads.stalls().clone();
        let committer = Committer {
            set: self.set,
            settings: self.settings.clone(),
            geometry: self.geometry,
            slots: slots.clone(),
            workers,
            replies,
            reply_to,
            compact,
            threads,
            reader: Reader::new(self.set, slots.clone(), self.geometry, stalls.subscribe()),
            ticket: 0,
            durable_seq: decision.cut.0,
            next_seq: highest + SEQ_JUMP + rand::random_range(0..SEQ_SPREAD),
            batch: decision.batch,
            last: None,
            settled: decision.batch,
            epoch,
            figures: figures.clone(),
            halted: false,
        };
        let (sender, inbox) = mpsc::channel();
        let committing = spawn(format!("committer-{}", self.set), move || committer.run(&inbox));
        let (stop, stopped) = mpsc::channel();
        let (watched, announce) = (slots.clone(), stalls);
        let limits =
            Limits { suspect_after: self.settings.suspect_after, out_after: self.settings.drive_timeout };
        let watching = spawn(format!("watch-{}", self.set), move || {
            stalls::run(&watched, &limits, &announce, &stopped);
        });
        let (repairs, taken) = tokio::sync::mpsc::channel(REPAIRS_WAITING_MAX);
        let set = ErasureSet(Arc::new(Shared {
            number: usize::from(self.set),
            plan: self.plan.clone(),
            geometry: self.geometry,
            settings: self.settings.clone(),
            slots,
            figures,
            opened_at: decision.cut.0,
            inbox: Mutex::new(Some(sender)),
            stop: Mutex::new(Some(stop)),
            reads: self.reads.clone(),
            writing: Semaphore::new(THREADS_MAX),
            threads: Mutex::new(vec![committing, watching]),
            rejoining: AtomicUsize::new(0),
            compactors: Mutex::new(Vec::new()),
            closing: AtomicBool::new(false),
            repairs,
            repairs_taken: Mutex::new(Some(taken)),
        }));
        if self.settings.compact_in_background {
            for (slot, asked) in compactions.into_iter().enumerate() {
                set.compact_in_background(slot, asked);
            }
        }
        set
    }

    fn slot(&self, number: usize, drive: Option<&Recovered>, epoch: &EpochBody) -> Slot {
        let reserve_bytes = self.settings.reserve_bytes;
        let Some(drive) = drive else {
            let reason = self.reasons.get(&number).cloned();
            return Slot::new(SlotParts {
                number,
                drive_id: epoch.members[number].drive,
                home: self.homes.get(&number).cloned(),
                place: None,
                state: SlotState::Out,
                reason: Some(reason.unwrap_or_else(|| "the drive is missing".into())),
                reserve_bytes,
            });
        };
        let complete = drive.standing == Standing::Complete;
        Slot::new(SlotParts {
            number,
            drive_id: drive.one.seat.drive_id.as_u128(),
            home: self.homes.get(&number).cloned(),
            place: Some(drive.place()),
            state: if complete { SlotState::Online } else { SlotState::Filling },
            reason: None,
            reserve_bytes,
        })
    }
}

/// Waits for what a drive that hangs may hold up for ever; answers whether it ended.
pub(super) fn wait_a_while(over: impl Fn() -> bool) -> bool {
    for round in 0..LEAVE_AFTER_ROUNDS {
        if over() {
            return true;
        }
        if round < LEAVE_AFTER_ROUNDS / 10 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(LEAVE_ROUND);
        }
    }
    false
}

/// A thread that hangs in a drive is left behind: nothing can end it.
pub(super) fn join_or_leave(thread: std::thread::JoinHandle<()>) {
    if !wait_a_while(|| thread.is_finished()) {
        tracing::error!("a drive does not answer; its thread is left behind");
    } else if thread.join().is_err() {
        tracing::error!("a drive's thread panicked");
    }
}
