//! What the logs of a set's drives say together. Nothing is read or written here; `recover.rs` acts.
//!
//! - V1: the highest epoch counts, unless a drive it names a member is here and never heard of it: then nothing
//!   was written under it (E1).
//! - V2: of the last batch the longest prefix is kept whose records the drives can still serve: from `data`
//!   drives where shards travel in the log, from one where not. What was acknowledged is on every member, so it
//!   is in the prefix unless more drives are gone or damaged than the parity covers.
//! - V3: the rest is dropped only where a torn log proves it was never acknowledged.
//! - V4: drives that lack what others keep are filling; they count for new writes only. Entries are whole on one
//!   complete drive; at most `parity` drives may be missing or new, so that shards are not given up unnoticed.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::log::Seq;
use crate::log::epoch::{EpochBody, Member, Standing};
use crate::log::record::Inline;
use crate::log::writer::Identity;

use super::open::OpenError;
use super::recover::{Recovery, Seat};
use super::scan::{Outline, Scanned};

pub(super) struct Present {
    pub(super) seat: Seat,
    pub(super) identity: Identity,
    pub(super) scanned: Scanned,
}

/// What was decided for a drive.
pub(super) struct Verdict {
    pub(super) standing: Standing,
    /// The records of its tail that count, and how many of the batch's are to be appended.
    pub(super) keep: usize,
    pub(super) missing: Vec<Outline>,
    pub(super) why: &'static str,
    /// The epoch knows nothing of this drive: it holds nothing of the set.
    pub(super) new: bool,
}

pub(super) struct Decision {
    /// The number of the epoch that counts.
    pub(super) epoch: u64,
    /// The last seq that counts.
    pub(super) cut: Seq,
    pub(super) batch: u64,
    /// The batch in doubt: number, epoch, first seq, entries that are kept.
    pub(super) doubt: Option<Doubt>,
}

pub(super) struct Doubt {
    pub(super) number: u64,
    pub(super) first_seq: Seq,
    pub(super) kept: Vec<Outline>,
}

