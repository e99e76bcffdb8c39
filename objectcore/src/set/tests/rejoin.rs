//! A drive that was out comes back while the set works.

use super::crashes::{History, check, check_healed, crash, heal, work};
use super::{Arc, Drive, ErasureSet, FileDrive, SimDrive, inlined, open_sets, sims, small, value, wait};
use crate::drive::{Fault, Hang, Kept};
use crate::set::rejoin::RejoinError;
use crate::set::slot::SlotState;

/// A set of which a drive went out during the workload and is well again.
fn away(drives: &[SimDrive], victim: usize, history: &mut History) -> ErasureSet {
    away_from(super::open(drives).unwrap(), drives, victim, history)
}

fn away_from(set: ErasureSet, drives: &[SimDrive], victim: usize, history: &mut History) -> ErasureSet {
    work(&set, 0..6, history);
    drives[victim].die();
    work(&set, 6..12, history);
    assert_eq!(set.slots()[victim].state(), SlotState::Out);
    drives[victim].revive();
    set
}

#[test]
fn a_drive_that_comes_back_takes_writes_at_once_and_counts_when_it_is_filled() {
    for victim in 0..4 {
        let what = format!("drive {victim}");
        let drives = sims(4);
        let mut history = History::default();
        let set = away(&drives, victim, &mut history);
        set.rejoin(victim).unwrap();
        assert_eq!(set.slots()[victim].state(), SlotState::Filling);
        assert!(matches!(set.rejoin(victim), Err(RejoinError::NotOut)));
        work(&set, 12..16, &mut history);
        heal(&set, &what);
        assert_eq!(set.slots()[victim].state(), SlotState::Online);
        work(&set, 16..20, &mut history);
        // It and one more have all there is.
        for (number, other) in drives.iter().enumerate() {
            if number != victim && number != (victim + 1) % 4 {
                other.die();
                set.slots()[number].fail("it died");
            }
        }
        check(&set, &mut history, &what);
        set.close();
        drives.iter().for_each(SimDrive::revive);
        check_healed(&drives, &mut history, &what);
    }
}

#[test]
fn a_drive_comes_back_as_often_as_it_goes() {
    let drives = sims(3);
    let mut history = History::default();
    let set = away(&drives, 1, &mut history);
    for round in 0..5 {
        set.rejoin(1).unwrap();
        let steps = 20 + 8 * round;
        work(&set, steps..steps + 4, &mut history);
        if round % 2 == 0 {
            heal(&set, "between");
        }
        drives[1].die();
        work(&set, steps + 4..steps + 8, &mut history);
        assert_eq!(set.slots()[1].state(), SlotState::Out);
        drives[1].revive();
    }
    check(&set, &mut history, "away again");
    set.close();
    check_healed(&drives, &mut history, "after a restart");
}

#[test]
fn power_lost_at_any_operation_of_a_return_loses_nothing() {
    for operation in 0..20 {
        for (hit, variant) in [(0, 0), (0, 7), (1, 3), (1, 10), (2, 5), (3, 9)] {
            for fault in [Fault::PowerLoss(60), Fault::PowerLossAfter] {
                let what = format!("{fault:?} at {operation} of {hit}, crash {variant}");
                let drives = sims(4);
                let mut history = History::default();
                let set = away(&drives, 1, &mut history);
                drives[hit].plan(drives[hit].operations() + operation, fault);
                let _ = set.rejoin(1);
                work(&set, 12..16, &mut history);
                set.close();
                crash(&drives, variant);
                check_healed(&drives, &mut history, &what);
            }
        }
    }
}

#[test]
fn a_drive_that_fails_at_any_operation_of_its_return_costs_nothing_but_itself() {
    for operation in 0..20 {
        for fault in [Fault::FailBefore, Fault::LoseReply, Fault::Full, Fault::Die] {
            let what = format!("{fault:?} at {operation}");
            let drives = sims(4);
            let mut history = History::default();
            let set = away(&drives, 2, &mut history);
            drives[2].plan(drives[2].operations() + operation, fault);
            let first = set.rejoin(2);
            work(&set, 12..16, &mut history);
            check(&set, &mut history, &what);
            drives[2].revive();
            if set.slots()[2].state() == SlotState::Out {
                set.rejoin(2).unwrap_or_else(|error| panic!("{what}: {first:?}, then {error:?}"));
            }
            heal(&set, &what);
            check(&set, &mut history, &what);
            set.close();
            check_healed(&drives, &mut history, &what);
        }
    }
}

