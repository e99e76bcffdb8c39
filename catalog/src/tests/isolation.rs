//! Many writers at once: no update is lost, no transaction is half seen, none reads the past.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use object_store::memory::InMemory;
use serde_json::{Value, json};

use super::serializability::{Outcome, Transaction, check};
use crate::log::testing::{Fault, FaultyStore};
use crate::metadata::TableMetadata;
use crate::state::{Conflict, Request, TableChange};
use crate::testing::{
    MemoryWarehouses, catalog, change, create, ident, open, properties, set_property, set_up_requests,
    settings,
};
use crate::{Catalog, CommitError};

pub(super) fn requirement(snapshot_id: Option<i64>) -> Value {
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
pub(super) async fn versions(catalog: &Catalog, name: &str) -> Vec<i64> {
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
const TRANSACTIONS: usize = 12;
/// Of one client; far more than conflicts and faults can cost.
const ATTEMPTS_MAX: usize = 20_000;

fn name(table: usize) -> String {
    format!("t{table}")
}

/// Under faults a thing is asked for until it is there.
async fn until_there(catalog: &Catalog, request: Request) {
    for _ in 0..20 {
        match catalog.commit(request.clone()).await {
            Ok(_) | Err(CommitError::Conflict(_)) => return,
            Err(_) => {}
        }
    }
    panic!("the catalog does not recover");
}

/// What the clients of a run share.
#[derive(Clone)]
struct Run {
    catalog: Catalog,
    clock: Arc<AtomicU64>,
    ids: Arc<AtomicI64>,
}

impl Run {
    async fn begin(catalog: Catalog) -> Self {
        for table in 0..TABLES {
            until_there(&catalog, create(&name(table))).await;
        }
        Self { catalog, clock: Arc::new(AtomicU64::new(0)), ids: Arc::new(AtomicI64::new(1)) }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// A client: transactions over four tables, two or three of them written, the rest only read.
    async fn client(self, seed: u64, transactions: usize) -> Vec<Transaction> {
        let mut told: Vec<Transaction> = Vec::new();
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
        for _ in 0..ATTEMPTS_MAX {
            if told.iter().filter(|one| one.outcome != Outcome::NotDone).count() >= transactions {
                return told;
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.attempt((random >> 33) as usize % TABLES, 2 + (random >> 60) as usize % 2, &mut told).await;
        }
        panic!("the catalog does not go on");
    }

    async fn attempt(&self, first: usize, written: usize, told: &mut Vec<Transaction>) {
        let begin = self.tick();
        let (mut changes, mut reads, mut writes) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for place in 0..4 {
            let table = (first + place) % TABLES;
            let Ok(Some(loaded)) = self.catalog.load(&ident(&name(table))).await else { return };
            let base = loaded.metadata;
            reads.insert(table, base.current_snapshot_id());
            if place < written {
                let id = self.ids.fetch_add(1, Ordering::SeqCst);
                writes.insert(table, vec![id]);
                changes.push(append(&name(table), &base, id));
            } else {
                changes.push(change(&name(table), &[requirement(base.current_snapshot_id())], &[]));
            }
        }
        let (outcome, end) = match self.catalog.commit(Request::CommitTables(changes)).await {
            Ok(_) => (Outcome::Done, self.tick()),
            // It may happen at any later time.
            Err(CommitError::Unknown { .. }) => (Outcome::Unknown, u64::MAX),
            Err(_) => (Outcome::NotDone, self.tick()),
        };
        told.push(Transaction { reads, writes, span: (begin, end), outcome });
    }
}

/// Runs the clients at once; what they were told.
async fn run(run: &Run, clients: u64, transactions: usize) -> Vec<Transaction> {
    let clients: Vec<_> =
        (0..clients).map(|seed| tokio::spawn(run.clone().client(seed, transactions))).collect();
    let mut told = Vec::new();
    for client in clients {
        told.extend(client.await.unwrap());
    }
    told
}

/// Checks what was told against what `catalog` holds.
async fn verify(catalog: &Catalog, told: &[Transaction]) {
    let mut tables = Vec::new();
    for table in 0..TABLES {
        tables.push(versions(catalog, &name(table)).await);
    }
    check(told, &tables).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transactions_over_four_tables_from_sixteen_clients_are_strictly_serializable() {
    let (catalog, _, _) = catalog().await;
    let begun = Run::begin(catalog.clone()).await;
    let told = run(&begun, CLIENTS, TRANSACTIONS).await;
    assert!(told.iter().all(|one| one.outcome != Outcome::Unknown));
    verify(&catalog, &told).await;
}

/// Every 13th operation of the store is lost, every 17th loses its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transactions_stay_strictly_serializable_while_the_store_fails() {
    let inner = Arc::new(InMemory::new());
    let schedule = |op: u64| match (op % 13, op % 17) {
        (12, _) => Fault::Lost,
        (_, 16) => Fault::ReplyLost,
        _ => Fault::None,
    };
    let store = FaultyStore::new(inner.clone(), Arc::new(schedule));
    let warehouses = Arc::new(MemoryWarehouses { faulty: Some(store.clone()), ..Default::default() });
    let catalog = open(Arc::new(store), warehouses, settings(), 1).await.unwrap();
    for request in set_up_requests() {
        until_there(&catalog, request).await;
    }
    let begun = Run::begin(catalog.clone()).await;
    let told = run(&begun, 8, 10).await;
    assert!(told.iter().any(|one| one.outcome == Outcome::Unknown), "no outcome was unknown");
    catalog.close().await;

    let sound = FaultyStore::new(inner, Arc::new(|_| Fault::None));
    let warehouses = Arc::new(MemoryWarehouses { faulty: Some(sound.clone()), ..Default::default() });
    let catalog = open(Arc::new(sound), warehouses, settings(), 2).await.unwrap();
    verify(&catalog, &told).await;
}

/// The same two transactions with and without what they only read: the checker sees the
/// difference, and requirements on tables only read are what makes it.
#[tokio::test]
async fn a_write_skew_happens_without_requirements_on_what_is_only_read_and_never_with_them() {
    for reads_are_required in [false, true] {
        let (catalog, _, _) = catalog().await;
        let begun = Run::begin(catalog.clone()).await;
        let bases = [metadata(&catalog, &name(0)).await, metadata(&catalog, &name(1)).await];
        let mut history = Vec::new();
        for (table, id) in [(0, 1), (1, 2)] {
            let mut changes = vec![append(&name(table), &bases[table], id)];
            if reads_are_required {
                changes.push(change(&name(1 - table), &[requirement(None)], &[]));
            }
            if catalog.commit(Request::CommitTables(changes)).await.is_ok() {
                let reads = BTreeMap::from([(0, None), (1, None)]);
                let writes = BTreeMap::from([(table, vec![id])]);
                history.push(Transaction { reads, writes, span: (0, begun.tick()), ..Default::default() });
            }
        }
        let mut tables = Vec::new();
        for table in 0..TABLES {
            tables.push(versions(&catalog, &name(table)).await);
        }
        assert_eq!(check(&history, &tables).is_ok(), reads_are_required);
        assert_eq!(history.len(), if reads_are_required { 1 } else { 2 });
    }
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
