//! Requests that are wrong: each is answered with the status, code and message that clients look for, and nothing else.

use reqwest::Method;
use serde_json::{Value, json};

use super::lake::{Files, Lake, ORDERS, failure, lines, urls};

const INVALID: (u16, &str) = (400, "INVALID_PARAMETER_VALUE");
const MALFORMED: (u16, &str) = (400, "MALFORMED_REQUEST");
const MISSING: (u16, &str) = (404, "RESOURCE_DOES_NOT_EXIST");

/// Expects a failure whose message has a part in it.
async fn expect(request: reqwest::RequestBuilder, (status, code): (u16, &str), part: &str, what: &str) {
    let answer = request.send().await.unwrap();
    for (name, value) in [("cache-control", "no-store"), ("content-type", "application/json; charset=utf-8")]
    {
        assert_eq!(answer.headers()[name], value, "{what}");
    }
    let (told_status, told_code, message) = failure(answer).await;
    assert_eq!((told_status, &*told_code), (status, code), "{what}: {message}");
    assert!(message.contains(part), "{what}: {message}");
    for hidden in ["lake", "s3://", "steward"] {
        assert!(!message.contains(hidden), "{what}: {message}");
    }
}

#[tokio::test]
async fn a_parameter_out_of_its_range_is_refused_by_its_name() {
    let lake = Lake::start(Files::Small).await;
    let table = |rest: &str| format!("{ORDERS}/{rest}");
    let items = "Acceptable values of 'maxResults' are 0 to 500, inclusive. (Default: 500)";
    let number = "expected a number";
    for (path, part) in [
        ("shares?maxResults=-1".into(), items),
        ("shares?maxResults=501".into(), items),
        ("shares?maxResults=many".into(), number),
        ("shares?pageToken=none".into(), "invalid 'nextPageToken'"),
        ("shares/partners/schemas?maxResults=501".into(), items),
        ("shares/partners/schemas?pageToken=%00".into(), "invalid 'nextPageToken'"),
        ("shares/partners/schemas/sales/tables?maxResults=501".into(), items),
        ("shares/partners/all-tables?maxResults=99999999999999999999".into(), number),
        (table("version?startingTimestamp=yesterday"), "Invalid startingTimestamp"),
        (table("version?startingTimestamp=2999-01-01T00:00:00Z"), "after the latest version"),
        (table("metadata?version=-1"), "version cannot be negative."),
        (table("metadata?version=x"), number),
        (table("metadata?version=7"), "no version 7; the earliest is 0, the latest 1"),
        (table("metadata?timestamp=x"), "Invalid timestamp"),
        (table("metadata?timestamp=1999-01-01T00:00:00Z"), "before the earliest version"),
        (table("metadata?timestamp=2999-01-01T00:00:00Z"), "in the future"),
        (
            table("metadata?version=1&timestamp=2022-01-01T00:00:00Z"),
            "Please only provide one of: version,timestamp",
        ),
        (table("changes"), "No startingVersion or startingTimestamp"),
        (table("changes?startingVersion=-1"), "startingVersion cannot be negative."),
        (table("changes?startingVersion=x"), "startingVersion is not a valid number."),
        (table("changes?startingVersion=9"), "cannot be greater than the latest version of the table(1)"),
        (table("changes?startingVersion=1&endingVersion=0"), "End cannot be before start."),
        (table("changes?startingVersion=0&endingVersion=x"), "endingVersion is not a valid number."),
        (
            table("changes?startingVersion=0&startingTimestamp=2022-01-01T00:00:00Z"),
            "Multiple starting arguments",
        ),
        (table("changes?startingVersion=0&endingVersion=1&endingTimestamp=x"), "Multiple ending arguments"),
        (table("changes?startingVersion=0&maxFiles=0"), "maxFiles must be positive."),
    ] {
        expect(lake.http.get(lake.url(&path)).bearer_auth(&lake.token), INVALID, part, &path).await;
    }
}

