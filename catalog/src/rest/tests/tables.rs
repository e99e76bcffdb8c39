//! Tables: create, stage, load, commit, drop, rename, register.

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tarn_openapi::access::Principal;

use super::{Server, answer, append, create_request, error, server};

const ORDERS: &str = "/v1/main/namespaces/sales/tables/orders";

#[tokio::test]
async fn a_created_table_is_answered_whole_and_loads_the_same() {
    let server = server().await;
    let created = server.create_table("orders").await;
    let location = created["metadata"]["location"].as_str().unwrap();
    assert!(location.starts_with("s3://main/sales/orders-"), "{location}");
    let file = created["metadata-location"].as_str().unwrap();
    assert!(file.starts_with(&format!("{location}/metadata/00000-")), "{file}");
    assert!(file.ends_with(".metadata.json"), "{file}");
    assert_eq!(
        created["config"],
        json!({
            "client.region": "us-east-1", "s3.region": "us-east-1", "s3.path-style-access": "true",
            "s3.endpoint": "http://127.0.0.1:9000",
        })
    );
    assert_eq!(server.get(ORDERS).await, answer(200, created.clone()));
    assert_eq!(server.get("/v1/namespaces/sales/tables/orders?snapshots=all").await, answer(200, created));
    assert_eq!(server.head(ORDERS).await, answer(204, Value::Null));
}

#[tokio::test]
async fn a_table_that_exists_and_a_namespace_that_does_not_are_told_apart() {
    let server = server().await;
    server.create_table("orders").await;
    assert_eq!(
        server.post("/v1/main/namespaces/sales/tables", create_request("orders")).await,
        error(409, "AlreadyExistsException", "Table already exists: sales.orders")
    );
    assert_eq!(
        server.post("/v1/main/namespaces/none/tables", create_request("orders")).await,
        error(404, "NoSuchNamespaceException", "Namespace does not exist: none")
    );
    assert_eq!(
        server.get("/v1/main/namespaces/sales/tables/none").await,
        error(404, "NoSuchTableException", "Table does not exist: sales.none")
    );
    assert_eq!(server.head("/v1/main/namespaces/sales/tables/none").await.status, 404);
}

#[tokio::test]
async fn a_staged_create_leaves_nothing_until_its_commit() {
    let server = server().await;
    let mut request = create_request("orders");
    request["stage-create"] = json!(true);
    let staged = server.post("/v1/main/namespaces/sales/tables", request).await;
    assert_eq!((staged.status, &staged.body["metadata-location"]), (StatusCode::OK, &Value::Null));
    assert_eq!(server.head(ORDERS).await.status, 404);

    let metadata = &staged.body["metadata"];
    let commit = json!({"requirements": [{"type": "assert-create"}], "updates": [
        {"action": "assign-uuid", "uuid": metadata["table-uuid"]},
        {"action": "upgrade-format-version", "format-version": 2},
        {"action": "add-schema", "schema": metadata["schemas"][0], "last-column-id": 1},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": metadata["partition-specs"][0]},
        {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": metadata["sort-orders"][0]},
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "set-location", "location": metadata["location"]},
    ]});
    let committed = server.post(ORDERS, commit.clone()).await;
    assert_eq!(committed.status, StatusCode::OK, "{committed:?}");
    assert_eq!(committed.body["metadata"]["table-uuid"], metadata["table-uuid"]);
    assert_eq!(committed.body["metadata"]["location"], metadata["location"]);
    let again = server.post(ORDERS, commit).await;
    assert_eq!(
        (again.status, &again.body["error"]["type"]),
        (StatusCode::CONFLICT, &json!("CommitFailedException"))
    );
}

#[tokio::test]
async fn commits_append_and_a_stale_one_is_409() {
    let server = server().await;
    server.create_table("orders").await;
    let first = server.post(ORDERS, append(1, None, 1)).await;
    assert_eq!(first.body["metadata"]["current-snapshot-id"], json!(1), "{first:?}");
    let second = server.post(ORDERS, append(2, Some(1), 2)).await;
    assert_eq!(second.body["metadata"]["snapshots"].as_array().unwrap().len(), 2);
    let stale = server.post(ORDERS, append(3, Some(1), 2)).await;
    assert_eq!(
        stale,
        error(
            409,
            "CommitFailedException",
            "Requirement failed: branch main has changed: expected snapshot 1, found 2 (table sales.orders)"
        )
    );
    let refs = server.get(&format!("{ORDERS}?snapshots=refs")).await;
    assert_eq!(refs.body["metadata"]["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(server.get(ORDERS).await.body, second.body);
}

#[tokio::test]
async fn unknown_updates_and_requirements_are_400_and_named() {
    let server = server().await;
    server.create_table("orders").await;
    for (body, named) in [
        (json!({"updates": [{"action": "set-mood"}]}), "unknown table update 'set-mood'"),
        (json!({"requirements": [{"type": "assert-mood"}]}), "unknown table requirement 'assert-mood'"),
    ] {
        let refused = server.post(ORDERS, body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(named), "{message}");
    }
}

async fn conditional(server: &Server, etag: &str) -> (StatusCode, Option<String>) {
    let request = Request::get(ORDERS).header(header::IF_NONE_MATCH, etag).extension(Principal::Root);
    let (found, headers) = server.send(request.body(Body::empty()).unwrap()).await;
    (found.status, headers.get(header::ETAG).map(|etag| etag.to_str().unwrap().to_owned()))
}

#[tokio::test]
async fn a_load_with_the_current_etag_is_304_until_the_table_changes() {
    let server = server().await;
    server.create_table("orders").await;
    let (_, headers) = server.as_root("GET", ORDERS, Body::empty()).await;
    let etag = headers[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(conditional(&server, &etag).await, (StatusCode::NOT_MODIFIED, Some(etag.clone())));
    let (_, refs) = server.as_root("GET", &format!("{ORDERS}?snapshots=refs"), Body::empty()).await;
    assert_ne!(refs[header::ETAG], headers[header::ETAG]);
    let (_, committed) = server.as_root("POST", ORDERS, append(1, None, 1).to_string().into()).await;
    let (status, now) = conditional(&server, &etag).await;
    assert_eq!((status, now.as_deref()), (StatusCode::OK, committed[header::ETAG].to_str().ok()));
}

#[tokio::test]
async fn a_long_answer_is_gzip_for_clients_that_take_it_and_the_same_inside() {
    use http_body_util::BodyExt as _;
    use std::io::Read as _;
    use tower::ServiceExt as _;

    let server = server().await;
    server.create_table("orders").await;
    for id in 1..200 {
        let parent = (id > 1).then_some(id - 1);
        assert_eq!(server.post(ORDERS, append(id, parent, id)).await.status, 200);
    }
    let plain = server.get(ORDERS).await.body;
    for _ in 0..2 {
        let request =
            Request::get(ORDERS).header(header::ACCEPT_ENCODING, "gzip, deflate").extension(Principal::Root);
        let response = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let mut json = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut json).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), plain);
    }
}

