//! The index on disk is a cache: gone, stale or damaged, the log gives it back.

use std::fs;
use std::path::{Path, PathBuf};

use super::{
    Arc, Bound, Drive, ErasureSet, FileDrive, OpenError, SetSettings, Space, all, delete, draft, inlined,
    open_sets, put, shard, small, wait,
};

const DRIVES: usize = 2;

fn open(folder: &Path) -> Result<ErasureSet, OpenError> {
    let drive = |number| FileDrive::open(&folder.join(format!("d{number}"))).unwrap();
    let drives = (0..DRIVES).map(|number| Arc::new(drive(number)) as Arc<dyn Drive>).collect();
    let settings = SetSettings { segment_bytes: 20_000, ..small() };
    Ok(open_sets(&settings, None, drives)?.sets[0].clone())
}

fn work(set: &ErasureSet, from: usize) {
    for number in from..from + 60 {
        wait(set.commit(inlined(set, &format!("k{}", number % 37), &format!("v{number}")))).unwrap();
    }
    wait(set.commit(draft(vec![put("a", "1"), delete("k3")]))).unwrap();
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn check(set: &ErasureSet, rows: &[(String, String)], what: &str) {
    assert_eq!(all(set), rows, "{what}");
    for (key, entry) in set.scan(Space::Object, Bound::Unbounded, 1000).unwrap() {
        if entry.inline {
            let (text, value) =
                (std::str::from_utf8(&key).unwrap(), std::str::from_utf8(&entry.value).unwrap());
            let read = set.read_inline(0, Space::Object, &key, entry.seq, None).unwrap();
            assert!(read.is_none_or(|bytes| bytes == shard(0, text, value)), "{what}");
        }
    }
}

#[test]
fn an_index_that_is_gone_or_older_than_the_log_is_brought_up_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let set = open(folder.path()).unwrap();
    work(&set, 0);
    set.close();
    drop(set);
    let kept = tempfile::tempdir().unwrap();
    for number in 0..DRIVES {
        copy_tree(&folder.path().join(format!("d{number}/index")), &kept.path().join(number.to_string()));
    }
    let set = open(folder.path()).unwrap();
    work(&set, 100);
    let rows = all(&set);
    set.close();
    drop(set);
    // One drive's index is old, the other's gone.
    for number in 0..2 {
        let index = folder.path().join(format!("d{number}/index"));
        fs::remove_dir_all(&index).unwrap();
        if number == 0 {
            copy_tree(&kept.path().join("0"), &index);
        }
    }
    let set = open(folder.path()).unwrap();
    assert_eq!(set.fill_needed(), Vec::<usize>::new());
    check(&set, &rows, "old and missing indexes");
    set.close();
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else {
            out.push(path);
        }
    }
}

#[test]
fn a_damaged_index_never_answers_a_wrong_value() {
    let folder = tempfile::tempdir().unwrap();
    let set = open(folder.path()).unwrap();
    work(&set, 0);
    work(&set, 50);
    let rows = all(&set);
    set.close();
    drop(set);
    let mut paths = Vec::new();
    files(&folder.path().join("d0/index"), &mut paths);
    paths.sort();
    let mut tried = 0;
    for path in paths {
        // The first bytes hold what there is; the journal is preallocated far beyond.
        let whole = fs::read(&path).unwrap();
        let used = whole.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for at in (0..used).step_by(used / 3 + 1) {
            let what = format!("{} byte {at}", path.display());
            let kept = tempfile::tempdir().unwrap();
            copy_tree(&folder.path().join("d0"), &kept.path().join("d0"));
            let mut flipped = whole.clone();
            flipped[at] ^= 0x21;
            fs::write(&path, flipped).unwrap();
            let set = open(folder.path()).unwrap();
            check(&set, &rows, &what);
            set.close();
            drop(set);
            fs::remove_dir_all(folder.path().join("d0")).unwrap();
            copy_tree(&kept.path().join("d0"), &folder.path().join("d0"));
            tried += 1;
        }
    }
    assert!(tried > 5);
}

#[test]
fn an_index_that_failed_is_rebuilt_at_the_next_open() {
    let folder = tempfile::tempdir().unwrap();
    let set = open(folder.path()).unwrap();
    work(&set, 0);
    let rows = all(&set);
    let _ = set.slots()[0].fail_index(&crate::index::IndexError::Failed("a block is damaged".into()));
    assert_eq!(all(&set), rows);
    work(&set, 0);
    set.close();
    drop(set);
    assert!(folder.path().join("d0/index.rebuild").exists());
    let set = open(folder.path()).unwrap();
    assert!(!folder.path().join("d0/index.rebuild").exists());
    assert_eq!(set.fill_needed(), [0]);
    check(&set, &all(&set), "rebuilt");
    set.close();
}
