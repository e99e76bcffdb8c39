//! Drives that go, stay away, come back, or come back blank.

use super::crashes::heal;
use super::{
    Arc, CommitError, Drive, OpenError, SetSettings, SimDrive, StorageError, all, delete, draft, inlined,
    open, open_sets, open_with, put, sims, small, value, wait,
};
use crate::set::SlotState;

#[test]
fn up_to_parity_drives_may_be_missing_and_more_may_not() {
    let drives = sims(4);
    let set = open(&drives).unwrap();
    wait(set.commit(inlined(&set, "a", "1"))).unwrap();
    set.close();
    let set = open(&drives[1..]).unwrap();
    assert_eq!(value(&set, "a").as_deref(), Some("1"));
    assert_eq!(set.slots()[0].state(), SlotState::Out);
    wait(set.commit(inlined(&set, "b", "1"))).unwrap();
    set.close();
    // Two of four read, and take no writes: those would have no drive to spare.
    let set = open(&drives[2..]).unwrap();
    assert_eq!(all(&set).len(), 2);
    let refused = wait(set.commit(inlined(&set, "c", "1")));
    assert!(matches!(
        refused,
        Err(CommitError::Storage(StorageError::TooFewDrives { healthy: 2, needed: 3 }))
    ));
    set.close();
    assert!(matches!(open(&drives[3..]), Err(OpenError::TooFewDrives { found: 1, needed: 2, .. })));
}

#[test]
fn a_drive_that_was_away_brings_nothing_back() {
    let drives = sims(4);
    let set = open(&drives).unwrap();
    for key in ["kept", "deleted", "changed"] {
        wait(set.commit(inlined(&set, key, "old"))).unwrap();
    }
    set.close();
    let set = open(&drives[1..]).unwrap();
    wait(set.commit(draft(vec![delete("deleted"), put("added", "new")]))).unwrap();
    wait(set.commit(inlined(&set, "changed", "new"))).unwrap();
    let rows = all(&set);
    set.close();
    let set = open(&drives).unwrap();
    assert_eq!(set.fill_needed(), [0]);
    assert_eq!(all(&set), rows);
    // It lacks entries, so it does not count as filled until they are there.
    assert!(wait(set.finish_fill(0)).is_err());
    heal(&set, "fill");
    assert_eq!(set.slots()[0].state(), SlotState::Online);
    set.close();
    // Alone with one other it serves the same.
    let set = open(&[drives[0].clone(), drives[3].clone()]).unwrap();
    assert_eq!(all(&set), rows);
    assert_eq!(set.fill_needed(), Vec::<usize>::new());
    set.close();
}

#[test]
fn a_wiped_drive_is_filled() {
    let drives = sims(4);
    let set = open(&drives).unwrap();
    for number in 0..20 {
        wait(set.commit(inlined(&set, &format!("k{number}"), "v"))).unwrap();
    }
    let rows = all(&set);
    set.close();
    drives[2].wipe();
    let set = open(&drives).unwrap();
    assert_eq!(set.fill_needed(), [2]);
    heal(&set, "fill");
    set.close();
    let set = open(&[drives[2].clone(), drives[1].clone()]).unwrap();
    assert_eq!(all(&set), rows);
    set.close();
}

#[test]
fn a_drive_that_fails_is_out_and_the_rest_goes_on() {
    let drives = sims(4);
    let set = open(&drives).unwrap();
    wait(set.commit(inlined(&set, "a", "1"))).unwrap();
    drives[3].die();
    wait(set.commit(inlined(&set, "a", "2"))).unwrap();
    assert_eq!(set.slots()[3].state(), SlotState::Out);
    set.slots()[1].fail("a shard could not be written");
    // Two are fewer than data + 1.
    let refused = wait(set.commit(inlined(&set, "a", "3")));
    assert!(matches!(refused, Err(CommitError::Storage(StorageError::TooFewDrives { .. }))));
    assert_eq!(value(&set, "a").as_deref(), Some("2"));
    set.close();
    drives[3].crash(|_| crate::drive::Kept::Nothing);
    let set = open(&drives).unwrap();
    assert_eq!(value(&set, "a").as_deref(), Some("2"));
    assert_eq!(set.fill_needed(), [3]);
    set.close();
}

#[test]
fn three_drives_go_on_with_two_and_two_with_one() {
    for count in [2, 3] {
        let drives = sims(count);
        let set = open(&drives).unwrap();
        drives[0].die();
        wait(set.commit(inlined(&set, "a", "1"))).unwrap();
        set.close();
        drives[0].crash(|_| crate::drive::Kept::Nothing);
        let set = open(&drives).unwrap();
        assert_eq!(set.fill_needed(), [0]);
        heal(&set, "fill");
        set.close();
        let set = open(&drives[..count - 1]).unwrap();
        assert_eq!(value(&set, "a").as_deref(), Some("1"));
        set.close();
    }
}

