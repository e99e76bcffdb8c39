//! Scans of tables in a store: deletes, sequence numbers, row ids, pages and appends.

use std::sync::Arc;
use std::time::Instant;

use iceberg::spec::{DataContentType, DataFileFormat, Literal, ManifestContentType};
use object_store::ObjectStore;
use serde_json::{Value as Json, json};

use super::lake::{DataFile, Lake};
use crate::metadata::TableMetadata;
use crate::scan::area::Area;
use crate::scan::bind::Case;
use crate::scan::error::PlanError;
use crate::scan::filter::parse;
use crate::scan::limits::Limits;
use crate::scan::planner::{Page, Planner};
use crate::scan::request::{Scan, ScanRequest, SchemaChoice, SnapshotRange, TableName};
use crate::state::{CatalogState, Change, Commit, TablePut};
use crate::testing::{MemoryWarehouses, ident};
use crate::warehouses::WarehouseStores as _;

struct Table {
    lake: Lake,
    warehouses: Arc<MemoryWarehouses>,
    snapshots: Vec<Json>,
    /// The tables there are.
    state: CatalogState,
}

fn fields() -> Json {
    json!([
        {"id": 1, "name": "id", "required": true, "type": "long"},
        {"id": 2, "name": "day", "required": false, "type": "int"},
    ])
}

fn specs() -> [Json; 2] {
    [
        json!({"spec-id": 0, "fields": [{"source-id": 2, "field-id": 1000, "name": "day", "transform": "identity"}]}),
        json!({"spec-id": 1, "fields": []}),
    ]
}

fn day(day: i32) -> Vec<Option<Literal>> {
    vec![Some(Literal::int(day))]
}

fn data(name: &str, of: i32) -> DataFile {
    DataFile::new(format!("s3://main/t/data/{name}"), day(of))
}

impl Table {
    fn new() -> Self {
        let warehouses = Arc::new(MemoryWarehouses::default());
        let store: Arc<dyn ObjectStore> = warehouses.store("main");
        let schema = json!({"type": "struct", "schema-id": 0, "fields": fields()});
        let mut lake = Lake::new(schema, &specs(), store, "s3://main/t");
        lake.version = 3;
        Self { lake, warehouses, snapshots: Vec::new(), state: CatalogState::default() }
    }

    /// Adds snapshot `id`, whose sequence number is its id, with these manifests.
    async fn snapshot(&mut self, id: i64, manifests: Vec<iceberg::spec::ManifestFile>) {
        let (list, _) = self.lake.list(id, id, manifests).await;
        let parent = self.snapshots.last().map(|parent| parent["snapshot-id"].as_i64().unwrap());
        self.snapshots.push(Lake::snapshot(id, parent, id, &list));
    }

    fn metadata(&self) -> TableMetadata {
        let current = self.snapshots.last().map_or(json!(null), |last| last["snapshot-id"].clone());
        let metadata = json!({
            "format-version": 3, "table-uuid": uuid::Uuid::from_u128(1).to_string(), "location": "s3://main/t",
            "last-sequence-number": 100, "last-updated-ms": 1_750_000_009_000_i64, "last-column-id": 2,
            "schemas": [{"type": "struct", "schema-id": 0, "fields": fields()}], "current-schema-id": 0,
            "partition-specs": specs(), "default-spec-id": 0, "last-partition-id": 1000, "properties": {},
            "sort-orders": [{"order-id": 0, "fields": []}], "default-sort-order-id": 0, "next-row-id": 1000,
            "snapshots": self.snapshots, "current-snapshot-id": current,
            "refs": if current.is_null() { json!({}) } else { json!({"main": {"snapshot-id": current, "type": "branch"}}) },
        });
        TableMetadata::parse(metadata.to_string().as_bytes()).unwrap()
    }

    fn scan(&self, range: SnapshotRange, filter: Json) -> Result<Scan, PlanError> {
        let table = TableName {
            area: self.area(),
            name: "t".into(),
            metadata_location: format!("s3://main/t/{}", self.snapshots.len()).into(),
        };
        let request = ScanRequest {
            range,
            select: Vec::new(),
            filter: parse(&filter)?,
            case: Case::Sensitive,
            schema: SchemaChoice::Table,
            stats_fields: Vec::new(),
        };
        Scan::new(table, &self.metadata(), &request, 100)
    }

    fn area(&self) -> Area {
        Area::new(Arc::new(self.state.clone()), ident("t"), ("s3://main/t", None))
    }

