//! Who may not, and what is no request.

use std::sync::atomic::Ordering;

use super::*;
use crate::directory::Status;
use crate::protocol::BODY_BYTES_MAX;
use crate::table::TableError;
use http::StatusCode;

/// Every route, with its method.
fn routes() -> Vec<(&'static str, String)> {
    let of = |rest: &str| format!("{ORDERS}/{rest}");
    vec![
        ("GET", "/shares".into()),
        ("GET", "/shares/sales".into()),
        ("GET", "/shares/sales/schemas".into()),
        ("GET", "/shares/sales/schemas/eu/tables".into()),
        ("GET", "/shares/sales/all-tables".into()),
        ("GET", ORDERS.into()),
        ("GET", of("version")),
        ("GET", of("metadata")),
        ("POST", of("query")),
        ("POST", of("queries/q")),
        ("GET", of("changes?startingVersion=0")),
        ("POST", of("temporary-table-credentials")),
    ]
}

#[tokio::test]
async fn nothing_is_told_without_a_token_that_counts() {
    let world = world().await;
    let shorter = format!("Bearer {}", &world.jwt[..world.jwt.len() - 2]);
    let basic = format!("Basic {}", world.jwt);
    for (method, path) in routes() {
        for sent in ["", "Bearer", "Bearer ", "Bearer x.y.z", &shorter, &basic] {
            // What is said besides does not matter, however wrong.
            let answer = world.ask(method, &path, &[("authorization", sent), ("fileidhash", "?")], "{").await;
            let (status, code, _) = answer.failure();
            assert_eq!((status, code.as_str()), (401, "UNAUTHENTICATED"), "{path}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    world.change_recipient(|recipient| recipient.status = Status::Disabled).await;
    for (method, path) in routes() {
        assert_eq!(world.ask(method, &path, &[], "{}").await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_table_whose_sharer_may_not_read_it_any_more_is_refused() {
    let world = world().await;
    world.rights.0.store(false, Ordering::SeqCst);
    for (method, path) in routes().into_iter().filter(|(_, path)| path.starts_with(ORDERS)) {
        let (status, code, _) = world.ask(method, &path, &[], "{}").await.failure();
        assert_eq!((status, code.as_str()), (403, "PERMISSION_DENIED"), "{path}");
    }
}

#[tokio::test]
async fn a_revoked_grant_refuses_the_next_request_and_its_pages() {
    let world = world().await;
    let page = world.query(ORDERS, &[], serde_json::json!({"maxFiles": 1})).await.lines();
    let token = &page.last().unwrap()["endStreamAction"]["nextPageToken"];
    world.change_recipient(|recipient| recipient.grants.clear()).await;
    let body = serde_json::json!({"maxFiles": 1, "pageToken": token});
    assert_eq!(world.query(ORDERS, &[], body).await.failure().0, 404);
    for (method, path) in routes().into_iter().filter(|(_, path)| path != "/shares") {
        assert_eq!(world.ask(method, &path, &[], "{}").await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_again() {
    let world = world().await;
    world.change_recipient(|recipient| recipient.requests_per_second = Some(1)).await;
    let mut answer = world.get("/shares").await;
    for _ in 0..10 {
        answer = world.get("/shares").await;
    }
    assert_eq!(answer.failure().0, 429);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn hostile_bodies_and_paths_are_refused_in_the_envelope() {
    let world = world().await;
    let long = format!("{{\"jsonPredicateHints\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX));
    let path = format!("{ORDERS}/query");
    for (body, code) in [
        ("{".to_owned(), "MALFORMED_REQUEST"),
        ("[]".to_owned(), "MALFORMED_REQUEST"),
        ("[".repeat(1 << 20), "MALFORMED_REQUEST"),
        ("{\"a\":".repeat(1 << 18), "MALFORMED_REQUEST"),
        (long, "RESOURCE_LIMIT_EXCEEDED"),
    ] {
        let (status, told, _) = world.ask("POST", &path, &[], body).await.failure();
        assert_eq!((status, told.as_str()), (400, code));
    }
    for path in ["/", "/share", "/shares/", "/shares/sales/x", "/shares/a/schemas/b/tables/c/d"] {
        assert_eq!(world.get(path).await.failure().0, 404, "{path}");
    }
    for path in ["/shares/%ff", "/shares/%ff/schemas", "/shares/a/schemas/b/tables/%c3%28/version"] {
        assert_eq!(world.get(path).await.failure().1, "MALFORMED_REQUEST", "{path}");
    }
    assert_eq!(world.ask("DELETE", "/shares", &[], "").await.failure().0, 405);
    assert_eq!(world.get(&path).await.failure().0, 405);
    // Names are looked up, not walked.
    for path in ["/shares/..%2fsales", "/shares/sales%00", "/shares/sales%2fschemas"] {
        assert_eq!(world.get(path).await.failure().0, 404, "{path}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_told_without_saying_where_it_lies() {
    let world = world().await;
    world.table.change(|state| *state = State::default());
    assert_eq!(world.get(&format!("{ORDERS}/version")).await.failure().0, 404);
    let missing = || crate::protocol::Failure::no_table("a", "b", "c");
    for (error, kind) in [
        (TableError::Invalid("s3://main/secret".into()), crate::protocol::Kind::Unsupported),
        (TableError::Outside, crate::protocol::Kind::Forbidden),
        (TableError::Busy { retry_after_s: 5 }, crate::protocol::Kind::Unavailable),
        (TableError::Store("s3://main/secret".into()), crate::protocol::Kind::Internal),
        (TableError::TooLarge { what: "it".into(), most: "1 B".into() }, crate::protocol::Kind::TooLarge),
    ] {
        let told = super::super::answer::untold(&error, missing);
        assert_eq!(told.kind, kind);
        assert!(!told.message.contains("secret"), "{}", told.message);
    }
}
