use serde_json::json;

use super::fixture::{
    Fixture, PREFIX, add, changed, column, meta_data, of_files, orders, protocol, protocol_with,
};
use crate::delta::{COMMIT, delta_log_of, s3_uri};
use crate::table::{TableSource as _, TableVersion};

/// The version as the log made of it tells it, put in the place of the log it was read from.
async fn reread(fixture: &Fixture, version: &TableVersion) -> TableVersion {
    let log: Vec<u8> = delta_log_of(version, s3_uri).flatten().collect();
    fixture.put(COMMIT, log).await;
    fixture.open().await.unwrap().load(0).await.unwrap()
}

async fn same_through_a_log_made_of_it(fixture: Fixture) {
    let version = fixture.open().await.unwrap().load(0).await.unwrap();
    let again = reread(&fixture, &version).await;
    assert_eq!(
        (&again.metadata, &again.features, &again.plain),
        (&version.metadata, &version.features, &version.plain)
    );
    let all = |version: &TableVersion| of_files(&version.files, |file| format!("{file:?}"));
    assert_eq!(all(&again), all(&version));
    assert!(!version.files.is_empty());
}

#[tokio::test]
async fn a_log_made_of_a_version_tells_the_same_table() {
    let columns = [column("id", "long"), column("shop", "string")];
    let metadata = meta_data(&columns, &["shop"], json!({"delta.enableChangeDataFeed": "true"}));
    let odd = changed(
        add("shop=%C3%A4%20%2523%22/a%253Fb.parquet"),
        "partitionValues",
        json!({"shop": "\u{e4} \"#\n"}),
    );
    let null = changed(add("b.parquet"), "partitionValues", json!({"shop": null}));
    let mut actions = vec![protocol(), metadata, odd, null];
    actions.extend((0..1_500).map(|number| add(&format!("{number}.parquet"))));
    same_through_a_log_made_of_it(Fixture::with(&actions).await).await;
}

#[tokio::test]
async fn a_log_made_of_a_version_tells_mappings_and_deletion_vectors() {
    let fixture = Fixture::default();
    fixture.put("v%.bin", vec![1; 43]).await;
    let url = format!("s3://main/{}/v%25.bin", PREFIX.replace(' ', "%20"));
    let vector =
        json!({"storageType": "p", "pathOrInlineDv": url, "offset": 1, "sizeInBytes": 34, "cardinality": 2});
    let file = changed(add("a.parquet"), "deletionVector", vector);
    let mut renamed = column("id", "timestamp_ntz");
    renamed["metadata"] = json!({"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-1"});
    let mapping = json!({"delta.columnMapping.mode": "id", "delta.columnMapping.maxColumnId": "1"});
    let protocol = protocol_with(&["columnMapping", "deletionVectors", "timestampNtz"]);
    fixture.commit(0, &[protocol, meta_data(&[renamed], &[], mapping), file]).await;
    same_through_a_log_made_of_it(fixture).await;
}

#[tokio::test]
async fn a_log_made_of_an_empty_version_is_a_table() {
    let fixture = Fixture::with(&[protocol(), orders()]).await;
    let version = fixture.open().await.unwrap().load(0).await.unwrap();
    assert!(reread(&fixture, &version).await.files.is_empty());
}
