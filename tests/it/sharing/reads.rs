//! What a recipient reads through the protocol.

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::lake::{Files, LINES, Lake, ORDERS, content, lines, urls};

async fn names(lake: &Lake, path: &str) -> Vec<String> {
    let (mut names, mut page) = (Vec::new(), String::new());
    loop {
        let answer = lake.get(&format!("{path}?maxResults=1{page}")).await;
        let told: Value = answer.json().await.unwrap();
        let items = told["items"].as_array().unwrap();
        assert!(items.len() <= 1, "{told}");
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        match told["nextPageToken"].as_str() {
            Some(token) => page = format!("&pageToken={token}"),
            None => return names,
        }
    }
}

#[tokio::test]
async fn lists_have_pages_and_names_have_no_case() {
    let lake = Lake::start(Files::Small).await;
    assert_eq!(names(&lake, "shares").await, ["partners"]);
    assert_eq!(names(&lake, "shares/PARTNERS/schemas").await, ["sales"]);
    assert_eq!(names(&lake, "shares/partners/schemas/Sales/tables").await, ["lines", "orders"]);
    assert_eq!(names(&lake, "shares/Partners/all-tables").await, ["lines", "orders"]);
    let none: Value = lake.get("shares?maxResults=0").await.json().await.unwrap();
    assert_eq!(none["items"], json!([]));
    let path = ORDERS.to_uppercase().replacen("SHARES", "shares", 1).replace("SCHEMAS", "schemas");
    let path = path.replace("TABLES", "tables");
    for path in [ORDERS, &path] {
        let version = lake.get(&format!("{path}/version")).await;
        assert_eq!(
            (version.status(), &version.headers()["delta-table-version"]),
            (StatusCode::OK, &"1".parse().unwrap())
        );
        assert_eq!(version.text().await.unwrap(), "");
        let head = lake.http.head(lake.url(path)).bearer_auth(&lake.token).send().await.unwrap();
        assert_eq!(
            (head.status(), &head.headers()["delta-table-version"]),
            (StatusCode::OK, &"1".parse().unwrap())
        );
    }
    let metadata = lake.get(&format!("{ORDERS}/metadata")).await;
    assert_eq!(metadata.headers()["delta-table-version"], "1");
    let told = lines(metadata).await;
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[0]["protocol"]["minReaderVersion"], &told[1]["metaData"]["partitionColumns"]),
        (&json!(1), &json!(["region"]))
    );
}

#[tokio::test]
async fn files_are_told_of_the_latest_version_or_another_and_their_urls_open_them() {
    let lake = Lake::start(Files::Small).await;
    let told = lake.query(ORDERS, json!({})).await;
    assert_eq!(told.len(), 4, "{told:?}");
    for line in &told[2..] {
        let region = line["file"]["partitionValues"]["region"].as_str().unwrap();
        let (status, bytes) = lake.fetch(line["file"]["url"].as_str().unwrap()).await;
        assert_eq!((status, bytes.unwrap()), (StatusCode::OK, content(region).into()));
        assert_eq!(line["file"]["size"], content(region).len());
    }
    assert_eq!(urls(&lake.query(ORDERS, json!({"version": 0})).await).len(), 0);
    let since = lake.query(ORDERS, json!({"startingVersion": 1})).await;
    let added: Vec<&Value> = since.iter().filter_map(|line| line.get("add")).collect();
    assert!(added.len() == 2 && added.iter().all(|add| add["version"] == 1), "{since:?}");
    let only = lake.query(ORDERS, json!({"predicateHints": ["region = 'us'"]})).await;
    assert_eq!(only.len(), 3, "{only:?}");
    assert_eq!(only[2]["file"]["partitionValues"]["region"], "us");

    let as_delta = lake.ask(&lake.token, ORDERS, &json!({}));
    let answer = as_delta.header("delta-sharing-capabilities", "responseformat=delta").send().await.unwrap();
    assert_eq!(answer.headers()["delta-sharing-capabilities"], "responseformat=delta");
    let told = lines(answer).await;
    let path = told[2]["file"]["deltaSingleAction"]["add"]["path"].as_str().unwrap();
    assert_eq!(lake.fetch(path).await.0, StatusCode::OK);
}

#[tokio::test]
async fn pages_and_refreshed_urls_are_of_one_version() {
    let lake = Lake::start(Files::Small).await;
    let first = lake.query(ORDERS, json!({"maxFiles": 1, "includeRefreshToken": true})).await;
    let end = first.last().unwrap()["endStreamAction"].clone();
    assert_eq!(urls(&first).len(), 1, "{first:?}");
    // The table goes on meanwhile.
    let remove =
        json!({"remove": {"path": "region=us/a.parquet", "dataChange": true, "deletionTimestamp": 1}});
    lake.commit("orders", 2, &[remove]).await;
    let second = lake.query(ORDERS, json!({"maxFiles": 1, "pageToken": end["nextPageToken"]})).await;
    assert_eq!((&first[..2], urls(&second).len()), (&second[..2], 1), "{second:?}");
    assert!(second.last().unwrap()["endStreamAction"].get("nextPageToken").is_none());
    let again = lake.query(ORDERS, json!({"refreshToken": end["refreshToken"]})).await;
    assert_eq!(urls(&again).len(), 2, "{again:?}");
    assert_eq!(urls(&lake.query(ORDERS, json!({})).await).len(), 1);
    // A token is of its table.
    let other =
        lake.ask(&lake.token, LINES, &json!({"refreshToken": end["refreshToken"]})).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_answer_is_compressed_for_who_takes_it() {
    let lake = Lake::start(Files::Small).await;
    let ask = || lake.ask(&lake.token, ORDERS, &json!({}));
    let plain = ask().send().await.unwrap();
    assert_eq!(plain.headers().get("content-encoding"), None);
    let answer = ask().header("accept-encoding", "gzip, deflate").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let (packed, mut text) = (answer.bytes().await.unwrap(), String::new());
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(urls(&lines).len(), 2, "{text}");
}
