//! Pages and refresh tokens: answers of one version, whatever is committed meanwhile.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

fn end(lines: &[Value]) -> &Value {
    &lines.last().unwrap()["endStreamAction"]
}

#[tokio::test]
async fn pages_of_a_version_are_its_files_whatever_is_committed_in_between() {
    let world = world().await;
    world.table.change(|state| state.versions.push(version(3, 0..1300)));
    let whole = world.numbers(ORDERS, empty()).await;
    let mut told = Vec::new();
    let mut body = json!({"maxFiles": 600});
    let mut heads = Vec::new();
    loop {
        let answer = world.query(ORDERS, &[], body.clone()).await;
        let lines = answer.lines();
        heads.push(lines[..2].to_vec());
        assert_eq!(answer.header("delta-table-version"), "3");
        told.extend(answer.told().into_iter().map(|(_, number)| number));
        world.table.change(|state| state.versions.push(version(3 + heads.len() as i64, [9])));
        match &end(&lines)["nextPageToken"] {
            Value::String(token) => body["pageToken"] = json!(token),
            _end => break,
        }
    }
    assert_eq!((told, heads.len()), (whole, 3));
    assert!(heads.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn a_page_that_is_just_full_has_no_next_one() {
    let world = world().await;
    let lines = world.query(ORDERS, &[], json!({"maxFiles": 3})).await.lines();
    assert!(end(&lines).get("nextPageToken").is_none());
    let lines = world.query(ORDERS, &[], json!({"maxFiles": 2})).await.lines();
    assert!(end(&lines)["nextPageToken"].is_string());
    // A limit that is met leaves nothing to page through.
    let lines = world.query(ORDERS, &[], json!({"maxFiles": 2, "limitHint": 20})).await.lines();
    assert!(end(&lines).get("nextPageToken").is_none());
}

#[tokio::test]
async fn a_page_token_is_of_one_query_table_and_recipient() {
    let world = world().await;
    let lines = world.query(ORDERS, &[], json!({"maxFiles": 1})).await.lines();
    let token = end(&lines)["nextPageToken"].as_str().unwrap().to_owned();
    assert_eq!(world.numbers(ORDERS, json!({"maxFiles": 9, "pageToken": token})).await, [1, 2]);
    let changed = json!({"maxFiles": 1, "pageToken": token, "version": 2});
    assert!(world.query(ORDERS, &[], changed).await.failure().2.starts_with("Query parameter mismatch"));
    let other = world.query(LATE, &[], json!({"maxFiles": 1, "pageToken": token})).await;
    let foreign = "The table specified in the page token does not match the table being queried.";
    assert_eq!(other.failure(), invalid(foreign));
    for token in ["x", "AAAA", &token[1..]] {
        let answer = world.query(ORDERS, &[], json!({"pageToken": token})).await;
        assert_eq!(answer.failure(), invalid("Error decoding the page token."));
    }
    let mistaken = world.query(ORDERS, &[], json!({"refreshToken": token})).await;
    assert_eq!(mistaken.failure(), invalid("Error decoding refresh token."));
}

#[tokio::test]
async fn a_refresh_token_names_the_same_files_after_later_commits() {
    let world = world().await;
    for table in [ORDERS, PLAIN] {
        let lines = world.query(table, &[], json!({"includeRefreshToken": true})).await.lines();
        let token = end(&lines)["refreshToken"].as_str().unwrap().to_owned();
        let next = world.table.read(|state| state.versions.len()) as i64;
        world.table.change(|state| state.versions.push(version(next, [7])));
        assert_eq!(world.numbers(table, empty()).await, [7]);
        let again = json!({"includeRefreshToken": true, "refreshToken": token});
        let told = world.numbers(table, again).await;
        assert_eq!(told, lines.iter().filter_map(told_number).collect::<Vec<_>>());
    }
}

fn told_number(line: &Value) -> Option<u64> {
    told(line).map(|(_, number)| number)
}

#[tokio::test]
async fn pages_of_changes_are_the_changes_with_each_schema_told_once() {
    let world = world().await;
    world.table.change(|state| {
        for number in 3..6_i64 {
            state.versions.push(version(number, [1]));
            let first = 10 * number.unsigned_abs();
            let mut change = change(number, first..first + 3, first + 5..first + 7);
            change.metadata = Some(Arc::new(metadata()));
            state.changes.push(change);
        }
    });
    let said = "startingVersion=0&includeHistoricalMetadata=true";
    let whole = world.get(&format!("{ORDERS}/changes?{said}")).await;
    for size in 1..9 {
        let mut told = Vec::new();
        let mut token = String::new();
        loop {
            let answer =
                world.get(&format!("{ORDERS}/changes?{said}&maxFiles={size}&pageToken={token}")).await;
            let lines = answer.lines();
            assert_eq!(lines[..2], whole.lines()[..2]);
            told.extend(lines[2..lines.len() - 1].iter().map(short));
            world.table.change(|state| {
                let next = state.versions.len() as i64;
                state.versions.push(version(next, [1]));
                state.changes.push(change(next, [99], []));
            });
            match &end(&lines)["nextPageToken"] {
                Value::String(next) => token = next.clone(),
                _end => break,
            }
        }
        assert_eq!(told, whole.lines()[2..].iter().map(short).collect::<Vec<_>>(), "pages of {size}");
        world.table.change(|state| {
            state.versions.truncate(6);
            state.changes.truncate(6);
        });
    }
}

/// A line by its file, or by the version of the schema it tells.
fn short(line: &Value) -> String {
    match told(line) {
        Some((kind, number)) => format!("{kind} {number}"),
        None => format!("schema {}", line["metaData"]["version"]),
    }
}
