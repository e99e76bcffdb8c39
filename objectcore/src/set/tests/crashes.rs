//! Every operation of a workload fails in every way; what was acknowledged must be there afterwards, whole, and
//! what was refused must not.

use std::collections::BTreeMap;

use super::{
    Bound, CommitError, Draft, ErasureSet, SimDrive, Space, StorageError, all, delete, draft, inlined, put,
    shard, sims, wait,
};
use crate::drive::{Fault, Kept};
use crate::log::record::Inline;
use crate::set::SlotState;

pub(super) type Model = BTreeMap<String, String>;

/// What the workload knows.
#[derive(Debug, Default, Clone)]
pub(super) struct History {
    /// What was acknowledged.
    pub(super) acked: Model,
    /// States that may be there as well: each unknown outcome doubles them.
    pub(super) possible: Vec<Model>,
}

fn apply(model: &Model, step: usize) -> Model {
    let mut next = model.clone();
    match step % 4 {
        0 | 1 => {
            next.insert(format!("k{}", step % 6), format!("v{step}"));
        }
        2 => {
            next.insert(format!("m{step}"), format!("v{step}"));
            next.insert(format!("n{step}"), format!("v{step}"));
            next.remove("k0");
        }
        _ => {
            next.remove(&format!("k{}", (step + 3) % 6));
        }
    }
    next
}

fn step_draft(set: &ErasureSet, step: usize) -> Draft {
    let text = format!("v{step}");
    match step % 4 {
        0 | 1 => inlined(set, &format!("k{}", step % 6), &text),
        2 => draft(vec![put(&format!("m{step}"), &text), put(&format!("n{step}"), &text), delete("k0")]),
        _ => draft(vec![delete(&format!("k{}", (step + 3) % 6))]),
    }
}

/// Commits `steps`, noting what was promised. Stops when the set takes nothing more.
pub(super) fn work(set: &ErasureSet, steps: std::ops::Range<usize>, history: &mut History) {
    for step in steps {
        let after = apply(&history.acked, step);
        let mut outcome = wait(set.commit(step_draft(set, step)));
        if matches!(outcome, Err(CommitError::Storage(StorageError::Full))) {
            // Refused before any effect; the drive has room again.
            outcome = wait(set.commit(step_draft(set, step)));
        }
        match outcome {
            Ok(_) => {
                history.acked = after;
                history.possible.clear();
            }
            Err(CommitError::Storage(StorageError::Unknown)) => {
                history.possible.push(after);
                return;
            }
            Err(CommitError::Storage(StorageError::TooFewDrives { .. })) => return,
            Err(other) => panic!("step {step}: {other:?}"),
        }
    }
}

/// The set holds one of the promised states; every shard that is served is the right one, and enough are.
pub(super) fn check(set: &ErasureSet, history: &mut History, what: &str) {
    let found: Model = all(set).into_iter().collect();
    let possible = found == history.acked || history.possible.contains(&found);
    assert!(possible, "{what}: found {found:?}, promised {history:?}");
    history.acked = found;
    history.possible.clear();
    for (key, entry) in set.scan(Space::Object, Bound::Unbounded, 1000).unwrap() {
        if !entry.inline {
            continue;
        }
        let key = std::str::from_utf8(&key).unwrap();
        let value = std::str::from_utf8(&entry.value).unwrap();
        let mut intact = 0;
        for slot in 0..set.slots().len() {
            if let Some(bytes) =
                set.read_inline(slot, Space::Object, key.as_bytes(), entry.seq, None).unwrap()
            {
                assert_eq!(bytes, shard(slot, key, value), "{what}: {key}");
                intact += 1;
            }
        }
        assert!(intact >= set.geometry().data(), "{what}: {key}={value} has {intact} shards");
    }
}

/// Writes what filling drives and lost shards lack, as healing does.
pub(super) fn heal(set: &ErasureSet, what: &str) {
    for slot in 0..set.slots().len() {
        if set.slots()[slot].state() == super::super::SlotState::Out {
            continue;
        }
        for space in Space::ALL {
            for (key, entry) in set.scan(space, Bound::Unbounded, 1000).unwrap() {
                if set.holds(slot, space, &key, &entry).unwrap() {
                    continue;
                }
                let text = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().to_owned();
                let bytes = entry.inline.then(|| shard(slot, &text(&key), &text(&entry.value)));
                wait(set.refill(slot, space, &key, &entry, bytes)).unwrap();
            }
        }
    }
    for slot in set.fill_needed() {
        wait(set.finish_fill(slot)).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    }
    assert_eq!(set.fill_needed(), Vec::<usize>::new(), "{what}");
}

/// After healing every drive holds its shard of everything, and the set takes writes; also after a restart.
pub(super) fn check_healed(drives: &[SimDrive], history: &mut History, what: &str) {
    let set = super::open(drives).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    check(&set, history, what);
    heal(&set, what);
    work(&set, 100..104, history);
    check(&set, history, what);
    set.close();
    let set = super::open(drives).unwrap();
    check(&set, history, what);
    assert_eq!(set.fill_needed(), Vec::<usize>::new(), "{what}: after healing and a restart");
    for (key, entry) in set.scan(Space::Object, Bound::Unbounded, 1000).unwrap() {
        for slot in 0..drives.len() {
            if entry.inline {
                assert!(
                    set.read_inline(slot, Space::Object, &key, entry.seq, None).unwrap().is_some(),
                    "{what}: {key:?}"
                );
            }
        }
    }
    set.close();
}

