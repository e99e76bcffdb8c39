//! `Idempotency-Key` on every route that takes it.

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tarn_openapi::access::Principal;

use super::{Answer, Server, append, create_request, error, server};

const KEY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const OTHER_KEY: &str = "01890a5d-ac96-774b-bcce-b302099a8058";
const TABLES: &str = "/v1/main/namespaces/sales/tables";

impl Server {
    async fn keyed(&self, key: &str, method: &str, path: &str, body: Value) -> (Answer, HeaderMap) {
        let body = if body.is_null() { Body::empty() } else { body.to_string().into() };
        let request = Request::builder().method(method).uri(path).header("idempotency-key", key);
        self.send(request.extension(Principal::Root).body(body).unwrap()).await
    }

    /// Sends it twice with one key; both answers are the same. Then with another key.
    async fn twice(&self, method: &str, path: &str, body: Value) -> (Answer, Answer) {
        let key = uuid::Uuid::now_v7().to_string();
        let (first, headers) = self.keyed(&key, method, path, body.clone()).await;
        let (second, again) = self.keyed(&key, method, path, body.clone()).await;
        assert_eq!(first, second, "{method} {path}");
        assert_eq!(headers.get("etag"), again.get("etag"), "{method} {path}");
        let other = uuid::Uuid::now_v7().to_string();
        (first, self.keyed(&other, method, path, body).await.0)
    }
}

#[tokio::test]
async fn every_route_that_takes_a_key_answers_the_same_request_as_the_first_time() {
    let server = server().await;
    let create_view = json!({"name": "v", "schema": {"type": "struct", "schema-id": 0, "fields": []},
        "view-version": {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {},
            "default-namespace": ["sales"],
            "representations": [{"type": "sql", "sql": "SELECT 1", "dialect": "spark"}]},
        "properties": {}});
    let view = "/v1/main/namespaces/sales/views";
    assert_eq!(server.post(view, create_view).await.status, StatusCode::OK);
    let file = server.create_table("file").await["metadata-location"].clone();
    assert_eq!(server.delete(&format!("{TABLES}/file")).await.status, StatusCode::NO_CONTENT);
    let view_file = server.get(&format!("{view}/v")).await.body["metadata-location"].clone();
    let rename = |from: &str, to: &str| json!({"source": {"namespace": ["sales"], "name": from}, "destination": {"namespace": ["sales"], "name": to}});
    let set = json!({"action": "set-properties", "updates": {"a": "b"}});
    let transaction = json!({"table-changes": [{"identifier": {"namespace": ["sales"], "name": "t"},
        "requirements": [], "updates": [set]}]});
    let routes = [
        (
            "POST",
            "/v1/main/namespaces".to_owned(),
            json!({"namespace": ["n"], "properties": {"a": "1"}}),
            200,
            409,
        ),
        ("POST", "/v1/main/namespaces/n/properties".to_owned(), json!({"removals": ["a", "b"]}), 200, 200),
        ("DELETE", "/v1/main/namespaces/n".to_owned(), Value::Null, 204, 404),
        ("POST", TABLES.to_owned(), create_request("t"), 200, 409),
        ("POST", format!("{TABLES}/t"), append(1, None, 1), 200, 409),
        ("POST", "/v1/main/transactions/commit".to_owned(), transaction, 204, 204),
        ("POST", "/v1/main/tables/rename".to_owned(), rename("t", "u"), 204, 404),
        ("DELETE", format!("{TABLES}/u"), Value::Null, 204, 404),
        (
            "POST",
            "/v1/main/namespaces/sales/register".to_owned(),
            json!({"name": "r", "metadata-location": file}),
            200,
            409,
        ),
        ("POST", format!("{TABLES}/r/unregister"), Value::Null, 200, 404),
        ("POST", format!("{view}/v"), json!({"requirements": [], "updates": [set]}), 200, 200),
        ("POST", "/v1/main/views/rename".to_owned(), rename("v", "w"), 204, 404),
        ("DELETE", format!("{view}/w"), Value::Null, 204, 404),
        (
            "POST",
            "/v1/main/namespaces/sales/register-view".to_owned(),
            json!({"name": "x", "metadata-location": view_file}),
            200,
            409,
        ),
    ];
    for (method, path, body, first, other) in routes {
        let told = server.twice(method, &path, body).await;
        let statuses = (told.0.status.as_u16(), told.1.status.as_u16());
        assert_eq!(statuses, (first, other), "{method} {path}: {told:?}");
    }
}