    /// Puts a table into the catalog.
    fn put(&mut self, name: &str, location: &str) {
        let table = TablePut {
            ident: ident(name),
            uuid: uuid::Uuid::new_v4(),
            location: location.into(),
            metadata_location: format!("{location}/metadata/0.metadata.json").into(),
            snapshot_id: None,
            schema_id: 0,
        };
        self.state.apply(&Commit { at: 0, changes: vec![Change::PutTable(table)] });
    }

    fn planner(&self, limits: Limits) -> Planner {
        Planner::new(self.warehouses.clone(), limits)
    }

    async fn plan(&self, range: SnapshotRange, filter: Json) -> Result<Page, PlanError> {
        let planner = self.planner(Limits::default());
        Ok(planner.begin(self.scan(range, filter)?, 0, Instant::now()).await?.page)
    }
}

/// Each file's name with those of its deletes.
fn files(page: &Page) -> Vec<(String, Vec<String>)> {
    let name = |path: &str| path.rsplit_once('/').unwrap().1.to_owned();
    let deletes = |files: &[u32]| files.iter().map(|at| name(&page.deletes.file(*at).file().path)).collect();
    page.tasks.iter().map(|task| (name(&task.file().path), deletes(&task.deletes))).collect()
}

fn names(page: &Page) -> Vec<String> {
    files(page).into_iter().map(|(name, _)| name).collect()
}

fn told(file: &str, deletes: &[&str]) -> (String, Vec<String>) {
    (file.into(), deletes.iter().map(|name| (*name).to_owned()).collect())
}

#[tokio::test]
async fn delete_files_apply_by_sequence_number_partition_and_reference() {
    let mut table = Table::new();
    let lake = &table.lake;
    let content = ManifestContentType::Data;
    let old = [(data("old-1", 1), Some(1)), (data("old-2", 2), Some(1)), (data("vector", 1), Some(1))];
    let (old, _) = lake.manifest(content, 0, 1, &old).await;
    let (new, _) = lake.manifest(content, 0, 3, &[(data("new-1", 1), Some(3))]).await;
    let position = |name: &str| data(name, 1).deleting(DataContentType::PositionDeletes);
    let equality = |name: &str| {
        let mut file = data(name, 1).deleting(DataContentType::EqualityDeletes);
        file.equality_ids = Some(vec![1]);
        file
    };
    let mut exact = position("exact");
    exact.referenced = Some("s3://main/t/data/old-2".into());
    let mut vector = position("dv");
    vector.format = DataFileFormat::Puffin;
    vector.referenced = Some("s3://main/t/data/vector".into());
    let deletes = [
        (position("position-3"), Some(3)),
        (position("position-2"), Some(2)),
        (equality("equality-3"), Some(3)),
        (equality("equality-1"), Some(1)),
        (exact, Some(2)),
        (vector, Some(2)),
    ];
    let (partitioned, _) = lake.manifest(ManifestContentType::Deletes, 0, 3, &deletes).await;
    let mut everywhere = equality("everywhere");
    everywhere.partition = Vec::new();
    let (global, _) = lake.manifest(ManifestContentType::Deletes, 1, 3, &[(everywhere, Some(2))]).await;
    table.snapshot(3, vec![old, new, partitioned, global]).await;
    let page = table.plan(SnapshotRange::Current, json!(true)).await.unwrap();
    let expected = [
        // Older than all of its partition's.
        told("old-1", &["position-3", "position-2", "everywhere", "equality-3"]),
        // Of another partition: only what names it, or the whole table.
        told("old-2", &["exact", "everywhere"]),
        // A deletion vector is in place of position delete files.
        told("vector", &["dv", "everywhere", "equality-3"]),
        // As old as the newest: positions of the same commit apply, equality does not.
        told("new-1", &["position-3"]),
    ];
    assert_eq!(files(&page), expected);
}

/// Whoever may write a table names manifests as it likes: those of another table tell its paths and the bounds of its columns.
#[tokio::test]
async fn manifests_that_lie_with_another_table_are_not_read() {
    let schema = json!({"type": "struct", "schema-id": 0, "fields": fields()});
    for (place, is_read) in [("s3://main/nobodys", true), ("s3://main/other", false)] {
        let mut table = Table::new();
        let mut elsewhere = Lake::new(schema.clone(), &specs(), table.warehouses.store("main"), place);
        elsewhere.version = 3;
        let (manifest, _) =
            elsewhere.manifest(ManifestContentType::Data, 0, 1, &[(data("a", 1), None)]).await;
        for is_list_there in [true, false] {
            table.snapshots.clear();
            let lake = if is_list_there { &elsewhere } else { &table.lake };
            let (list, _) = lake.list(1, 1, vec![manifest.clone()]).await;
            table.snapshots.push(Lake::snapshot(1, None, 1, &list));
            table.put("t", "s3://main/t");
            table.put("other", "s3://main/other");
            let read = table.plan(SnapshotRange::Current, json!(true)).await;
            match read {
                Ok(page) => assert!(is_read && names(&page) == ["a"], "{place}"),
                Err(error) => {
                    assert!(!is_read && error.to_string().contains("with another table"), "{place}: {error}")
                }
            }
        }
    }
}

