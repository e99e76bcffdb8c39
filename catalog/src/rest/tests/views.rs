//! Views: create, load, list, commit, drop, rename, register.

use axum::body::Body;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::{Answer, Server, answer, create_request, error, server};

const VIEWS: &str = "/v1/main/namespaces/sales/views";
const DAILY: &str = "/v1/main/namespaces/sales/views/daily";

fn version(id: i32, schema_id: i32, sql: &str) -> Value {
    json!({
        "version-id": id, "timestamp-ms": 1_750_000_000_000_i64, "schema-id": schema_id,
        "summary": {"engine-name": "spark"}, "default-namespace": ["sales"], "x-kept": {"a": 1},
        "representations": [{"type": "sql", "sql": sql, "dialect": "spark"}],
    })
}

fn create_view(name: &str) -> Value {
    json!({
        "name": name, "properties": {"comment": "per day"}, "view-version": version(1, 0, "select 1"),
        "schema": {"type": "struct", "schema-id": 0, "fields": [
            {"id": 0, "name": "n", "required": false, "type": "int"},
        ]},
    })
}

fn name(namespace: &str, name: &str) -> Value {
    json!({"namespace": [namespace], "name": name})
}

impl Server {
    /// Creates view `sales.<name>`.
    async fn create_view(&self, name: &str) -> Value {
        let created = self.post(VIEWS, create_view(name)).await;
        assert_eq!(created.status, StatusCode::OK, "{created:?}");
        created.body
    }
}

fn replace(sql: &str) -> Value {
    json!({"updates": [
        {"action": "add-view-version", "view-version": version(2, 0, sql)},
        {"action": "set-current-view-version", "view-version-id": -1},
    ]})
}

fn missing(name: &str) -> Answer {
    error(404, "NoSuchViewException", &format!("View does not exist: sales.{name}"))
}

#[tokio::test]
async fn a_created_view_is_answered_whole_and_loads_the_same() {
    let server = server().await;
    let created = server.create_view("daily").await;
    let uuid = created["metadata"]["view-uuid"].as_str().unwrap();
    let location = format!("s3://main/sales/daily-{uuid}");
    let file = created["metadata-location"].as_str().unwrap();
    assert!(file.starts_with(&format!("{location}/metadata/00000-")), "{file}");
    assert_eq!(
        created,
        json!({
            "metadata-location": file, "config": {},
            "metadata": {
                "view-uuid": uuid, "format-version": 1, "location": location, "current-version-id": 1,
                "properties": {"comment": "per day"}, "schemas": [create_view("daily")["schema"]],
                "versions": [version(1, 0, "select 1")],
                "version-log": [{"timestamp-ms": 1_750_000_000_000_i64, "version-id": 1}],
            },
        })
    );
    assert_eq!(server.get(DAILY).await, answer(200, created.clone()));
    assert_eq!(server.get("/v1/namespaces/sales/views/daily").await, answer(200, created));
    assert_eq!(server.head(DAILY).await, answer(204, Value::Null));
    let (_, headers) = server.as_root("GET", DAILY, Body::empty()).await;
    assert_eq!(headers.get(header::ETAG), None, "the specification has none for views");
}

#[tokio::test]
async fn what_does_not_exist_is_told_apart() {
    let server = server().await;
    server.create_table("orders").await;
    assert_eq!(server.get(DAILY).await, missing("daily"));
    assert_eq!(server.head(DAILY).await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.delete(DAILY).await, missing("daily"));
    assert_eq!(server.post(DAILY, replace("x")).await, missing("daily"));
    let rename = json!({"source": name("sales", "daily"), "destination": name("sales", "other")});
    assert_eq!(server.post("/v1/main/views/rename", rename).await, missing("daily"));
    // A table is no view and a view no table.
    assert_eq!(server.get(&format!("{VIEWS}/orders")).await, missing("orders"));
    server.create_view("daily").await;
    assert_eq!(
        server.get("/v1/main/namespaces/sales/tables/daily").await,
        error(404, "NoSuchTableException", "Table does not exist: sales.daily")
    );
    let no_namespace = error(404, "NoSuchNamespaceException", "Namespace does not exist: none");
    assert_eq!(server.get("/v1/main/namespaces/none/views").await, no_namespace);
    assert_eq!(server.post("/v1/main/namespaces/none/views", create_view("daily")).await, no_namespace);
    let rename = json!({"source": name("sales", "daily"), "destination": name("none", "daily")});
    assert_eq!(server.post("/v1/main/views/rename", rename).await, no_namespace);
}

