//! The log over an in-memory store that fails at every operation in turn.

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::testing::{Fault, FaultyStore, fault_at, impatient, put_id, store_over};
use super::{
    AppendError, Checkpoint, Log, OpenLogError, Past, PastError, ReadError, Recovered, Retention, Seq,
    Trimmer, record, recovery,
};

async fn open(inner: &Arc<InMemory>, fence: u128) -> (Log, Trimmer, Recovered) {
    Log::open(store_over(inner.clone()), put_id(fence), impatient()).await.unwrap()
}

fn bodies(recovered: &Recovered) -> Vec<&[u8]> {
    recovered.batches.iter().map(|(_, body)| &body[..]).collect()
}

async fn append(log: &mut Log, number: u128, body: &'static str) -> Result<Seq, AppendError> {
    log.append(put_id(number), Bytes::from_static(body.as_bytes())).await
}

#[tokio::test]
async fn what_was_appended_is_replayed_in_order() {
    let inner = Arc::new(InMemory::new());
    let (mut log, _trimmer, recovered) = open(&inner, 1).await;
    assert!(recovered.checkpoint.is_none() && recovered.batches.is_empty());
    assert_eq!(append(&mut log, 2, "a").await.unwrap(), Seq(2));
    assert_eq!(append(&mut log, 3, "b").await.unwrap(), Seq(3));
    let (log, _trimmer, recovered) = open(&inner, 4).await;
    assert_eq!(bodies(&recovered), [b"a", b"b"]);
    assert_eq!(log.tail().seq, Seq(4));
}

#[tokio::test]
async fn a_writer_is_fenced_when_another_opens_the_log() {
    let inner = Arc::new(InMemory::new());
    let (mut old, _trimmer, _) = open(&inner, 1).await;
    let (mut new, _trimmer, _) = open(&inner, 2).await;
    assert!(matches!(append(&mut old, 3, "lost").await, Err(AppendError::Taken { seq: Seq(2) })));
    append(&mut new, 4, "kept").await.unwrap();
    let (_log, _trimmer, recovered) = open(&inner, 5).await;
    assert_eq!(bodies(&recovered), [b"kept"]);
}

#[tokio::test]
async fn stalled_append_behind_boundary_is_refused() {
    let inner = Arc::new(InMemory::new());
    let (mut stalled, _trimmer, _) = open(&inner, 1).await;
    let (mut log, mut trimmer, _) = open(&inner, 2).await;
    for number in 0..4 {
        append(&mut log, 10 + number, "x").await.unwrap();
        keep(&mut trimmer, &log, "state").await;
    }
    assert!(matches!(
        append(&mut stalled, 3, "lost").await,
        Err(AppendError::Trimmed { boundary }) if boundary == Seq(5)
    ));
    let (_log, _trimmer, recovered) = open(&inner, 5).await;
    assert_eq!(recovered.checkpoint.unwrap().seq, Seq(6));
}

async fn keep(trimmer: &mut Trimmer, log: &Log, body: &'static str) {
    let tail = log.tail();
    let body = Bytes::from_static(body.as_bytes());
    trimmer.keep(Checkpoint { seq: tail.seq, hash: tail.hash, body }).await.unwrap();
}

#[tokio::test]
async fn a_damaged_newest_checkpoint_is_replaced_by_the_one_before_and_the_records_after_it() {
    let inner = Arc::new(InMemory::new());
    let (mut log, mut trimmer, _) = open(&inner, 1).await;
    for (number, body) in [(2, "a"), (3, "b"), (4, "c")] {
        append(&mut log, number, body).await.unwrap();
        keep(&mut trimmer, &log, body).await;
    }
    let newest = object_store::path::Path::from(format!("catalog/checkpoint/{}", Seq(4).name()));
    inner.put_opts(&newest, Bytes::from_static(b"torn").into(), Default::default()).await.unwrap();
    let (_log, _trimmer, recovered) = open(&inner, 5).await;
    assert_eq!(bodies(&recovered), [b"c"]);
    assert_eq!(recovered.checkpoint.unwrap().body, Bytes::from_static(b"b"));
}

