//! The bytes on disk do not change, and those of older versions are still read (docs/FORMAT.md).

use std::sync::Arc;

use uuid::Uuid;

use crate::state::{
    CatalogState, Change, Commit, KeptReply, Mark, Note, Properties, Purge, Refusal, Reply, TableIdent,
    TablePut, ViewPut,
};

use super::tables::namespace;

const COMMIT: &str = include_str!("fixtures/commit-v1.hex");
/// Changes of views, which are newer.
const VIEW_COMMIT: &str = include_str!("fixtures/commit-v1-views.hex");
const CHECKPOINT_V1: &str = include_str!("fixtures/checkpoint-v1.hex");
const CHECKPOINT_V2: &str = include_str!("fixtures/checkpoint-v2.hex");
/// Kept replies, which are newer.
const REPLY_COMMIT: &str = include_str!("fixtures/commit-v1-replies.hex");
const CHECKPOINT_V3: &str = include_str!("fixtures/checkpoint-v3.hex");
/// Dropped tables, which are newer.
const DROPPED_COMMIT: &str = include_str!("fixtures/commit-v1-dropped.hex");
/// Marks, which are newer.
const MARKED_COMMIT: &str = include_str!("fixtures/commit-v1-marks.hex");
const CHECKPOINT: &str = include_str!("fixtures/checkpoint-v4.hex");
/// Notes, which are newer.
const NOTE_COMMIT: &str = include_str!("fixtures/commit-v1-note.hex");

/// Every kind of change but those of views once, and one table and document that stay.
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

/// Changes of views, and one view that stays.
fn view_commit() -> Commit {
    let view = |name: &str| TableIdent::new("main", namespace(&["a", "b"]), name).unwrap();
    let put = ViewPut {
        ident: view("v"),
        uuid: Uuid::from_u128(0x0506),
        location: "s3://main/v".into(),
        metadata_location: "s3://main/v/metadata/00000-x.metadata.json".into(),
    };
    let changes = vec![
        Change::PutView(put),
        Change::RenameView { from: view("v"), to: view("w") },
        Change::DropView { ident: view("none") },
    ];
    Commit { at: 1_700_000_000_001, changes }
}

/// Every kind of reply once.
fn reply_commit() -> Commit {
    let refused = Reply::refused(Refusal::NoSuchView, "there is no such view");
    let replies = [
        Reply::Done,
        Reply::Metadata("s3://main/t/1.json".into()),
        Reply::Missing(vec!["k".into()]),
        refused,
    ];
    let keep = |(number, reply): (u128, Reply)| {
        let (key, until) = (Uuid::from_u128(number), 1_700_001_800_000);
        Change::KeepReply(Arc::new(KeptReply { key, request: [9; 32], until, reply }))
    };
    Commit { at: 1_700_000_000_002, changes: (1..).zip(replies).map(keep).collect() }
}

/// Every change of dropped tables once, and one that stays kept.
fn dropped_commit() -> Commit {
    let table = |name: &str| TableIdent::new("main", namespace(&["a", "b"]), name).unwrap();
    let id = Uuid::from_u128;
    let set_aside = |number, name, purge| Change::SetAside {
        id: id(number),
        ident: table(name),
        until: 1_700_604_800_000,
        purge,
    };
    let changes = vec![
        set_aside(1, "u", Purge::Keep),
        Change::BringBack { id: id(1), to: table("v") },
        set_aside(2, "v", Purge::Files),
        Change::Forget { id: id(3) },
    ];
    Commit { at: 1_700_000_000_003, changes }
}

/// Who asked.
fn note_commit() -> Commit {
    let note = Note { by: "key:reader".into(), verb: "commit tables".into() };
    Commit { at: 1_700_000_000_004, changes: vec![Change::Note(Arc::new(note))] }
}

/// Every mark once, with what it is of.
fn marked_commit() -> Commit {
    let table = |name: &str| TableIdent::new("main", namespace(&["a", "b"]), name).unwrap();
    let marks = [Mark::Created, Mark::Registered, Mark::Unregistered, Mark::Of(table("t"))];
    let forget = |number| Change::Forget { id: Uuid::from_u128(number) };
    let marked = |(number, mark)| [forget(number), Change::Mark(mark)];
    Commit { at: 1_700_000_000_004, changes: (1..).zip(marks).flat_map(marked).collect() }
}

fn state_of(commits: &[Commit]) -> CatalogState {
    let mut state = CatalogState::default();
    commits.iter().for_each(|commit| state.apply(commit));
    state
}

#[test]
fn a_commit_has_the_bytes_it_always_had() {
    for (commit, fixture) in [
        (commit(), COMMIT),
        (view_commit(), VIEW_COMMIT),
        (dropped_commit(), DROPPED_COMMIT),
        (note_commit(), NOTE_COMMIT),
        (marked_commit(), MARKED_COMMIT),
    ] {
        assert_eq!(hex::encode(postcard::to_stdvec(&commit).unwrap()), fixture.trim());
        let bytes = hex::decode(fixture.trim()).unwrap();
        assert_eq!(postcard::from_bytes::<Commit>(&bytes).unwrap(), commit);
    }
}

#[test]
fn a_checkpoint_has_the_bytes_it_always_had() {
    let state = state_of(&[commit(), view_commit(), reply_commit(), dropped_commit()]);
    assert_eq!(state.dropped_tables(None).count(), 1);
    assert_eq!(hex::encode(state.encode_checkpoint()), CHECKPOINT.trim());
    let bytes = hex::decode(CHECKPOINT.trim()).unwrap();
    assert_eq!(CatalogState::decode_checkpoint(&bytes).unwrap(), state);
}

#[test]
fn a_checkpoint_of_version_1_is_still_read() {
    let bytes = hex::decode(CHECKPOINT_V1.trim()).unwrap();
    assert_eq!(CatalogState::decode_checkpoint(&bytes).unwrap(), state_of(&[commit()]));
}

#[test]
fn a_checkpoint_of_version_2_is_still_read() {
    let bytes = hex::decode(CHECKPOINT_V2.trim()).unwrap();
    assert_eq!(CatalogState::decode_checkpoint(&bytes).unwrap(), state_of(&[commit(), view_commit()]));
}

#[test]
fn a_checkpoint_of_version_3_is_still_read() {
    let bytes = hex::decode(CHECKPOINT_V3.trim()).unwrap();
    let before = state_of(&[commit(), view_commit(), reply_commit()]);
    assert_eq!(CatalogState::decode_checkpoint(&bytes).unwrap(), before);
}

#[test]
fn a_commit_with_replies_has_the_bytes_it_always_had() {
    assert_eq!(hex::encode(postcard::to_stdvec(&reply_commit()).unwrap()), REPLY_COMMIT.trim());
    let bytes = hex::decode(REPLY_COMMIT.trim()).unwrap();
    assert_eq!(postcard::from_bytes::<Commit>(&bytes).unwrap(), reply_commit());
}

#[test]
fn the_numbers_of_changes_on_disk_never_move() {
    let changes = [commit().changes, view_commit().changes, reply_commit().changes, dropped_commit().changes];
    let changes = [changes.concat(), note_commit().changes, marked_commit().changes[..2].to_vec()].concat();
    let numbers: Vec<u8> = changes.iter().map(|change| postcard::to_stdvec(change).unwrap()[0]).collect();
    assert_eq!(
        numbers,
        [0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 11, 10, 12, 12, 12, 12, 13, 14, 13, 15, 16, 15, 17]
    );
}