#[tokio::test]
async fn a_replaced_view_keeps_its_old_version() {
    let server = server().await;
    let created = server.create_view("daily").await;
    let mut commit = replace("select 2");
    commit["requirements"] = json!([{"type": "assert-view-uuid", "uuid": created["metadata"]["view-uuid"]}]);
    commit["identifier"] = name("sales", "daily");
    let replaced = server.post(DAILY, commit).await;
    assert_eq!(replaced.status, StatusCode::OK, "{replaced:?}");
    let metadata = &replaced.body["metadata"];
    assert_eq!(metadata["current-version-id"], 2);
    assert_eq!(metadata["versions"], json!([version(1, 0, "select 1"), version(2, 0, "select 2")]));
    assert!(replaced.body["metadata-location"].as_str().unwrap().contains("/metadata/00001-"));
    assert_eq!(server.get(DAILY).await, replaced);
}

#[tokio::test]
async fn a_commit_that_cannot_be_done_is_refused_with_its_type() {
    let server = server().await;
    let created = server.create_view("daily").await;
    let uuid = created["metadata"]["view-uuid"].as_str().unwrap();
    let other = "00000000-0000-0000-0000-000000000001";
    let mut commit = replace("select 2");
    commit["requirements"] = json!([{"type": "assert-view-uuid", "uuid": other}]);
    let message = format!(
        "Requirement failed: view UUID does not match: expected {other}, found {uuid} (view sales.daily)"
    );
    assert_eq!(server.post(DAILY, commit).await, error(409, "CommitFailedException", &message));
    for (body, named) in [
        (json!({"updates": [{"action": "set-mood"}]}), "unknown view update 'set-mood'"),
        (json!({"updates": [], "requirements": [{"type": "assert-create"}]}), "unknown view requirement"),
        (json!({"requirements": []}), "updates"),
        (json!({"updates": [{"action": "set-location", "location": "s3://other/x"}]}), "does not lie inside"),
        (json!({"updates": [], "identifier": name("sales", "other")}), "names another view"),
    ] {
        let refused = server.post(DAILY, body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["error"]["type"]),
            (400, &json!("BadRequestException"))
        );
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(named), "{message}");
    }
    let mut twice = create_view("twice");
    let queries = twice["view-version"]["representations"].as_array_mut().unwrap();
    queries.push(queries[0].clone());
    let message = "view 'sales.twice': Invalid view version: Cannot add multiple queries for dialect spark";
    assert_eq!(server.post(VIEWS, twice).await, error(400, "IllegalArgumentException", message));
    let mut elsewhere = create_view("other");
    elsewhere["location"] = json!("s3://other/x");
    assert_eq!(server.post(VIEWS, elsewhere).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.get(DAILY).await, answer(200, created));
}