impl Recovery<'_> {
    /// No epoch counts: the set was never used. That can only be believed when every drive is here.
    pub(super) fn first_time(&self, present: &[Present]) -> Result<(Decision, Vec<Verdict>), OpenError> {
        if present.len() < self.geometry.total() {
            let needed = self.geometry.total();
            let why = "a new set begins with all of its drives".into();
            return Err(OpenError::TooFewDrives {
                set: usize::from(self.set),
                found: present.len(),
                needed,
                why,
            });
        }
        let used =
            present.iter().find(|one| one.scanned.damaged || one.scanned.applier.checkpoint.seq > Seq(0));
        if let Some(one) = used {
            let what = format!("drive {} holds records but no epoch", one.seat.drive.label());
            return Err(OpenError::Damaged { set: usize::from(self.set), what });
        }
        let verdict =
            || Verdict { standing: Standing::Complete, keep: 0, missing: Vec::new(), why: "", new: false };
        let decision = Decision { epoch: 0, cut: Seq(0), batch: 0, doubt: None };
        Ok((decision, present.iter().map(|_| verdict()).collect()))
    }

    pub(super) fn decide(
        &self,
        epoch: &EpochBody,
        present: &[Present],
    ) -> Result<(Decision, Vec<Verdict>), OpenError> {
        let decision = self.decide_batch(epoch, present)?;
        let verdicts = present.iter().map(|one| judge(epoch, one, &decision)).collect::<Result<_, _>>()?;
        Ok((decision, verdicts))
    }

    /// What counts of the last batch under `epoch` (V2, V3).
    fn decide_batch(&self, epoch: &EpochBody, present: &[Present]) -> Result<Decision, OpenError> {
        let within = |one: &&Present| one.scanned.epoch.as_ref().is_some_and(|own| own.id == epoch.id);
        let last =
            present.iter().filter(within).map(|one| one.scanned.last_batch).max().unwrap_or(epoch.batch);
        let last = last.max(epoch.batch);
        let applied = |one: &Present| one.scanned.tail.is_none() && one.scanned.last_batch == last;
        // A drive that applied the batch saw proof that it is on every member.
        let settled = present.iter().filter(within).find(|one| applied(one) || one.scanned.settled >= last);
        let tails: Vec<&Present> = present
            .iter()
            .filter(within)
            .filter(|one| one.scanned.tail.as_ref().is_some_and(|tail| tail.number == last))
            .collect();
        let base = present
            .iter()
            .filter(within)
            .filter(|one| !one.scanned.damaged && !one.scanned.gaps)
            .map(|one| one.scanned.applier.checkpoint.seq)
            .max()
            .unwrap_or(epoch.resume_after)
            .max(epoch.resume_after);
        // That a batch began on any drive, a filling one too, proves the one before to be on every member (C3).
        let before = present.iter().filter(within).filter_map(|one| one.scanned.tail.as_ref());
        let before = before.filter(|tail| tail.number + 1 == last && tail.is_whole());
        let base =
            before.filter_map(|tail| Some(tail.records.last()?.seq)).max().map_or(base, |seq| base.max(seq));
        let first = tails.iter().filter_map(|one| one.scanned.tail.as_ref()).map(|tail| tail.first_seq).min();
        let Some(first_seq) = first else {
            return Ok(Decision { epoch: epoch.number, cut: base, batch: last, doubt: None });
        };
        let mut copies: BTreeMap<Seq, (usize, Outline)> = BTreeMap::new();
        for tail in tails.iter().filter_map(|one| one.scanned.tail.as_ref()) {
            for record in &tail.records {
                let counts = usize::from(!matches!(record.body.inline, Inline::Lost));
                let entry = copies.entry(record.seq).or_insert_with(|| (0, lost(&record.body)));
                entry.0 += counts;
            }
        }
        let mut kept = Vec::new();
        while let Some((count, body)) = copies.get(&Seq(first_seq.0 + kept.len() as u64)) {
            let needed = if body.inline == Inline::None { 1 } else { self.geometry.data() };
            if settled.is_none() && *count < needed {
                break;
            }
            kept.push(body.clone());
        }
        let entries = tails.iter().filter_map(|one| one.scanned.tail.as_ref()?.entries).max();
        let whole = entries.is_some_and(|entries| entries as usize == kept.len());
        let cut = if kept.is_empty() { base } else { Seq(first_seq.0 + kept.len() as u64 - 1) };
        if !whole && settled.is_none_or(|one| !applied(one)) {
            self.check_torn(epoch, present, cut, last, settled.is_some())?;
        }
        // One that applied the batch whole knows best how far it reaches.
        let cut = if settled.is_some_and(applied) { base.max(cut) } else { cut };
        let doubt = Some(Doubt { number: last, first_seq, kept });
        Ok(Decision { epoch: epoch.number, cut, batch: last, doubt })
    }

    /// V3: what is dropped must be missing on a member whose log simply ends there.
    fn check_torn(
        &self,
        epoch: &EpochBody,
        present: &[Present],
        cut: Seq,
        batch: u64,
        settled: bool,
    ) -> Result<(), OpenError> {
        let torn = present.iter().any(|one| {
            let own = one.scanned.epoch.as_ref().is_some_and(|own| own.id == epoch.id)
                || one.scanned.pending.iter().any(|own| own.id == epoch.id);
            let ends = match &one.scanned.tail {
                Some(tail) if tail.number == batch => {
                    !tail.holes && tail.records.last().is_none_or(|record| record.seq <= cut)
                }
                Some(_) | None => !one.scanned.damaged && one.scanned.last_batch < batch,
            };
            own && ends && is_member(epoch, one)
        });
        if torn && !settled {
            return Ok(());
        }
        let what = format!("records of batch {batch} behind seq {} are damaged on too many drives", cut.0);
        Err(OpenError::Damaged { set: usize::from(self.set), what })
    }

    pub(super) fn next_epoch(
        &self,
        epoch: Option<&EpochBody>,
        present: &[Present],
        decision: &Decision,
        verdicts: &[Verdict],
    ) -> EpochBody {
        let heard = present.iter().flat_map(|one| one.scanned.epoch.iter().chain(&one.scanned.pending));
        let number = 1 + heard.map(|epoch| epoch.number).max().unwrap_or(0);
        let members = (0..self.geometry.total()).map(|slot| {
            let here = present.iter().zip(verdicts).find(|(one, _)| one.seat.slot == slot);
            let before = epoch.and_then(|epoch| epoch.members.get(slot)).copied();
            match (here, before) {
                (Some((one, verdict)), _) => Member {
                    drive: one.seat.drive_id.as_u128(),
                    standing: verdict.standing,
                    since: 0,
                    valid_through: Seq(0),
                },
                (None, Some(before)) if before.standing == Standing::Out => before,
                (None, Some(before)) => {
                    Member { standing: Standing::Out, since: number, valid_through: decision.cut, ..before }
                }
                (None, None) => {
                    Member { drive: 0, standing: Standing::Out, since: number, valid_through: Seq(0) }
                }
            }
        });
        EpochBody {
            number,
            id: Uuid::new_v4().as_u128(),
            resume_after: decision.cut,
            batch: decision.batch,
            members: members.collect(),
        }
    }
}

fn knows(one: &Present, epoch: &EpochBody) -> bool {
    one.scanned.epoch.iter().chain(&one.scanned.pending).any(|own| own.id == epoch.id)
}

fn is_member(epoch: &EpochBody, one: &Present) -> bool {
    epoch
        .members
        .get(one.seat.slot)
        .is_some_and(|member| member.drive == one.seat.drive_id.as_u128() && member.standing != Standing::Out)
}

