//! Scan planning over the wire: whole answers, refusals, who may plan.

use axum::body::Body;
use http::Request;
use iceberg::spec::{DataContentType, DataFileFormat, Literal, ManifestContentType};
use serde_json::{Value, json};
use tarn_openapi::access::Principal;

use super::{Server, server};
use crate::scan::tests::lake::{DataFile, Lake};
use crate::warehouses::WarehouseStores as _;

const PLAN: &str = "/v1/main/namespaces/sales/tables/t/plan";
const TASKS: &str = "/v1/main/namespaces/sales/tables/t/tasks";

/// Table `sales.t`, partitioned by day, with so many data files; one of them with a deletion vector.
async fn with_table(files: usize) -> (Server, String) {
    let server = server().await;
    let fields = json!([
        {"id": 1, "name": "id", "required": true, "type": "long"},
        {"id": 2, "name": "day", "required": false, "type": "date"},
    ]);
    let request = json!({
        "name": "t", "schema": {"type": "struct", "fields": fields},
        "partition-spec": {"spec-id": 0, "fields": [{"source-id": 2, "name": "day", "transform": "identity"}]},
        "properties": {"format-version": "3"},
    });
    let created = server.post("/v1/main/namespaces/sales/tables", request).await;
    let metadata = &created.body["metadata"];
    let location = metadata["location"].as_str().unwrap().to_owned();
    let store = server.warehouses.store("main");
    let schema = metadata["schemas"][0].clone();
    let mut lake = Lake::new(schema, &[metadata["partition-specs"][0].clone()], store, &location);
    lake.version = 3;
    let day = |n: usize| vec![(n != 0).then(|| Literal::date(n as i32))];
    let file = |n: usize| {
        let file =
            DataFile::new(format!("{location}/data/{n}"), day(n % 3)).with_range(1, n as i64, n as i64 + 9);
        (file, None)
    };
    let files: Vec<_> = (0..files).map(file).collect();
    let (data, _) = lake.manifest(ManifestContentType::Data, 0, 5, &files).await;
    let mut vector =
        DataFile::new(format!("{location}/data/dv"), day(1)).deleting(DataContentType::PositionDeletes);
    vector.format = DataFileFormat::Puffin;
    vector.referenced = Some(format!("{location}/data/1"));
    let (deletes, _) = lake.manifest(ManifestContentType::Deletes, 0, 5, &[(vector, None)]).await;
    let (list, _) = lake.list(5, 1, vec![data, deletes]).await;
    let mut snapshot = Lake::snapshot(5, None, 1, &list);
    snapshot["first-row-id"] = json!(0);
    snapshot["added-rows"] = json!(0);
    let commit = json!({"requirements": [], "updates": [
        {"action": "add-snapshot", "snapshot": snapshot},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 5},
    ]});
    let committed = server.post("/v1/main/namespaces/sales/tables/t", commit).await;
    assert_eq!(committed.status, 200, "{committed:?}");
    (server, location)
}

