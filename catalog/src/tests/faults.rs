//! One store serves the log and the warehouse, and fails at every operation in turn.
//!
//! Whatever fails: what was told as done is there after a restart, what was told as not done is not,
//! transactions are whole, and every table's metadata file exists.

use std::sync::Arc;

use object_store::memory::InMemory;
use serde_json::json;

use crate::log::testing::{Fault, FaultyStore, fault_at};
use crate::state::Request;
use crate::testing::{MemoryWarehouses, change, create, ident, open, set_up_requests, settings};
use crate::{Catalog, CommitError, Committed};

/// What a caller was told of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Done,
    NotDone,
    Unknown,
}

impl Told {
    fn of(result: Result<Committed, CommitError>) -> Self {
        match result {
            Ok(_) => Told::Done,
            Err(CommitError::Unknown { .. }) => Told::Unknown,
            Err(
                CommitError::Conflict(_)
                | CommitError::Load(_)
                | CommitError::Write(_)
                | CommitError::Busy { .. }
                | CommitError::Defect
                | CommitError::Fenced,
            ) => Told::NotDone,
        }
    }
}

const STEPS: usize = 14;

/// Warehouse, namespace and two tables, each asked for until it is there or the process is dead.
async fn prepare(catalog: &Catalog) {
    let setting_up = set_up_requests().into_iter().chain([create("a"), create("b")]);
    for request in setting_up {
        for _ in 0..3 {
            match catalog.commit(request.clone()).await {
                Ok(_) | Err(CommitError::Conflict(_)) => break,
                Err(_) => {}
            }
        }
    }
}

/// Step `n` sets property `n` on both tables in one transaction.
async fn workload(catalog: &Catalog) -> Vec<Told> {
    prepare(catalog).await;
    let mut told = Vec::new();
    for step in 0..STEPS {
        let update = json!({"action": "set-properties", "updates": {step.to_string(): "1"}});
        let changes = ["a", "b"].map(|name| change(name, &[], std::slice::from_ref(&update)));
        told.push(Told::of(catalog.commit(Request::CommitTables(changes.into())).await));
    }
    told
}

/// Runs the workload on a store where `fault` happens at `at` and `after` from then on; how many
/// operations there were.
async fn run(at: u64, fault: Fault, after: Fault) -> (u64, Vec<Told>) {
    let inner = Arc::new(InMemory::new());
    let store = FaultyStore::new(inner.clone(), fault_at(at, fault, after));
    let warehouses = Arc::new(MemoryWarehouses { faulty: Some(store.clone()), ..Default::default() });
    let mut told = Vec::new();
    if let Ok(catalog) = open(Arc::new(store.clone()), warehouses, settings(), 1).await {
        told = workload(&catalog).await;
        catalog.close().await;
    }
    check(inner, &told, &format!("{fault:?} at {at}, then {after:?}")).await;
    (store.ops(), told)
}

async fn check(inner: Arc<InMemory>, told: &[Told], context: &str) {
    let store = FaultyStore::new(inner, fault_at(u64::MAX, Fault::None, Fault::None));
    let warehouses = Arc::new(MemoryWarehouses { faulty: Some(store.clone()), ..Default::default() });
    let catalog = open(Arc::new(store), warehouses, settings(), 2).await.unwrap();
    let mut found = Vec::new();
    for name in ["a", "b"] {
        let table = catalog.load(&ident(name)).await.unwrap_or_else(|error| panic!("{context}: {error}"));
        let properties = table.map(|table| table.metadata.properties().clone()).unwrap_or_default();
        found.push((0..STEPS).map(|step| properties.contains_key(&step.to_string())).collect::<Vec<_>>());
    }
    assert_eq!(found[0], found[1], "{context}: half a transaction");
    for (step, told) in told.iter().enumerate() {
        match told {
            Told::Done => assert!(found[0][step], "{context}: step {step} was told as done and is lost"),
            Told::NotDone => {
                assert!(!found[0][step], "{context}: step {step} was told as not done and is there")
            }
            Told::Unknown => {}
        }
    }
}

async fn sweep(fault: Fault, after: Fault) -> Vec<Told> {
    let mut all = Vec::new();
    for at in 0.. {
        let (ops, told) = run(at, fault, after).await;
        all.extend(told);
        if ops <= at {
            assert!(at > 60, "the workload has operations");
            return all;
        }
    }
    all
}

#[tokio::test]
async fn one_lost_operation_loses_nothing_and_service_goes_on() {
    let told = sweep(Fault::Lost, Fault::None).await;
    assert!(told.iter().filter(|told| **told == Told::Done).count() > told.len() * 9 / 10);
}

#[tokio::test]
async fn one_lost_reply_loses_nothing_and_service_goes_on() {
    let told = sweep(Fault::ReplyLost, Fault::None).await;
    assert!(told.iter().filter(|told| **told == Told::Done).count() > told.len() * 9 / 10);
}

#[tokio::test]
async fn a_process_that_dies_before_an_operation_leaves_whole_commits() {
    sweep(Fault::Lost, Fault::Lost).await;
}

#[tokio::test]
async fn a_process_that_dies_after_an_operation_leaves_whole_commits_and_says_unknown() {
    let told = sweep(Fault::ReplyLost, Fault::Lost).await;
    assert!(told.contains(&Told::Unknown), "an append without an answer is unknown");
}
