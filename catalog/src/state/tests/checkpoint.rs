//! Checkpoints of many tables, and bytes that are none.

use uuid::Uuid;

use crate::state::{CatalogState, Change, Commit, InvalidCheckpoint, TableIdent, TablePut};

use super::tables::namespace;

fn many(count: u128) -> CatalogState {
    let mut state = CatalogState::default();
    let spaces: Vec<_> = (0..10).map(|number| namespace(&["space", &number.to_string()])).collect();
    let put = |number: u128| {
        let space = &spaces[usize::try_from(number % 10).unwrap()];
        let uuid = Uuid::from_u128(number);
        let location = format!("s3://main/space/{}/table-{uuid}", number % 10);
        Change::PutTable(TablePut {
            ident: TableIdent::new("main", space.clone(), format!("table-{number:06}")).unwrap(),
            uuid,
            metadata_location: format!("{location}/metadata/00000-{uuid}.metadata.json").into(),
            location: location.into(),
            snapshot_id: Some(3_055_729_675_574_597_004),
            schema_id: 0,
        })
    };
    state.apply(&Commit { at: 1_700_000_000_000, changes: (0..count).map(put).collect() });
    state
}

#[test]
fn many_tables_come_back_from_a_checkpoint() {
    let state = many(5_000);
    let bytes = state.encode_checkpoint();
    let loaded = CatalogState::decode_checkpoint(&bytes).unwrap();
    assert_eq!(loaded, state);
    assert_eq!(loaded.table_count(), 5_000);
    assert_eq!(loaded.encode_checkpoint(), bytes);
}

#[test]
fn damaged_bytes_are_refused() {
    let bytes = many(20).encode_checkpoint();
    for end in 0..bytes.len() {
        assert!(CatalogState::decode_checkpoint(&bytes[..end]).is_err(), "{end}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(CatalogState::decode_checkpoint(&longer), Err(InvalidCheckpoint::Damaged(_))));
    let newer = [&[5], &bytes[1..]].concat();
    assert_eq!(CatalogState::decode_checkpoint(&newer).unwrap_err(), InvalidCheckpoint::Version(5));
    for at in 1..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0xff;
        // Checksums are the log's; here it only must not panic.
        let _ = CatalogState::decode_checkpoint(&flipped);
    }
}
