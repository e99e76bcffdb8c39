//! Tables moved back: all or none, valid as Iceberg reads them, and with nothing erased.

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::history::{Moment, Point, Refused, RollbackError, RollbackMode, RollbackOrder, RollbackTo};
use crate::metadata::TableMetadata;
use crate::state::{
    Conflict, CreateTable, DropTable, Purge, Request, RollbackTable, RollbackTarget, TableIdent,
};
use crate::testing::{MemoryWarehouses, catalog_over, change, create, ident, set_property, settings};
use crate::{Catalog, CommitError, Seq, Settings, WarehouseStores as _};

/// After every clock of these tests.
const NOW: i64 = 1_760_000_000_000;

struct World {
    catalog: Catalog,
    warehouses: Arc<MemoryWarehouses>,
}

impl World {
    async fn new() -> Self {
        let warehouses = Arc::new(MemoryWarehouses::default());
        let kept = Settings { history_retention: Duration::from_secs(3600), ..settings() };
        let catalog = catalog_over(Arc::new(InMemory::new()), warehouses.clone(), kept).await;
        Self { catalog, warehouses }
    }

    async fn commit(&self, name: &str, updates: &[Value]) {
        let change = change(name, &[], updates);
        self.catalog.commit(Request::CommitTables(vec![change])).await.unwrap();
    }

    /// Appends a snapshot to `main` whose manifest list is there.
    async fn append(&self, name: &str, id: i64, rows: (i64, i64)) {
        let store = self.warehouses.store("main");
        let file = format!("sales/{name}-{id}.avro");
        store.put(&Path::from(file.as_str()), PutPayload::from_static(b"a list")).await.unwrap();
        let metadata = self.metadata(name).await;
        self.commit(name, &append(&metadata, name, id, rows)).await;
    }

    async fn metadata(&self, name: &str) -> Arc<TableMetadata> {
        self.catalog.load(&ident(name)).await.unwrap().unwrap().metadata
    }

    fn position(&self) -> Seq {
        *self.catalog.watch().borrow()
    }

    async fn rollback(
        &self,
        names: &[&str],
        to: RollbackTo,
        mode: RollbackMode,
    ) -> Result<Vec<crate::history::RolledBack>, RollbackError> {
        let tables = names.iter().map(|name| (ident(name), None)).collect();
        self.catalog.rollback(&RollbackOrder { tables, to }, mode, NOW).await
    }

    async fn refusal(&self, name: &str, to: Seq) -> Refused {
        let before = self.position();
        let to = RollbackTo::Moment(Moment::Position(to));
        let told = self.rollback(&[name], to, RollbackMode::DryRun).await.unwrap();
        let refused = told[0].outcome.clone().unwrap_err();
        let error = self.rollback(&["orders", name], to, RollbackMode::Commit).await.unwrap_err();
        assert!(matches!(error, RollbackError::Refused(_)), "{error:?}");
        assert!(error.to_string().contains(&format!("'sales.{name}': {refused}")), "{error}");
        assert_eq!(self.position(), before);
        refused
    }
}

fn append(
    metadata: &TableMetadata,
    name: &str,
    id: i64,
    (first_row_id, added_rows): (i64, i64),
) -> Vec<Value> {
    let mut snapshot = json!({
        "snapshot-id": id, "sequence-number": metadata.last_sequence_number() + 1,
        "timestamp-ms": 1_750_000_000_000_i64 + id, "schema-id": metadata.current_schema_id(),
        "manifest-list": format!("s3://main/sales/{name}-{id}.avro"),
        "summary": {"operation": "append", "total-records": (id * 10).to_string()},
    });
    if let Some(parent) = metadata.current_snapshot_id() {
        snapshot["parent-snapshot-id"] = json!(parent);
    }
    if metadata.format_version().number() == 3 {
        snapshot["first-row-id"] = json!(first_row_id);
        snapshot["added-rows"] = json!(added_rows);
    }
    vec![
        json!({"action": "add-snapshot", "snapshot": snapshot}),
        json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id}),
    ]
}