#[tokio::test]
async fn position_deletes_of_other_paths_do_not_apply() {
    let mut table = Table::new();
    let path = |text: &str| iceberg::spec::Datum::string(format!("s3://main/t/data/{text}"));
    let (old, _) = table
        .lake
        .manifest(
            ManifestContentType::Data,
            0,
            1,
            &[(data("a", 1), None), (data("m", 1), None), (data("x", 1), None)],
        )
        .await;
    let bounded = |name: &str, lower: &str, upper: &str| {
        let mut file = data(name, 1).deleting(DataContentType::PositionDeletes);
        file.lower.insert(2_147_483_546, path(lower));
        file.upper.insert(2_147_483_546, path(upper));
        (file, None)
    };
    let deletes = [bounded("l-to-n", "l", "n"), bounded("only-x", "x", "x")];
    let (deletes, _) = table.lake.manifest(ManifestContentType::Deletes, 0, 1, &deletes).await;
    table.snapshot(1, vec![old, deletes]).await;
    let page = table.plan(SnapshotRange::Current, json!(true)).await.unwrap();
    assert_eq!(files(&page), [told("a", &[]), told("m", &["l-to-n"]), told("x", &["only-x"])]);
}

#[tokio::test]
async fn a_filter_leaves_manifests_partitions_and_files_out() {
    let mut table = Table::new();
    let content = ManifestContentType::Data;
    let one = [(data("d1", 1).with_range(1, 0, 9), None), (data("d2", 2).with_range(1, 0, 9), None)];
    let (one, _) = table.lake.manifest(content, 0, 1, &one).await;
    let (two, _) = table.lake.manifest(content, 0, 1, &[(data("d7", 7).with_range(1, 10, 19), None)]).await;
    let mut whole = data("whole", 0).with_range(1, 20, 29);
    whole.partition = Vec::new();
    let (three, _) = table.lake.manifest(content, 1, 1, &[(whole, None)]).await;
    table.snapshot(1, vec![one, two, three]).await;
    for (filter, expected) in [
        (json!(true), vec!["d1", "d2", "d7", "whole"]),
        (json!(false), vec![]),
        (json!({"type": "eq", "term": "day", "value": 2}), vec!["d2", "whole"]),
        (json!({"type": "gt", "term": "day", "value": 3}), vec!["d7", "whole"]),
        (json!({"type": "lt", "term": "id", "value": 10}), vec!["d1", "d2"]),
        (
            json!({"type": "eq", "term": {"type": "transform", "transform": "bucket[4]", "term": "id"}, "value": 1}),
            vec!["d1", "d2", "d7", "whole"],
        ),
    ] {
        let page = table.plan(SnapshotRange::Current, filter.clone()).await.unwrap();
        assert_eq!(names(&page), expected, "{filter}");
    }
}

#[tokio::test]
async fn row_ids_are_inherited_in_the_order_of_the_manifest() {
    let mut table = Table::new();
    let files = [(data("a", 1), None), (data("b", 1), None)];
    let (one, _) = table.lake.manifest(ManifestContentType::Data, 0, 1, &files).await;
    let (two, _) = table.lake.manifest(ManifestContentType::Data, 0, 1, &[(data("c", 1), None)]).await;
    table.snapshot(1, vec![one, two]).await;
    let page = table.plan(SnapshotRange::Current, json!(true)).await.unwrap();
    let ids: Vec<_> = page.tasks.iter().map(|task| task.first_row_id).collect();
    assert_eq!(ids, [Some(100), Some(110), Some(120)]);
}

