//! Files of a shared Iceberg table, through a whole server.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::lake::{Lake, lines, urls};
use crate::support::Tarn;

const ORDERS: &str = "shares/partners/schemas/tpch/tables/orders";

/// Time for the tables to be made.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at them.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A server with the tables of `--demo`, of which user `steward` shares `orders` with `acme`.
async fn demo() -> Lake {
    let tarn = Tarn::start_demo().await;
    let http = Client::builder().no_proxy().build().unwrap();
    let mut lake = Lake { tarn, http, token: String::new(), token_id: String::new() };
    let shares = json!({"Statement": [{"Effect": "Allow", "Action": "sharing:*", "Resource": "*"}]});
    lake.admin(Method::PUT, "policies/shares", shares).await;
    let user = json!({"name": "steward", "policies": ["tablesReadOnly", "shares"]});
    let steward = lake.admin(Method::POST, "users", user).await;
    lake.admin(Method::POST, "shares", json!({"name": "partners"})).await;
    let source = json!({"type": "iceberg", "warehouse": "main", "namespace": ["tpch"], "table": "orders"});
    let new = json!({"schema": "tpch", "name": "orders", "source": source}).to_string();
    let key = ("steward", steward["secret"].as_str().unwrap());
    let path = "/_admin/v1/shares/partners/tables";
    // The tables are made while the server serves already.
    let began = Instant::now();
    loop {
        let added = lake.tarn.send_as(key, Method::POST, path, new.as_bytes()).await;
        if added.status() == StatusCode::CREATED {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{}", added.text().await.unwrap());
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    lake.recipient("acme").await;
    lake.grant("acme", json!({})).await;
    (lake.token, lake.token_id) = lake.bearer("acme", json!({})).await;
    while urls(&lake.query(ORDERS, json!({})).await).is_empty() {
        assert!(began.elapsed() < PATIENCE, "the table stays empty");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    lake
}

#[tokio::test]
async fn a_file_of_an_iceberg_table_that_is_kept_from_who_shared_it_is_sent_to_nobody() {
    let lake = demo().await;
    let told = lake.query(ORDERS, json!({})).await;
    let url = urls(&told).remove(0);
    assert_eq!(lake.fetch(&url).await.0, StatusCode::OK);
    let key = url.split_once("/main/").unwrap().1.split_once('?').unwrap().0;
    assert!(!key.contains('%'), "{key}");
    let deny = json!({"Statement": [{"Effect": "Deny", "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::main/{key}")}]});
    lake.admin(Method::PUT, "policies/not-this", deny).await;
    lake.admin(Method::PUT, "users/steward/policies/not-this", Value::Null).await;
    assert_eq!(lake.fetch(&url).await.0, StatusCode::FORBIDDEN);
    let anew = lines(lake.ask(&lake.token, ORDERS, &json!({})).send().await.unwrap()).await;
    assert_eq!(lake.fetch(&urls(&anew)[0]).await.0, StatusCode::FORBIDDEN);
    lake.admin(Method::DELETE, "users/steward/policies/not-this", Value::Null).await;
    assert_eq!(lake.fetch(&url).await.0, StatusCode::OK);
}