fn with_column(id: i32, name: &str) -> Vec<Value> {
    let schema = json!({"type": "struct", "schema-id": 1, "fields": [
        {"id": 1, "name": "id", "required": true, "type": "long"},
        {"id": id, "name": name, "required": false, "type": "string"},
    ]});
    vec![
        json!({"action": "add-schema", "schema": schema}),
        json!({"action": "set-current-schema", "schema-id": -1}),
    ]
}

fn set(key: &str, value: &str) -> Value {
    json!({"action": "set-properties", "updates": {key: value}})
}

/// What Iceberg's readers check of logs and numbers.
fn assert_valid(metadata: &TableMetadata, before: &TableMetadata) {
    let read = TableMetadata::parse(&metadata.to_json()).unwrap();
    assert_eq!(read.current_snapshot_id(), metadata.current_snapshot_id());
    let times: Vec<i64> = metadata.snapshot_log().map(|entry| entry.timestamp_ms).collect();
    assert!(times.is_sorted() && times.last().is_none_or(|last| metadata.last_updated_ms() >= *last));
    if let Some(current) = metadata.current_snapshot_id() {
        assert_eq!(metadata.snapshot_log().last().map(|entry| entry.snapshot_id), Some(current));
    }
    assert!(metadata.last_updated_ms() >= before.last_updated_ms());
    assert_eq!(metadata.last_sequence_number(), before.last_sequence_number());
    assert_eq!(metadata.next_row_id(), before.next_row_id());
    assert!(metadata.last_column_id() >= before.last_column_id());
    assert_eq!(metadata.snapshots().len(), before.snapshots().len());
    assert_eq!((metadata.uuid(), metadata.location()), (before.uuid(), before.location()));
}

#[tokio::test]
async fn two_tables_go_back_to_one_position_and_go_on_from_there() {
    let world = World::new().await;
    for name in ["orders", "items"] {
        world.catalog.commit(create(name)).await.unwrap();
        world.append(name, 1, (0, 0)).await;
        world.commit(name, &[set("owner", "ada")]).await;
    }
    let position = world.position();
    let then = world.metadata("orders").await;
    world.append("orders", 2, (0, 0)).await;
    world.append("items", 2, (0, 0)).await;
    world.commit("orders", &with_column(2, "note")).await;
    world
        .commit("orders", &[set("owner", "eve"), set("new", "x"), set("tarn.keep-dropped-seconds", "9")])
        .await;
    let (before, last) = (world.metadata("orders").await, world.position());

    let to = RollbackTo::Moment(Moment::Position(position));
    let told = world.rollback(&["orders", "items"], to, RollbackMode::DryRun).await.unwrap();
    assert_eq!(world.position(), last);
    let shape = told[0].outcome.as_ref().unwrap();
    assert_eq!((shape.snapshot.from, shape.snapshot.to), (Some(2), Some(1)));
    assert_eq!((shape.totals.rows.from, shape.totals.rows.to), (Some(20), Some(10)));
    assert_eq!((shape.columns[0].name.from.as_deref(), &shape.columns[0].name.to), (Some("note"), &None));
    assert_eq!(shape.properties.keys().collect::<Vec<_>>(), ["new", "owner"]);

    world.rollback(&["orders", "items"], to, RollbackMode::Commit).await.unwrap();
    assert_eq!(world.position(), Seq(last.0 + 1));
    let after = world.metadata("orders").await;
    assert_valid(&after, &before);
    assert_eq!(after.current_snapshot_id(), Some(1));
    assert!(after.current_schema().unwrap().same_as(then.current_schema().unwrap()));
    let kept = after.properties().get("tarn.keep-dropped-seconds").map(String::as_str);
    assert_eq!((after.properties()["owner"].as_str(), kept), ("ada", Some("9")));
    assert!(!after.properties().contains_key("new"));
    assert_eq!(world.metadata("items").await.current_snapshot_id(), Some(1));
    // What was is still there, and who did it.
    let was = world.catalog.state_at(last).await.unwrap();
    let was = was.table(&ident("orders")).unwrap().metadata_location.clone();
    assert_eq!(world.catalog.read_metadata(&was).await.unwrap().current_snapshot_id(), Some(2));
    let page = world.catalog.history("main", None, (None, 1)).await.unwrap();
    assert_eq!(
        (page.entries[0].verb.as_deref(), page.entries[0].changes.len()),
        (Some("roll back tables"), 2)
    );
    // And writers go on, with numbers that nobody had.
    world.append("orders", 3, (0, 0)).await;
    let next = world.metadata("orders").await;
    assert_eq!((next.current_snapshot_id(), next.last_sequence_number()), (Some(3), 3));
    assert_eq!(next.snapshot(3).unwrap().parent_id(), Some(1));
    // Back again to where they are: nothing to do.
    world.rollback(&["items"], to, RollbackMode::Commit).await.unwrap();
}

