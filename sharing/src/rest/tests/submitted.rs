//! Queries that run by themselves.

use super::*;
use crate::directory::Grant;

const ASYNC: (&str, &str) = ("delta-sharing-capabilities", "asyncquery=true");

/// The id of a query that was submitted.
async fn submit(world: &World, body: Value) -> String {
    let answer = world.query(ORDERS, &[ASYNC], body).await;
    assert_eq!((answer.status.as_u16(), answer.header(ASYNC.0)), (200, "asyncquery=true"));
    let lines = answer.lines();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(line["queryStatus"]["status"], "pending");
    line["queryStatus"]["queryId"].as_str().unwrap().to_owned()
}

async fn poll(world: &World, id: &str, headers: &[(&str, &str)], body: Value) -> Answer {
    world.ask("POST", &format!("{ORDERS}/queries/{id}"), headers, body.to_string()).await
}

fn missing(id: &str) -> (u16, String, String) {
    (404, "RESOURCE_DOES_NOT_EXIST".into(), format!("query '{id}' not found"))
}

#[tokio::test]
async fn a_submitted_query_is_answered_as_it_would_have_been_at_once() {
    let world = world().await;
    let body = json!({"version": 1, "predicateHints": ["region = 'eu'"]});
    let id = submit(&world, body.clone()).await;
    let answer = poll(&world, &id, &[DELTA], empty()).await;
    let at_once = world.query(ORDERS, &[DELTA], body).await;
    assert_eq!((answer.header("delta-table-version"), answer.header(DELTA.0)), ("1", "responseformat=delta"));
    // URLs of files may end in another second.
    let numbers = Answer::told;
    assert_eq!((answer.lines().len(), numbers(&answer)), (at_once.lines().len(), numbers(&at_once)));
}

#[tokio::test]
async fn a_submitted_query_is_of_the_version_it_was_submitted_on_page_by_page() {
    let world = world().await;
    let id = submit(&world, empty()).await;
    world.table.change(|state| state.versions.push(version(3, 10..20)));
    let mut told = Vec::new();
    let mut page = json!({"maxFiles": 2});
    loop {
        let answer = poll(&world, &id, &[], page).await;
        assert_eq!(answer.header("delta-table-version"), "2");
        told.extend(answer.told().iter().map(|(_, number)| *number));
        let lines = answer.lines();
        let Some(next) = lines.last().unwrap()["endStreamAction"]["nextPageToken"].as_str() else { break };
        page = json!({"maxFiles": 2, "pageToken": next});
    }
    assert_eq!(told, [0, 1, 2]);
    let other = submit(&world, json!({"limitHint": 1})).await;
    let answer = poll(&world, &id, &[], json!({"maxFiles": 1})).await;
    let token = answer.lines().last().unwrap()["endStreamAction"]["nextPageToken"].clone();
    let failure = poll(&world, &other, &[], json!({"pageToken": token})).await.failure();
    assert!(failure.2.starts_with("Query parameter mismatch"), "{failure:?}");
}

#[tokio::test]
async fn a_submitted_query_is_nobody_elses_nor_of_another_grant_or_table() {
    let world = world().await;
    let id = submit(&world, empty()).await;
    for unknown in ["some-id", "6d3a1f1e-9b2c-4c8a-8e1f-2f5b7a9c0d11"] {
        assert_eq!(poll(&world, unknown, &[], empty()).await.failure(), missing(unknown));
    }
    let elsewhere = world.ask("POST", &format!("{LATE}/queries/{id}"), &[], "").await;
    assert_eq!(elsewhere.failure(), missing(&id));
    world.change_recipient(|recipient| recipient.grants.clear()).await;
    assert_eq!(poll(&world, &id, &[], empty()).await.status, 404);
    let share = world.share.lock().unwrap().id;
    let grant = Grant { id: uuid::Uuid::new_v4(), share, created_ms: 0, filters: Default::default() };
    world.change_recipient(|recipient| drop(recipient.grants.insert("sales".into(), grant))).await;
    assert_eq!(poll(&world, &id, &[], empty()).await.failure(), missing(&id));
}

#[tokio::test]
async fn a_submission_sent_again_is_the_same_query_and_a_poll_asks_for_nothing_else() {
    let world = world().await;
    let id = submit(&world, json!({"idempotencyKey": "a"})).await;
    assert_eq!(submit(&world, json!({"idempotencyKey": "a"})).await, id);
    assert_ne!(submit(&world, json!({"idempotencyKey": "b"})).await, id);
    let other = world.query(ORDERS, &[ASYNC], json!({"idempotencyKey": "a", "version": 1})).await;
    assert_eq!(other.failure(), invalid("The idempotencyKey was used for another query."));
    let failure = poll(&world, &id, &[], json!({"version": 1})).await.failure();
    let message = "Only maxFiles and pageToken can be used when asking for a submitted query.";
    assert_eq!(failure, invalid(message));
    let long = world.query(ORDERS, &[ASYNC], json!({"idempotencyKey": "k".repeat(257)})).await;
    assert_eq!(long.failure(), invalid("idempotencyKey is longer than 256 bytes."));
}

#[tokio::test]
async fn a_submitted_query_that_cannot_be_answered_says_why() {
    let world = world().await;
    world.table.change(|state| state.is_unreadable = true);
    let id = submit(&world, empty()).await;
    let lines = poll(&world, &id, &[], empty()).await.lines();
    let told = json!({"queryId": id, "status": "failed", "errorMessage": "the table is encrypted"});
    assert_eq!(lines, [json!({"queryStatus": told})]);
    assert_eq!(world.query(ORDERS, &[ASYNC], json!({"version": 9})).await.status, 400);
}

#[tokio::test]
async fn changes_and_long_queries_are_answered_at_once_whatever_is_asked_for() {
    let world = world().await;
    let long = json!({"jsonPredicateHints": "x".repeat(65 << 10)});
    for body in [json!({"startingVersion": 0}), long] {
        let answer = world.query(ORDERS, &[ASYNC], body).await;
        assert_eq!((answer.status.as_u16(), answer.header(ASYNC.0)), (200, "responseformat=parquet"));
        assert_eq!(answer.told().len(), 3);
    }
}
