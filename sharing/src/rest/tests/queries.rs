//! Queries of a version.

use jiff::Timestamp;
use std::io::Read as _;

use serde_json::json;

use super::*;
use crate::table::Feature;

#[tokio::test]
async fn a_client_that_says_nothing_gets_parquet_and_no_line_more_than_it_knows() {
    let world = world().await;
    for body in ["", "{}", r#"{"predicateHints":["string"],"jsonPredicateHints":"string","limitHint":0}"#] {
        let answer = world.ask("POST", &format!("{ORDERS}/query"), &[], body).await;
        let lines = answer.lines();
        assert_eq!(answer.told(), kinds(&[("file", 0), ("file", 1), ("file", 2)]), "{body}");
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[0], json!({"protocol": {"minReaderVersion": 1}}));
        let metadata = &lines[1]["metaData"];
        assert_eq!((&metadata["size"], &metadata["numFiles"]), (&json!(300), &json!(3)));
        assert_eq!(metadata["configuration"], json!({"enableChangeDataFeed": "true"}));
        let file = lines[2]["file"].as_object().unwrap();
        let names: Vec<&str> = file.keys().map(String::as_str).collect();
        assert_eq!(names, ["expirationTimestamp", "id", "partitionValues", "size", "stats", "url"]);
        assert_eq!(file["partitionValues"], json!({"region": "eu"}));
        assert!(file["url"].as_str().unwrap().starts_with("https://tarn.example/_delta-sharing/files/"));
        assert!(file["url"].as_str().unwrap().contains("&X-Amz-Signature="));
        assert_eq!(answer.header("delta-sharing-capabilities"), "responseformat=parquet");
        assert_eq!(answer.header("delta-table-version"), "2");
        assert_eq!(answer.header("fileidhash"), "");
    }
}

#[tokio::test]
async fn a_client_of_delta_gets_actions() {
    let world = world().await;
    let answer = world.query(ORDERS, &[DELTA], json!({"version": 1})).await;
    let lines = answer.lines();
    assert_eq!(answer.told(), kinds(&[("add", 0), ("add", 1)]));
    assert_eq!(lines[1]["metaData"]["version"], 1);
    let file = &lines[2]["file"];
    assert_eq!((&file["version"], &file["timestamp"]), (&json!(1), &json!(2000)));
    assert_eq!(file["id"].as_str().unwrap().len(), 64);
    assert_eq!(answer.header("delta-table-version"), "1");
    assert_eq!(answer.header("delta-sharing-capabilities"), "responseformat=delta");
}