#[tokio::test]
async fn a_query_that_contradicts_itself_is_refused_in_words_that_clients_know() {
    let lake = Lake::start(Files::Small).await;
    let one = "Please only provide one of: version,timestamp,startingVersion";
    for (body, part) in [
        (json!({"version": 1, "startingVersion": 1}), one),
        (json!({"version": 1, "timestamp": "2022-01-01T00:00:00Z"}), one),
        (json!({"version": -1}), "table version cannot be negative."),
        (json!({"version": 7}), "no version 7"),
        (json!({"timestamp": "soon"}), "Invalid timestamp"),
        (json!({"timestamp": "1999-01-01T00:00:00Z"}), "before the earliest version"),
        (json!({"startingVersion": -1}), "startingVersion cannot be negative."),
        (json!({"startingVersion": 9}), "cannot be greater than the latest version of the table(1)"),
        (
            json!({"startingVersion": 1, "endingVersion": 0}),
            "must be smaller than or equal to endingVersion(0)",
        ),
        (json!({"maxFiles": 0}), "maxFiles must be positive."),
        (json!({"maxFiles": -3}), "maxFiles must be positive."),
        (json!({"version": 1, "includeRefreshToken": true}), "includeRefreshToken cannot be used when"),
        (json!({"version": 1, "refreshToken": "x"}), "refreshToken cannot be used when"),
        (json!({"pageToken": "x", "includeRefreshToken": true}), "must be used in the first page request."),
        (json!({"pageToken": "x", "refreshToken": "y"}), "must be used in the first page request."),
        (json!({"pageToken": "x"}), "Error decoding the page token."),
        (json!({"refreshToken": "x"}), "Error decoding refresh token."),
        (json!({"refreshToken": "x".repeat(5000)}), "Error decoding refresh token."),
    ] {
        expect(lake.ask(&lake.token, ORDERS, &body), INVALID, part, &body.to_string()).await;
    }
    for (header, value, part) in [
        ("delta-sharing-capabilities", "responseformat=avro", ""),
        ("fileidhash", "md5", "Unsupported fileidhash"),
        ("fileidhash", "", "Unsupported fileidhash"),
    ] {
        let request = lake.ask(&lake.token, ORDERS, &json!({})).header(header, value);
        expect(request, INVALID, part, value).await;
    }
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_and_hints_that_are_none_are_passed_over() {
    let lake = Lake::start(Files::Small).await;
    let url = lake.url(&format!("{ORDERS}/query"));
    let post = |body: Vec<u8>| lake.http.post(&url).bearer_auth(&lake.token).body(body);
    for (body, what) in [
        (b"{".to_vec(), "cut off"),
        (b"[]".to_vec(), "a list"),
        (b"null".to_vec(), "null"),
        (b"version=1".to_vec(), "a form"),
        (b"{\"timestamp\":\"\xff\"}".to_vec(), "no UTF-8"),
        (b"{\"version\":1.5}".to_vec(), "half a version"),
        (b"{\"version\":99999999999999999999}".to_vec(), "a version too large"),
        (b"{\"predicateHints\":\"a = 1\"}".to_vec(), "hints that are no list"),
        (b"{\"jsonPredicateHints\":{}}".to_vec(), "a hint that is no text"),
        ("[".repeat(1 << 20).into_bytes(), "deep lists"),
        ("{\"a\":".repeat(1 << 18).into_bytes(), "deep objects"),
    ] {
        expect(post(body), MALFORMED, "", what).await;
    }
    let long = json!({"jsonPredicateHints": "x".repeat(4 << 20)}).to_string().into_bytes();
    expect(post(long), (400, "RESOURCE_LIMIT_EXCEEDED"), "longer than", "4 MiB").await;

    // A superset of the files is always right; an error would stop a client that could go on.
    let column = json!({"op": "column", "name": "id", "valueType": "long"});
    let mut deep = json!({"op": "isNull", "children": [column]});
    for _ in 0..200 {
        deep = json!({"op": "not", "children": [deep]});
    }
    for hints in [
        json!({"predicateHints": ["string"]}),
        json!({"predicateHints": ["id = ", "'", "(((("]}),
        json!({"predicateHints": vec!["id > 0"; 2000]}),
        json!({"jsonPredicateHints": "{"}),
        json!({"jsonPredicateHints": "[".repeat(100_000)}),
        json!({"jsonPredicateHints": deep.to_string()}),
        json!({"jsonPredicateHints": "x".repeat((1 << 20) + 1)}),
        json!({"limitHint": 0}),
        json!({"limitHint": -1}),
        json!({"responseFormat": "delta", "unknown": {"a": [1]}}),
    ] {
        let answer = lake.ask(&lake.token, ORDERS, &hints).send().await.unwrap();
        let what = hints.to_string();
        assert_eq!(urls(&lines(answer).await).len(), 2, "{}", &what[..what.len().min(80)]);
    }
    for empty in ["", "  ", "{}"] {
        assert_eq!(urls(&lines(post(empty.into()).send().await.unwrap()).await).len(), 2, "{empty:?}");
    }
}

#[tokio::test]
async fn what_is_not_granted_is_not_there_and_paths_lead_nowhere_else() {
    let lake = Lake::start(Files::Small).await;
    lake.admin(Method::POST, "shares", json!({"name": "secret"})).await;
    let source = json!({"type": "delta", "bucket": "lake", "prefix": "orders"});
    let table = json!({"schema": "sales", "name": "orders", "source": source});
    lake.admin(Method::POST, "shares/secret/tables", table).await;
    for (path, part) in [
        ("shares/secret", "share 'secret' not found"),
        ("shares/none", "share 'none' not found"),
        ("shares/secret/schemas", "share 'secret' not found"),
        ("shares/none/schemas", "share 'none' not found"),
        ("shares/partners/schemas/none/tables", "schema 'none' not found"),
        ("shares/secret/all-tables", "share 'secret' not found"),
        (
            "shares/secret/schemas/sales/tables/orders/version",
            "[Share/Schema/Table] 'secret/sales/orders' does not exist, please contact your share provider for \
             further information.",
        ),
        ("shares/partners/schemas/sales/tables/none/metadata", "'partners/sales/none' does not exist"),
        ("shares/partners/schemas/none/tables/orders/metadata", "'partners/none/orders' does not exist"),
        ("shares/..%2fpartners", "not found"),
        ("shares/partners%00", "not found"),
        ("shares/partners%2fschemas", "not found"),
        ("share", "no such path"),
        ("shares/", "no such path"),
        ("shares/partners/nothing", "no such path"),
    ] {
        expect(lake.http.get(lake.url(path)).bearer_auth(&lake.token), MISSING, part, path).await;
    }
    expect(lake.http.get(lake.url("shares/%ff")).bearer_auth(&lake.token), MALFORMED, "", "no UTF-8").await;
    for (method, path) in [
        (Method::DELETE, "shares".to_owned()),
        (Method::PUT, "shares/partners".to_owned()),
        (Method::GET, format!("{ORDERS}/query")),
        (Method::POST, format!("{ORDERS}/version")),
    ] {
        let request = lake.http.request(method, lake.url(&path)).bearer_auth(&lake.token);
        expect(request, (405, "UNSUPPORTED_OPERATION"), "", &path).await;
    }
    let poll = lake.http.post(lake.url(&format!("{ORDERS}/queries/q"))).bearer_auth(&lake.token);
    expect(poll, (404, "RESOURCE_DOES_NOT_EXIST"), "", "a query that nobody submitted").await;
    let head = lake.http.head(lake.url("shares/secret/schemas/sales/tables/orders")).bearer_auth(&lake.token);
    let answer = head.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (404, String::new()));
}

