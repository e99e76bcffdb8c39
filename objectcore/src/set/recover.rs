//! Recovery of a set: what its drives agree on, decided once and made durable under a new epoch.
//!
//! What they agree on is decided in `decide.rs` (V1 to V4); here it is done.
//!
//! - V5: nothing is served before the epoch is durable on every drive that is here.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::drive::{Drive, Watch, WatchedDrive};
use crate::log::Seq;
use crate::log::epoch::{EpochBody, Standing};
use crate::log::reader::WalkError;
use crate::log::record::Inline;
use crate::log::writer::{Identity, LogTail, LogWriter, NewRecord};

use super::ErasureSet;
use super::decide::{Decision, Present, Verdict, accepted_epoch, lost};
use super::format::Format;
use super::open::OpenError;
use super::reads::Reads;
use super::scan::{ScanError, Scanned, TailRecord, apply_records, scan};
use super::start::Recovered;
use super::types::{Repair, SetSettings};
use crate::geometry::Geometry;

/// A drive in its place.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) slot: usize,
    /// The drive as it was given.
    pub(crate) home: Arc<dyn Drive>,
    /// The same, watched.
    pub(crate) drive: Arc<dyn Drive>,
    pub(crate) drive_id: Uuid,
    pub(crate) watch: Arc<Watch>,
}

impl Seat {
    pub(crate) fn new(slot: usize, drive: Arc<dyn Drive>, drive_id: Uuid) -> Self {
        let watch = Watch::new();
        let watched = WatchedDrive::over(Arc::clone(&drive), Arc::clone(&watch));
        Self { slot, home: drive, drive: watched, drive_id, watch }
    }
}

/// Opens a set on the drives that are here. One that fails meanwhile is treated as missing.
pub(crate) fn open_set(
    settings: &SetSettings,
    plan: &Format,
    set: u16,
    mut seats: Vec<Seat>,
    reads: &Arc<Reads>,
) -> Result<ErasureSet, OpenError> {
    let homes = seats.iter().map(|seat| (seat.slot, Arc::clone(&seat.home))).collect();
    let geometry = plan.geometry;
    let mut reasons: BTreeMap<usize, String> = BTreeMap::new();
    loop {
        let recovery = Recovery { settings, plan, set, geometry, homes: &homes, reasons: &reasons, reads };
        match recovery.attempt(&seats) {
            Ok(opened) => return Ok(opened),
            Err(Stop::Open(error)) => return Err(error),
            Err(Stop::Drive { slot, reason }) => {
                tracing::error!(set, slot, reason, "the drive cannot be used");
                seats.retain(|seat| seat.slot != slot);
                reasons.insert(slot, reason);
            }
        }
    }
}

enum Stop {
    Open(OpenError),
    Drive { slot: usize, reason: String },
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

pub(super) struct Recovery<'a> {
    pub(super) settings: &'a SetSettings,
    pub(super) plan: &'a Format,
    pub(super) set: u16,
    pub(super) geometry: Geometry,
    /// The drives that were given, also those that cannot be used.
    pub(super) homes: &'a BTreeMap<usize, Arc<dyn Drive>>,
    pub(super) reasons: &'a BTreeMap<usize, String>,
    pub(super) reads: &'a Arc<Reads>,
}