#[tokio::test]
async fn rows_of_removed_files_take_no_row_ids() {
    let mut table = Table::new();
    let mut gone = data("gone", 1);
    gone.removed = true;
    let files = [(data("a", 1), None), (gone, None), (data("b", 1), None)];
    let (one, _) = table.lake.manifest(ManifestContentType::Data, 0, 1, &files).await;
    let (two, _) = table.lake.manifest(ManifestContentType::Data, 0, 1, &[(data("c", 1), None)]).await;
    table.snapshot(1, vec![one, two]).await;
    let page = table.plan(SnapshotRange::Current, json!(true)).await.unwrap();
    let ids: Vec<_> = page.tasks.iter().map(|task| task.first_row_id).collect();
    assert_eq!(ids, [Some(100), Some(110), Some(120)]);
}

#[tokio::test]
async fn the_tasks_of_a_large_scan_add_up_to_all_of_it_however_it_is_cut() {
    let mut table = Table::new();
    let mut manifests = Vec::new();
    for (manifest, count) in [3, 40, 1, 1, 1, 17].into_iter().enumerate() {
        let files: Vec<_> = (0..count).map(|n| (data(&format!("{manifest}-{n}"), n), None)).collect();
        manifests.push(table.lake.manifest(ManifestContentType::Data, 0, 1, &files).await.0);
    }
    let all: Vec<String> = [3, 40, 1, 1, 1, 17]
        .into_iter()
        .enumerate()
        .flat_map(|(manifest, count)| (0..count).map(move |n| format!("{manifest}-{n}")))
        .collect();
    // Counts in a manifest list may be wrong, and in old tables there are none.
    for counts in [None, Some(1), Some(1000)] {
        for task_files_max in [1, 5, 7, 1000] {
            let mut listed = manifests.clone();
            if counts.is_some() {
                listed[1].added_files_count = counts;
            }
            table.snapshots.clear();
            table.snapshot(1, listed).await;
            let limits = Limits { task_files_max, inline_files_max: 0, ..Limits::default() };
            let planner = table.planner(limits);
            let now = Instant::now();
            let scan = table.scan(SnapshotRange::Current, json!(true)).unwrap();
            let planned = planner.begin(scan, 0, now).await.unwrap();
            assert!(planned.page.tasks.is_empty());
            let id = |range| crate::scan::TaskId { plan: planned.id, range }.to_string();
            let mut queue: std::collections::VecDeque<_> = planned.page.rest.into_iter().map(id).collect();
            let mut found = Vec::new();
            while let Some(task) = queue.pop_front() {
                let page = planner.task("t", &task, now).await.unwrap().page;
                assert!(page.tasks.len() <= task_files_max as usize);
                assert_eq!(names(&planner.task("t", &task, now).await.unwrap().page), names(&page));
                found.extend(names(&page));
                queue.extend(page.rest.into_iter().map(id));
            }
            found.sort();
            let mut expected = all.clone();
            expected.sort();
            assert_eq!(found, expected, "{counts:?}, {task_files_max} files a task");
        }
    }
}

#[tokio::test]
async fn appends_between_two_snapshots_are_what_those_snapshots_added() {
    let mut table = Table::new();
    let content = ManifestContentType::Data;
    let mut manifests = Vec::new();
    for id in 1..=5 {
        manifests.push(table.lake.manifest(content, 0, id, &[(data(&format!("f{id}"), 1), None)]).await.0);
        table.snapshot(id, manifests.clone()).await;
    }
    // What the fourth did was no append.
    table.snapshots[3]["summary"]["operation"] = json!("overwrite");
    let range = |after, through| SnapshotRange::Appended { after, through };
    for (after, through, expected) in
        [(1, 3, vec!["f3", "f2"]), (2, 5, vec!["f5", "f3"]), (3, 3, vec![]), (3, 4, vec![])]
    {
        let page = table.plan(range(after, through), json!(true)).await.unwrap();
        assert_eq!(names(&page), expected, "{after} to {through}");
    }
    for (after, through) in [(3, 1), (9, 3), (1, 9)] {
        let refused = table.plan(range(after, through), json!(true)).await.err();
        assert!(matches!(refused, Some(PlanError::Invalid(_))), "{after} to {through}");
    }
}

#[tokio::test]
async fn a_manifest_outside_the_warehouse_is_not_read() {
    let mut table = Table::new();
    let (mut manifest, _) =
        table.lake.manifest(ManifestContentType::Data, 0, 1, &[(data("a", 1), None)]).await;
    manifest.manifest_path = manifest.manifest_path.replace("s3://main/", "s3://other/");
    table.snapshot(1, vec![manifest]).await;
    let refused = table.plan(SnapshotRange::Current, json!(true)).await.err();
    assert!(matches!(refused, Some(PlanError::Unsupported(_))), "{refused:?}");
}

