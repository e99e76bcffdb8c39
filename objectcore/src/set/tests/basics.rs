//! Commits, reads and plain restarts, on both kinds of drives.

use super::{
    Arc, Bound, Bytes, CommitError, Draft, Drive, ErasureSet, Expect, FileDrive, SetSettings, SimDrive,
    Space, StorageError, all, delete, draft, inlined, open_sets, put, shard, sims, small, value, wait,
};
use crate::drive::Fault;

/// Runs a test on a set of simulated drives and on a set of directories; `reopen` closes and opens again.
fn on_both(drives: usize, test: impl Fn(&mut dyn FnMut() -> ErasureSet)) {
    let simulated = sims(drives);
    let mut open = None::<ErasureSet>;
    test(&mut || {
        if let Some(set) = open.take() {
            set.close();
        }
        let set = super::open(&simulated).unwrap();
        open = Some(set.clone());
        set
    });
    let folder = tempfile::tempdir().unwrap();
    let mut open = None::<ErasureSet>;
    test(&mut || {
        if let Some(set) = open.take() {
            set.close();
        }
        let drive = |number| FileDrive::open(&folder.path().join(format!("d{number}"))).unwrap();
        let files = (0..drives).map(|number| Arc::new(drive(number)) as Arc<dyn Drive>).collect();
        let set = open_sets(&small(), None, files).unwrap().sets[0].clone();
        open = Some(set.clone());
        set
    });
}

#[test]
fn what_was_committed_is_read_and_is_there_after_a_restart() {
    on_both(4, |reopen| {
        {
            let set = reopen();
            for number in 0..100 {
                wait(set.commit(inlined(&set, &format!("k{number:03}"), "v"))).unwrap();
            }
            wait(set.commit(draft(vec![put("k001", "new"), delete("k002"), put("z", "1")]))).unwrap();
        }
        for _ in 0..3 {
            let set = reopen();
            assert_eq!(value(&set, "k001").as_deref(), Some("new"));
            assert_eq!(value(&set, "k002"), None);
            assert_eq!(all(&set).len(), 100);
            let entry = set.get(Space::Object, b"k050").unwrap().unwrap();
            assert!(entry.inline);
            for slot in 0..4 {
                let read = set.read_inline(slot, Space::Object, b"k050", entry.seq, None).unwrap();
                assert_eq!(read, Some(shard(slot, "k050", "v")));
            }
            assert_eq!(set.fill_needed(), Vec::<usize>::new());
        }
    });
}

