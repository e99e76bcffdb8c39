//! Create, commit, restart, takeover, close.

use crate::state::Conflict;
use crate::testing::{catalog, create, ident, open, properties, set_property, settings};
use crate::{CommitError, Seq, Standing};

#[tokio::test]
async fn a_created_table_is_loaded_and_committed_to() {
    let (catalog, _, _) = catalog().await;
    let created = catalog.commit(create("orders")).await.unwrap();
    assert_eq!(created.tables[0].ident, ident("orders"));
    set_property(&catalog, "orders", "owner", "ada").await.unwrap();
    assert_eq!(properties(&catalog, "orders").await["owner"], "ada");
    let entry = catalog.load(&ident("orders")).await.unwrap().unwrap().entry;
    assert_eq!((entry.revision, entry.revisions.len()), (1, 2));
}

#[tokio::test]
async fn a_conflict_is_answered_as_one() {
    let (catalog, _, _) = catalog().await;
    catalog.commit(create("orders")).await.unwrap();
    let error = catalog.commit(create("orders")).await.unwrap_err();
    assert!(matches!(error, CommitError::Conflict(Conflict::TableExists(found)) if found == ident("orders")));
}

#[tokio::test]
async fn the_state_after_a_restart_is_the_state_before_it() {
    let (catalog, log, warehouses) = catalog().await;
    for number in 0..30 {
        catalog.commit(create(&format!("t{number}"))).await.unwrap();
        catalog.snapshot();
    }
    set_property(&catalog, "t3", "owner", "ada").await.unwrap();
    let before = catalog.snapshot();
    catalog.close().await;
    let again = open(log, warehouses, settings(), 2).await.unwrap();
    assert_eq!(*again.snapshot(), *before);
    assert_eq!(properties(&again, "t3").await["owner"], "ada");
}

#[tokio::test]
async fn watchers_see_the_position_move() {
    let (catalog, _, _) = catalog().await;
    let mut watch = catalog.watch();
    let before = *watch.borrow_and_update();
    let committed = catalog.commit(create("orders")).await.unwrap();
    assert_eq!(*watch.borrow_and_update(), committed.seq);
    assert_eq!(committed.seq, Seq(before.0 + 1));
}

#[tokio::test]
async fn a_catalog_that_was_taken_over_commits_no_more_and_still_reads() {
    let (old, log, warehouses) = catalog().await;
    let new = open(log, warehouses, settings(), 2).await.unwrap();
    assert!(matches!(old.commit(create("orders")).await, Err(CommitError::Fenced)));
    assert!(matches!(old.commit(create("orders")).await, Err(CommitError::Fenced)));
    assert_eq!((old.standing(), new.standing()), (Standing::Fenced, Standing::Ready));
    new.commit(create("orders")).await.unwrap();
    assert_eq!(old.snapshot().table_count(), 0);
    assert_eq!(new.snapshot().table_count(), 1);
}

#[tokio::test]
async fn a_closed_catalog_refuses_commits_before_any_effect() {
    let (catalog, _, _) = catalog().await;
    catalog.close().await;
    assert!(matches!(catalog.commit(create("orders")).await, Err(CommitError::Busy { .. })));
}

#[tokio::test]
async fn a_full_queue_refuses_before_any_effect() {
    use std::task::Poll;

    let (log, warehouses) = (std::sync::Arc::default(), std::sync::Arc::default());
    let log: std::sync::Arc<object_store::memory::InMemory> = log;
    let settings = crate::Settings { queue_requests_max: 1, ..settings() };
    let catalog = crate::testing::catalog_over(log, warehouses, settings).await;
    // The writer runs on this thread too, so it takes nothing before the first await.
    let mut first = std::pin::pin!(catalog.commit(create("a")));
    assert!(futures::poll!(&mut first).is_pending());
    let mut second = std::pin::pin!(catalog.commit(create("b")));
    assert!(matches!(futures::poll!(&mut second), Poll::Ready(Err(CommitError::Busy { .. }))));
    first.await.unwrap();
    assert_eq!(catalog.snapshot().table_count(), 1);
}
