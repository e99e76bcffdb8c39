//! Bits that flip and files that shrink: found, or without effect; never a wrong value.

use super::{Bound, ErasureSet, SimDrive, Space, all, delete, draft, inlined, open, put, shard, sims, wait};

fn example(count: usize) -> (Vec<SimDrive>, Vec<(String, String)>) {
    let drives = sims(count);
    let set = open(&drives).unwrap();
    wait(set.commit(inlined(&set, "a", "old"))).unwrap();
    wait(set.commit(inlined(&set, "a", "new"))).unwrap();
    wait(set.commit(draft(vec![put("b", "old"), put("c", "1")]))).unwrap();
    wait(set.commit(draft(vec![put("b", "new"), delete("c")]))).unwrap();
    wait(set.commit(inlined(&set, "d", "1"))).unwrap();
    let rows = all(&set);
    set.close();
    (drives, rows)
}

fn check_rows(set: &ErasureSet, rows: &[(String, String)], shards_min: usize, what: &str) {
    assert_eq!(all(set), rows, "{what}");
    for (key, entry) in set.scan(Space::Object, Bound::Unbounded, 100).unwrap() {
        if !entry.inline {
            continue;
        }
        let (key, value) = (std::str::from_utf8(&key).unwrap(), std::str::from_utf8(&entry.value).unwrap());
        let mut intact = 0;
        for slot in 0..set.slots().len() {
            if let Some(bytes) =
                set.read_inline(slot, Space::Object, key.as_bytes(), entry.seq, None).unwrap()
            {
                assert_eq!(bytes, shard(slot, key, value), "{what}");
                intact += 1;
            }
        }
        assert!(intact >= shards_min, "{what}: {key} has {intact} shards");
    }
}

fn every_byte_flipped(count: usize, victim: usize, shards_min: usize) -> (usize, usize) {
    let (drives, rows) = example(count);
    let (mut served, mut refused) = (0, 0);
    for (file, (name, len)) in drives[victim].files().into_iter().enumerate() {
        for offset in 0..len {
            let what = format!("{name} byte {offset} of drive {victim}");
            let again = SimDrive::copy_group(&drives);
            again[victim].flip(file, offset, [0x01, 0x80, 0xff][offset % 3]);
            match open(&again) {
                Ok(set) => {
                    check_rows(&set, &rows, shards_min, &what);
                    set.close();
                    served += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    (served, refused)
}

#[test]
fn every_byte_of_a_drive_of_four_flipped_is_found_and_everything_is_served() {
    let (served, refused) = every_byte_flipped(4, 1, 3);
    assert!(served > 1000);
    // `"version": 1` may become a newer version.
    assert!(refused <= 2, "{refused} of {served} flips keep the set from opening");
}

#[test]
fn every_byte_of_a_drive_of_three_flipped_is_found_and_everything_is_served() {
    let (served, refused) = every_byte_flipped(3, 2, 2);
    assert!(served > 1000);
    assert!(refused <= 2, "{refused} of {served} flips keep the set from opening");
}

#[test]
fn every_byte_of_a_lone_drive_flipped_is_found() {
    let (served, refused) = every_byte_flipped(1, 0, 1);
    assert!(refused > served, "{served} served, {refused} refused");
}

#[test]
fn flips_under_an_open_set_never_reach_a_reader() {
    let (drives, rows) = example(4);
    let set = open(&drives).unwrap();
    let mut repairs = set.take_repairs().unwrap();
    let files = drives[2].files();
    for (file, (name, len)) in
        files.into_iter().enumerate().filter(|(_, (name, _))| name.starts_with("Segment"))
    {
        for offset in 0..len {
            drives[2].flip(file, offset, 0x40);
            check_rows(&set, &rows, 3, &format!("{name} byte {offset}"));
            drives[2].flip(file, offset, 0x40);
        }
    }
    let asked = repairs.try_recv().unwrap();
    assert_eq!(asked.slot, 2);
    set.close();
}

#[test]
fn a_log_cut_anywhere_on_two_drives_of_four_costs_nothing() {
    let (drives, rows) = example(4);
    for (file, (name, len)) in
        drives[0].files().into_iter().enumerate().filter(|(_, (name, _))| name != "Format")
    {
        for cut in (0..len).step_by(31) {
            let what = format!("{name} cut to {cut}");
            let again = SimDrive::copy_group(&drives);
            again[0].cut(file, cut);
            again[3].cut(file, cut);
            let set = open(&again).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            check_rows(&set, &rows, 2, &what);
            super::crashes::heal(&set, &what);
            check_rows(&set, &rows, 4, &what);
            set.close();
        }
    }
}

#[test]
fn damage_on_more_drives_than_the_parity_is_an_error_or_served_right() {
    let (drives, rows) = example(4);
    for (file, (name, len)) in
        drives[0].files().into_iter().enumerate().filter(|(_, (name, _))| name != "Format")
    {
        for offset in (0..len).step_by(17) {
            let again = SimDrive::copy_group(&drives);
            for drive in &again[..3] {
                drive.flip(file, offset, 0x10);
            }
            if let Ok(set) = open(&again) {
                check_rows(&set, &rows, 1, &format!("{name} byte {offset} on three drives"));
                set.close();
            }
        }
    }
}
