//! How long opening takes. Prints, and only checks that everything is there.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use object_store::ObjectStore as _;
use object_store::memory::InMemory;
use object_store::path::Path;

use crate::commit::batch::Body;
use crate::log::testing::{impatient, put_id, store_over};
use crate::log::{Checkpoint, Log};
use crate::state::{CatalogState, Change, Commit, TablePut};
use crate::testing::{MemoryWarehouses, catalog_over, create, ident, namespace, open, settings};
use crate::{Catalog, Settings};

const TABLES: u64 = 10_000;
const RECORDS: u64 = 2_000;

fn table(number: u64) -> Change {
    let location: Arc<str> = format!("s3://main/sales/t{number}-{number:032x}").into();
    Change::PutTable(TablePut {
        ident: ident(&format!("t{number}")),
        uuid: uuid::Uuid::from_u128(u128::from(number) + 1),
        metadata_location: format!("{location}/metadata/00000-{number:032x}.metadata.json").into(),
        location,
        snapshot_id: None,
        schema_id: 0,
    })
}

fn body(changes: Vec<Change>) -> (Bytes, Commit) {
    let commit = Commit { at: 1_750_000_000_000, changes };
    let mut body = Body::default();
    body.push(&commit);
    (body.finish(), commit)
}

#[tokio::test]
async fn many_tables_and_many_records_are_back_after_opening() {
    let log = Arc::new(InMemory::new());
    let (mut writer, mut trimmer, _) =
        Log::open(store_over(log.clone()), put_id(1), impatient()).await.unwrap();
    let mut state = CatalogState::default();
    let first = vec![
        Change::PutWarehouse { name: "main".into(), properties: Default::default() },
        Change::PutNamespace {
            warehouse: "main".into(),
            namespace: namespace("sales"),
            properties: Default::default(),
        },
    ];
    let changes = first.into_iter().chain((0..TABLES).map(table)).collect();
    let (bytes, commit) = body(changes);
    writer.append(put_id(2), bytes).await.unwrap();
    state.apply(&commit);
    let tail = writer.tail();
    let snapshot = Bytes::from(state.encode_checkpoint());
    trimmer.keep(Checkpoint { seq: tail.seq, hash: tail.hash, body: snapshot }).await.unwrap();
    for number in 0..RECORDS {
        let (bytes, commit) = body(vec![table(number)]);
        writer.append(put_id(10 + u128::from(number)), bytes).await.unwrap();
        state.apply(&commit);
    }

    let began = Instant::now();
    let root = object_store::path::Path::from("catalog");
    let settings = Settings { checkpoint_records: u64::MAX, ..settings() };
    let catalog = Catalog::open(log, root, Arc::new(MemoryWarehouses::default()), settings).await.unwrap();
    println!("opened {TABLES} tables and {RECORDS} records in {:?}", began.elapsed());
    assert_eq!(*catalog.snapshot(), state);
}

#[tokio::test]
async fn a_catalog_that_is_only_opened_writes_a_checkpoint_when_one_is_due() {
    use futures::TryStreamExt as _;
    let log = Arc::new(InMemory::new());
    let warehouses = Arc::new(MemoryWarehouses::default());
    let never = Settings { checkpoint_records: u64::MAX, checkpoint_bytes: usize::MAX, ..settings() };
    let catalog = catalog_over(log.clone(), warehouses.clone(), never).await;
    for number in 0..10 {
        catalog.commit(create(&format!("t{number}"))).await.unwrap();
    }
    catalog.close().await;
    let checkpoints = async || {
        let all: Vec<_> =
            log.list(Some(&Path::from(".tarn/catalog/checkpoint"))).try_collect().await.unwrap();
        all.len()
    };
    assert_eq!(checkpoints().await, 0);
    open(log.clone(), warehouses, settings(), 2).await.unwrap().close().await;
    assert_eq!(checkpoints().await, 1);
}
