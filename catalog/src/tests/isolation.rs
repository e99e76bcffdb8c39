//! Many writers at once: no update is lost, no transaction is half seen, none reads the past.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde_json::{Value, json};

use super::history::{Transaction, check};
use crate::metadata::TableMetadata;
use crate::state::{Conflict, Request, TableChange};
use crate::testing::{catalog, change, create, ident, properties, set_property};
use crate::{Catalog, CommitError};

fn requirement(snapshot_id: Option<i64>) -> Value {
    json!({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": snapshot_id})
}

/// Appends snapshot `id` on top of what `base` has.
fn append(name: &str, base: &TableMetadata, id: i64) -> TableChange {
    let parent = base.current_snapshot_id();
    let mut snapshot = json!({
        "snapshot-id": id, "sequence-number": base.last_sequence_number() + 1,
        "timestamp-ms": base.last_updated_ms() + 1, "schema-id": 0,
        "manifest-list": format!("s3://main/snap-{id}.avro"), "summary": {"operation": "append"},
    });
    if let Some(parent) = parent {
        snapshot["parent-snapshot-id"] = json!(parent);
    }
    let updates = [
        json!({"action": "add-snapshot", "snapshot": snapshot}),
        json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id}),
    ];
    change(name, &[requirement(parent)], &updates)
}

async fn metadata(catalog: &Catalog, name: &str) -> Arc<TableMetadata> {
    catalog.load(&ident(name)).await.unwrap().unwrap().metadata
}

/// The versions of a table, oldest first: the chain of parents from its current snapshot.
async fn versions(catalog: &Catalog, name: &str) -> Vec<i64> {
    let metadata = metadata(catalog, name).await;
    let mut versions = Vec::new();
    let mut at = metadata.current_snapshot_id();
    while let Some(id) = at {
        versions.push(id);
        at = metadata.snapshot(id).unwrap().parent_id();
    }
    versions.reverse();
    versions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_append_to_one_table_and_lose_nothing() {
    let (catalog, _, _) = catalog().await;
    catalog.commit(create("orders")).await.unwrap();
    let writers: Vec<_> = (0..64_i64)
        .map(|writer| {
            let catalog = catalog.clone();
            tokio::spawn(async move {
                for number in 0..4 {
                    let id = 1 + writer * 4 + number;
                    loop {
                        let base = metadata(&catalog, "orders").await;
                        match catalog.commit(Request::CommitTables(vec![append("orders", &base, id)])).await {
                            Ok(_) => break,
                            Err(CommitError::Conflict(
                                Conflict::Requirement { .. } | Conflict::Stale { .. },
                            )) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut found = versions(&catalog, "orders").await;
    found.sort_unstable();
    assert_eq!(found, (1..=256).collect::<Vec<_>>());
    assert_eq!(catalog.snapshot().table(&ident("orders")).unwrap().revision, 256);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_that_do_not_exclude_each_other_are_rebased_by_the_server() {
    let (catalog, _, _) = catalog().await;
    catalog.commit(create("orders")).await.unwrap();
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let catalog = catalog.clone();
            tokio::spawn(async move { set_property(&catalog, "orders", &format!("w{writer}"), "1").await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let found = properties(&catalog, "orders").await;
    assert_eq!(found.keys().filter(|key| key.starts_with('w') && !key.contains('.')).count(), 64);
}

const TABLES: usize = 6;
const CLIENTS: u64 = 16;
const TRANSACTIONS: u64 = 12;

fn name(table: usize) -> String {
    format!("t{table}")
}

/// One client: transactions over four tables, two or three of them written, the rest only read.
async fn client(catalog: Catalog, seed: u64, clock: Arc<AtomicU64>, ids: Arc<AtomicI64>) -> Vec<Transaction> {
    let mut history = Vec::new();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    while (history.len() as u64) < TRANSACTIONS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let first = (random >> 33) as usize % TABLES;
        let written = 2 + (random >> 60) as usize % 2;
        let begin = clock.fetch_add(1, Ordering::SeqCst);
        let (mut changes, mut reads, mut writes) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for place in 0..4 {
            let table = (first + place) % TABLES;
            let base = metadata(&catalog, &name(table)).await;
            reads.insert(table, base.current_snapshot_id());
            if place < written {
                let id = ids.fetch_add(1, Ordering::SeqCst);
                writes.insert(table, id);
                changes.push(append(&name(table), &base, id));
            } else {
                changes.push(change(&name(table), &[requirement(base.current_snapshot_id())], &[]));
            }
        }
        match catalog.commit(Request::CommitTables(changes)).await {
            Ok(_) => {
                let end = clock.fetch_add(1, Ordering::SeqCst);
                history.push(Transaction { reads, writes, span: (begin, end) });
            }
            Err(CommitError::Conflict(Conflict::Requirement { .. } | Conflict::Stale { .. })) => {}
            Err(other) => panic!("{other}"),
        }
    }
    history
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transactions_over_four_tables_from_sixteen_clients_are_strictly_serializable() {
    let (catalog, _, _) = catalog().await;
    for table in 0..TABLES {
        catalog.commit(create(&name(table))).await.unwrap();
    }
    let (clock, ids) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicI64::new(1)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|seed| tokio::spawn(client(catalog.clone(), seed, clock.clone(), ids.clone())))
        .collect();
    let mut history = Vec::new();
    for client in clients {
        history.extend(client.await.unwrap());
    }
    let mut tables = Vec::new();
    for table in 0..TABLES {
        tables.push(versions(&catalog, &name(table)).await);
    }
    assert_eq!(history.len() as u64, CLIENTS * TRANSACTIONS);
    check(&history, &tables).unwrap();
    let written: usize = history.iter().map(|transaction| transaction.writes.len()).sum();
    assert_eq!(tables.iter().map(Vec::len).sum::<usize>(), written, "a version nobody committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_sees_half_a_transaction() {
    let (catalog, _, _) = catalog().await;
    for name in ["a", "b"] {
        catalog.commit(create(name)).await.unwrap();
    }
    let reader = {
        let catalog = catalog.clone();
        tokio::spawn(async move {
            let mut seen = 0;
            while seen < 100 {
                let state = catalog.snapshot();
                let revision = |name| state.table(&ident(name)).unwrap().revision;
                assert_eq!(revision("a"), revision("b"));
                seen = revision("a");
                tokio::task::yield_now().await;
            }
        })
    };
    for number in 0..100 {
        let update = json!({"action": "set-properties", "updates": {"n": number.to_string()}});
        let changes = ["a", "b"].map(|name| change(name, &[], std::slice::from_ref(&update)));
        catalog.commit(Request::CommitTables(changes.into())).await.unwrap();
    }
    reader.await.unwrap();
}
