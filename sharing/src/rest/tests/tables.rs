//! What a table is: version, metadata, OpenSharing's description, credentials.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::directory::Source;

#[tokio::test]
async fn the_version_is_a_header_in_either_way_of_asking() {
    let world = world().await;
    for (method, path) in
        [("GET", format!("{ORDERS}/version")), ("HEAD", ORDERS.into()), ("HEAD", format!("{ORDERS}/version"))]
    {
        let answer = world.ask(method, &path, &[], "").await;
        assert_eq!(
            (answer.status, answer.header("delta-table-version"), answer.body.len()),
            (StatusCode::OK, "2", 0)
        );
    }
    let answer = world.ask("HEAD", "/shares/sales/schemas/eu/tables/none", &[], "").await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_FOUND, 0));
    let answer = world.ask("HEAD", ORDERS, &[("authorization", "Bearer x")], "").await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::UNAUTHORIZED, 0));
}

#[tokio::test]
async fn the_version_of_a_time_is_the_first_from_then_on_that_is_shared() {
    let world = world().await;
    let ask =
        async |table: &str, time: &str| world.get(&format!("{table}/version?startingTimestamp={time}")).await;
    for (time, version) in
        [("1969-01-01T00:00:00Z", "0"), ("1970-01-01T00:00:01.5Z", "1"), ("1970-01-01T00:00:03Z", "2")]
    {
        assert_eq!(ask(ORDERS, time).await.header("delta-table-version"), version, "{time}");
    }
    let late = ask(ORDERS, "1970-01-01T00:00:04Z").await.failure();
    assert_eq!(late, invalid("The provided timestamp is after the latest version available to this table."));
    assert_eq!(
        ask(LATE, "1969-01-01T00:00:00Z").await.failure(),
        invalid(
            "You can only query table data since version 1.The provided timestamp(1969-01-01T00:00:00Z) corresponds to 0."
        )
    );
    let untold = "Reading table by version or timestamp is not supported because history sharing is not enabled on table: sales.eu.plain";
    assert_eq!(ask(PLAIN, "1970-01-01T00:00:01Z").await.failure(), invalid(untold));
    assert!(ask(ORDERS, "yesterday").await.failure().2.starts_with("Invalid startingTimestamp"));
}

#[tokio::test]
async fn metadata_is_two_lines_of_the_format_that_is_chosen() {
    let world = world().await;
    let path = format!("{ORDERS}/metadata");
    let both = [DELTA.1.replace("delta;", "delta,parquet;")];
    for header in ["", both[0].as_str()] {
        let answer = world.ask("GET", &path, &[(DELTA.0, header)], "").await;
        let lines = answer.lines();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], json!({"protocol": {"minReaderVersion": 1}}));
        assert_eq!(lines[1]["metaData"]["id"], "table-id");
        assert_eq!(lines[1]["metaData"]["location"], "s3://main/Orders");
        assert_eq!(answer.header("delta-sharing-capabilities"), "responseformat=parquet");
        assert_eq!(answer.header("delta-table-version"), "2");
    }
    let header = format!("{};includeendstreamaction=true", DELTA.1);
    let answer = world.ask("GET", &path, &[(DELTA.0, &header)], "").await;
    let lines = answer.lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["protocol"]["deltaProtocol"]["readerFeatures"], json!(["columnMapping"]));
    assert!(lines[1]["metaData"].get("version").is_none());
    assert_eq!(answer.header("delta-sharing-capabilities"), "responseformat=delta");
    let old = world.get(&format!("{path}?timestamp=1970-01-01T00:00:02.5Z")).await;
    assert_eq!(
        (old.header("delta-table-version"), old.lines()[1]["metaData"]["version"].as_i64()),
        ("1", Some(1))
    );
}

#[tokio::test]
async fn metadata_of_what_is_not_there_or_not_shared_is_refused() {
    let world = world().await;
    let untold = "Reading table by version or timestamp is not supported because history sharing is not enabled on table: sales.eu.plain";
    for (table, query, message) in [
        (PLAIN, "version=0", untold),
        (PLAIN, "timestamp=1970-01-01T00:00:01Z", untold),
        (LATE, "version=0", "You can only query table data since version 1."),
        (LATE, "timestamp=1970-01-01T00:00:01Z", "You can only query table data since version 1."),
        (ORDERS, "version=3", "the table has no version 3; the earliest is 0, the latest 2"),
        (ORDERS, "version=-1", "version cannot be negative."),
        (ORDERS, "version=1&timestamp=1970-01-01T00:00:01Z", "Please only provide one of: version,timestamp"),
        (
            ORDERS,
            "timestamp=1969-01-01T00:00:00Z",
            "The provided timestamp is before the earliest version available to this table.",
        ),
        (
            ORDERS,
            "timestamp=9999-01-01T00:00:00Z",
            "The provided timestamp lies in the future: no version is of that time yet.",
        ),
    ] {
        let answer = world.get(&format!("{table}/metadata?{query}")).await;
        assert_eq!(answer.failure(), invalid(message), "{table} {query}");
    }
}

#[tokio::test]
async fn a_table_is_described_as_opensharing_has_it() {
    let world = world().await;
    let share = world.share.lock().unwrap().clone();
    let id = share.schemas["eu"].tables["orders"].id;
    assert_eq!(
        world
            .get(
                &ORDERS
                    .to_uppercase()
                    .replace("/SHARES/", "/shares/")
                    .replace("/SCHEMAS/", "/schemas/")
                    .replace("/TABLES/", "/tables/")
            )
            .await
            .json(),
        json!({"name": "Orders", "schema": "EU", "share": "Sales", "shareId": share.id, "id": id, "format": "delta,iceberg"})
    );
    for some in [LATE, PLAIN] {
        let format = &world.get(some).await.json()["format"];
        assert_eq!(format, "delta", "Iceberg clients read all of a table: {some}");
    }
    world
        .change_share(|share| {
            let delta = Source::Delta { bucket: "main".into(), prefix: "t/".into() };
            share.schemas.get_mut("eu").unwrap().tables.get_mut("orders").unwrap().source = delta;
        })
        .await;
    assert_eq!(world.get(ORDERS).await.json()["format"], "delta");
}

#[tokio::test]
async fn credentials_are_given_where_the_whole_table_may_be_read() {
    let world = world().await;
    let ask = async |table: &str, body: &str| {
        world.ask("POST", &format!("{table}/temporary-table-credentials"), &[], body.to_owned()).await
    };
    for body in ["", "{}", r#"{"location":"s3://main/Orders"}"#, r#"{"location":null,"x":1}"#] {
        let told = ask(ORDERS, body).await.json();
        let credentials = &told["credentials"];
        assert_eq!(credentials["location"], "s3://main/Orders");
        assert_eq!(
            credentials["awsTempCredentials"],
            json!({"accessKeyId": "key", "secretAccessKey": "secret", "sessionToken": "session"})
        );
        assert!(credentials["expirationTime"].as_i64().unwrap() > Timestamp::now().as_millisecond());
    }
    for location in ["s3://main/Orders2", "s3://other", "/"] {
        let body = json!({"location": location}).to_string();
        assert!(
            ask(ORDERS, &body).await.failure().2.starts_with("The requested location must be"),
            "{location}"
        );
    }
    assert_eq!(ask(ORDERS, "{").await.failure().1, "MALFORMED_REQUEST");
    assert!(ask(PLAIN, "").await.failure().2.contains("history sharing is not enabled"));
    // Files of versions that are not shared lie in the directory too.
    assert_eq!(ask(LATE, "").await.failure().1, "UNSUPPORTED_OPERATION");
}
