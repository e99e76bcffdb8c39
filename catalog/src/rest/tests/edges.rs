//! What every route does with strangers, broken bodies and unknown paths.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use tarn_openapi::access::Principal;

use super::super::body::COMMIT_BYTES_MAX;
use super::super::config::ENDPOINTS;
use super::{error, server};

/// Routes with their method, for places that do not exist.
fn routes() -> impl Iterator<Item = (&'static str, String)> {
    ENDPOINTS.iter().map(|endpoint| {
        let (method, path) = endpoint.split_once(' ').unwrap();
        let names = ["{prefix}", "{namespace}", "{table}", "{view}", "{function}", "{plan-id}"];
        (method, names.iter().fold(path.to_owned(), |path, name| path.replace(name, "none")))
    })
}

/// A body that every route with one understands, so that the refusal is not about the body.
fn body_for(method: &str, path: &str) -> Body {
    let name = json!({"namespace": ["none"], "name": "none"});
    let body = json!({
        "name": "none", "namespace": ["none"], "schema": {"type": "struct", "fields": []},
        "metadata-location": "s3://none/x", "source": name, "destination": name, "report-type": "scan-report",
        "table-changes": [{"identifier": name, "updates": [{"action": "set-location", "location": "s3://none/x"}]}],
        "region": "none", "uri": "http://none/none/x", "method": "GET", "headers": {},
        "view-version": {
            "version-id": 1, "schema-id": 0, "timestamp-ms": 1, "default-namespace": [], "representations": [],
        },
    });
    match method {
        // A commit of one table or view refuses a body that names another.
        "POST" if path.ends_with("/tables/none") || path.ends_with("/views/none") => {
            r#"{"updates": []}"#.into()
        }
        "POST" => body.to_string().into(),
        _ => Body::empty(),
    }
}

#[tokio::test]
async fn strangers_are_401_and_the_denied_403_before_anything_is_looked_up() {
    let server = server().await;
    for (method, path) in routes() {
        let request = Request::builder().method(method).uri(&path);
        let (found, _) = server.send(request.body(body_for(method, &path)).unwrap()).await;
        assert_eq!(found.status, StatusCode::UNAUTHORIZED, "{method} {path}: {found:?}");
        if method != "HEAD" {
            let refused = error(401, "NotAuthorizedException", "the request carries no credentials");
            assert_eq!(found, refused, "{method} {path}");
        }
    }
    let is_read =
        |method: &str, path: &str| method == "GET" || path.contains("/plan") || path.ends_with("/tasks");
    // Who may read may report and have reads signed.
    let reads = |path: &str| path.ends_with("metrics") || path.ends_with("sign");
    let writes = routes().filter(|(method, path)| !is_read(method, path) && !reads(path));
    for (method, path) in writes {
        if method == "HEAD" {
            continue;
        }
        let request = Request::builder().method(method).uri(&path);
        let request = request.extension(Principal::AccessKey("reader".into()));
        let (found, _) = server.send(request.body(body_for(method, &path)).unwrap()).await;
        assert_eq!(found, error(403, "ForbiddenException", "access denied"), "{method} {path}");
    }
}

#[tokio::test]
async fn broken_bodies_are_400_in_the_envelope() {
    let server = server().await;
    server.create_table("orders").await;
    let posts = [
        "/v1/main/namespaces",
        "/v1/main/namespaces/sales/properties",
        "/v1/main/namespaces/sales/tables",
        "/v1/main/namespaces/sales/tables/orders",
        "/v1/main/namespaces/sales/tables/orders/plan",
        "/v1/main/namespaces/sales/tables/orders/tasks",
        "/v1/main/namespaces/sales/register",
        "/v1/main/tables/rename",
        "/v1/main/transactions/commit",
        "/v1/main/namespaces/sales/views",
        "/v1/main/namespaces/sales/views/daily",
        "/v1/main/namespaces/sales/register-view",
        "/v1/main/views/rename",
        "/v1/warehouses",
    ];
    let nested = "[".repeat(100_000);
    for path in posts {
        for body in ["", "{", "null", "[]", "\u{0}", "{\"updates\": 7, \"filter\": 7}", nested.as_str()] {
            let (found, _) = server.as_root("POST", path, body.to_owned().into()).await;
            assert_eq!(found.status, StatusCode::BAD_REQUEST, "{path} {body:.20}: {found:?}");
            assert_eq!(found.body["error"]["type"], "BadRequestException");
        }
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let server = server().await;
    server.create_table("orders").await;
    let long = vec![b' '; COMMIT_BYTES_MAX + 1];
    let path = "/v1/main/namespaces/sales/tables/orders";
    let (found, _) = server.as_root("POST", path, long.into()).await;
    let message = format!("the body is longer than {COMMIT_BYTES_MAX} bytes");
    assert_eq!(found, error(413, "BadRequestException", &message));
}

#[tokio::test]
async fn unknown_routes_and_methods_answer_the_envelope() {
    let server = server().await;
    let no_route = error(404, "NotFoundException", "this server has no such route");
    for path in ["/", "/v1", "/v2/config", "/v1/main/nothing", "/v1/main/namespaces/sales/tables/t/nothing"] {
        assert_eq!(server.get(path).await, no_route, "{path}");
    }
    let no_method = error(405, "UnsupportedOperationException", "this route does not take this method");
    assert_eq!(server.delete("/v1/config").await, no_method);
}

#[tokio::test]
async fn names_that_cannot_be_are_400_to_make_and_404_to_read() {
    let server = server().await;
    for levels in [json!([]), json!([""]), json!(["a\u{1f}b"]), json!(["a", "x".repeat(300)])] {
        let refused = server.post("/v1/main/namespaces", json!({"namespace": levels})).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{levels}");
    }
    for path in [
        "/v1/main/namespaces/%1F",
        "/v1/main/namespaces/a%00b",
        "/v1/main/namespaces/a%2Fb/tables/c%2F..%2Fd",
    ] {
        assert_eq!(server.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(server.get("/v1/main/namespaces/%FF").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_openapi_document_holds_every_endpoint() {
    let document = serde_json::to_value(super::super::openapi()).unwrap();
    for endpoint in ENDPOINTS {
        let (method, path) = endpoint.split_once(' ').unwrap();
        assert!(document["paths"][path][method.to_lowercase()].is_object(), "{endpoint}");
    }
}
