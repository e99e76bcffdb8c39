//! Requests that wait together: one record for all, and none suffers for another.
//!
//! The runtime has one thread, so requests that are joined are queued before the writer looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::join;
use object_store::memory::InMemory;

use crate::log::testing::{Fault, FaultyStore};
use crate::state::{Conflict, Request};
use crate::testing::{
    MemoryWarehouses, catalog, create, ident, open, set_property, set_up_requests, settings,
};
use crate::{Catalog, CommitError};

#[tokio::test]
async fn requests_that_wait_together_become_one_record() {
    let (catalog, _, _) = catalog().await;
    let (a, b, c) = join!(
        catalog.commit(create("a")),
        catalog.commit(create("b")),
        set_property(&catalog, "a", "owner", "ada"),
    );
    let seqs = [a.unwrap().seq, b.unwrap().seq, c.unwrap().seq];
    assert!(seqs.iter().all(|seq| *seq == seqs[0]), "{seqs:?}");
}

#[tokio::test]
async fn a_request_that_needs_what_another_one_brings_in_follows_it() {
    let (catalog, _, _) = catalog().await;
    catalog.commit(create("a")).await.unwrap();
    let rename = Request::RenameTable { from: ident("a"), to: ident("b") };
    let (renamed, changed) = join!(catalog.commit(rename), set_property(&catalog, "b", "owner", "ada"));
    renamed.unwrap();
    changed.unwrap();
    assert_eq!(catalog.snapshot().table(&ident("b")).unwrap().revision, 1);
}

/// A catalog over one store; operation `n` after now ends as the test says.
async fn failing(at: Arc<AtomicU64>, fault: Fault) -> (Catalog, FaultyStore) {
    let (chosen, inner) = (at, Arc::new(InMemory::new()));
    let schedule = Arc::new(move |op| if chosen.load(Ordering::SeqCst) == op { fault } else { Fault::None });
    let store = FaultyStore::new(inner, schedule);
    let warehouses = Arc::new(MemoryWarehouses { faulty: Some(store.clone()), ..Default::default() });
    let catalog = open(Arc::new(store.clone()), warehouses, settings(), 1).await.unwrap();
    for request in set_up_requests() {
        catalog.commit(request).await.unwrap();
    }
    (catalog, store)
}

#[tokio::test]
async fn a_file_that_is_not_written_costs_only_its_own_request() {
    let at = Arc::new(AtomicU64::new(u64::MAX));
    let (catalog, store) = failing(at.clone(), Fault::Lost).await;
    // The next operations are the two metadata files.
    at.store(store.ops(), Ordering::SeqCst);
    let (a, b) = join!(catalog.commit(create("a")), catalog.commit(create("b")));
    assert!(matches!(a, Err(CommitError::Write(_))), "{a:?}");
    b.unwrap();
    let state = catalog.snapshot();
    assert_eq!((state.table(&ident("a")).is_some(), state.table(&ident("b")).is_some()), (false, true));
}

#[tokio::test]
async fn a_conflict_with_what_is_not_durable_is_not_told() {
    let at = Arc::new(AtomicU64::new(u64::MAX));
    let (catalog, store) = failing(at.clone(), Fault::Lost).await;
    // One metadata file, then the record.
    at.store(store.ops() + 1, Ordering::SeqCst);
    let (first, second) = join!(catalog.commit(create("a")), catalog.commit(create("a")));
    assert!(matches!(first, Err(CommitError::Unknown { .. })), "{first:?}");
    assert!(matches!(second, Err(CommitError::Busy { .. })), "{second:?}");
    // The first is settled as done, so now the conflict is true.
    let third = catalog.commit(create("a")).await;
    assert!(matches!(third, Err(CommitError::Conflict(Conflict::TableExists(_)))), "{third:?}");
}