#[tokio::test]
async fn deleted_rows_are_told_to_who_knows_them_and_the_table_is_refused_to_others() {
    let world = world().await;
    world.table.change(|state| {
        let latest = state.versions.last_mut().unwrap();
        latest.files = deleted_files([0]);
        latest.features.insert(Feature::DeletionVectors);
        latest.plain = Err("rows are deleted".into());
    });
    let answer = world.query(ORDERS, &[DELTA], empty()).await;
    let action = &answer.lines()[2]["file"]["deltaSingleAction"]["add"];
    assert_eq!(action["deletionVector"]["cardinality"], 2);
    assert!(action["deletionVector"]["pathOrInlineDv"].as_str().unwrap().contains("/_delta-sharing/files/"));
    for header in ["", "responseformat=parquet", "responseformat=delta;readerfeatures=columnmapping"] {
        let (status, code, message) = world.query(ORDERS, &[(DELTA.0, header)], empty()).await.failure();
        assert_eq!((status, code.as_str()), (400, "UNSUPPORTED_OPERATION"));
        assert!(
            message.ends_with("responseformat=delta;readerfeatures=columnmapping,deletionvectors"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn the_line_at_the_end_comes_only_to_who_asked() {
    let world = world().await;
    let answer = world.query(ORDERS, &[END], empty()).await;
    let lines = answer.lines();
    assert_eq!(
        answer.header("delta-sharing-capabilities"),
        "responseformat=parquet;includeendstreamaction=true"
    );
    let end = lines.last().unwrap()["endStreamAction"].as_object().unwrap();
    assert_eq!(end.keys().collect::<Vec<_>>(), ["minUrlExpirationTimestamp"]);
    assert_eq!(end["minUrlExpirationTimestamp"], lines[2]["file"]["expirationTimestamp"]);
    for body in [json!({"includeRefreshToken": true}), json!({"maxFiles": 10})] {
        let answer = world.query(ORDERS, &[], body).await;
        assert!(answer.lines().last().unwrap().get("endStreamAction").is_some());
        assert_eq!(answer.header("delta-sharing-capabilities"), "responseformat=parquet");
    }
    for body in [empty(), json!({"version": 1}), json!({"startingVersion": 0}), json!({"limitHint": 1})] {
        let text = world.query(ORDERS, &[], body).await.text();
        assert!(!text.contains("endStreamAction"), "{text}");
    }
}

#[tokio::test]
async fn a_limit_stops_when_there_are_rows_enough_and_hints_nobody_reads_are_named() {
    let world = world().await;
    assert_eq!(world.numbers(ORDERS, json!({"limitHint": 11})).await, [0, 1]);
    assert_eq!(world.numbers(ORDERS, json!({"limitHint": 10})).await, [0]);
    assert_eq!(world.numbers(ORDERS, json!({"limitHint": 1000})).await, [0, 1, 2]);
    let answer = world.query(ORDERS, &[], json!({"predicateHints": ["for \u{e9}\n("], "limitHint": 1})).await;
    assert_eq!(answer.told().len(), 3);
    assert!(answer.header("tarn-ignored-hints").starts_with("for"), "{:?}", answer.headers);
    assert_eq!(world.query(ORDERS, &[], empty()).await.header("tarn-ignored-hints"), "");
}

#[tokio::test]
async fn files_keep_their_ids_and_their_kind_of_id_is_told() {
    let world = world().await;
    let ids = async |headers: &[(&str, &str)]| {
        let answer = world.query(ORDERS, headers, empty()).await;
        let ids: Vec<String> =
            answer.lines()[2..].iter().map(|line| line["file"]["id"].as_str().unwrap().to_owned()).collect();
        (ids, answer.header("fileidhash").to_owned())
    };
    let (parquet, none) = ids(&[]).await;
    let (delta, _) = ids(&[DELTA]).await;
    assert_eq!((parquet.len(), none.as_str()), (3, ""));
    assert_ne!(parquet, delta);
    assert_eq!(ids(&[DELTA, ("fileidhash", "Parquet")]).await, (parquet, "parquet".into()));
    assert_eq!(ids(&[("fileidhash", "DELTA")]).await, (delta, "delta".into()));
    for wrong in ["", "md5"] {
        let answer = world.query(ORDERS, &[("fileidhash", wrong)], empty()).await;
        assert_eq!(
            answer.failure(),
            invalid(&format!("Unsupported fileidhash: '{wrong}'. Supported: parquet, delta"))
        );
    }
}

#[tokio::test]
async fn an_answer_is_gzip_for_who_takes_it() {
    let world = world().await;
    let plain = world.query(ORDERS, &[("accept-encoding", "br, gzip;q=0")], empty()).await;
    assert_eq!(plain.header("content-encoding"), "");
    for accepted in ["gzip", "deflate, GZIP;q=0.5", "br, gzip"] {
        let answer = world.query(ORDERS, &[("accept-encoding", accepted)], empty()).await;
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), ("gzip", "accept-encoding"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text.lines().count(), 5);
    }
}

#[tokio::test]
async fn urls_end_with_the_token_they_were_had_by() {
    let world = world().await;
    let now_ms = Timestamp::now().as_millisecond();
    let ends = |answer: &Answer| answer.lines()[2]["file"]["expirationTimestamp"].as_i64().unwrap();
    let hour = ends(&world.query(ORDERS, &[], empty()).await) - now_ms;
    assert!((3_590_000..3_610_000).contains(&hour), "{hour}");
    world.change_recipient(|recipient| recipient.tokens[0].expires_ms = now_ms + 600_000).await;
    let ten_minutes = ends(&world.query(ORDERS, &[], empty()).await) - now_ms;
    assert!((599_000..=600_000).contains(&ten_minutes), "{ten_minutes}");
}

#[tokio::test]
async fn a_query_of_what_is_not_shared_is_refused() {
    let world = world().await;
    let untold = "Reading table by version or timestamp is not supported because history sharing is not enabled on table: sales.eu.plain";
    let late = "You can only query table data since version 1.";
    for (table, body, message) in [
        (PLAIN, json!({"version": 2}), untold),
        (PLAIN, json!({"timestamp": "1970-01-01T00:00:01Z"}), untold),
        (PLAIN, json!({"startingVersion": 0}), untold),
        (LATE, json!({"version": 0}), late),
        (LATE, json!({"timestamp": "1970-01-01T00:00:01Z"}), late),
        (LATE, json!({"startingVersion": 0}), late),
        (ORDERS, json!({"version": 7}), "the table has no version 7; the earliest is 0, the latest 2"),
        (
            ORDERS,
            json!({"version": 1, "startingVersion": 1}),
            "Please only provide one of: version,timestamp,startingVersion",
        ),
        (ORDERS, json!({"maxFiles": 0}), "maxFiles must be positive."),
    ] {
        assert_eq!(world.query(table, &[], body.clone()).await.failure(), invalid(message), "{table} {body}");
    }
    assert_eq!(world.numbers(LATE, json!({"version": 1})).await, [0, 1]);
}

#[tokio::test]
async fn the_versions_of_an_answer_are_held_as_long_as_its_urls_count() {
    let world = world().await;
    world.query(ORDERS, &[DELTA], json!({"version": 1})).await.lines();
    world
        .ask("GET", &format!("{ORDERS}/changes?startingVersion=1&endingVersion=2"), &[DELTA], "")
        .await
        .lines();
    let held = world.table.read(|state| state.held.clone());
    let versions: Vec<_> = held.iter().map(|(versions, _)| versions.clone()).collect();
    assert_eq!(versions, [1..=1, 1..=2]);
    for (_, time) in held {
        assert_eq!(time.until_ms - time.now_ms, 1000 * 3600);
    }
}

#[tokio::test]
async fn a_version_that_is_kept_read_is_refused_once_its_files_may_be_gone() {
    let world = world().await;
    assert_eq!(world.query(ORDERS, &[DELTA], json!({"version": 1})).await.status, 200);
    world.table.change(|state| state.versions.retain(|version| version.version != 1));
    assert_eq!(world.query(ORDERS, &[DELTA], json!({"version": 1})).await.status, 400);
}