#[tokio::test]
async fn a_renamed_table_keeps_its_files_and_its_old_name_is_free() {
    let server = server().await;
    let created = server.create_table("orders").await;
    server.post("/v1/main/namespaces", json!({"namespace": ["hr"]})).await;
    let name = |namespace: &str, name: &str| json!({"namespace": [namespace], "name": name});
    let rename = json!({"source": name("sales", "orders"), "destination": name("hr", "people")});
    assert_eq!(server.post("/v1/main/tables/rename", rename.clone()).await, answer(204, Value::Null));
    assert_eq!(server.get("/v1/main/namespaces/hr/tables/people").await, answer(200, created));
    assert_eq!(
        server.post("/v1/main/tables/rename", rename).await,
        error(404, "NoSuchTableException", "Table does not exist: sales.orders")
    );
    server.create_table("orders").await;
    let taken = json!({"source": name("sales", "orders"), "destination": name("hr", "people")});
    assert_eq!(
        server.post("/v1/main/tables/rename", taken).await,
        error(409, "AlreadyExistsException", "Cannot rename sales.orders to hr.people. Table already exists")
    );
}

#[tokio::test]
async fn a_dropped_table_can_be_registered_again_from_its_file() {
    let server = server().await;
    let created = server.create_table("orders").await;
    assert_eq!(server.delete(&format!("{ORDERS}?purgeRequested=False")).await, answer(204, Value::Null));
    assert_eq!(server.head(ORDERS).await.status, 404);
    let mut register = json!({"name": "orders", "metadata-location": created["metadata-location"]});
    let registered = server.post("/v1/main/namespaces/sales/register", register.clone()).await;
    assert_eq!(registered, answer(200, created));
    assert_eq!(
        server.post("/v1/main/namespaces/sales/register", register.clone()).await,
        error(409, "AlreadyExistsException", "Table already exists: sales.orders")
    );
    register["overwrite"] = json!(true);
    assert_eq!(server.post("/v1/main/namespaces/sales/register", register).await.status, 200);
}

#[tokio::test]
async fn registering_what_is_not_there_or_lies_elsewhere_is_refused_for_good() {
    let server = server().await;
    for (location, status, kind) in [
        ("s3://main/none/v1.metadata.json", 404, "NotFoundException"),
        ("s3://other/none/v1.metadata.json", 400, "BadRequestException"),
        ("s3://main/../other/v1.metadata.json", 400, "BadRequestException"),
        ("file:///etc/passwd", 400, "BadRequestException"),
    ] {
        let register = json!({"name": "orders", "metadata-location": location});
        let refused = server.post("/v1/main/namespaces/sales/register", register).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["error"]["type"]),
            (status, &json!(kind)),
            "{location}"
        );
    }
}

#[tokio::test]
async fn tables_are_listed_in_pages_or_all_at_once() {
    let server = server().await;
    for name in ["c", "a", "b"] {
        server.create_table(name).await;
    }
    let table = |name: &str| json!({"namespace": ["sales"], "name": name});
    assert_eq!(
        server.get("/v1/main/namespaces/sales/tables?pageSize=1").await,
        answer(200, json!({"next-page-token": null, "identifiers": [table("a"), table("b"), table("c")]}))
    );
    let first = server.get("/v1/main/namespaces/sales/tables?pageToken=&pageSize=2").await.body;
    assert_eq!(first["identifiers"], json!([table("a"), table("b")]));
    let token = first["next-page-token"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("/v1/main/namespaces/sales/tables?pageToken={token}&pageSize=2")).await,
        answer(200, json!({"next-page-token": null, "identifiers": [table("c")]}))
    );
}

#[tokio::test]
async fn reports_are_taken_and_unknown_ones_refused() {
    let server = server().await;
    let path = format!("{ORDERS}/metrics");
    let report = json!({"report-type": "scan-report", "table-name": "orders"});
    assert_eq!(server.post(&path, report).await, answer(204, Value::Null));
    assert_eq!(server.post(&path, json!({"report-type": "mood"})).await.status, 400);
}
