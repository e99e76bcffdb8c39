use serde_json::json;
use tarn_catalog::state::Namespace;

use super::*;
use crate::testing::{World, ident};

fn policy(json: serde_json::Value) -> Policy {
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn the_innermost_policy_counts_field_by_field() {
    let world = World::new(World::quick()).await;
    world.create("t", None).await;
    let state = || world.catalog.snapshot();
    assert_eq!(of_table(&state(), &ident("t")).unwrap(), Policy::defaults());
    let sales = Scope::Namespace("main".into(), Namespace::new(vec!["sales".into()]).unwrap());
    let table = Scope::Table(ident("t"));
    for (scope, set) in [
        (
            Scope::Server,
            json!({"icebergSnapshotManagement":
            {"status": "enabled", "maxSnapshotAgeHours": 1, "minSnapshotsToKeep": 7}}),
        ),
        (Scope::Warehouse("main".into()), json!({"icebergSnapshotManagement": {"maxSnapshotAgeHours": 2}})),
        (sales.clone(), json!({"icebergUnreferencedFileRemoval": {"status": "enabled"}})),
        (table.clone(), json!({"icebergSnapshotManagement": {"status": "disabled"}})),
    ] {
        put(&world.catalog, &scope, &policy(set)).await.unwrap();
    }
    let found = of_table(&state(), &ident("t")).unwrap();
    let snapshots = found.snapshots.clone().unwrap();
    assert_eq!(snapshots.status, Some(Status::Disabled));
    assert_eq!((snapshots.max_snapshot_age_hours, snapshots.min_snapshots_to_keep), (Some(2), Some(7)));
    assert_eq!(found.unreferenced.unwrap().status, Some(Status::Enabled));
    assert!(delete(&world.catalog, &table).await.unwrap());
    assert!(!delete(&world.catalog, &table).await.unwrap());
    let found = of_table(&state(), &ident("t")).unwrap();
    assert_eq!(found.snapshots.unwrap().status, Some(Status::Enabled));
    assert_eq!(get(&state(), &table).unwrap(), None);
}

#[tokio::test]
async fn a_policy_needs_its_scope_and_sane_settings() {
    let world = World::new(World::quick()).await;
    let nowhere = Scope::Table(ident("nowhere"));
    let refused = put(&world.catalog, &nowhere, &Policy::default()).await;
    assert!(matches!(refused, Err(PolicyError::NoSuchScope(_))));
    let hasty = policy(json!({"icebergUnreferencedFileRemoval": {"unreferencedDays": 0}}));
    assert!(matches!(put(&world.catalog, &Scope::Server, &hasty).await, Err(PolicyError::Invalid(_))));
    let typo = json!({"icebergSnapshotManagement": {"maxSnapshotAge": 1}});
    assert!(serde_json::from_value::<Policy>(typo).is_err());
}

#[test]
fn the_defaults_are_in_range_and_enable_nothing() {
    let defaults = Policy::defaults();
    assert_eq!(defaults.check(), Ok(()));
    assert_eq!(defaults.snapshots.unwrap().status, Some(Status::Disabled));
}