#[tokio::test]
async fn row_ids_never_go_back() {
    let world = World::new().await;
    let Request::CreateTable(table) = create("orders") else { panic!("a create") };
    let properties = [("format-version".to_owned(), "3".to_owned())].into();
    world.catalog.commit(Request::CreateTable(CreateTable { properties, ..table })).await.unwrap();
    world.append("orders", 1, (0, 10)).await;
    let position = world.position();
    world.append("orders", 2, (10, 5)).await;
    let before = world.metadata("orders").await;
    let to = RollbackTo::Moment(Moment::Position(position));
    world.rollback(&["orders"], to, RollbackMode::Commit).await.unwrap();
    let after = world.metadata("orders").await;
    assert_valid(&after, &before);
    assert_eq!((after.current_snapshot_id(), after.next_row_id()), (Some(1), 15));
    let stale = change("orders", &[], &append(&after, "orders", 3, (10, 1)));
    let stale = world.catalog.commit(Request::CommitTables(vec![stale])).await;
    assert!(matches!(stale, Err(CommitError::Conflict(Conflict::Stale { .. }))), "{stale:?}");
    world.append("orders", 3, (15, 1)).await;
}

#[tokio::test]
async fn a_table_goes_back_to_before_its_first_snapshot() {
    let world = World::new().await;
    world.catalog.commit(create("orders")).await.unwrap();
    let position = world.position();
    world.append("orders", 1, (0, 0)).await;
    let before = world.metadata("orders").await;
    world
        .rollback(&["orders"], RollbackTo::Moment(Moment::Position(position)), RollbackMode::Commit)
        .await
        .unwrap();
    let after = world.metadata("orders").await;
    assert_valid(&after, &before);
    assert_eq!(after.current_snapshot_id(), None);
    world.append("orders", 2, (0, 0)).await;
    // To a snapshot by its id: nothing but main moves.
    world.commit("orders", &[set("owner", "ada")]).await;
    world.rollback(&["orders"], RollbackTo::Snapshot(1), RollbackMode::Commit).await.unwrap();
    let after = world.metadata("orders").await;
    assert_eq!((after.current_snapshot_id(), after.properties().contains_key("owner")), (Some(1), true));
}