#[tokio::test]
async fn a_history_that_is_not_shared_is_not_read_and_one_that_is_cut_ends_its_urls() {
    let lake = Lake::start(Files::Small).await;
    let alter = async |history: Value| {
        let path = "shares/partners/tables/sales/orders";
        lake.admin(Method::PATCH, path, json!({"history": history})).await;
    };
    let old = lake.file("region%3Deu").await;
    alter(json!({"mode": "shared", "start": 1})).await;
    assert_eq!(failure(lake.http.get(&old).send().await.unwrap()).await.0, 403);
    let since = "You can only query table data since version 1.";
    for body in [json!({"version": 0}), json!({"startingVersion": 0})] {
        expect(lake.ask(&lake.token, ORDERS, &body), INVALID, since, "before its start").await;
    }
    alter(json!({"mode": "latest"})).await;
    let ask = |path: &str| lake.http.get(lake.url(&format!("{ORDERS}/{path}"))).bearer_auth(&lake.token);
    let history = "history sharing is not enabled on table: partners.sales.orders";
    expect(ask("metadata?version=1"), INVALID, history, "of metadata").await;
    expect(lake.ask(&lake.token, ORDERS, &json!({"version": 1})), INVALID, history, "of files").await;
    let feed = "cdf is not enabled on table partners.sales.orders";
    expect(ask("changes?startingVersion=0"), INVALID, feed, "of changes").await;
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_again() {
    let lake = Lake::start(Files::Small).await;
    lake.admin(Method::PATCH, "recipients/acme", json!({"requests_per_second": 1})).await;
    let refused = loop {
        let answer = lake.get("shares").await;
        if answer.status() != 200 {
            break answer;
        }
    };
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    let (status, code, _) = failure(refused).await;
    assert_eq!((status, &*code), (429, "REQUEST_LIMIT_EXCEEDED"));
}