fn kind(answer: &super::Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["error"]["type"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_small_scan_is_answered_whole() {
    let (server, location) = with_table(3).await;
    let filter = json!({"type": "and",
        "left": {"type": "not-null", "term": "day"}, "right": {"type": "lt", "term": "id", "value": 2},
    });
    let answer =
        server.post(PLAN, json!({"filter": filter, "stats-fields": ["id"], "select": ["id", "_file"]})).await;
    let id = answer.body["plan-id"].as_str().unwrap().to_owned();
    let expected = json!({
        "status": "completed", "plan-id": id,
        "delete-files": [{
            "spec-id": 0, "content": "position-deletes", "file-path": format!("{location}/data/dv"),
            "file-format": "puffin", "partition": ["1970-01-02"], "file-size-in-bytes": 1234, "record-count": 10,
            "split-offsets": [4], "referenced-data-file": format!("{location}/data/1"),
        }],
        "file-scan-tasks": [{
            "data-file": {
                "spec-id": 0, "content": "data", "file-path": format!("{location}/data/1"), "file-format": "parquet",
                "partition": ["1970-01-02"], "file-size-in-bytes": 1234, "record-count": 10, "split-offsets": [4],
                "column-sizes": {"keys": [1], "values": [7]}, "value-counts": {"keys": [1], "values": [10]},
                "null-value-counts": {"keys": [1], "values": [0]}, "nan-value-counts": {"keys": [], "values": []},
                "lower-bounds": {"keys": [1], "values": ["0100000000000000"]},
                "upper-bounds": {"keys": [1], "values": ["0A00000000000000"]},
                "first-row-id": 110,
            },
            "delete-file-references": [0],
            "residual-filter": {"type": "lt", "term": "id", "value": 2},
        }],
    });
    assert_eq!(answer.body, expected);
    let path = format!("{PLAN}/{id}");
    assert_eq!(server.get(&path).await.body, expected);
    assert_eq!(server.delete(&path).await.status, 204);
    assert_eq!(kind(&server.get(&path).await), (404, "NoSuchPlanIdException"));
    assert_eq!(kind(&server.delete(&path).await), (404, "NoSuchPlanIdException"));
}

#[tokio::test]
async fn a_file_without_partition_value_has_null_and_without_a_filter_all_is_true() {
    let (server, _) = with_table(1).await;
    let answer = server.post(PLAN, json!({})).await;
    let task = &answer.body["file-scan-tasks"][0];
    assert_eq!(task["data-file"]["partition"], json!([null]));
    assert_eq!(task["residual-filter"], json!(true));
    assert_eq!(task["data-file"].get("lower-bounds"), None);
    assert_eq!(answer.body.get("delete-files"), None);
}

#[tokio::test]
async fn a_large_scan_is_answered_with_tasks_that_hold_all_its_files() {
    let (server, _) = with_table(12_000).await;
    let answer = server.post(PLAN, json!({})).await;
    assert_eq!(answer.body["file-scan-tasks"], json!([]));
    let tasks = answer.body["plan-tasks"].as_array().unwrap().clone();
    assert_eq!(tasks.len(), 3);
    let mut files = 0;
    for task in &tasks {
        let page = server.post(TASKS, json!({"plan-task": task})).await;
        assert_eq!(page.body.get("plan-tasks"), None);
        files += page.body["file-scan-tasks"].as_array().unwrap().len();
    }
    assert_eq!(files, 12_000);
    let id = answer.body["plan-id"].as_str().unwrap();
    assert_eq!(server.delete(&format!("{PLAN}/{id}")).await.status, 204);
    let gone = server.post(TASKS, json!({"plan-task": tasks[0]})).await;
    assert_eq!(kind(&gone), (404, "NoSuchPlanTaskException"));
}

#[tokio::test]
async fn requests_that_make_no_sense_are_400() {
    let (server, _) = with_table(1).await;
    for request in [
        json!({"filter": {"type": "eq", "term": "missing", "value": 1}}),
        json!({"filter": {"type": "eq", "term": "id", "value": "x"}}),
        json!({"filter": "id = 1"}),
        json!({"select": ["missing"]}),
        json!({"stats-fields": ["missing"]}),
        json!({"snapshot-id": 99}),
        json!({"snapshot-id": 5, "start-snapshot-id": 5, "end-snapshot-id": 5}),
        json!({"start-snapshot-id": 5}),
        json!({"end-snapshot-id": 5}),
        json!({"start-snapshot-id": 99, "end-snapshot-id": 5}),
        json!({"min-rows-requested": "many"}),
    ] {
        let answer = server.post(PLAN, request.clone()).await;
        assert_eq!(kind(&answer), (400, "BadRequestException"), "{request}: {answer:?}");
    }
    let insensitive = json!({"filter": {"type": "eq", "term": "ID", "value": 1}, "case-sensitive": false});
    assert_eq!(server.post(PLAN, insensitive).await.status, 200);
}

#[tokio::test]
async fn what_does_not_exist_is_404_with_its_own_type() {
    let (server, _) = with_table(1).await;
    let other = PLAN.replace("/t/", "/other/");
    assert_eq!(kind(&server.post(&other, json!({})).await), (404, "NoSuchTableException"));
    assert_eq!(kind(&server.get(&format!("{other}/x")).await), (404, "NoSuchTableException"));
    assert_eq!(kind(&server.get(&format!("{PLAN}/x")).await), (404, "NoSuchPlanIdException"));
    let task = json!({"plan-task": "x"});
    assert_eq!(kind(&server.post(TASKS, task).await), (404, "NoSuchPlanTaskException"));
}

#[tokio::test]
async fn who_may_not_read_the_table_may_not_plan() {
    let (server, _) = with_table(1).await;
    for (method, path) in
        [("POST", PLAN), ("GET", &format!("{PLAN}/x")), ("DELETE", &format!("{PLAN}/x")), ("POST", TASKS)]
    {
        let body: Value = if path == TASKS { json!({"plan-task": "x"}) } else { json!({}) };
        let request = Request::builder().method(method).uri(path).extension(Principal::Anonymous);
        let (answer, _) = server.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(kind(&answer), (401, "NotAuthorizedException"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_table_tells_who_plans_its_scans_only_when_its_property_does() {
    let server = server().await;
    let table = "/v1/main/namespaces/sales/tables/t";
    let mode = |answer: super::Answer| answer.body["config"]["scan-planning-mode"].clone();
    server.create_table("t").await;
    assert_eq!(mode(server.get(table).await), Value::Null);
    for (said, told) in [("server", json!("server")), ("CLIENT", json!("client")), ("both", Value::Null)] {
        let update = json!({"action": "set-properties", "updates": {"scan-planning-mode": said}});
        let committed = server.post(table, json!({"requirements": [], "updates": [update]})).await;
        assert_eq!((mode(committed), mode(server.get(table).await)), (told.clone(), told), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_plans_says_so_to_clients_and_a_table_may_say_otherwise() {
    let mut server = server().await;
    server.router = super::super::router(super::super::RestFront {
        catalog: server.catalog.clone(),
        authorize: std::sync::Arc::new(super::Rules),
        vend: None,
        uri: None,
        default_warehouse: Some("main".into()),
        region: "us-east-1".into(),
        s3_endpoint: None,
        scan_planning: super::super::ScanPlanning::Server,
    });
    let table = "/v1/main/namespaces/sales/tables/t";
    assert_eq!(server.get("/v1/config").await.body["defaults"]["scan-planning-mode"], "server");
    assert_eq!(server.create_table("t").await["config"]["scan-planning-mode"], "server");
    let update = json!({"action": "set-properties", "updates": {"scan-planning-mode": "client"}});
    server.post(table, json!({"requirements": [], "updates": [update]})).await;
    assert_eq!(server.get(table).await.body["config"]["scan-planning-mode"], "client");
}