#[tokio::test]
async fn a_table_that_cannot_go_back_says_why_and_no_table_is_touched() {
    let world = World::new().await;
    for name in ["orders", "dropped", "protected", "expired", "removed"] {
        world.catalog.commit(create(name)).await.unwrap();
        world.append(name, 1, (0, 0)).await;
    }
    let position = world.position();
    for name in ["orders", "dropped", "protected", "expired", "removed"] {
        world.append(name, 2, (0, 0)).await;
    }
    world.catalog.commit(create("later")).await.unwrap();
    world
        .catalog
        .commit(Request::DropTable(DropTable::asked(ident("dropped"), Purge::Keep, 0)))
        .await
        .unwrap();
    set_property(&world.catalog, "protected", "tarn.protected", "true").await.unwrap();
    world.commit("expired", &[json!({"action": "remove-snapshots", "snapshot-ids": [1]})]).await;
    world.warehouses.store("main").delete(&Path::from("sales/removed-1.avro")).await.unwrap();
    assert_eq!(world.refusal("dropped", position).await, Refused::Dropped);
    assert_eq!(world.refusal("later", position).await, Refused::NotThereThen);
    assert_eq!(world.refusal("nowhere", position).await, Refused::NoSuchTable);
    assert_eq!(world.refusal("protected", position).await, Refused::Protected);
    assert_eq!(world.refusal("expired", position).await, Refused::SnapshotGone(1));
    assert_eq!(world.refusal("removed", position).await, Refused::FilesGone(1));
    assert!(Refused::SnapshotGone(1).to_string().contains("never was"), "none of this id may ever have been");
    let two = world.rollback(&["orders", "removed"], RollbackTo::Snapshot(1), RollbackMode::DryRun).await;
    assert!(matches!(two, Err(RollbackError::Invalid(_))));
}

#[tokio::test]
async fn a_table_that_changed_since_it_was_looked_at_stays() {
    let world = World::new().await;
    world.catalog.commit(create("orders")).await.unwrap();
    world.append("orders", 1, (0, 0)).await;
    let to = RollbackTo::Moment(Moment::Position(world.position()));
    world.append("orders", 2, (0, 0)).await;
    let told = world.rollback(&["orders"], to, RollbackMode::DryRun).await.unwrap();
    let (seen, target) = (told[0].seen.clone().unwrap(), world.metadata("orders").await);
    world.append("orders", 3, (0, 0)).await;
    let order = RollbackOrder { tables: vec![(ident("orders"), Some(seen.clone()))], to };
    let error = world.catalog.rollback(&order, RollbackMode::Commit, NOW).await.unwrap_err();
    assert!(error.to_string().contains("changed since"), "{error}");
    // The same when the change comes in between.
    let table = RollbackTable { ident: ident("orders"), seen, target: RollbackTarget::Whole(target) };
    let error = world.catalog.commit(Request::RollbackTables(vec![table])).await.unwrap_err();
    assert!(matches!(error, CommitError::Conflict(Conflict::Requirement { .. })), "{error:?}");
    assert_eq!(world.metadata("orders").await.current_snapshot_id(), Some(3));
}

#[tokio::test]
async fn a_renamed_table_goes_back_under_the_name_it_has_and_differences_follow_it() {
    let world = World::new().await;
    world.catalog.commit(create("orders")).await.unwrap();
    world.append("orders", 1, (0, 0)).await;
    let position = world.position();
    world.append("orders", 2, (0, 0)).await;
    let rename = Request::RenameTable { from: ident("orders"), to: ident("sold") };
    world.catalog.commit(rename).await.unwrap();
    world.catalog.commit(create("new")).await.unwrap();
    let told = world.catalog.diff_warehouse("main", position, world.position()).await.unwrap();
    let moved: Vec<(Vec<&str>, Option<i64>, Option<i64>)> = told
        .tables
        .iter()
        .map(|table| (table.what.clone(), table.from_snapshot, table.to_snapshot))
        .collect();
    assert_eq!(moved, [(vec!["created"], None, None), (vec!["renamed", "changed"], Some(1), Some(2))]);
    let back = world.catalog.diff_warehouse("main", world.position(), position).await.unwrap();
    assert_eq!((back.tables[0].what.clone(), back.counts.tables), (vec!["dropped"], 2));
    let to = RollbackTo::Moment(Moment::Position(position));
    world.rollback(&["sold"], to, RollbackMode::Commit).await.unwrap();
    assert_eq!(world.metadata("sold").await.current_snapshot_id(), Some(1));
    let none = world
        .catalog
        .diff_table(&ident("sold"), &Point::Moment(Moment::Position(position)), &Point::Now)
        .await;
    let none = none.unwrap();
    assert!(none.snapshots_added.is_empty() && none.snapshots_left.is_empty());
    assert_eq!((none.shape.snapshot.from, none.shape.snapshot.to), (Some(1), Some(1)));
}

