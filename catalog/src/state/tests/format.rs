//! The bytes on disk do not change: fixtures of version 1 (docs/FORMAT.md).

use std::sync::Arc;

use uuid::Uuid;

use crate::state::{CatalogState, Change, Commit, Properties, TableIdent, TablePut};

use super::tables::namespace;

const COMMIT: &str = include_str!("fixtures/commit-v1.hex");
const CHECKPOINT: &str = include_str!("fixtures/checkpoint-v1.hex");

/// Every kind of change once, and one table and document that stay.
fn commit() -> Commit {
    let warehouse: Arc<str> = "main".into();
    let space = || namespace(&["a", "b"]);
    let table = |name: &str| TableIdent::new("main", space(), name).unwrap();
    let properties = || Properties::from([("k".to_owned(), "v".to_owned())]);
    let put = |name: &str, snapshot_id: Option<i64>| {
        Change::PutTable(TablePut {
            ident: table(name),
            uuid: Uuid::from_u128(0x0102_0304),
            location: "s3://main/t".into(),
            metadata_location: "s3://main/t/metadata/00000-x.metadata.json".into(),
            snapshot_id,
            schema_id: 3,
        })
    };
    let document = |id: &str| Change::PutDocument { kind: "key".into(), id: id.into(), json: "{}".into() };
    let changes = vec![
        Change::PutWarehouse { name: warehouse.clone(), properties: properties() },
        Change::DropWarehouse { name: "other".into() },
        Change::PutNamespace { warehouse: warehouse.clone(), namespace: space(), properties: properties() },
        Change::DropNamespace { warehouse, namespace: namespace(&["c"]) },
        put("t", None),
        put("t", Some(-5)),
        Change::DropTable { ident: table("none") },
        Change::RenameTable { from: table("t"), to: table("u") },
        document("one"),
        document("two"),
        Change::DeleteDocument { kind: "key".into(), id: "two".into() },
    ];
    Commit { at: 1_700_000_000_000, changes }
}

fn state() -> CatalogState {
    let mut state = CatalogState::default();
    state.apply(&commit());
    state
}

#[test]
fn a_commit_has_the_bytes_it_always_had() {
    assert_eq!(hex::encode(postcard::to_stdvec(&commit()).unwrap()), COMMIT.trim());
    let bytes = hex::decode(COMMIT.trim()).unwrap();
    assert_eq!(postcard::from_bytes::<Commit>(&bytes).unwrap(), commit());
}

#[test]
fn a_checkpoint_has_the_bytes_it_always_had() {
    assert_eq!(hex::encode(state().encode_checkpoint()), CHECKPOINT.trim());
    let bytes = hex::decode(CHECKPOINT.trim()).unwrap();
    assert_eq!(CatalogState::decode_checkpoint(&bytes).unwrap(), state());
}

#[test]
fn the_numbers_of_changes_on_disk_never_move() {
    let changes = commit().changes;
    let numbers: Vec<u8> = changes.iter().map(|change| postcard::to_stdvec(change).unwrap()[0]).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8]);
}