#[test]
fn a_scan_goes_on_behind_a_key_in_the_order_of_bytes() {
    on_both(1, |reopen| {
        let set = reopen();
        for key in ["b", "a/2", "a", "a/1", "\u{ff}", "c"] {
            wait(set.commit(draft(vec![put(key, "v")]))).unwrap();
        }
        let keys = |after: Bound<Bytes>, limit| {
            let rows = set.scan(Space::Object, after, limit).unwrap();
            rows.iter().map(|(key, _)| String::from_utf8(key.to_vec()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(keys(Bound::Unbounded, 3), ["a", "a/1", "a/2"]);
        assert_eq!(keys(Bound::Excluded(Bytes::from("a/2")), 9), ["b", "c", "\u{ff}"]);
        assert_eq!(keys(Bound::Included(Bytes::from("a/2")), 1), ["a/2"]);
        assert_eq!(set.scan(Space::Part, Bound::Unbounded, 9).unwrap(), Vec::new());
    });
}

#[test]
fn a_draft_counts_only_if_every_expectation_holds() {
    on_both(2, |reopen| {
        let set = reopen();
        let expecting = |key: &str, expect| {
            let key = Bytes::copy_from_slice(key.as_bytes());
            Draft { expect: vec![(Space::Object, key, expect)], ..draft(vec![put("a", "2"), put("b", "2")]) }
        };
        assert!(matches!(
            wait(set.commit(expecting("a", Expect::Present))),
            Err(CommitError::Changed { found: None, .. })
        ));
        let first = wait(set.commit(draft(vec![put("a", "1")]))).unwrap();
        assert_eq!(first.replaced, vec![None]);
        let first = set.get(Space::Object, b"a").unwrap().unwrap();
        let refused = wait(set.commit(expecting("a", Expect::Absent)));
        assert!(
            matches!(refused, Err(CommitError::Changed { found: Some(entry), .. }) if entry.seq == first.seq)
        );
        assert_eq!(value(&set, "b"), None);
        let second = wait(set.commit(expecting("a", Expect::Seq(first.seq)))).unwrap();
        assert_eq!(second.replaced[0].as_ref().map(|entry| entry.seq), Some(first.seq));
        assert_eq!(value(&set, "b").as_deref(), Some("2"));
    });
}

#[test]
fn of_many_that_expect_absence_at_once_one_wins() {
    on_both(4, |reopen| {
        let set = reopen();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let won = runtime.block_on(async {
            let tasks = (0..50).map(|number| {
                let key = Bytes::from("one");
                let expect = vec![(Space::Object, key, Expect::Absent)];
                set.commit(Draft { expect, ..draft(vec![put("one", &number.to_string())]) })
            });
            futures::future::join_all(tasks).await.into_iter().filter(Result::is_ok).count()
        });
        assert_eq!(won, 1);
    });
}

#[test]
fn too_many_waiting_drafts_are_refused_as_busy() {
    let drives = vec![Arc::new(SimDrive::new("sim")) as Arc<dyn Drive>];
    let settings = SetSettings { waiting_drafts: 0, ..small() };
    let set = open_sets(&settings, None, drives).unwrap().sets[0].clone();
    let refused = wait(set.commit(draft(vec![put("a", "1")])));
    assert!(matches!(refused, Err(CommitError::Storage(StorageError::Busy))));
}

#[test]
fn a_closed_set_takes_nothing() {
    let drives = sims(1);
    let set = super::open(&drives).unwrap();
    set.close();
    let refused = wait(set.commit(draft(vec![put("a", "1")])));
    assert!(matches!(refused, Err(CommitError::Storage(StorageError::Closing))));
}

#[test]
fn full_drives_refuse_puts_and_take_deletes() {
    let drives = sims(4);
    let set = super::open(&drives).unwrap();
    wait(set.commit(draft(vec![put("a", "1"), put("b", "1")]))).unwrap();
    drives[2].set_free_bytes(1000);
    // The committer learns of it with the next batch.
    wait(set.commit(draft(vec![delete("b")]))).unwrap();
    let refused = wait(set.commit(draft(vec![put("c", "1")])));
    assert!(matches!(refused, Err(CommitError::Storage(StorageError::Full))));
    wait(set.commit(draft(vec![delete("a")]))).unwrap();
    drives[2].set_free_bytes(1 << 40);
    wait(set.commit(draft(vec![put("c", "1")]))).unwrap();
    assert_eq!(all(&set), [("c".to_owned(), "1".to_owned())]);
}

/// A refusal was told at once, though what it rested on was in the same batch and could still fail.
#[test]
fn a_refusal_rests_on_what_is_durable() {
    for ahead in 1..12 {
        let drives = sims(1);
        let set = super::open(&drives).unwrap();
        drives[0].hang(crate::drive::Hang::Changes);
        drives[0].plan(drives[0].operations() + ahead, Fault::FailBefore);
        let absent = || Draft {
            expect: vec![(Space::Object, Bytes::from_static(b"k"), Expect::Absent)],
            ..draft(vec![put("k", "v")])
        };
        let (_, first, second, ()) = wait(async {
            let release = async { drives[0].release() };
            tokio::join!(
                set.commit(draft(vec![put("o", "v")])),
                set.commit(absent()),
                set.commit(absent()),
                release
            )
        });
        let refused = matches!(second, Err(CommitError::Changed { .. }));
        assert!(first.is_ok() || !refused, "operation {ahead}: {first:?}, {second:?}");
        set.close();
    }
}