/// The epoch that counts (V1).
pub(super) fn accepted_epoch(present: &[Present]) -> Option<EpochBody> {
    let proven = present.iter().filter_map(|one| one.scanned.epoch.as_ref()).max_by_key(|epoch| epoch.number);
    let floor = proven.map_or(0, |epoch| epoch.number);
    let refuted = |epoch: &EpochBody| {
        present.iter().any(|one| is_member(epoch, one) && !one.scanned.damaged && !knows(one, epoch))
    };
    present
        .iter()
        .flat_map(|one| &one.scanned.pending)
        .filter(|epoch| epoch.number > floor && !refuted(epoch))
        .max_by_key(|epoch| (epoch.number, epoch.resume_after, epoch.id))
        .or(proven)
        .cloned()
}

/// The body without this drive's shard.
pub(super) fn lost(body: &Outline) -> Outline {
    let inline = match &body.inline {
        Inline::None => Inline::None,
        Inline::Present(_) | Inline::Lost => Inline::Lost,
    };
    Outline { ops: body.ops.clone(), inline }
}

/// How a drive stands under the epoch, and what of its log counts (V4).
pub(super) fn judge(epoch: &EpochBody, one: &Present, decision: &Decision) -> Result<Verdict, OpenError> {
    let scanned = &one.scanned;
    let keep_through = |cut: Seq| {
        let kept = |tail: &super::scan::Tail| tail.records.iter().filter(|record| record.seq <= cut).count();
        scanned.tail.as_ref().map_or(0, kept)
    };
    let filling = |keep: usize, why: &'static str| Verdict {
        standing: Standing::Filling,
        keep,
        missing: Vec::new(),
        why,
        new: false,
    };
    let member =
        epoch.members.get(one.seat.slot).filter(|member| member.drive == one.seat.drive_id.as_u128());
    let applied = scanned.applier.checkpoint.seq;
    if !knows(one, epoch) {
        let Some(member) = member else {
            let verdict = filling(keep_through(Seq(0)), "it is new in its place");
            return Ok(Verdict { new: true, ..verdict });
        };
        let cut = if member.standing == Standing::Out { member.valid_through } else { epoch.resume_after };
        let own = scanned.epoch.as_ref().map_or(0, |own| own.number);
        let served_alone =
            member.standing == Standing::Out && own >= member.since && has_written(scanned, cut);
        // With records missing it cannot be told what the drive knew; it proves nothing then.
        if !scanned.damaged && (applied > cut || served_alone) {
            return Err(OpenError::Diverged { path: one.seat.drive.label().into() });
        }
        return Ok(filling(keep_through(cut), "it was out while the others went on"));
    }
    let complete = member.is_some_and(|member| member.standing == Standing::Complete);
    let under = scanned.epoch.as_ref().is_some_and(|own| own.id == epoch.id);
    let cut = if under { decision.cut } else { epoch.resume_after };
    let keep = keep_through(cut);
    // An epoch that calls the drive complete vouches for all before it.
    let vouched = complete && !under;
    let gaps = scanned.gaps || scanned.tail.as_ref().is_some_and(|tail| tail.holes);
    if scanned.damaged || (gaps && !vouched) {
        return Ok(filling(keep, "its log is damaged"));
    }
    let missing = lacking(scanned, epoch, keep, decision);
    let kept = scanned.tail.as_ref().and_then(|tail| tail.records[..keep].last());
    let own = kept.map_or(scanned.applier.checkpoint.seq, |record| record.seq);
    let own = if vouched { epoch.resume_after } else { own };
    let appended = decision.doubt.as_ref().filter(|_| !missing.is_empty());
    let reached = appended.map_or(own, |doubt| Seq(doubt.first_seq.0 + doubt.kept.len() as u64 - 1));
    if reached != decision.cut {
        return Ok(filling(keep, "it missed a batch"));
    }
    let (standing, why) =
        if complete { (Standing::Complete, "") } else { (Standing::Filling, "it was being filled") };
    Ok(Verdict { standing, keep, missing, why, new: false })
}

/// The kept records of the batch in doubt that follow what a drive without holes has.
fn lacking(scanned: &Scanned, epoch: &EpochBody, keep: usize, decision: &Decision) -> Vec<Outline> {
    let Some(doubt) = &decision.doubt else { return Vec::new() };
    match (&scanned.tail, scanned.epoch.as_ref().is_some_and(|own| own.id == epoch.id)) {
        (Some(tail), true) if tail.number == doubt.number => {
            doubt.kept[keep.min(doubt.kept.len())..].to_vec()
        }
        (Some(tail), true) if tail.number + 1 == doubt.number && tail.is_whole() => doubt.kept.clone(),
        (None, true) if scanned.last_batch + 1 == doubt.number => doubt.kept.clone(),
        // Nothing was written on this drive since the epoch began.
        (_, false) if epoch.batch + 1 == doubt.number => doubt.kept.clone(),
        (Some(_) | None, _) => Vec::new(),
    }
}

fn has_written(scanned: &Scanned, cut: Seq) -> bool {
    scanned.tail.as_ref().is_some_and(|tail| tail.records.iter().any(|record| record.seq > cut))
}
