//! Each call for a table leaves one record.

use axum::body::Body;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tracing::subscriber::DefaultGuard;

use super::*;
use crate::access::records::Records;

/// Keeps the records from now on. A call comes first: where records come from must be known before, because it stays silent
/// if another test makes it known at the same moment.
async fn listen(world: &World) -> (Records, DefaultGuard) {
    world.get(&format!("{ORDERS}/version")).await;
    let records = Records::default();
    let listening = tracing::subscriber::set_default(records.clone());
    (records, listening)
}

/// Call, version, files, bytes and outcome of the records since.
fn told_since(records: &Records) -> Vec<[String; 5]> {
    let field = |record: &std::collections::BTreeMap<String, String>, name: &str| {
        record.get(name).cloned().unwrap_or_default()
    };
    let names = ["call", "version", "files", "size_bytes", "outcome"];
    records.take().iter().map(|record| names.map(|name| field(record, name))).collect()
}

fn record(text: &str) -> Vec<[String; 5]> {
    let fields: Vec<String> = text.split(' ').map(|field| field.replace('-', "")).collect();
    vec![fields.try_into().unwrap()]
}

#[tokio::test]
async fn a_call_for_a_table_leaves_one_record_of_what_was_told() {
    let world = world().await;
    let (records, _listening) = listen(&world).await;
    for (method, path, body, expected) in [
        ("POST", "/query", "{}", "query 2 3 300 told"),
        ("POST", "/query", r#"{"version":1}"#, "query 1 2 200 told"),
        ("POST", "/query", r#"{"maxFiles":1}"#, "query 2 1 100 told"),
        ("POST", "/query", r#"{"version":9}"#, "query - 0 0 refused"),
        ("GET", "/changes?startingVersion=1", "", "changes 1 2 200 told"),
        ("GET", "/metadata", "", "metadata 2 0 0 told"),
        ("GET", "/version", "", "version 2 0 0 told"),
        ("HEAD", "", "", "version 2 0 0 told"),
        ("GET", "", "", "table - 0 0 told"),
        ("POST", "/temporary-table-credentials", "", "credentials - 0 0 told"),
        ("POST", "/queries/1", "{}", "query - 0 0 refused"),
    ] {
        world.ask(method, &format!("{ORDERS}{path}"), &[], body).await;
        assert_eq!(told_since(&records), record(expected), "{method} {path} {body}");
    }
    world.get("/shares/sales/schemas/eu/tables/none/version").await;
    let refused = records.take();
    assert_eq!((&*refused[0]["table"], &*refused[0]["outcome"]), ("none", "refused"));
    world.get("/shares").await;
    assert!(records.take().is_empty(), "of lists there is none");
}

#[tokio::test]
async fn an_answer_that_its_reader_leaves_is_a_record_of_what_it_took() {
    let world = world().await;
    let (records, _listening) = listen(&world).await;
    let body = Body::from(r#"{"predicateHints":["a = 1","b = 2"],"jsonPredicateHints":"{}"}"#);
    let request = world.request("POST", &format!("{ORDERS}/query"), &[], body);
    let mut answer = world.router.clone().oneshot(request).await.unwrap().into_body();
    answer.frame().await.unwrap().unwrap();
    drop(answer);
    let records = records.take();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((&*record["outcome"], &*record["hints"]), ("broken", "a = 1; b = 2; {}"));
    assert_eq!((&*record["recipient.name"], &*record["share"]), ("Acme", "sales"));
}
