//! A request with an idempotency key is done once, however often it is sent and whatever fails meanwhile.

use std::sync::Arc;

use object_store::memory::InMemory;
use serde_json::json;

use crate::log::testing::{Fault, FaultyStore, fault_at};
use crate::state::{Conflict, Refusal, Request, RequestKey};
use crate::testing::{
    MemoryWarehouses, catalog, change, create, ident, open, open_at, set_up_requests, settings,
};
use crate::{Catalog, CommitError, Committed};

const LIFETIME_MS: i64 = 1_800_000;

fn key(number: u128) -> Option<RequestKey> {
    let key = uuid::Uuid::from_u128(number);
    Some(RequestKey { key, request: [7; 32], lifetime_ms: LIFETIME_MS })
}

async fn set(catalog: &Catalog, number: u128) -> Result<Committed, CommitError> {
    let update = json!({"action": "set-properties", "updates": {"a": number.to_string()}});
    catalog.commit_once(Request::CommitTables(vec![change("t", &[], &[update])]), key(number)).await
}

fn revision(catalog: &Catalog) -> u64 {
    catalog.snapshot().table(&ident("t")).unwrap().revision
}

#[tokio::test]
async fn an_answer_is_given_again_after_a_restart_from_the_log_and_from_a_checkpoint() {
    let (catalog, log, warehouses) = catalog().await;
    catalog.commit(create("t")).await.unwrap();
    let first = set(&catalog, 1).await.unwrap();
    let refused = catalog.commit_once(create("t"), key(2)).await.unwrap_err();
    assert!(matches!(refused, CommitError::Conflict(Conflict::TableExists(_))));
    let missing =
        Request::DropTable(crate::state::DropTable::asked(ident("none"), crate::state::Purge::Keep, 0));
    catalog.commit_once(missing.clone(), key(3)).await.unwrap_err();
    catalog.commit(create("none")).await.unwrap();
    catalog.close().await;
    // The settings of tests write a checkpoint every few records.
    for run in 2..14 {
        let again = open(log.clone(), warehouses.clone(), settings(), run).await.unwrap();
        let second = set(&again, 1).await.unwrap();
        assert_eq!(second.tables[0].metadata_location, first.tables[0].metadata_location);
        let error = again.commit_once(create("t"), key(2)).await.unwrap_err();
        let CommitError::Conflict(Conflict::Refused { refusal, message }) = error else { panic!("{error}") };
        assert_eq!((refusal, &*message), (Refusal::AlreadyExists, "Table already exists: sales.t"));
        again.commit_once(missing.clone(), key(3)).await.unwrap_err();
        assert!(again.snapshot().table(&ident("none")).is_some());
        assert_eq!(revision(&again), 1);
        again.close().await;
    }
}

#[tokio::test]
async fn an_answer_ends_at_its_time() {
    let (catalog, log, warehouses) = catalog().await;
    catalog.commit_once(create("t"), key(1)).await.unwrap();
    catalog.close().await;
    let before_its_end = 1_750_000_000_000 + LIFETIME_MS - 1000;
    let again = open_at(log.clone(), warehouses.clone(), settings(), (2, before_its_end)).await.unwrap();
    again.commit_once(create("t"), key(1)).await.unwrap();
    again.close().await;
    let later = open_at(log, warehouses, settings(), (3, before_its_end + 2000)).await.unwrap();
    let error = later.commit_once(create("t"), key(1)).await.unwrap_err();
    assert!(matches!(error, CommitError::Conflict(Conflict::TableExists(_))), "{error}");
}

#[tokio::test]
async fn a_key_used_for_another_request_is_refused() {
    let (catalog, ..) = catalog().await;
    catalog.commit_once(create("t"), key(1)).await.unwrap();
    let other = key(1).map(|key| RequestKey { request: [8; 32], ..key });
    let error = catalog.commit_once(create("u"), other).await.unwrap_err();
    assert!(matches!(error, CommitError::Conflict(Conflict::KeyReused)));
    assert!(catalog.snapshot().table(&ident("u")).is_none());
}

#[tokio::test]
async fn requests_sent_twice_at_once_are_done_once() {
    let (catalog, ..) = catalog().await;
    catalog.commit(create("t")).await.unwrap();
    let all = futures::future::join_all((0..40).map(|number| set(&catalog, number % 4))).await;
    for number in 0..4 {
        let same: Vec<_> = all.iter().skip(number).step_by(4).map(|one| one.as_ref().unwrap()).collect();
        let location = &same[0].tables[0].metadata_location;
        assert!(same.iter().all(|one| one.tables[0].metadata_location == *location));
    }
    assert_eq!(revision(&catalog), 4);
}

/// A client that asks for `ROUNDS` changes, each again with its key until it is told, over a store that fails
/// at operation `at`; the process is started anew when it cannot go on. How many operations there were.
async fn run(at: u64, fault: Fault, after: Fault) -> u64 {
    const ROUNDS: u128 = 6;
    let inner = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(inner.clone(), fault_at(at, fault, after));
    let sound = FaultyStore::new(inner, fault_at(u64::MAX, Fault::None, Fault::None));
    let start = async |store: &FaultyStore, run: u128| {
        let warehouses = Arc::new(MemoryWarehouses { faulty: Some(store.clone()), ..Default::default() });
        open(Arc::new(store.clone()), warehouses, settings(), run).await
    };
    let mut catalog = match start(&faulty, 1).await {
        Ok(catalog) => catalog,
        Err(_) => start(&sound, 2).await.unwrap(),
    };
    let mut asked: Vec<Request> = set_up_requests().into_iter().chain([create("t")]).collect();
    asked.extend((0..ROUNDS).map(|round| {
        let update = json!({"action": "set-properties", "updates": {"a": round.to_string()}});
        Request::CommitTables(vec![change("t", &[], &[update])])
    }));
    for (number, request) in (1..).zip(asked) {
        let mut tries = 0;
        while let Err(error) = catalog.commit_once(request.clone(), key(number)).await {
            assert!(!matches!(error, CommitError::Conflict(_)), "{fault:?} at {at}: {error}");
            tries += 1;
            if tries == 2 {
                catalog.close().await;
                catalog = start(&sound, 100 + number).await.unwrap();
            }
        }
    }
    assert_eq!(revision(&catalog), ROUNDS as u64, "{fault:?} at {at}, then {after:?}");
    catalog.close().await;
    faulty.ops()
}

#[tokio::test]
async fn whatever_operation_fails_a_request_sent_until_it_is_told_is_done_once() {
    for (fault, after) in [
        (Fault::Lost, Fault::None),
        (Fault::ReplyLost, Fault::None),
        (Fault::Lost, Fault::Lost),
        (Fault::ReplyLost, Fault::Lost),
    ] {
        let mut at = 0;
        while run(at, fault, after).await > at {
            at += 1;
        }
        assert!(at > 20, "the workload has operations");
    }
}
