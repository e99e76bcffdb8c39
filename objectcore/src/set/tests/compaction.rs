//! Compaction gives room back and loses nothing, whenever it is cut short.

use super::crashes::{History, STEPS, check, check_healed, crash, work};
use super::{
    ErasureSet, SimDrive, all, delete, draft, inlined, open, open_with, put, shard, sims, small, value, wait,
};
use crate::drive::{Drive, Fault};
use crate::set::{SetSettings, Space};

fn churn(set: &ErasureSet, rounds: usize) {
    for round in 0..rounds {
        wait(set.commit(inlined(set, &format!("k{}", round % 5), &format!("v{round}")))).unwrap();
        wait(set.commit(draft(vec![put(&format!("gone{round}"), "v")]))).unwrap();
        wait(set.commit(draft(vec![delete(&format!("gone{round}"))]))).unwrap();
    }
}

fn log_bytes(drive: &SimDrive) -> u64 {
    drive.segments().unwrap().iter().map(|segment| drive.segment_len(*segment).unwrap()).sum()
}

#[test]
fn a_log_of_dead_records_shrinks_and_keeps_what_counts() {
    let drives = sims(4);
    let set = open(&drives).unwrap();
    wait(set.commit(inlined(&set, "first", "kept"))).unwrap();
    churn(&set, 60);
    let rows = all(&set);
    let before = log_bytes(&drives[0]);
    for slot in 0..4 {
        assert!(set.compact(slot).unwrap() > 5);
        assert_eq!(set.compact(slot).unwrap(), 0);
    }
    let after = log_bytes(&drives[0]);
    assert!(after * 4 < before, "{before} bytes became {after}");
    assert_eq!(all(&set), rows);
    churn(&set, 10);
    let rows = all(&set);
    set.close();
    // The index in memory is gone: the log alone says the same, and no deleted key comes back.
    let set = open(&drives).unwrap();
    assert_eq!(all(&set), rows);
    assert_eq!(value(&set, "first").as_deref(), Some("kept"));
    assert_eq!(set.fill_needed(), Vec::<usize>::new());
    let mut history = History { acked: rows.into_iter().collect(), possible: Vec::new() };
    check(&set, &mut history, "after compaction");
    set.close();
}

#[test]
fn compaction_in_the_background_keeps_the_log_small_under_writes() {
    let drives = sims(2);
    let settings = SetSettings { compact_in_background: true, segment_bytes: 4000, ..small() };
    let set = open_with(&settings, &drives).unwrap();
    churn(&set, 300);
    let rows = all(&set);
    set.close();
    let set = open_with(&settings, &drives).unwrap();
    assert_eq!(all(&set), rows);
    set.compact(0).unwrap();
    set.close();
    assert!(log_bytes(&drives[0]) < 40_000, "{} bytes", log_bytes(&drives[0]));
}

/// A workload that ends with compaction; answers what was promised.
fn compacting_work(drives: &[SimDrive]) -> Option<History> {
    let mut history = History::default();
    let set = open(drives).ok()?;
    work(&set, 0..STEPS, &mut history);
    work(&set, STEPS..2 * STEPS, &mut history);
    for slot in 0..drives.len() {
        // It fails when the power does.
        let _ = set.compact(slot);
    }
    set.close();
    Some(history)
}

#[test]
fn power_lost_at_any_operation_of_compaction_loses_nothing() {
    let count = 2;
    let whole = sims(count);
    let set = open(&whole).unwrap();
    let mut history = History::default();
    work(&set, 0..STEPS, &mut history);
    work(&set, STEPS..2 * STEPS, &mut history);
    let first = whole.iter().map(SimDrive::operations).min().unwrap().saturating_sub(3);
    let removed: usize = (0..count).map(|slot| set.compact(slot).unwrap()).sum();
    assert!(removed > 0);
    set.close();
    let last = whole.iter().map(SimDrive::operations).max().unwrap() + 3;
    for operation in first..last {
        for victim in 0..count {
            for fault in [Fault::PowerLoss(0), Fault::PowerLoss(130), Fault::PowerLossAfter] {
                for variant in 0..6 {
                    let what = format!("{fault:?} at {operation} of {victim}, crash {variant}");
                    let drives = sims(count);
                    drives[victim].plan(operation, fault);
                    let Some(mut history) = compacting_work(&drives) else { continue };
                    crash(&drives, variant);
                    check_healed(&drives, &mut history, &what);
                }
            }
        }
    }
}

#[test]
fn a_damaged_segment_is_not_removed() {
    let drives = sims(4);
    let set = open(&drives).unwrap();
    churn(&set, 20);
    let rows = all(&set);
    // Somewhere in the second segment.
    drives[1].flip(2, 700, 1);
    set.compact(1).unwrap();
    assert!(drives[1].segments().unwrap().contains(&2));
    assert_eq!(all(&set), rows);
    set.close();
    let set = open(&drives).unwrap();
    assert_eq!(all(&set), rows);
    set.close();
}

#[test]
fn a_damaged_segment_goes_once_the_drive_is_filled() {
    let drives = sims(4);
    let set = open(&drives).unwrap();
    churn(&set, 20);
    let rows = all(&set);
    set.close();
    // An entry of the first segment: behind its start, before its end.
    drives[1].flip(1, 400, 1);
    let set = open(&drives).unwrap();
    assert_eq!(set.fill_needed(), [1]);
    super::crashes::heal(&set, "fill");
    assert!(set.compact(1).unwrap() > 0);
    assert!(!drives[1].segments().unwrap().contains(&1));
    assert_eq!(all(&set), rows);
    set.close();
    let set = open(&[drives[1].clone(), drives[2].clone()]).unwrap();
    assert_eq!(set.fill_needed(), Vec::<usize>::new());
    assert_eq!(all(&set), rows);
    set.close();
}

/// A copy that waited in the queue before a deletion of the same key went into the same batch, and was written
/// behind it: the deleted entry was there again.
#[test]
fn a_copy_in_the_batch_of_a_deletion_brings_nothing_back() {
    for (slot, copy_first) in [(0, true), (0, false), (2, true), (2, false)] {
        let drives = sims(4);
        let set = open(&drives).unwrap();
        wait(set.commit(inlined(&set, "k", "v"))).unwrap();
        let entry = set.get(Space::Object, b"k").unwrap().unwrap();
        // While a drive holds the batch before, what comes waits for one batch.
        drives[1].hang(crate::drive::Hang::Changes);
        wait(async {
            let before = set.commit(inlined(&set, "other", "v"));
            let copy = || set.refill(slot, Space::Object, b"k", &entry, Some(shard(slot, "k", "v")));
            let gone = || set.commit(draft(vec![delete("k")]));
            let release = async { drives[1].release() };
            if copy_first {
                let (before, copy, gone, ()) = tokio::join!(before, copy(), gone(), release);
                for done in [before.map(drop), copy, gone.map(drop)] {
                    done.unwrap();
                }
            } else {
                let (before, gone, copy, ()) = tokio::join!(before, gone(), copy(), release);
                for done in [before.map(drop), copy, gone.map(drop)] {
                    done.unwrap();
                }
            }
        });
        assert_eq!(value(&set, "k"), None, "slot {slot}, copy first: {copy_first}");
        set.close();
        let set = open(&drives).unwrap();
        assert_eq!(value(&set, "k"), None, "slot {slot}, copy first: {copy_first}, opened again");
        for drive in 0..4 {
            let entry = set.slots()[drive].index().unwrap().get(Space::Object, b"k").unwrap();
            assert!(entry.is_none(), "drive {drive}, slot {slot}, copy first: {copy_first}");
        }
        set.close();
    }
}