#[tokio::test]
async fn a_manifest_that_is_gone_is_missing_and_a_damaged_one_is_damaged() {
    let mut table = Table::new();
    let (manifest, _) = table.lake.manifest(ManifestContentType::Data, 0, 1, &[(data("a", 1), None)]).await;
    let path = object_store::path::Path::from(manifest.manifest_path.strip_prefix("s3://main/").unwrap());
    table.snapshot(1, vec![manifest]).await;
    let store = table.warehouses.store("main");
    object_store::ObjectStoreExt::put(&*store, &path, "no Avro".into()).await.unwrap();
    let refused = table.plan(SnapshotRange::Current, json!(true)).await.err();
    assert!(matches!(refused, Some(PlanError::Damaged { .. })), "{refused:?}");
    object_store::ObjectStoreExt::delete(&*store, &path).await.unwrap();
    let refused = table.plan(SnapshotRange::Current, json!(true)).await.err();
    assert!(matches!(refused, Some(PlanError::Missing { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_table_without_snapshots_has_no_files() {
    let table = Table::new();
    assert!(names(&table.plan(SnapshotRange::Current, json!(true)).await.unwrap()).is_empty());
    let refused = table.plan(SnapshotRange::At(1), json!(true)).await.err();
    assert!(matches!(refused, Some(PlanError::Invalid(_))));
}

#[tokio::test]
async fn a_plan_is_found_under_its_table_only_and_until_it_is_cancelled() {
    let mut table = Table::new();
    let (manifest, _) = table.lake.manifest(ManifestContentType::Data, 0, 1, &[(data("a", 1), None)]).await;
    table.snapshot(1, vec![manifest]).await;
    let planner = table.planner(Limits { inline_files_max: 0, ..Limits::default() });
    let now = Instant::now();
    let planned =
        planner.begin(table.scan(SnapshotRange::Current, json!(true)).unwrap(), 0, now).await.unwrap();
    let (id, range) = (planned.id.to_string(), planned.page.rest[0].clone());
    let task = crate::scan::TaskId { plan: planned.id, range }.to_string();
    assert!(matches!(planner.task("u", &task, now).await.err(), Some(PlanError::NoSuchTask(_))));
    assert!(matches!(planner.again("u", &id, now).await.err(), Some(PlanError::NoSuchPlan(_))));
    assert_eq!(planner.again("t", &id, now).await.unwrap().page.rest, planned.page.rest);
    assert_eq!(names(&planner.task("t", &task, now).await.unwrap().page), ["a"]);
    planner.cancel("t", &id, now).unwrap();
    assert!(matches!(planner.task("t", &task, now).await.err(), Some(PlanError::NoSuchTask(_))));
    assert!(matches!(planner.cancel("t", &id, now), Err(PlanError::NoSuchPlan(_))));
}

/// Each file's answer repeats the filter: without a limit, a filter of megabytes made answers of gigabytes.
#[tokio::test]
async fn a_long_filter_makes_answers_of_fewer_files() {
    let mut table = Table::new();
    let files: Vec<_> = (0..30).map(|n| (data(&format!("f{n}"), n), None)).collect();
    let (manifest, _) = table.lake.manifest(ManifestContentType::Data, 0, 1, &files).await;
    table.snapshot(1, vec![manifest]).await;
    let ids: Vec<i64> = (0..5_000).collect();
    let filter = json!({"type": "in", "term": "id", "values": ids});
    let now = Instant::now();
    for inline_files_max in [0, 1_000] {
        let planner =
            table.planner(Limits { answer_bytes_max: 100_000, inline_files_max, ..Limits::default() });
        let scan = table.scan(SnapshotRange::Current, filter.clone()).unwrap();
        let planned = planner.begin(scan, 0, now).await.unwrap();
        let id = |range| crate::scan::TaskId { plan: planned.id, range }.to_string();
        let mut found = names(&planned.page);
        let mut queue: std::collections::VecDeque<_> = planned.page.rest.into_iter().map(id).collect();
        while let Some(task) = queue.pop_front() {
            let page = planner.task("t", &task, now).await.unwrap().page;
            assert!(page.tasks.len() <= 5, "{}", page.tasks.len());
            found.extend(names(&page));
            queue.extend(page.rest.into_iter().map(id));
        }
        found.sort();
        let mut expected: Vec<String> = (0..30).map(|n| format!("f{n}")).collect();
        expected.sort();
        assert_eq!(found, expected);
    }
}
