//! Answers that are read slowly.

use reqwest::Method;
use serde_json::{Value, json};

use super::lake::{Files, Lake};

/// Files of the table: far more lines than the sockets between server and client hold.
const FILES: u64 = 40_000;
const MANY: &str = "shares/partners/schemas/sales/tables/lines";

#[tokio::test]
async fn an_answer_that_is_read_slowly_ends_when_the_grant_is_taken_back() {
    let lake = Lake::start(Files::Small).await;
    let added: Vec<Value> = (0..FILES)
        .map(|number| {
            json!({"add": {"path": format!("many/part-{number:032}.parquet"), "partitionValues": {"region": "eu"},
                "size": 1000, "modificationTime": 1_700_000_000_000_i64, "dataChange": true}})
        })
        .collect();
    lake.commit("lines", 2, &added).await;
    let mut answer = lake.ask(&lake.token, MANY, &json!({})).send().await.unwrap();
    let mut text = answer.chunk().await.unwrap().unwrap().to_vec();
    lake.admin(Method::DELETE, "shares/partners/grants/acme", Value::Null).await;
    let broke = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => text.extend(chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    let told = text.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert!(broke && told < FILES, "{told} lines were told");

    lake.grant("acme", json!({})).await;
    let capability = ("delta-sharing-capabilities", "includeendstreamaction=true");
    let ask = lake.ask(&lake.token, MANY, &json!({})).header(capability.0, capability.1);
    let mut answer = ask.send().await.unwrap();
    let mut text = answer.chunk().await.unwrap().unwrap().to_vec();
    lake.admin(Method::DELETE, "users/steward/policies/reads", Value::Null).await;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        text.extend(chunk);
    }
    let last = text.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
    let last: Value = serde_json::from_slice(last).unwrap();
    let end = json!({"errorMessage": "the table may not be read any more", "httpStatusErrorCode": 403});
    assert_eq!(last["endStreamAction"], end);
}
