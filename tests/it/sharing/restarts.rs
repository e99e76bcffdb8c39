//! Kills of the server: what was granted and what was taken back stays so, and URLs that were given out go on.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::lake::{Files, Lake, ORDERS, content, urls};

async fn kill(lake: &mut Lake) {
    lake.tarn.kill();
    lake.tarn.restart().await;
}

#[tokio::test]
async fn a_grant_and_its_urls_outlive_a_kill_and_so_do_pages_of_an_answer() {
    let mut lake = Lake::start(Files::Small).await;
    kill(&mut lake).await;
    let page = lake.query(ORDERS, json!({"maxFiles": 1})).await;
    let url = lake.file("region%3Deu").await;
    kill(&mut lake).await;
    let (status, bytes) = lake.fetch(&url).await;
    assert_eq!((status, bytes.unwrap()), (StatusCode::OK, content("eu").into()));
    let token = &page.last().unwrap()["endStreamAction"]["nextPageToken"];
    assert_eq!(urls(&lake.query(ORDERS, json!({"maxFiles": 1, "pageToken": token})).await).len(), 1);
}

#[tokio::test]
async fn what_was_taken_back_stays_so_over_a_kill() {
    let mut lake = Lake::start(Files::Small).await;
    let filters = json!({"sales.orders": [{"column": "region", "values": {"in": ["us"]}}]});
    let token = format!("recipients/acme/tokens/{}", lake.token_id);
    for (method, path, body, query) in [
        (Method::PUT, "shares/partners/grants/acme", json!({"filters": filters}), 200),
        (Method::DELETE, "users/steward/policies/reads", Value::Null, 403),
        (Method::DELETE, "shares/partners/grants/acme", Value::Null, 404),
        (Method::PATCH, "recipients/acme", json!({"status": "disabled"}), 401),
        (Method::DELETE, &token, Value::Null, 401),
        (Method::POST, "sharing-keys/rotate", json!({"withdraw": true}), 401),
    ] {
        // As it was before: each is tried by itself.
        lake.admin(Method::PATCH, "recipients/acme", json!({"status": "enabled"})).await;
        lake.admin(Method::PUT, "users/steward/policies/reads", Value::Null).await;
        lake.grant("acme", json!({})).await;
        if lake.get("shares").await.status() == StatusCode::UNAUTHORIZED {
            lake.token = lake.bearer("acme", json!({})).await.0;
        }
        let url = lake.file("region%3Deu").await;
        lake.admin(method, path, body).await;
        kill(&mut lake).await;
        let answer = lake.ask(&lake.token, ORDERS, &json!({})).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), query, "{path}");
        assert!(!answer.text().await.unwrap().contains("region%3Deu"), "{path}");
        assert_eq!(lake.fetch(&url).await.0, StatusCode::FORBIDDEN, "{path}");
    }
}