/// A change of a table.
#[derive(Debug, Clone)]
enum Step {
    Append,
    Column(i32, u8),
    Property(u8, u8),
    Partition(bool),
    Sort(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Append),
        2 => (2..5i32, 0..3u8).prop_map(|(id, name)| Step::Column(id, name)),
        2 => (0..3u8, 0..3u8).prop_map(|(key, value)| Step::Property(key, value)),
        1 => any::<bool>().prop_map(Step::Partition),
        1 => any::<bool>().prop_map(Step::Sort),
    ]
}

fn updates(step: &Step, metadata: &TableMetadata, id: i64) -> Vec<Value> {
    match step {
        Step::Append => append(metadata, "orders", id, (0, 0)),
        Step::Column(column, name) => with_column(*column, &format!("c{name}")),
        Step::Property(key, value) => vec![set(&format!("k{key}"), &value.to_string())],
        Step::Partition(on) => {
            let field = json!({"source-id": 1, "name": "id_bucket", "transform": "bucket[4]"});
            let fields = if *on { vec![field] } else { Vec::new() };
            vec![
                json!({"action": "add-spec", "spec": {"fields": fields}}),
                json!({"action": "set-default-spec", "spec-id": -1}),
            ]
        }
        Step::Sort(on) => {
            let field = json!({"source-id": 1, "transform": "identity", "direction": "asc", "null-order": "nulls-first"});
            let order = if *on {
                json!({"order-id": 1, "fields": [field]})
            } else {
                json!({"order-id": 0, "fields": []})
            };
            vec![
                json!({"action": "add-sort-order", "sort-order": order}),
                json!({"action": "set-default-sort-order", "sort-order-id": -1}),
            ]
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_happened_a_table_is_valid_and_as_it_was_after_going_back(
        steps in prop::collection::vec(step(), 1..20),
        to in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            world.catalog.commit(create("orders")).await.unwrap();
            let mut was = vec![(world.position(), world.metadata("orders").await)];
            for (id, step) in (1..).zip(&steps) {
                let metadata = world.metadata("orders").await;
                if matches!(step, Step::Append) {
                    world.append("orders", id, (0, 0)).await;
                } else {
                    world.commit("orders", &updates(step, &metadata, id)).await;
                }
                was.push((world.position(), world.metadata("orders").await));
            }
            let (position, then) = to.get(&was).clone();
            let before = world.metadata("orders").await;
            world.rollback(&["orders"], RollbackTo::Moment(Moment::Position(position)), RollbackMode::Commit).await.unwrap();
            let after = world.metadata("orders").await;
            assert_valid(&after, &before);
            let left = crate::history::shape_between(&then, &after);
            assert_eq!((left.columns, left.partitions, left.sort_order), (vec![], None, None));
            assert!(left.properties.is_empty() && left.snapshot.from == left.snapshot.to);
            world.append("orders", 1_000, (0, 0)).await;
        });
    }
}

#[tokio::test]
async fn names_are_checked() {
    let world = World::new().await;
    let none = world.rollback(&[], RollbackTo::Snapshot(1), RollbackMode::DryRun).await;
    assert!(matches!(none, Err(RollbackError::Invalid(_))));
    let other = TableIdent::new("other", crate::testing::namespace("sales"), "orders").unwrap();
    let order = RollbackOrder { tables: vec![(other, None)], to: RollbackTo::Snapshot(1) };
    let told = world.catalog.rollback(&order, RollbackMode::DryRun, NOW).await.unwrap();
    assert_eq!(told[0].outcome.clone().unwrap_err(), Refused::NoSuchTable);
}