#[test]
fn a_blank_drive_takes_the_place_of_one_that_went() {
    let drives = sims(4);
    let mut history = History::default();
    let set = away(&drives, 3, &mut history);
    let before = set.slots()[3].drive_id();
    drives[3].wipe();
    set.rejoin(3).unwrap();
    assert_ne!(set.slots()[3].drive_id(), before);
    work(&set, 12..16, &mut history);
    heal(&set, "blank");
    check(&set, &mut history, "blank");
    set.close();
    check_healed(&drives, &mut history, "after a restart");
}

#[test]
fn a_drive_of_another_place_stays_out() {
    let drives = sims(4);
    let mut history = History::default();
    let set = away(&drives, 3, &mut history);
    let foreign = drives[2].read_format().unwrap().unwrap();
    drives[3].write_format(&foreign).unwrap();
    assert!(matches!(set.rejoin(3), Err(RejoinError::Other { .. })));
    drives[3].write_format(b"{}").unwrap();
    assert!(matches!(set.rejoin(3), Err(RejoinError::Other { .. })));
    assert_eq!(set.slots()[3].state(), SlotState::Out);
    work(&set, 12..16, &mut history);
    check(&set, &mut history, "a foreign drive");
    set.close();
}

#[test]
fn a_drive_in_which_something_still_hangs_stays_out() {
    let drives = sims(4);
    let settings = super::SetSettings { drive_timeout: std::time::Duration::from_millis(100), ..small() };
    let set = super::open_with(&settings, &drives).unwrap();
    let mut history = History::default();
    work(&set, 0..6, &mut history);
    drives[0].hang(Hang::Changes);
    work(&set, 6..12, &mut history);
    assert!(matches!(set.rejoin(0), Err(RejoinError::Held)));
    drives[0].release();
    let back = || set.rejoin(0).map_err(|error| assert!(matches!(error, RejoinError::Held), "{error:?}"));
    while back().is_err() {}
    heal(&set, "released");
    check(&set, &mut history, "released");
    set.close();
    check_healed(&drives, &mut history, "after a restart");
}

#[test]
fn a_directory_comes_back_with_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let drive = |number| FileDrive::open(&folder.path().join(format!("d{number}"))).unwrap();
        let files = (0..4).map(|number| Arc::new(drive(number)) as Arc<dyn Drive>).collect();
        open_sets(&small(), None, files).unwrap().sets[0].clone()
    };
    let set = open();
    let mut history = History::default();
    work(&set, 0..8, &mut history);
    set.slots()[1].fail("a cable was pulled");
    work(&set, 8..16, &mut history);
    set.rejoin(1).unwrap();
    work(&set, 16..20, &mut history);
    heal(&set, "directory");
    check(&set, &mut history, "directory");
    set.close();
    drop(set);
    let set = open();
    check(&set, &mut history, "after a restart");
    wait(set.commit(super::draft(vec![super::put("new", "1")]))).unwrap();
    assert_eq!(value(&set, "new").as_deref(), Some("1"));
    set.close();
}

#[test]
fn what_was_acknowledged_stays_when_only_a_filling_drive_began_the_next_batch() {
    let drives = sims(4);
    let mut history = History::default();
    // No segment gets full: that would be seen to before the batch.
    let settings = super::SetSettings { segment_bytes: 1 << 20, ..small() };
    let set = away_from(super::open_with(&settings, &drives).unwrap(), &drives, 1, &mut history);
    set.rejoin(1).unwrap();
    work(&set, 12..13, &mut history);
    let images = std::thread::scope(|scope| {
        [0, 2, 3].iter().for_each(|number| drives[*number].hang(Hang::Changes));
        let before = drives[1].operations();
        let late = scope.spawn(|| wait(set.commit(inlined(&set, "late", "v"))));
        while drives[1].operations() < before + 2 {
            std::thread::yield_now();
        }
        // What the others were told of the batch before is not durable on them.
        let keep = |number: usize| if number == 1 { Kept::Whole } else { Kept::Nothing };
        drives.iter().enumerate().for_each(|(number, drive)| drive.crash(|_| keep(number)));
        let images = SimDrive::copy_group(&drives);
        drives.iter().for_each(SimDrive::release);
        let _ = late.join().unwrap();
        images
    });
    set.close();
    history.possible = vec![history.acked.clone()];
    history.possible[0].insert("late".into(), "v".into());
    check_healed(&images, &mut history, "only drive 1 has it");
}