impl Recovery<'_> {
    fn attempt(&self, seats: &[Seat]) -> Result<ErasureSet, Stop> {
        self.check_count(seats.len())?;
        let mut present = self.scan_all(seats)?;
        let epoch = accepted_epoch(&present);
        let (decision, verdicts) = match &epoch {
            Some(epoch) => self.decide(epoch, &present)?,
            None => self.first_time(&present)?,
        };
        let next = self.next_epoch(epoch.as_ref(), &present, &decision, &verdicts);
        let complete = verdicts.iter().filter(|verdict| verdict.standing == Standing::Complete).count();
        let gone = self.geometry.total() - verdicts.iter().filter(|verdict| !verdict.new).count();
        if complete == 0 || gone > self.geometry.parity() {
            return Err(self.too_few(complete, &verdicts).into());
        }
        let mut logs = Vec::new();
        for (one, verdict) in present.iter_mut().zip(&verdicts) {
            let slot = one.seat.slot;
            let failed = |error: std::io::Error| Stop::Drive { slot, reason: error.to_string() };
            logs.push(self.rewrite_end(one, verdict, &decision, &next).map_err(failed)?);
        }
        // V5: the epoch is durable everywhere; now the indexes may follow.
        for ((one, verdict), (log, appended)) in present.iter_mut().zip(&verdicts).zip(&logs) {
            let slot = one.seat.slot;
            let failed = |error: crate::index::IndexError| Stop::Drive { slot, reason: error.to_string() };
            follow(one, verdict, &decision, &next, log, appended).map_err(failed)?;
        }
        let lost = lost_shards(&present, &verdicts, &logs);
        let standings = verdicts.iter().map(|verdict| (verdict.standing, verdict.why)).collect::<Vec<_>>();
        for (one, (standing, why)) in present.iter().zip(&standings) {
            if *standing == Standing::Filling {
                tracing::warn!(
                    drive.path = one.seat.drive.label(),
                    why,
                    "the drive lacks entries and will be filled"
                );
            }
        }
        let drives = present.into_iter().zip(standings).zip(logs);
        let drives =
            drives.map(|((one, (standing, _)), (log, _))| Recovered { one, standing, log }).collect();
        let set = self.start(drives, next, &decision);
        // Kept entries lie on too few drives to lose as many as the parity: that must not wait for a scrub.
        lost.into_iter().for_each(|repair| set.request_repair(repair));
        Ok(set)
    }

    fn check_count(&self, found: usize) -> Result<(), OpenError> {
        let needed = self.geometry.data();
        if found >= needed {
            return Ok(());
        }
        let why = self.reasons.values().cloned().collect::<Vec<_>>().join("; ");
        let why = if why.is_empty() { "the others are missing".into() } else { why };
        Err(OpenError::TooFewDrives { set: usize::from(self.set), found, needed, why })
    }

    fn too_few(&self, found: usize, verdicts: &[Verdict]) -> OpenError {
        let why = verdicts
            .iter()
            .filter(|verdict| verdict.standing != Standing::Complete)
            .map(|verdict| verdict.why);
        let why = why.map(str::to_owned).chain(self.reasons.values().cloned()).collect::<Vec<_>>().join("; ");
        let why = if why.is_empty() { "the others are missing".into() } else { why };
        OpenError::TooFewDrives { set: usize::from(self.set), found, needed: self.geometry.data(), why }
    }

    fn scan_all(&self, seats: &[Seat]) -> Result<Vec<Present>, Stop> {
        let budget = self.settings.index_budget(self.geometry);
        let deployment = self.plan.deployment;
        let identities: Vec<Identity> =
            seats.iter().map(|seat| identity(deployment, self.set, seat)).collect();
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = seats
                .iter()
                .zip(&identities)
                .map(|(seat, identity)| scope.spawn(move || scan(&seat.drive, &seat.watch, identity, budget)))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("a scan does not panic")).collect()
        });
        let mut present = Vec::new();
        for ((seat, identity), result) in seats.iter().zip(identities).zip(results) {
            match result {
                Ok(scanned) => present.push(Present { seat: seat.clone(), identity, scanned }),
                Err(ScanError::Walk(error @ WalkError::Newer { .. })) => {
                    let path = seat.drive.label().into();
                    return Err(OpenError::Newer { path, what: error.to_string() }.into());
                }
                Err(
                    error @ (ScanError::Walk(WalkError::Io(_)) | ScanError::Index(_) | ScanError::NoRecords),
                ) => {
                    return Err(Stop::Drive { slot: seat.slot, reason: chain(&error) });
                }
            }
        }
        Ok(present)
    }

    /// Cuts what does not count off a drive's log, appends what it lacks and the new epoch; durable (V5).
    fn rewrite_end(
        &self,
        one: &mut Present,
        verdict: &Verdict,
        decision: &Decision,
        next: &EpochBody,
    ) -> std::io::Result<(LogWriter, Vec<TailRecord>)> {
        let mut log = cut_end(one, verdict.keep, self.settings.segment_bytes)?;
        let scanned = &one.scanned;
        if log.segments().is_empty() {
            log.roll(next, (next.batch, next.resume_after), 0)?;
            return Ok((log, Vec::new()));
        }
        let mut appended = Vec::new();
        if let (Some(doubt), false) = (&decision.doubt, verdict.missing.is_empty()) {
            let under = decision.epoch;
            let first = doubt.kept.len() - verdict.missing.len();
            if scanned.tail.as_ref().is_none_or(|tail| tail.number != doubt.number) {
                let start = NewRecord::BatchStart {
                    batch: doubt.number,
                    first_seq: doubt.first_seq,
                    settled: scanned.settled,
                    entries: doubt.kept.len() as u32,
                };
                log.frame(under, &start);
            }
            for (number, body) in (first..).zip(&verdict.missing) {
                let seq = Seq(doubt.first_seq.0 + number as u64);
                let inline = match body.inline {
                    Inline::None => Inline::None,
                    Inline::Present(_) | Inline::Lost => Inline::Lost,
                };
                let new = NewRecord::Entry { batch: doubt.number, seq, ops: &body.ops, inline };
                let (location, _) = log.frame(under, &new);
                appended.push(TailRecord { seq, location, body: lost(body) });
            }
            // Synced before the epoch: one sync covers one write, which is how a crash is told from damage.
            log.append()?;
            log.sync()?;
        }
        log.frame(next.number, &NewRecord::Epoch(next));
        log.append()?;
        log.sync()?;
        Ok((log, appended))
    }
}

