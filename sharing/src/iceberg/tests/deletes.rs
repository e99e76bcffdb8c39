//! Versions with deleted rows.

use iceberg::spec::DataContentType;
use serde_json::json;

use super::super::testing::{File, Step, World, schema, unsupported};
use crate::table::{Feature, TableSource as _};

async fn world() -> World {
    let world = World::new().await;
    world.create("orders", schema(0, &[(1, "id", json!("int"))]), json!([])).await;
    let adds = vec![File::new("1"), File::new("2")];
    world.step("orders", Step { adds, ..Step::default() }).await;
    world
}

fn rows(of: &[(&str, &[u64])]) -> Vec<(String, Vec<u64>)> {
    of.iter().map(|(name, rows)| ((*name).to_owned(), rows.to_vec())).collect()
}

#[tokio::test]
async fn position_deletes_are_told_with_the_files_they_delete_in() {
    let world = world().await;
    let deletes = vec![world.positions("d1", &[("1", 3), ("1", 5)]).await];
    world.step("orders", Step { operation: "delete", deletes, ..Step::default() }).await;
    let table = world.table("orders");
    let version = table.load(2).await.unwrap();
    assert_eq!(world.deleted(&version.files).await, rows(&[("1", &[3, 5]), ("2", &[])]));
    assert!(version.features.contains(&Feature::DeletionVectors) && version.plain.is_err());
    assert_eq!(version.metadata.configuration["delta.enableDeletionVectors"], "true");
    let without_files = table.metadata(2).await.unwrap();
    assert_eq!((without_files.metadata, without_files.plain), (version.metadata, version.plain));
    assert!(table.load(1).await.unwrap().plain.is_ok());
}

#[tokio::test]
async fn deletion_vectors_are_told_with_their_files_and_as_changes_of_them() {
    let world = world().await;
    let upgrade = json!([{"action": "upgrade-format-version", "format-version": 3}]);
    world.update("orders", upgrade).await;
    let deletes = vec![world.vector("d1", "2", &[0]).await];
    world.step("orders", Step { operation: "delete", deletes, ..Step::default() }).await;
    let deletes = vec![world.vector("d2", "2", &[0, 9]).await];
    world.step("orders", Step { operation: "delete", deletes, drops: &["d1"], ..Step::default() }).await;
    let table = world.table("orders");
    assert_eq!(world.deleted(&table.load(3).await.unwrap().files).await, rows(&[("1", &[]), ("2", &[0])]));
    assert_eq!(world.deleted(&table.load(4).await.unwrap().files).await, rows(&[("1", &[]), ("2", &[0, 9])]));
    let changes = table.changes(2..=4).await.unwrap();
    let [first, second] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((first.version, first.metadata.is_some()), (3, true));
    assert!(first.features.contains(&Feature::DeletionVectors));
    assert_eq!(world.deleted(&first.removed).await, rows(&[("2", &[])]));
    assert_eq!(world.deleted(&first.added).await, rows(&[("2", &[0])]));
    assert_eq!((second.version, second.metadata.is_none()), (4, true));
    assert_eq!(world.deleted(&second.removed).await, rows(&[("2", &[0])]));
    assert_eq!(world.deleted(&second.added).await, rows(&[("2", &[0, 9])]));
}

#[tokio::test]
async fn equality_deletes_are_refused_unless_they_are_to_be_resolved() {
    let world = world().await;
    let content = DataContentType::EqualityDeletes;
    let deletes = vec![File { content, equality: Some(vec![1]), ..File::new("d1") }];
    world.step("orders", Step { operation: "delete", deletes, ..Step::default() }).await;
    assert!(unsupported(world.table("orders").load(2).await).contains("equality deletes"));
}
