//! What every drive must do; run by each implementation.

use std::io::ErrorKind;

use super::{Drive, FileDrive, SimDrive};

fn a_drive_keeps_its_format(drive: &dyn Drive) {
    assert_eq!(drive.read_format().unwrap(), None);
    drive.write_format(b"one").unwrap();
    drive.write_format(b"two").unwrap();
    assert_eq!(drive.read_format().unwrap().as_deref(), Some(&b"two"[..]));
}

fn segments_are_appended_cut_and_removed(drive: &dyn Drive) {
    assert_eq!(drive.segments().unwrap(), Vec::<u64>::new());
    drive.create_segment(2, 100).unwrap();
    drive.create_segment(1, 100).unwrap();
    assert_eq!(drive.create_segment(1, 100).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(drive.segments().unwrap(), vec![1, 2]);
    drive.append(1, 0, b"hello").unwrap();
    drive.append(1, 5, b" world").unwrap();
    drive.sync(1).unwrap();
    assert_eq!(drive.segment_len(1).unwrap(), 11);
    let mut read = [0; 5];
    drive.read_at(1, 6, &mut read).unwrap();
    assert_eq!(&read, b"world");
    assert_eq!(drive.read_at(1, 7, &mut read).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    drive.truncate(1, 3).unwrap();
    assert_eq!(drive.segment_len(1).unwrap(), 3);
    drive.remove_segment(2).unwrap();
    drive.remove_segment(2).unwrap();
    assert_eq!(drive.segments().unwrap(), vec![1]);
    assert_eq!(drive.read_at(9, 0, &mut read).unwrap_err().kind(), ErrorKind::NotFound);
}

fn a_shard_has_its_name_only_when_finished(drive: &dyn Drive) {
    let id = 7 << 100;
    let bytes: Vec<u8> = (0..700_001_u32).map(|i| (i % 251) as u8).collect();
    let mut writer = drive.create_shard(id).unwrap();
    writer.write(&bytes[..10]).unwrap();
    writer.write(&bytes[10..]).unwrap();
    assert_eq!(drive.open_shard(id).err().map(|error| error.kind()), Some(ErrorKind::NotFound));
    writer.finish().unwrap();
    drop(drive.create_shard(8).unwrap());
    let reader = drive.open_shard(id).unwrap();
    assert_eq!(reader.len_bytes(), bytes.len() as u64);
    let mut read = vec![0; bytes.len() - 3];
    reader.read_exact_at(3, &mut read).unwrap();
    assert_eq!(read, bytes[3..]);
    assert_eq!(reader.read_exact_at(4, &mut read).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(drive.list_shards().unwrap(), vec![id]);
    drive.remove_shard(id).unwrap();
    drive.remove_shard(id).unwrap();
    assert_eq!(drive.list_shards().unwrap(), Vec::<u128>::new());
    reader.read_exact_at(3, &mut read).unwrap();
    assert_eq!(read, bytes[3..]);
    let empty = drive.create_shard(9).unwrap();
    empty.finish().unwrap();
    assert_eq!(drive.open_shard(9).unwrap().len_bytes(), 0);
}

fn a_drive_knows_its_room(drive: &dyn Drive) {
    let space = drive.space().unwrap();
    assert!(space.free_bytes > 0 && space.free_bytes <= space.total_bytes);
}

fn what_is_in_memory_is_read_as_it_is_or_not_at_all(drive: &dyn Drive) {
    let mut writer = drive.create_shard(3).unwrap();
    writer.write(&[7; 10_000]).unwrap();
    writer.finish().unwrap();
    let reader = drive.open_shard(3).unwrap();
    let mut read = [0; 5000];
    // What was just read is in memory, unless the file system cannot tell.
    reader.read_exact_at(100, &mut read).unwrap();
    let mut again = [0; 5000];
    if reader.read_cached_at(100, &mut again).unwrap() {
        assert_eq!(again, read);
    }
    assert!(!reader.read_cached_at(9_000, &mut again).is_ok_and(|whole| whole), "behind the end");
}

fn whole_suite(fresh: impl Fn() -> Box<dyn Drive>) {
    a_drive_keeps_its_format(&*fresh());
    segments_are_appended_cut_and_removed(&*fresh());
    a_shard_has_its_name_only_when_finished(&*fresh());
    a_drive_knows_its_room(&*fresh());
    what_is_in_memory_is_read_as_it_is_or_not_at_all(&*fresh());
}

#[test]
fn the_simulated_drive_passes_the_suite() {
    whole_suite(|| Box::new(SimDrive::new("sim")));
}

#[test]
fn the_file_drive_passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    whole_suite(|| {
        number.set(number.get() + 1);
        Box::new(FileDrive::open(&folder.path().join(format!("d{}", number.get()))).unwrap())
    });
}

#[test]
fn a_drive_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = FileDrive::open(folder.path()).unwrap();
    assert_eq!(FileDrive::open(folder.path()).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(first);
    FileDrive::open(folder.path()).unwrap();
}

#[test]
fn a_crash_keeps_what_was_synced_and_the_chosen_rest() {
    use super::Kept;
    let drive = SimDrive::new("sim");
    drive.create_segment(1, 0).unwrap();
    drive.append(1, 0, b"synced").unwrap();
    drive.sync(1).unwrap();
    drive.append(1, 6, b"lost").unwrap();
    drive.append(1, 10, b"torn").unwrap();
    drive.crash(|effect| if effect == 0 { Kept::Nothing } else { Kept::Part(2) });
    let mut read = [0; 12];
    drive.read_at(1, 0, &mut read).unwrap();
    assert_eq!(&read, b"synced\0\0\0\0to");
}