/// The shards that complete drives were given without their bytes.
fn lost_shards(
    present: &[Present],
    verdicts: &[Verdict],
    logs: &[(LogWriter, Vec<TailRecord>)],
) -> Vec<Repair> {
    let drives = present.iter().zip(verdicts).zip(logs);
    let complete = drives.filter(|((_, verdict), _)| verdict.standing == Standing::Complete);
    complete
        .flat_map(|((one, _), (_, appended))| {
            let lost = appended.iter().filter(|record| record.body.inline == Inline::Lost);
            lost.filter_map(|record| {
                let op = record.body.ops.first()?;
                Some(Repair {
                    slot: one.seat.slot,
                    space: op.space(),
                    key: op.key().clone(),
                    seq: record.seq,
                })
            })
        })
        .collect()
}

/// Whose log the drive's is.
pub(super) fn identity(deployment: Uuid, set: u16, seat: &Seat) -> Identity {
    Identity { deployment: deployment.as_u128(), drive: seat.drive_id.as_u128(), set, slot: seat.slot as u16 }
}

/// Cuts off a drive's log what lies behind the first `keep` records of its tail; answers its new end.
pub(super) fn cut_end(one: &Present, keep: usize, segment_bytes: u64) -> std::io::Result<LogWriter> {
    let scanned = &one.scanned;
    let drive = &one.seat.drive;
    for segment in &scanned.leftovers {
        drive.remove_segment(*segment)?;
    }
    let end = keep_end(scanned, keep);
    // Segments behind the cut hold epochs that do not count and nothing else.
    let segments: Vec<u64> = scanned.segments.iter().copied().filter(|segment| *segment <= end.0).collect();
    if let Some(last) = segments.last() {
        let len = drive.segment_len(*last)?;
        if len > end.1 {
            drive.truncate(*last, end.1)?;
        }
    }
    for segment in scanned.segments.iter().rev().filter(|segment| **segment > end.0) {
        drive.remove_segment(*segment)?;
    }
    let tail = LogTail { segments, highest: scanned.highest_file, offset: end.1 };
    Ok(LogWriter::new(drive.clone(), one.identity, tail, segment_bytes))
}

/// What an error says, with all it rests on.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Where the log ends when `keep` records of its tail count.
fn keep_end(scanned: &Scanned, keep: usize) -> (u64, u64) {
    let Some(tail) = &scanned.tail else { return scanned.end };
    if keep == tail.records.len() {
        return scanned.end;
    }
    if keep == 0 {
        return tail.start;
    }
    let last = tail.records[keep - 1].location;
    (last.segment, last.offset + u64::from(last.len))
}

/// Brings the index behind the new end of the log.
fn follow(
    one: &mut Present,
    verdict: &Verdict,
    decision: &Decision,
    next: &EpochBody,
    log: &LogWriter,
    appended: &[TailRecord],
) -> Result<(), crate::index::IndexError> {
    let scanned = &mut one.scanned;
    let mut records = Vec::new();
    if let Some(tail) = &scanned.tail {
        records.extend_from_slice(&tail.records[..verdict.keep]);
        if verdict.keep == tail.records.len() {
            records.extend_from_slice(&tail.copies);
        }
    }
    records.extend_from_slice(appended);
    let checkpoint = &mut scanned.applier.checkpoint;
    (checkpoint.segment, checkpoint.offset) = log.position();
    checkpoint.seq =
        records.iter().map(|record| record.seq).max().unwrap_or(checkpoint.seq).max(checkpoint.seq);
    if verdict.standing == Standing::Complete {
        checkpoint.seq = decision.cut;
        checkpoint.holes = false;
    }
    checkpoint.batch = decision.batch;
    checkpoint.epoch = Some(next.clone());
    checkpoint.segments = log.segments().to_vec();
    apply_records(&mut scanned.applier, &records)
}