#[tokio::test]
async fn tables_and_views_share_one_set_of_names() {
    let server = server().await;
    let table = server.create_table("orders").await;
    let view = server.create_view("daily").await;
    let taken = |message: &str| error(409, "AlreadyExistsException", message);
    let view_again = taken("View already exists: sales.daily");
    let table_exists = taken("Table with same name already exists: sales.orders");
    let view_exists = taken("View with same name already exists: sales.daily");
    let tables = "/v1/main/namespaces/sales/tables";
    assert_eq!(server.post(VIEWS, create_view("daily")).await, view_again);
    assert_eq!(server.post(VIEWS, create_view("orders")).await, table_exists);
    assert_eq!(server.post(tables, create_request("daily")).await, view_exists);
    let mut staged = create_request("daily");
    staged["stage-create"] = json!(true);
    assert_eq!(server.post(tables, staged).await, view_exists);
    let rename =
        |from: &str, to: &str| json!({"source": name("sales", from), "destination": name("sales", to)});
    assert_eq!(
        server.post("/v1/main/tables/rename", rename("orders", "daily")).await,
        taken("Cannot rename sales.orders to sales.daily. View already exists")
    );
    assert_eq!(
        server.post("/v1/main/views/rename", rename("daily", "orders")).await,
        taken("Cannot rename sales.daily to sales.orders. Table already exists")
    );
    let register =
        |name: &str, of: &Value| json!({"name": name, "metadata-location": of["metadata-location"]});
    let path = "/v1/main/namespaces/sales/register";
    assert_eq!(server.post(path, register("daily", &table)).await, view_exists);
    let path = "/v1/main/namespaces/sales/register-view";
    assert_eq!(server.post(path, register("orders", &view)).await, table_exists);
    assert_eq!(server.post(path, register("daily", &view)).await, view_again);
    assert_eq!(
        server.delete("/v1/main/namespaces/sales").await,
        error(409, "NamespaceNotEmptyException", "Namespace sales is not empty")
    );
}

#[tokio::test]
async fn a_view_is_renamed_dropped_and_registered_again_from_its_file() {
    let server = server().await;
    let created = server.create_view("daily").await;
    server.post("/v1/main/namespaces", json!({"namespace": ["hr"]})).await;
    let rename = json!({"source": name("sales", "daily"), "destination": name("hr", "people")});
    assert_eq!(server.post("/v1/main/views/rename", rename).await, answer(204, Value::Null));
    assert_eq!(server.get(DAILY).await, missing("daily"));
    let people = "/v1/main/namespaces/hr/views/people";
    assert_eq!(server.get(people).await, answer(200, created.clone()));
    assert_eq!(server.delete(people).await, answer(204, Value::Null));
    assert_eq!(server.head(people).await.status, StatusCode::NOT_FOUND);
    let register = json!({"name": "daily", "metadata-location": created["metadata-location"]});
    let path = "/v1/main/namespaces/sales/register-view";
    assert_eq!(server.post(path, register).await, answer(200, created.clone()));
    assert_eq!(server.get(DAILY).await, answer(200, created));
}

#[tokio::test]
async fn registering_what_is_not_there_or_no_view_is_refused_for_good() {
    let server = server().await;
    let table = server.create_table("orders").await;
    let view = server.create_view("daily").await;
    for (route, location, status) in [
        ("register-view", json!("s3://main/none/v1.metadata.json"), 404),
        ("register-view", json!("s3://other/none/v1.metadata.json"), 400),
        ("register-view", table["metadata-location"].clone(), 422),
        ("register", view["metadata-location"].clone(), 422),
    ] {
        let register = json!({"name": "new", "metadata-location": location});
        let refused = server.post(&format!("/v1/main/namespaces/sales/{route}"), register).await;
        assert_eq!(refused.status.as_u16(), status, "{refused:?}");
    }
}

#[tokio::test]
async fn views_are_listed_in_pages_or_all_at_once() {
    let server = server().await;
    for view in ["c", "a", "b"] {
        server.create_view(view).await;
    }
    server.create_table("t").await;
    let all = json!([name("sales", "a"), name("sales", "b"), name("sales", "c")]);
    assert_eq!(
        server.get(&format!("{VIEWS}?pageSize=1")).await,
        answer(200, json!({"next-page-token": null, "identifiers": all}))
    );
    let first = server.get(&format!("{VIEWS}?pageToken=&pageSize=2")).await.body;
    assert_eq!(first["identifiers"], json!([name("sales", "a"), name("sales", "b")]));
    let token = first["next-page-token"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("{VIEWS}?pageToken={token}&pageSize=2")).await,
        answer(200, json!({"next-page-token": null, "identifiers": [name("sales", "c")]}))
    );
    assert_eq!(
        server.get("/v1/main/namespaces/sales/tables").await.body["identifiers"],
        json!([name("sales", "t")])
    );
}