#[test]
fn two_drives_that_each_took_writes_alone_are_not_merged() {
    let drives = sims(2);
    open(&drives).unwrap().close();
    for one in &drives {
        let set = open(std::slice::from_ref(one)).unwrap();
        wait(set.commit(inlined(&set, "a", one.label()))).unwrap();
        wait(set.commit(inlined(&set, "b", one.label()))).unwrap();
        set.close();
    }
    assert!(matches!(open(&drives), Err(OpenError::Diverged { .. })));
    // Each still opens as it was.
    let set = open(&drives[1..]).unwrap();
    assert_eq!(value(&set, "a").as_deref(), Some(drives[1].label()));
    set.close();
}

#[test]
fn drives_may_be_given_in_any_order() {
    let drives = sims(4);
    let set = open(&drives).unwrap();
    wait(set.commit(inlined(&set, "a", "1"))).unwrap();
    set.close();
    let turned: Vec<SimDrive> = drives.iter().rev().cloned().collect();
    let set = open(&turned).unwrap();
    assert_eq!(set.fill_needed(), Vec::<usize>::new());
    assert_eq!(set.slots()[0].label(), "sim0");
    set.close();
}

#[test]
fn foreign_drives_and_newer_formats_are_refused() {
    let (ours, theirs) = (sims(4), sims(4));
    open(&ours).unwrap().close();
    open(&theirs).unwrap().close();
    let mixed = [ours[0].clone(), ours[1].clone(), ours[2].clone(), theirs[3].clone()];
    assert!(matches!(open(&mixed), Err(OpenError::Foreign { .. })));
    let twice = [ours[0].clone(), ours[1].clone(), ours[2].clone(), ours[2].copy()];
    assert!(matches!(open(&twice), Err(OpenError::Misplaced { .. })));
    let more: Vec<SimDrive> = ours.iter().cloned().chain([SimDrive::new("fifth")]).collect();
    assert!(matches!(open(&more), Err(OpenError::Misplaced { .. })));
    ours[1].write_format(br#"{"version": 7}"#).unwrap();
    assert!(matches!(open(&ours), Err(OpenError::Newer { .. })));
}

#[test]
fn many_drives_form_several_sets() {
    let drives: Vec<Arc<dyn Drive>> =
        sims(20).into_iter().map(|drive| Arc::new(drive) as Arc<dyn Drive>).collect();
    let opened = open_sets(&small(), None, drives.clone()).unwrap();
    assert_eq!(opened.sets.len(), 2);
    for set in &opened.sets {
        assert_eq!((set.geometry().data(), set.geometry().parity()), (6, 4));
        set.close();
    }
    let again = open_sets(&small(), None, drives).unwrap();
    assert_eq!(again.deployment, opened.deployment);
    for set in &again.sets {
        set.close();
    }
}

#[test]
fn a_drive_that_hangs_is_out_after_the_timeout() {
    let drives = sims(4);
    let settings = SetSettings { drive_timeout: std::time::Duration::from_millis(30), ..small() };
    let set = open_with(&settings, &drives).unwrap();
    wait(set.commit(inlined(&set, "a", "1"))).unwrap();
    drives[1].hang(crate::drive::Hang::Changes);
    wait(set.commit(inlined(&set, "a", "2"))).unwrap();
    assert_eq!(set.slots()[1].state(), SlotState::Out);
    wait(set.commit(inlined(&set, "a", "3"))).unwrap();
    // What it writes late changes nothing.
    drives[1].release();
    set.close();
    let set = open(&drives).unwrap();
    assert_eq!(value(&set, "a").as_deref(), Some("3"));
    assert_eq!(set.fill_needed(), [1]);
    heal(&set, "fill");
    set.close();
}

#[test]
fn as_many_new_drives_as_the_parity_are_filled_and_one_more_is_refused() {
    let drives = sims(4);
    let set = open(&drives).unwrap();
    wait(set.commit(inlined(&set, "a", "1"))).unwrap();
    set.close();
    let (first, second) = (SimDrive::copy_group(&drives), SimDrive::copy_group(&drives));
    for drive in &first[1..] {
        drive.wipe();
    }
    assert!(matches!(open(&first), Err(OpenError::TooFewDrives { found: 1, .. })));
    for drive in &second[2..] {
        drive.wipe();
    }
    let set = open(&second).unwrap();
    assert_eq!(set.fill_needed(), [2, 3]);
    // One of the two that hold everything goes while the others are being filled.
    second[1].die();
    wait(set.commit(inlined(&set, "b", "1"))).unwrap();
    set.close();
    second[1].crash(|_| crate::drive::Kept::Nothing);
    let set = open(&[second[0].clone(), second[2].clone(), second[3].clone()]).unwrap();
    assert_eq!(all(&set).len(), 2);
    set.close();
    let set = open(&second).unwrap();
    assert_eq!(set.fill_needed(), [1, 2, 3]);
    heal(&set, "fill");
    set.close();
}