/// The shards of the newest entries that complete drives lack after an opening: each is asked for before it is read.
fn check_lost_are_asked_for(set: &ErasureSet, what: &str) -> usize {
    let mut repairs = set.take_repairs().unwrap();
    let asked: Vec<_> = std::iter::from_fn(|| repairs.try_recv().ok()).collect();
    for repair in &asked {
        let index = set.slots()[repair.slot].index().unwrap();
        let row = index.get(repair.space, &repair.key).unwrap();
        assert!(row.is_none_or(|row| row.inline == Inline::Lost), "{what}: {repair:?} is not lost");
    }
    for slot in set.slots().iter().filter(|slot| slot.state() == SlotState::Online) {
        for (key, _) in set.scan(Space::Object, Bound::Unbounded, 1000).unwrap() {
            let row = slot.index().unwrap().get(Space::Object, &key).unwrap().unwrap();
            let is_asked = || asked.iter().any(|asked| (asked.slot, &asked.key) == (slot.number(), &key));
            assert!(
                row.inline != Inline::Lost || is_asked(),
                "{what}: nobody asked for {key:?} on {}",
                slot.number()
            );
        }
    }
    asked.len()
}

const KEEPS: [fn(usize) -> Kept; 6] = [
    |_| Kept::Nothing,
    |_| Kept::Whole,
    |_| Kept::Part(100),
    |_| Kept::Hole(0, 70),
    |_| Kept::Hole(90, 200),
    |effect| if effect % 2 == 0 { Kept::Nothing } else { Kept::Whole },
];

/// Different drives keep different parts of what was not durable.
pub(super) fn crash(drives: &[SimDrive], variant: usize) {
    for (number, drive) in drives.iter().enumerate() {
        let keep = KEEPS[(variant + number * (variant / KEEPS.len())) % KEEPS.len()];
        drive.crash(keep);
    }
}

pub(super) const STEPS: usize = 12;

/// One more than the highest number an operation of the workload has on any drive.
fn operations(drives: usize) -> u64 {
    let drives = sims(drives);
    let set = super::open(&drives).unwrap();
    work(&set, 0..STEPS, &mut History::default());
    set.close();
    drives.iter().map(SimDrive::operations).max().unwrap() + 2
}

/// Answers how many shards the openings had to ask for.
fn power_is_lost_everywhere(count: usize, variants: usize) -> usize {
    let mut lost = 0;
    let total = operations(count);
    for operation in 0..total {
        for victim in 0..count {
            for fault in [Fault::PowerLoss(0), Fault::PowerLoss(130), Fault::PowerLossAfter] {
                for variant in 0..variants {
                    // Every second drive of crash images in turn keeps the run short.
                    if variants > 6 && !(operation as usize + victim + variant).is_multiple_of(4) {
                        continue;
                    }
                    let what =
                        format!("{count} drives, {fault:?} at {operation} of {victim}, crash {variant}");
                    let drives = sims(count);
                    drives[victim].plan(operation, fault);
                    let mut history = History::default();
                    if let Ok(set) = super::open(&drives) {
                        work(&set, 0..STEPS, &mut history);
                        set.close();
                    }
                    crash(&drives, variant);
                    if let Ok(set) = super::open(&drives) {
                        lost += check_lost_are_asked_for(&set, &what);
                        set.close();
                    }
                    check_healed(&drives, &mut history, &what);
                }
            }
        }
    }
    lost
}

#[test]
fn power_lost_at_any_operation_loses_nothing_acknowledged_on_one_drive() {
    assert_eq!(power_is_lost_everywhere(1, 6), 0);
}

#[test]
fn power_lost_at_any_operation_loses_nothing_acknowledged_on_four_drives() {
    assert!(power_is_lost_everywhere(4, 12) > 0);
}

#[test]
fn a_drive_that_fails_at_any_operation_costs_nothing_but_itself() {
    let count = 4;
    let total = operations(count);
    for operation in 0..total {
        for fault in [Fault::FailBefore, Fault::LoseReply, Fault::Tear(90), Fault::Full, Fault::Die] {
            for victim in [0, 2] {
                let what = format!("{fault:?} at {operation} of {victim}");
                let drives = sims(count);
                drives[victim].plan(operation, fault);
                let mut history = History::default();
                match super::open(&drives) {
                    Ok(set) => {
                        work(&set, 0..STEPS, &mut history);
                        check(&set, &mut history, &what);
                        // With one drive of four out the rest takes every write.
                        assert!(history.acked.contains_key("m10"), "{what}: {history:?}");
                        set.close();
                    }
                    // A new set begins with all of its drives.
                    Err(error) => {
                        assert_eq!(operation.cmp(&30), std::cmp::Ordering::Less, "{what}: {error:?}")
                    }
                }
                crash(&drives, 0);
                check_healed(&drives, &mut history, &what);
            }
        }
    }
}

#[test]
fn power_lost_at_any_operation_of_recovery_changes_no_decision_that_was_served() {
    let count = 4;
    let total = operations(count);
    // Images as different crashes leave them, each recovered with a second crash at every operation.
    for (number, operation) in (8..total).step_by(3).enumerate() {
        let drives = sims(count);
        let mut history = History::default();
        drives[number % count].plan(operation, Fault::PowerLoss(130));
        if let Ok(set) = super::open(&drives) {
            work(&set, 0..STEPS, &mut history);
            set.close();
        }
        crash(&drives, number % 12);
        for second in 0..12 {
            for victim in 0..count {
                let what = format!("image {number}, second crash at {second} of {victim}");
                let again = SimDrive::copy_group(&drives);
                let mut history = history.clone();
                again[victim].plan(second, Fault::PowerLoss(60));
                if let Ok(set) = super::open(&again) {
                    check(&set, &mut history, &what);
                    work(&set, 200..203, &mut history);
                    set.close();
                }
                crash(&again, (number + victim) % 12);
                check_healed(&again, &mut history, &what);
            }
        }
    }
}
