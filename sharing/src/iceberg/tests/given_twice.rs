//! Schemas that were removed, and whose ids others got.

use serde_json::json;

use super::super::testing::{World, ident, schema, unsupported};
use crate::table::{TableSource as _, TableVersion};

/// A table whose version 1 had a schema that was removed since; version 4 has another one by its id.
async fn with_a_schema_id_given_twice() -> World {
    let world = World::new().await;
    let first = schema(0, &[(1, "id", json!("int"))]);
    world.create("orders", first, json!([])).await;
    world.evolve("orders", schema(1, &[(1, "id", json!("int")), (2, "was", json!("string"))])).await;
    world.update("orders", json!([{"action": "set-current-schema", "schema-id": 0}])).await;
    world.update("orders", json!([{"action": "remove-schemas", "schema-ids": [1]}])).await;
    world.evolve("orders", schema(1, &[(1, "id", json!("int")), (3, "is", json!("long"))])).await;
    world
}

fn columns(version: &TableVersion) -> Vec<String> {
    version.metadata.schema.fields.iter().map(|field| field.name.clone()).collect()
}

#[tokio::test]
async fn a_version_keeps_its_columns_when_another_schema_gets_the_id_of_its_own() {
    let world = with_a_schema_id_given_twice().await;
    let metadata = world.metadata("orders").await;
    assert_eq!(metadata.schema(1).unwrap().columns().fields[1].name, "is");
    for (version, expected) in
        [(0, &["id"][..]), (1, &["id", "was"]), (2, &["id"]), (3, &["id"]), (4, &["id", "is"])]
    {
        let table = world.table("orders").named().await.unwrap();
        assert_eq!(columns(&table.load(version).await.unwrap()), expected, "version {version}");
        assert_eq!(columns(&table.metadata(version).await.unwrap()), expected, "version {version}");
    }
    let changes = world.table("orders").named().await.unwrap().changes(0..=4).await.unwrap();
    let told = changes.iter().map(|change| (change.version, change.metadata.as_ref().unwrap()));
    let told: Vec<(i64, usize)> = told.map(|(version, told)| (version, told.schema.fields.len())).collect();
    assert_eq!(told, [(0, 1), (1, 2), (2, 1), (4, 2)]);
}

#[tokio::test]
async fn a_version_whose_columns_nothing_tells_any_more_is_refused() {
    let world = with_a_schema_id_given_twice().await;
    let revisions = world.catalog.snapshot().table(&ident("orders")).unwrap().revisions.clone();
    let lost = revisions.iter().find(|revision| revision.number == 1).unwrap().metadata_location.clone();
    world.remove(&lost).await;
    // A server that starts remembers no file.
    let world = world.opened_again().await;
    let table = world.table("orders").named().await.unwrap();
    let why = unsupported(table.load(1).await);
    assert!(why.contains("the columns of version 1 are not known any more"), "{why}");
    assert_eq!(columns(&table.load(4).await.unwrap()), ["id", "is"]);
    assert!(table.load(4).await.unwrap().plain.is_err(), "names of columns went unseen");
}

#[tokio::test]
async fn a_column_is_not_told_by_a_name_that_a_removed_schema_gave_to_another() {
    let world = World::new().await;
    let of = |id: i32, name: &'static str| schema(id, &[(1, name, json!("int"))]);
    world.create("orders", of(0, "a"), json!([])).await;
    world.evolve("orders", of(1, "b")).await;
    world.update("orders", json!([{"action": "set-current-schema", "schema-id": 0}])).await;
    world.update("orders", json!([{"action": "remove-schemas", "schema-ids": [1]}])).await;
    world.evolve("orders", schema(1, &[(1, "a", json!("int")), (2, "b", json!("int"))])).await;
    let table = world.table("orders").named().await.unwrap();
    let loaded = table.load(4).await.unwrap();
    // Readers would find it by its name in files that were written while the first had it.
    let physical: Vec<_> = loaded.metadata.schema.fields.iter().map(|field| field.physical_name()).collect();
    assert_eq!(physical, ["a", "col-2"]);
}
