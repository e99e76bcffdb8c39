//! What is taken back is gone for every request that begins after the answer that it is.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::lake::{Files, Lake, ORDERS};
use super::race::{After, race};

const UNKNOWN: After = After { query: StatusCode::UNAUTHORIZED, file: StatusCode::FORBIDDEN };
const MISSING: After = After { query: StatusCode::NOT_FOUND, file: StatusCode::FORBIDDEN };
const DENIED: After = After { query: StatusCode::FORBIDDEN, file: StatusCode::FORBIDDEN };
const OTHER_ROWS: After = After { query: StatusCode::OK, file: StatusCode::FORBIDDEN };

fn regions(values: Value) -> Value {
    json!({"sales.orders": [{"column": "region", "values": values}]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_after_a_token_is_revoked() {
    let lake = Lake::start(Files::Large).await;
    let path = format!("recipients/acme/tokens/{}", lake.token_id);
    race(&lake, UNKNOWN, async |lake| {
        lake.admin(Method::DELETE, &path, Value::Null).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_after_a_grant_is_revoked_nor_by_urls_of_old_when_it_is_given_again() {
    let lake = Lake::start(Files::Large).await;
    let old = lake.file("region%3Deu/a.parquet").await;
    race(&lake, MISSING, async |lake| {
        lake.admin(Method::DELETE, "shares/partners/grants/acme", Value::Null).await;
    })
    .await;
    lake.grant("acme", json!({})).await;
    assert_eq!(lake.fetch(&old).await.0, StatusCode::FORBIDDEN);
    let new = lake.file("region%3Deu/a.parquet").await;
    assert_eq!(lake.fetch(&new).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_after_a_share_is_deleted() {
    let lake = Lake::start(Files::Large).await;
    race(&lake, MISSING, async |lake| {
        lake.admin(Method::DELETE, "shares/partners", Value::Null).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_of_a_table_after_it_is_removed_from_its_share() {
    let lake = Lake::start(Files::Large).await;
    race(&lake, MISSING, async |lake| {
        lake.admin(Method::DELETE, "shares/partners/tables/sales/orders", Value::Null).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_after_a_recipient_is_disabled() {
    let lake = Lake::start(Files::Large).await;
    race(&lake, UNKNOWN, async |lake| {
        lake.admin(Method::PATCH, "recipients/acme", json!({"status": "disabled"})).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_after_a_recipient_is_deleted_nor_when_one_of_its_name_is_made() {
    let lake = Lake::start(Files::Large).await;
    let old = lake.file("region%3Deu/a.parquet").await;
    race(&lake, UNKNOWN, async |lake| {
        lake.admin(Method::DELETE, "recipients/acme", Value::Null).await;
    })
    .await;
    lake.recipient("acme").await;
    lake.grant("acme", json!({})).await;
    assert_eq!(lake.fetch(&old).await.0, StatusCode::FORBIDDEN);
    assert_eq!(lake.get("shares").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_after_the_key_is_withdrawn_that_signed_the_token() {
    let lake = Lake::start(Files::Large).await;
    race(&lake, UNKNOWN, async |lake| {
        lake.admin(Method::POST, "sharing-keys/rotate", json!({"withdraw": true})).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_after_who_shared_the_table_may_not_read_it() {
    let lake = Lake::start(Files::Large).await;
    race(&lake, DENIED, async |lake| {
        lake.admin(Method::DELETE, "users/steward/policies/reads", Value::Null).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_of_other_rows_is_read_after_the_row_filter_of_a_grant_is_changed() {
    let lake = Lake::start(Files::Large).await;
    lake.grant("acme", regions(json!({"in": ["eu"]}))).await;
    race(&lake, OTHER_ROWS, async |lake| lake.grant("acme", regions(json!({"in": ["us"]}))).await).await;
    let left = lake.query(ORDERS, json!({})).await;
    assert_eq!(left.len(), 3, "protocol, metadata and the file of the other rows: {left:?}");
    assert_eq!(left[2]["file"]["partitionValues"]["region"], "us");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_of_other_rows_is_read_after_the_property_is_changed_that_chose_them() {
    let lake = Lake::start(Files::Large).await;
    let home = |region: &str| json!({"properties": {"home": region}});
    lake.admin(Method::PATCH, "recipients/acme", home("eu")).await;
    lake.grant("acme", regions(json!({"property": "home"}))).await;
    race(&lake, OTHER_ROWS, async |lake| {
        lake.admin(Method::PATCH, "recipients/acme", home("us")).await;
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_kept_from_who_shared_its_table_is_sent_to_nobody() {
    let lake = Lake::start(Files::Small).await;
    let (eu, us) = (lake.file("region%3Deu").await, lake.file("region%3Dus").await);
    let deny = json!({"Statement": [{"Effect": "Deny", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::lake/orders/region=eu/*"}]});
    lake.admin(Method::PUT, "policies/not-eu", deny).await;
    lake.admin(Method::PUT, "users/steward/policies/not-eu", Value::Null).await;
    assert_eq!(lake.fetch(&eu).await.0, StatusCode::FORBIDDEN);
    let anew = lake.file("region%3Deu").await;
    assert_eq!(lake.fetch(&anew).await.0, StatusCode::FORBIDDEN);
    assert_eq!(lake.fetch(&us).await.0, StatusCode::OK);
}
