//! Functions, which come in beside the REST front, and `referenced-by`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{answer, error, server};
use crate::metadata::FunctionMetadata;
use crate::state::Request;
use crate::testing::ident;

const FUNCTIONS: &str = "/v1/main/namespaces/sales/functions";

fn add_one() -> Value {
    json!({
        "function-uuid": "fa6506c3-7681-40c8-86dc-e36561f83385", "format-version": 1, "x-kept": {"a": 1},
        "definitions": [{
            "definition-id": "int", "function-type": "udf", "parameters": [{"type": "int", "name": "x"}],
            "return-type": "int", "current-version-id": 1,
            "versions": [{"version-id": 1, "timestamp-ms": 1,
                "representations": [{"type": "sql", "dialect": "spark", "sql": "x + 1"}]}],
        }],
        "definition-log": [],
    })
}

#[tokio::test]
async fn functions_are_listed_in_pages_and_loaded_as_they_were_put() {
    let server = server().await;
    let empty = json!({"next-page-token": null, "identifiers": []});
    assert_eq!(server.get(FUNCTIONS).await, answer(200, empty));
    let metadata = Arc::new(FunctionMetadata::from_json(add_one()).unwrap());
    for name in ["c", "a", "b"] {
        let put = Request::PutFunction { ident: ident(name), metadata: metadata.clone() };
        server.catalog.commit(put).await.unwrap();
    }
    let all = json!([["sales", "a"], ["sales", "b"], ["sales", "c"]]);
    assert_eq!(
        server.get(FUNCTIONS).await,
        answer(200, json!({"next-page-token": null, "identifiers": all}))
    );
    let first = server.get(&format!("{FUNCTIONS}?pageToken=&pageSize=2")).await.body;
    assert_eq!(first["identifiers"], json!([["sales", "a"], ["sales", "b"]]));
    let token = first["next-page-token"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("{FUNCTIONS}?pageToken={token}&pageSize=2")).await,
        answer(200, json!({"next-page-token": null, "identifiers": [["sales", "c"]]}))
    );
    assert_eq!(server.get(&format!("{FUNCTIONS}/a")).await, answer(200, json!({"metadata": add_one()})));
}

#[tokio::test]
async fn a_function_and_its_namespace_that_are_not_there_are_told_apart() {
    let server = server().await;
    assert_eq!(
        server.get(&format!("{FUNCTIONS}/none")).await,
        error(404, "NoSuchFunctionException", "function 'sales.none' does not exist")
    );
    for path in ["functions", "functions/f"] {
        assert_eq!(
            server.get(&format!("/v1/main/namespaces/none/{path}")).await,
            error(404, "NoSuchNamespaceException", "Namespace does not exist: none")
        );
    }
}

#[tokio::test]
async fn views_a_load_goes_through_are_read_and_change_nothing() {
    let server = server().await;
    let table = server.create_table("orders").await;
    let load = |query: &str| format!("/v1/main/namespaces/sales/tables/orders?{query}");
    // As a client writes it that encodes once, and as Java does, whose names are encoded already.
    for query in [
        "referenced-by=sales%1Fdaily",
        "referenced-by=sales%1Fouter,sales%1Fa%2520b&snapshots=all",
        "referenced-by=sales%251Fouter%2Csales%251Fin%252Cner",
        "referenced-by=",
    ] {
        assert_eq!(server.get(&load(query)).await, answer(200, table.clone()), "{query}");
    }
    for query in ["referenced-by=daily", "referenced-by=sales%1Fa,", "referenced-by=sales%1F"] {
        let credentials = format!("/v1/main/namespaces/sales/tables/orders/credentials?{query}");
        for path in [load(query), credentials, format!("/v1/main/namespaces/sales/views/v?{query}")] {
            let refused = server.get(&path).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.body["error"]["type"]),
                (400, &json!("BadRequestException")),
                "{path}"
            );
        }
    }
}
