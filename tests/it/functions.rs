//! Functions: put through the admin API, shown by the catalog, there after a restart.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Tarn;

const FUNCTIONS: &str = "/_admin/v1/functions";
const ADD_ONE: &str = "/_admin/v1/functions/main/sales%1Feu/add_one";
const SHOWN: &str = "/_iceberg/v1/main/namespaces/sales%1Feu/functions";

fn add_one() -> Value {
    json!({
        "function-uuid": "fa6506c3-7681-40c8-86dc-e36561f83385", "format-version": 1,
        "definitions": [{
            "definition-id": "int", "function-type": "udf", "parameters": [{"type": "int", "name": "x"}],
            "return-type": "int", "current-version-id": 1,
            "versions": [{"version-id": 1, "timestamp-ms": 1,
                "representations": [{"type": "sql", "dialect": "spark", "sql": "x + 1"}]}],
        }],
        "definition-log": [],
    })
}

async fn ask(tarn: &Tarn, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = tarn.send(method, path, body.as_bytes()).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

#[tokio::test]
async fn a_function_put_by_an_administrator_is_shown_by_the_catalog_and_survives_a_restart() {
    let mut tarn = Tarn::start(1).await;
    let namespace = json!({"namespace": ["sales", "eu"]});
    let (status, _) = ask(&tarn, Method::POST, "/_iceberg/v1/main/namespaces", namespace).await;
    assert_eq!(status, StatusCode::OK);
    let stored = json!({
        "warehouse": "main", "namespace": ["sales", "eu"], "name": "add_one", "metadata": add_one(),
    });
    assert_eq!(ask(&tarn, Method::PUT, ADD_ONE, add_one()).await, (StatusCode::OK, stored.clone()));
    tarn.kill();
    tarn.restart().await;
    assert_eq!(ask(&tarn, Method::GET, ADD_ONE, Value::Null).await, (StatusCode::OK, stored));
    let shown = json!({"metadata": add_one()});
    let path = format!("{SHOWN}/add_one");
    assert_eq!(ask(&tarn, Method::GET, &path, Value::Null).await, (StatusCode::OK, shown));
    let listed = json!({"next-page-token": null, "identifiers": [["sales", "eu", "add_one"]]});
    assert_eq!(ask(&tarn, Method::GET, SHOWN, Value::Null).await, (StatusCode::OK, listed));
    let dropped = ask(&tarn, Method::DELETE, "/_iceberg/v1/main/namespaces/sales%1Feu", Value::Null).await;
    assert_eq!(dropped.1["error"]["type"], "NamespaceNotEmptyException");
    assert_eq!(ask(&tarn, Method::DELETE, ADD_ONE, Value::Null).await, (StatusCode::NO_CONTENT, Value::Null));
    for method in [Method::GET, Method::DELETE] {
        let (status, error) = ask(&tarn, method, ADD_ONE, Value::Null).await;
        assert_eq!((status, &error["error"]["code"]), (StatusCode::NOT_FOUND, &json!("NotFound")));
    }
}

#[tokio::test]
async fn functions_are_listed_in_pages_and_what_is_none_is_refused() {
    let tarn = Tarn::start(1).await;
    ask(&tarn, Method::POST, "/_iceberg/v1/main/namespaces", json!({"namespace": ["sales"]})).await;
    for name in ["a", "b", "c"] {
        let path = format!("{FUNCTIONS}/main/sales/{name}");
        assert_eq!(ask(&tarn, Method::PUT, &path, add_one()).await.0, StatusCode::OK);
    }
    let name = |name: &str| json!({"warehouse": "main", "namespace": ["sales"], "name": name});
    let (_, first) = ask(&tarn, Method::GET, &format!("{FUNCTIONS}?page_size=2"), Value::Null).await;
    assert_eq!(first["functions"], json!([name("a"), name("b")]));
    let token = first["next_page_token"].as_str().unwrap();
    let path = format!("{FUNCTIONS}?page_size=2&page_token={token}");
    let last = ask(&tarn, Method::GET, &path, Value::Null).await;
    assert_eq!(last, (StatusCode::OK, json!({"functions": [name("c")]})));

    let mut wrong = add_one();
    wrong["definitions"][0]["function-type"] = json!("aggregate");
    let (status, error) = ask(&tarn, Method::PUT, &format!("{FUNCTIONS}/main/sales/d"), wrong).await;
    assert_eq!((status, &error["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("InvalidRequest")));
    assert_eq!(error["error"]["message"], "unknown function type 'aggregate'");
    let (status, _) = ask(&tarn, Method::PUT, &format!("{FUNCTIONS}/main/none/d"), add_one()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let path = format!("{FUNCTIONS}?page_size=0");
    assert_eq!(ask(&tarn, Method::GET, &path, Value::Null).await.0, StatusCode::BAD_REQUEST);

    let (_, made, _) = tarn.run(&["admin", "key", "create", "--policy", "readonly", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let reader = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let put = tarn.send_as(reader, Method::PUT, &format!("{FUNCTIONS}/main/sales/d"), b"{}").await;
    assert_eq!(put.status(), StatusCode::FORBIDDEN);
    let shown =
        tarn.send_as(reader, Method::GET, "/_iceberg/v1/main/namespaces/sales/functions/a", b"").await;
    assert_eq!(shown.status(), StatusCode::OK);
}