#[tokio::test]
async fn properties_are_told_as_the_first_time() {
    let server = server().await;
    let path = "/v1/main/namespaces/sales/properties";
    server.post(path, json!({"updates": {"a": "1"}})).await;
    let (first, other) = server.twice("POST", path, json!({"removals": ["a", "b"]})).await;
    assert_eq!(first.body, json!({"updated": [], "removed": ["a"], "missing": ["b"]}));
    assert_eq!(other.body, json!({"updated": [], "removed": [], "missing": ["a", "b"]}));
}

#[tokio::test]
async fn a_commit_is_answered_with_what_it_left_not_with_what_came_after() {
    let server = server().await;
    server.create_table("t").await;
    let path = format!("{TABLES}/t");
    let (first, _) = server.keyed(KEY, "POST", &path, append(1, None, 1)).await;
    assert_eq!(server.post(&path, append(2, Some(1), 2)).await.status, StatusCode::OK);
    assert_eq!(server.keyed(KEY, "POST", &path, append(1, None, 1)).await.0, first);
    assert_eq!(server.get(&path).await.body["metadata"]["current-snapshot-id"], 2);
}

#[tokio::test]
async fn a_refusal_is_answered_again_although_it_would_be_done_now() {
    let server = server().await;
    let missing = server.keyed(KEY, "POST", &format!("{TABLES}/t"), append(1, None, 1)).await.0;
    assert_eq!(missing, error(404, "NoSuchTableException", "Table does not exist: sales.t"));
    let register = json!({"name": "r", "metadata-location": "s3://main/later/1.metadata.json"});
    let path = "/v1/main/namespaces/sales/register";
    let no_file = server.keyed(OTHER_KEY, "POST", path, register.clone()).await.0;
    assert_eq!(no_file.status, StatusCode::NOT_FOUND);
    let created = server.create_table("t").await;
    let bytes = created["metadata"].to_string();
    use crate::WarehouseStores as _;
    use object_store::ObjectStoreExt as _;
    server.warehouses.store("main").put(&"later/1.metadata.json".into(), bytes.into()).await.unwrap();
    assert_eq!(server.keyed(KEY, "POST", &format!("{TABLES}/t"), append(1, None, 1)).await.0, missing);
    assert_eq!(server.keyed(OTHER_KEY, "POST", path, register.clone()).await.0, no_file);
    // Two tables do not lie at one place.
    assert_eq!(server.delete(&format!("{TABLES}/t")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.post(path, register).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_caller() {
    let server = server().await;
    server.create_table("t").await;
    assert_eq!(server.keyed(KEY, "DELETE", &format!("{TABLES}/t"), Value::Null).await.0.status, 204);
    let reused =
        error(422, "UnprocessableEntityException", "the idempotency key was used for another request");
    for (method, path, body) in [
        ("DELETE", format!("{TABLES}/u"), Value::Null),
        ("DELETE", format!("{TABLES}/t?purgeRequested=true"), Value::Null),
        ("POST", TABLES.to_owned(), create_request("t")),
    ] {
        assert_eq!(server.keyed(KEY, method, &path, body).await.0, reused, "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_no_uuid_of_version_7_in_36_characters_is_a_400() {
    let server = server().await;
    let message = "Idempotency-Key is not a UUIDv7 of 36 characters";
    for key in [
        "",
        "x",
        "01890a5dac96774bbcceb302099a8057",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "01890a5d-ac96-474b-bcce-b302099a8057",
        "01890a5d-ac96-774b-1cce-b302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a80577",
    ] {
        let told = server.keyed(key, "POST", TABLES, create_request("t")).await.0;
        assert_eq!(told, error(400, "BadRequestException", message), "{key}");
    }
    assert_eq!(server.get(TABLES).await.body["identifiers"], json!([]));
}

#[tokio::test]
async fn a_staged_create_keeps_no_answer_because_it_does_nothing() {
    let server = server().await;
    let mut staged = create_request("t");
    staged["stage-create"] = json!(true);
    for _ in 0..2 {
        assert_eq!(server.keyed(KEY, "POST", TABLES, staged.clone()).await.0.status, StatusCode::OK);
    }
    assert_eq!(server.get(TABLES).await.body["identifiers"], json!([]));
}

#[tokio::test]
async fn the_openapi_document_names_the_key_where_it_is_taken() {
    let document = serde_json::to_value(super::super::openapi()).unwrap();
    let mut named = 0;
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            if parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key") {
                assert_ne!(verb, "get", "{path}");
                named += 1;
            }
        }
    }
    assert_eq!(named, 15);
}
