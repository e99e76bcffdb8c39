//! Namespaces: nesting, properties, listing in pages.

use serde_json::{Value, json};

use super::{answer, error, server};

#[tokio::test]
async fn a_namespace_is_created_loaded_changed_and_dropped() {
    let server = server().await;
    let created = server
        .post("/v1/main/namespaces", json!({"namespace": ["hr"], "properties": {"owner": "ada"}}))
        .await;
    assert_eq!(
        created,
        answer(200, json!({"namespace": ["hr"], "properties": {"owner": "ada", "location": "s3://main/hr"}}))
    );
    let again = server.post("/v1/main/namespaces", json!({"namespace": ["hr"]})).await;
    assert_eq!(again, error(409, "AlreadyExistsException", "Namespace already exists: hr"));

    let update = json!({"updates": {"team": "people"}, "removals": ["owner", "never"]});
    let changed = server.post("/v1/main/namespaces/hr/properties", update).await;
    assert_eq!(
        changed,
        answer(200, json!({"updated": ["team"], "removed": ["owner"], "missing": ["never"]}))
    );
    let loaded = server.get("/v1/main/namespaces/hr").await;
    assert_eq!(
        loaded,
        answer(
            200,
            json!({"namespace": ["hr"], "properties": {"team": "people", "location": "s3://main/hr"}})
        )
    );

    assert_eq!(server.head("/v1/main/namespaces/hr").await, answer(204, Value::Null));
    assert_eq!(server.delete("/v1/main/namespaces/hr").await, answer(204, Value::Null));
    assert_eq!(server.head("/v1/main/namespaces/hr").await.status, 404);
    let missing = error(404, "NoSuchNamespaceException", "Namespace does not exist: hr");
    assert_eq!(server.get("/v1/main/namespaces/hr").await, missing);
    assert_eq!(server.delete("/v1/main/namespaces/hr").await, missing);
}

#[tokio::test]
async fn a_key_that_is_set_and_removed_is_422() {
    let update = json!({"updates": {"a": "1"}, "removals": ["a"]});
    let refused = server().await.post("/v1/main/namespaces/sales/properties", update).await;
    assert_eq!(
        refused,
        error(422, "UnprocessableEntityException", "property 'a' is in both updates and removals")
    );
}

#[tokio::test]
async fn nested_namespaces_are_listed_below_their_parent() {
    let server = server().await;
    for levels in [json!(["sales", "eu"]), json!(["sales", "eu", "de"]), json!(["sales", "us"])] {
        let created = server.post("/v1/main/namespaces", json!({"namespace": levels})).await;
        assert_eq!(created.status, 200, "{created:?}");
    }
    let list = |namespaces: Value| answer(200, json!({"next-page-token": null, "namespaces": namespaces}));
    assert_eq!(server.get("/v1/main/namespaces").await, list(json!([["sales"]])));
    assert_eq!(server.get("/v1/namespaces?parent=").await, list(json!([["sales"]])));
    assert_eq!(
        server.get("/v1/main/namespaces?parent=sales").await,
        list(json!([["sales", "eu"], ["sales", "us"]]))
    );
    assert_eq!(
        server.get("/v1/main/namespaces?parent=sales%1Feu").await,
        list(json!([["sales", "eu", "de"]]))
    );
    assert_eq!(
        server.get("/v1/main/namespaces/sales%1Feu%1Fde").await,
        answer(
            200,
            json!({"namespace": ["sales", "eu", "de"], "properties": {"location": "s3://main/sales/eu/de"}})
        )
    );
    assert_eq!(
        server.get("/v1/main/namespaces?parent=none").await,
        error(404, "NoSuchNamespaceException", "Namespace does not exist: none")
    );
    assert_eq!(
        server.delete("/v1/main/namespaces/sales").await,
        error(409, "NamespaceNotEmptyException", "Namespace sales is not empty")
    );
}

#[tokio::test]
async fn pages_hold_every_namespace_once() {
    let server = server().await;
    for number in 0..5 {
        server.post("/v1/main/namespaces", json!({"namespace": [format!("n{number}")]})).await;
    }
    let (mut token, mut found) = (String::new(), Vec::new());
    loop {
        let page = server.get(&format!("/v1/main/namespaces?pageToken={token}&pageSize=2")).await.body;
        let names = page["namespaces"].as_array().unwrap();
        assert!(names.len() <= 2);
        found.extend(names.iter().map(|levels| levels[0].as_str().unwrap().to_owned()));
        match page["next-page-token"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(found, ["n0", "n1", "n2", "n3", "n4", "sales"]);
}

#[tokio::test]
async fn a_space_in_a_name_may_come_as_plus_or_percent_20() {
    let server = server().await;
    server.post("/v1/main/namespaces", json!({"namespace": ["a b+c"]})).await;
    for path in ["/v1/main/namespaces/a+b%2Bc", "/v1/main/namespaces/a%20b%2Bc"] {
        assert_eq!(server.head(path).await.status, 204, "{path}");
    }
}