#[tokio::test]
async fn a_gap_and_a_damaged_record_are_refused() {
    for damage in [None, Some(Bytes::from_static(b"TARNCLOG but short"))] {
        let inner = Arc::new(InMemory::new());
        let (mut log, _trimmer, _) = open(&inner, 1).await;
        append(&mut log, 2, "a").await.unwrap();
        append(&mut log, 3, "b").await.unwrap();
        let store = store_over(inner.clone());
        store.remove(&super::key(Seq(2))).await.unwrap();
        if let Some(bytes) = damage.clone() {
            store.write(&super::key(Seq(2)), bytes).await.unwrap();
        }
        let error = Log::open(store, put_id(4), impatient()).await.err().unwrap();
        match damage {
            None => assert!(matches!(error, OpenLogError::Read(ReadError::Missing { seq: Seq(2) }))),
            Some(_) => assert!(matches!(
                error,
                OpenLogError::Read(ReadError::Damaged {
                    seq: Seq(2),
                    source: record::RecordError::Short { .. }
                })
            )),
        }
    }
}

#[tokio::test]
async fn a_record_of_another_log_is_refused() {
    let (one, other) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
    for (inner, body) in [(&one, "a"), (&other, "z")] {
        let (mut log, _trimmer, _) = open(inner, 1).await;
        append(&mut log, 2, body).await.unwrap();
        append(&mut log, 3, body).await.unwrap();
    }
    let (foreign, _) = store_over(other).read(&super::key(Seq(3))).await.unwrap().unwrap();
    let store = store_over(one);
    store.write(&super::key(Seq(3)), foreign).await.unwrap();
    let error = Log::open(store, put_id(4), impatient()).await.err().unwrap();
    assert!(matches!(error, recovery::OpenLogError::Read(ReadError::Chain { seq: Seq(3) })));
}

#[tokio::test]
async fn a_lost_reply_is_settled_by_the_put_id() {
    let inner = Arc::new(InMemory::new());
    open(&inner, 1).await;
    // list, read and fence are the operations before; find the append's put by trying each.
    for at in 0..12 {
        let faulty = FaultyStore::new(inner.clone(), fault_at(at, Fault::ReplyLost, Fault::None));
        let patience = super::Patience { deadline: std::time::Duration::from_secs(1), ..impatient() };
        let Ok((mut log, ..)) =
            Log::open(store_over(Arc::new(faulty)), put_id(100 + at as u128), patience).await
        else {
            continue;
        };
        append(&mut log, 200 + at as u128, "x").await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_proves_nothing() {
    let inner = Arc::new(InMemory::new());
    let (log, ..) = open(&inner, 1).await;
    // The put is done and its answer lost; every later operation is refused.
    let faulty = FaultyStore::new(inner.clone(), fault_at(0, Fault::ReplyLost, Fault::Lost));
    let (seen, refused) = (faulty.clone(), Arc::new(move |_: &object_store::Error| faulty.ops() > 1));
    let store = super::Store::new(
        Arc::new(seen),
        object_store::path::Path::from("catalog"),
        refused,
        std::time::Duration::from_secs(5),
    );
    let patience = super::Patience {
        deadline: std::time::Duration::from_millis(20),
        backoff: std::time::Duration::from_millis(5),
    };
    let mut log = Log { store, tail: log.tail(), pending: None, patience };
    assert!(matches!(append(&mut log, 2, "there").await, Err(AppendError::Unknown { .. })));
    let (_log, _trimmer, recovered) = open(&inner, 3).await;
    assert_eq!(bodies(&recovered), [b"there"]);
}

/// What one append told its caller.
#[derive(Debug, PartialEq)]
enum Told {
    Done,
    NotDone,
    Unknown,
}

#[tokio::test]
async fn every_append_is_told_the_truth_whatever_operation_fails() {
    for fault in [Fault::Lost, Fault::ReplyLost] {
        for after in [Fault::None, Fault::Lost] {
            let mut at = 0;
            loop {
                let inner = Arc::new(InMemory::new());
                let faulty = FaultyStore::new(inner.clone(), fault_at(at, fault, after));
                let told = workload(&faulty).await;
                check(&inner, &told, &format!("{fault:?} at {at}, then {after:?}")).await;
                if faulty.ops() <= at {
                    break;
                }
                at += 1;
            }
            assert!(at > 20, "the workload has operations");
        }
    }
}

/// Eight appends with a checkpoint after every second one; goes on after an unknown outcome only
/// when it settles.
async fn workload(faulty: &FaultyStore) -> Vec<(u8, Told)> {
    let mut told = Vec::new();
    let store = store_over(Arc::new(faulty.clone()));
    let Ok((mut log, mut trimmer, _)) = Log::open(store, put_id(1), impatient()).await else { return told };
    let mut state = Vec::new();
    for number in 0..8_u8 {
        match log.append(put_id(10 + u128::from(number)), Bytes::from(vec![number])).await {
            Ok(_) => told.push((number, Told::Done)),
            Err(AppendError::Unknown { .. }) => {
                told.push((number, Told::Unknown));
                if log.settle().await.is_err() {
                    return told;
                }
            }
            Err(_) => {
                told.push((number, Told::NotDone));
                return told;
            }
        }
        state.push(number);
        if number % 2 == 1 {
            let tail = log.tail();
            let body = Bytes::from(state.clone());
            // A failed trim is told to nobody: the log is only longer than needed.
            let _ = trimmer.keep(Checkpoint { seq: tail.seq, hash: tail.hash, body }).await;
        }
    }
    told
}

/// After recovery: what was done is there, what was not done is not, order is kept.
async fn check(inner: &Arc<InMemory>, told: &[(u8, Told)], context: &str) {
    let (_log, _trimmer, recovered) = open(inner, 99).await;
    let mut found = recovered.checkpoint.map(|checkpoint| checkpoint.body.to_vec()).unwrap_or_default();
    found.extend(recovered.batches.iter().map(|(_, body)| body[0]));
    assert!(found.is_sorted(), "{context}: {found:?}");
    for (number, told) in told {
        match told {
            Told::Done => assert!(found.contains(number), "{context}: {number} is lost"),
            Told::NotDone => assert!(!found.contains(number), "{context}: {number} appeared"),
            Told::Unknown => {}
        }
    }
    assert!(found.iter().all(|number| told.iter().any(|(known, _)| known == number)), "{context}");
}

/// Checkpoints and trims with a history of so many bytes, failing at one operation; then goes on without faults.
async fn trimmed_with_a_fault(at: u64, bytes_max: u64) -> Arc<InMemory> {
    let inner = Arc::new(InMemory::new());
    let retention = Retention { age: std::time::Duration::from_secs(3600), bytes_max };
    for (run, schedule) in
        [fault_at(at, Fault::Lost, Fault::None), fault_at(u64::MAX, Fault::None, Fault::None)]
            .into_iter()
            .enumerate()
    {
        let faulty = Arc::new(FaultyStore::new(inner.clone(), schedule));
        let fence = put_id(1 + run as u128);
        let Ok((mut log, trimmer, _)) = Log::open(store_over(faulty), fence, impatient()).await else {
            continue;
        };
        let mut trimmer = trimmer.retaining(retention);
        for number in 0..8 {
            let put = put_id(100 * (run as u128 + 1) + number);
            if log.append(put, Bytes::from_static(b"a record of some length")).await.is_err() {
                break;
            }
            let tail = log.tail();
            let body = Bytes::from_static(b"state");
            let _ = trimmer.keep(Checkpoint { seq: tail.seq, hash: tail.hash, body }).await;
        }
    }
    inner
}

#[tokio::test]
async fn whatever_operation_of_a_trim_fails_the_history_is_whole_and_nothing_is_left_behind() {
    for bytes_max in [0, 900, u64::MAX] {
        for at in 0..140 {
            let inner = trimmed_with_a_fault(at, bytes_max).await;
            let store = store_over(inner);
            let past = Past::new(store.clone());
            let oldest = past.oldest().await.unwrap().seq;
            let records: Vec<Seq> = store
                .names_after("log", "")
                .await
                .unwrap()
                .iter()
                .filter_map(|name| Seq::parse(name))
                .collect();
            let last = *records.last().unwrap();
            // Dense from right after the oldest state on: all of it can be made, and nothing before is kept.
            assert_eq!(records, (oldest.0 + 1..=last.0).map(Seq).collect::<Vec<_>>(), "{bytes_max} {at}");
            for position in oldest.0..=last.0 {
                let basis = past.basis(Seq(position), None).await;
                assert!(basis.is_ok(), "{bytes_max} {at}: {position}");
            }
            if oldest > Seq::ZERO {
                let gone = past.basis(Seq(oldest.0 - 1), None).await.err();
                assert!(matches!(gone, Some(PastError::Gone { oldest: told }) if told == oldest));
            }
            assert_eq!(bytes_max == u64::MAX, oldest == Seq::ZERO, "{bytes_max} {at}");
        }
    }
}
