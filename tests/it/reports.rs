//! Saved reports over a small lake whose rows are known: through the API, on the command line, in the console; and who sees what.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ACCESS_KEY, SECRET_KEY, Tarn};

async fn put(tarn: &Tarn, path: &str, body: &[u8]) {
    let answer = tarn.send(Method::PUT, path, body).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
}

/// Two buckets with objects, a table without rows, and a file in its warehouse that nothing names.
async fn lake() -> Tarn {
    let tarn = Tarn::start(1).await;
    for bucket in ["/photos", "/payroll"] {
        put(&tarn, bucket, b"").await;
    }
    for (key, bytes) in [("raw/2025/a", 1000), ("raw/2026/b", 3000), ("raw/2026/c", 1000), ("readme", 8)] {
        put(&tarn, &format!("/photos/{key}"), &vec![b'x'; bytes]).await;
    }
    put(&tarn, "/photos/%3Cscript%3Ealert(1)%3C%2Fscript%3E%26%22'", &[b'y'; 20]).await;
    put(&tarn, "/payroll/2026/salaries", &[b'z'; 5000]).await;
    admin(&tarn, Method::POST, "/_iceberg/v1/main/namespaces", json!({"namespace": ["sales"]})).await;
    let fields = json!([{"id": 1, "name": "id", "required": true, "type": "long"}]);
    let table = json!({"name": "orders", "schema": {"type": "struct", "fields": fields}});
    admin(&tarn, Method::POST, "/_iceberg/v1/main/namespaces/sales/tables", table).await;
    put(&tarn, "/main/sales/orders/data/lost.parquet", &[b'l'; 70]).await;
    tarn
}

async fn admin(tarn: &Tarn, method: Method, path: &str, body: Value) -> Value {
    let answer = tarn.send(method, path, body.to_string().as_bytes()).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

async fn answer(tarn: &Tarn, key: (&str, &str), report: &str) -> (StatusCode, Value) {
    let answer = tarn.send_as(key, Method::GET, &format!("/_admin/v1/reports/{report}"), b"").await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
}

/// The rows root sees.
async fn rows(tarn: &Tarn, report: &str) -> Value {
    let (status, told) = answer(tarn, (ACCESS_KEY, SECRET_KEY), report).await;
    assert_eq!(status, StatusCode::OK, "{report}: {told}");
    told["rows"].clone()
}

/// A user whose policy has these statements; its secret.
pub async fn user(tarn: &Tarn, name: &str, statements: Value) -> String {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    admin(tarn, Method::PUT, &format!("/_admin/v1/policies/{name}"), policy).await;
    let made = admin(tarn, Method::POST, "/_admin/v1/users", json!({"name": name, "policies": [name]})).await;
    made["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn reports_of_objects_tell_what_is_there_now() {
    let tarn = lake().await;
    assert_eq!(
        rows(&tarn, "bytes-by-prefix?bucket=photos&depth=2").await,
        json!([
            {"bucket": "photos", "prefix": "raw/2026/", "objects": 2, "bytes": 4000},
            {"bucket": "photos", "prefix": "raw/2025/", "objects": 1, "bytes": 1000},
            {"bucket": "photos", "prefix": "<script>alert(1)</", "objects": 1, "bytes": 20},
            {"bucket": "photos", "prefix": "", "objects": 1, "bytes": 8},
        ])
    );
    let ages = rows(&tarn, "bytes-by-age?bucket=photos").await;
    assert_eq!(ages[0], json!({"age": "under a day", "objects": 5, "bytes": 5028}));
    assert_eq!(ages.as_array().unwrap().len(), 6);
    let sizes = rows(&tarn, "bytes-by-size-class?bucket=photos&prefix=raw/").await;
    assert_eq!(sizes[1], json!({"size": "up to 4 KiB", "objects": 3, "bytes": 5000}));
    let largest = rows(&tarn, "largest-objects?rows=1").await;
    assert_eq!((&largest[0]["key"], &largest[0]["bytes"]), (&json!("2026/salaries"), &json!(5000)));
    let same = rows(&tarn, "duplicates").await;
    assert_eq!((&same[0]["first"], &same[0]["wasted"]), (&json!("photos/raw/2025/a"), &json!(1000)));
    assert_eq!(same.as_array().unwrap().len(), 1);
    put(&tarn, "/photos/raw/2026/d", &[b'd'; 7]).await;
    assert_eq!(rows(&tarn, "largest-prefixes?bucket=photos").await[0]["bytes"], json!(4007));
}

#[tokio::test]
async fn reports_over_an_inventory_tell_its_last_run_and_growth_tells_two() {
    let tarn = lake().await;
    let yaml = "apiVersion: v1\nid: daily\ndestination:\n  format: iceberg\nincludeFields: [ETag]\n";
    let file = tarn.directory().join("daily.yaml");
    std::fs::write(&file, yaml).unwrap();
    let run = |arguments: &[&str]| {
        let (code, _, errors) = tarn.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {errors}");
    };
    run(&["inventory", "put", "photos", file.to_str().unwrap(), "--wait"]);
    put(&tarn, "/photos/raw/2026/d", &[b'd'; 700]).await;
    let removed = tarn.send(Method::DELETE, "/photos/raw/2025/a", b"").await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    let (status, told) = answer(&tarn, (ACCESS_KEY, SECRET_KEY), "growth?inventory=photos/daily").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "one run has not grown: {told}");
    run(&["inventory", "run", "photos", "daily", "--wait"]);
    put(&tarn, "/photos/raw/2026/after", &[b'e'; 9]).await;
    assert_eq!(
        rows(&tarn, "growth?inventory=photos/daily&depth=2&prefix=raw/").await,
        json!([
            {"bucket": "photos", "prefix": "raw/2025/", "objects_before": 1, "objects_after": 0,
             "bytes_before": 1000, "bytes_after": 0, "growth": -1000},
            {"bucket": "photos", "prefix": "raw/2026/", "objects_before": 2, "objects_after": 3,
             "bytes_before": 4000, "bytes_after": 4700, "growth": 700},
        ])
    );
    let of_the_run = rows(&tarn, "bytes-by-prefix?inventory=photos/daily&depth=2&prefix=raw/").await;
    assert_eq!(of_the_run, json!([{"bucket": "photos", "prefix": "raw/2026/", "objects": 3, "bytes": 4700}]));
    for report in ["bytes-by-age", "bytes-by-size-class", "duplicates", "largest-objects", "largest-prefixes"]
    {
        assert!(rows(&tarn, &format!("{report}?inventory=photos/daily")).await.is_array(), "{report}");
    }
}

#[tokio::test]
async fn reports_of_tables_tell_orphans_sizes_and_what_is_shared() {
    let tarn = lake().await;
    // Nothing that the table names is among them, and a young file is a writer's.
    assert_eq!(rows(&tarn, "orphans").await, json!([]));
    let orphans = rows(&tarn, "orphans?days=0&warehouse=main").await;
    assert_eq!(orphans.as_array().unwrap().len(), 1, "{orphans}");
    assert_eq!(orphans[0]["key"], json!("sales/orders/data/lost.parquet"));
    let sizes = rows(&tarn, "tables-by-size").await;
    assert_eq!((&sizes[0]["table"], &sizes[0]["objects"]), (&json!("orders"), &json!(1)));
    assert_eq!(sizes[0]["bytes"], sizes[0]["current_bytes"]);
    assert_eq!(rows(&tarn, "small-files").await, json!([]));
    admin(&tarn, Method::POST, "/_admin/v1/shares", json!({"name": "partners"})).await;
    let source = json!({"type": "iceberg", "warehouse": "main", "namespace": ["sales"], "table": "orders"});
    let table = json!({"schema": "sales", "name": "orders", "source": source});
    admin(&tarn, Method::POST, "/_admin/v1/shares/partners/tables", table).await;
    admin(&tarn, Method::POST, "/_admin/v1/recipients", json!({"name": "acme"})).await;
    admin(&tarn, Method::PUT, "/_admin/v1/shares/partners/grants/acme", json!({"filters": {}})).await;
    let shared = json!([{"share": "partners", "recipients": 1, "tables": 1, "rows": 0, "bytes": 0}]);
    assert_eq!(rows(&tarn, "share-exposure").await, shared);
}

#[tokio::test]
async fn the_versions_of_a_view_and_files_that_readers_of_shares_may_ask_for_are_no_orphans() {
    let mut tarn = lake().await;
    let version = json!({
        "version-id": 1, "timestamp-ms": 1_750_000_000_000_i64, "schema-id": 0, "summary": {},
        "default-namespace": ["sales"],
        "representations": [{"type": "sql", "sql": "SELECT 1 AS one", "dialect": "spark"}],
    });
    let schema = json!({"type": "struct", "schema-id": 0, "fields": []});
    let view = json!({"name": "ones", "schema": schema, "view-version": version, "properties": {}});
    let views = "/_iceberg/v1/main/namespaces/sales/views";
    admin(&tarn, Method::POST, views, view).await;
    let update = json!({"action": "set-properties", "updates": {"comment": "of ones"}});
    let change = json!({"requirements": [], "updates": [update]});
    admin(&tarn, Method::POST, &format!("{views}/ones"), change).await;
    let orders = "/_iceberg/v1/main/namespaces/sales/tables/orders";
    let loaded = admin(&tarn, Method::GET, orders, Value::Null).await;
    let location = loaded["metadata"]["location"].as_str().unwrap().strip_prefix("s3:/").unwrap();
    put(&tarn, &format!("{location}/data/replaced.parquet"), &[b'r'; 90]).await;
    let keys = async |tarn: &Tarn| {
        let orphans = rows(tarn, "orphans?days=0").await;
        let keys = orphans.as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned());
        keys.collect::<Vec<_>>()
    };
    let replaced = format!("{}/data/replaced.parquet", location.strip_prefix("/main/").unwrap());
    let lost = "sales/orders/data/lost.parquet";
    assert_eq!(keys(&tarn).await, [replaced.as_str(), lost]);
    admin(&tarn, Method::POST, "/_admin/v1/shares", json!({"name": "partners"})).await;
    let source = json!({"type": "iceberg", "warehouse": "main", "namespace": ["sales"], "table": "orders"});
    let table = json!({"schema": "sales", "name": "orders", "source": source});
    admin(&tarn, Method::POST, "/_admin/v1/shares/partners/tables", table).await;
    // What was given out before a start is not known.
    tarn.stop().await;
    tarn.restart().await;
    assert_eq!(keys(&tarn).await, [lost]);
}

#[tokio::test]
async fn nobody_sees_rows_of_what_it_may_not_see() {
    let tarn = lake().await;
    let query = json!({"Effect": "Allow", "Action": "inventory:Query"});
    let list = json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos"});
    let secret = user(&tarn, "photographer", json!([query, list])).await;
    let key = ("photographer", secret.as_str());
    let (_, told) = answer(&tarn, key, "bytes-by-prefix").await;
    let prefixes = told["rows"].as_array().unwrap();
    assert!(!prefixes.is_empty() && prefixes.iter().all(|row| row["bucket"] == "photos"), "{prefixes:?}");
    for hidden in [
        "bytes-by-prefix?bucket=payroll",
        "tables-by-size",
        "orphans?days=0",
        "share-exposure",
        "small-files",
    ] {
        assert_eq!(answer(&tarn, key, hidden).await.1["rows"], json!([]), "{hidden}");
    }
    // Who may list the warehouse and load no table: its files are no orphans for all that, and its name is not told.
    let list = json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::main"});
    let secret = user(&tarn, "keeper", json!([query, list])).await;
    let key = ("keeper", secret.as_str());
    let (_, orphans) = answer(&tarn, key, "orphans?days=0").await;
    assert_eq!(orphans["rows"].as_array().unwrap().len(), 1, "{orphans}");
    assert_eq!(answer(&tarn, key, "tables-by-size").await.1["rows"], json!([]));
    // Who may list a part of a bucket sees that part when it asks for it.
    let within = json!({"StringLike": {"s3:prefix": "raw/*"}});
    let list = json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos", "Condition": within});
    let secret = user(&tarn, "assistant", json!([query, list])).await;
    let key = ("assistant", secret.as_str());
    assert_eq!(answer(&tarn, key, "largest-objects").await.1["rows"], json!([]));
    let secret = user(&tarn, "outsider", json!([list])).await;
    let (status, refused) = answer(&tarn, ("outsider", secret.as_str()), "bytes-by-prefix").await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::FORBIDDEN, &json!("AccessDenied")));
}

#[tokio::test]
async fn what_is_wrong_with_a_report_is_told() {
    let tarn = lake().await;
    for (report, status, told) in [
        ("nothing", 404, "there is no report"),
        ("bytes-by-prefix?depth=0", 400, "a whole number from 1 to 32"),
        ("bytes-by-prefix?depth=1;DROP%20TABLE%20x", 400, "a whole number from 1 to 32"),
        ("bytes-by-prefix?dept=1", 400, "it takes bucket, prefix, depth, rows"),
        ("bytes-by-prefix?rows=1&rows=2", 400, "more than once"),
        ("bytes-by-prefix?inventory=x", 400, "bucket/id is expected"),
        ("bytes-by-prefix?inventory=photos/%22%3BDROP", 400, "bucket/id is expected"),
        ("small-files?inventory=photos/daily", 400, "does not read objects"),
        ("growth", 400, "name one, as bucket/id"),
        ("growth?inventory=photos/daily", 404, "there is no inventory photos/daily"),
        ("growth?inventory=photos/daily&from=now", 400, "the id of a snapshot"),
        ("bytes-by-prefix?from=1", 400, "runs of an inventory"),
    ] {
        let (found, refused) = answer(&tarn, (ACCESS_KEY, SECRET_KEY), report).await;
        assert_eq!(found.as_u16(), status, "{report}: {refused}");
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(told), "{report}: {message}");
    }
    for hostile in ["'%20OR%20'1'='1", "%25", "$depth", "%7Bobjects%7D"] {
        assert_eq!(rows(&tarn, &format!("bytes-by-prefix?bucket={hostile}")).await, json!([]));
    }
}

#[tokio::test]
async fn a_report_is_a_chart_whose_names_are_text_and_csv() {
    let tarn = lake().await;
    let path = "/_admin/v1/reports/largest-objects?bucket=photos";
    let chart = tarn.send_with(Method::GET, path, &[("accept", "image/svg+xml")]).await;
    let header = |name: &str| chart.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("content-type"), header("x-content-type-options")),
        ("image/svg+xml".into(), "nosniff".into())
    );
    assert!(header("content-security-policy").contains("default-src 'none'"));
    let svg = chart.text().await.unwrap();
    assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&apos;"), "{svg}");
    assert!(
        !svg.contains("<script") && svg.trim_end().ends_with("</svg>") && svg.contains("2.9 KiB"),
        "{svg}"
    );
    let csv = tarn.send_with(Method::GET, path, &[("accept", "text/csv")]).await.text().await.unwrap();
    assert!(csv.starts_with("bucket,key,bytes,last_modified\r\nphotos,raw/2026/b,3000,"), "{csv}");
    assert!(csv.contains("photos,\"<script>alert(1)</script>&\"\"'\",20,"), "{csv}");
    let png = tarn.send_with(Method::GET, path, &[("accept", "image/png")]).await;
    assert!(png.text().await.unwrap().contains("NotImplemented"));
}

#[tokio::test]
async fn the_command_line_prints_reports_with_bars_and_writes_charts() {
    let tarn = lake().await;
    let ok = |arguments: &[&str]| {
        let (code, out, error) = tarn.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {error}");
        out
    };
    let list = ok(&["report", "list"]);
    assert!(
        list.contains("bytes-by-prefix: ") && list.contains("depth: ") && list.contains("[default: 1]"),
        "{list}"
    );
    let file = tarn.directory().join("chart.svg");
    let table = ok(&[
        "report",
        "bytes-by-prefix",
        "--param",
        "bucket=photos",
        "-p",
        "rows=2",
        "--plot",
        file.to_str().unwrap(),
    ]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((lines[0], lines[4]), ("Bytes by prefix", "2 rows"), "{table}");
    assert!(
        lines[2].contains("raw/") && lines[2].contains("4.9 KiB") && lines[2].ends_with(&"#".repeat(30)),
        "{table}"
    );
    assert!(lines[3].contains("20 B") && lines[3].ends_with("  #"), "{table}");
    assert!(std::fs::read_to_string(file).unwrap().starts_with("<svg"));
    let csv = ok(&["report", "largest-objects", "-p", "rows=1", "--csv"]);
    assert!(csv.starts_with("bucket,key,bytes,last_modified"), "{csv}");
    let whole: Value = serde_json::from_str(&ok(&["report", "duplicates", "--json"])).unwrap();
    assert_eq!(whole["rows"].as_array().unwrap().len(), 1);
    for (arguments, code) in [
        (&["report", "duplicates", "--plot", "x.png"][..], 2),
        (&["report", "duplicates", "--param", "rows"][..], 2),
        (&["report", "nothing"][..], 4),
        (&["report", "duplicates", "-p", "rows=0"][..], 1),
    ] {
        assert_eq!(tarn.run(arguments).0, code, "{arguments:?}");
    }
}

#[tokio::test]
async fn the_console_is_static_locked_in_and_works_by_a_token() {
    let tarn = lake().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (file, kind) in
        [("reports", "text/html"), ("reports.js", "text/javascript"), ("reports.css", "text/css")]
    {
        let page = http.get(format!("{}/_console/{file}", tarn.endpoint())).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let header = |name: &str| page.headers()[name].to_str().unwrap();
        assert!(header("content-type").starts_with(kind));
        assert!(header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
    }
    let api = format!("{}/_admin/v1/reports", tarn.endpoint());
    assert_eq!(http.get(&api).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let form = format!("grant_type=client_credentials&client_id={ACCESS_KEY}&client_secret={SECRET_KEY}");
    let token = http.post(format!("{}/_iceberg/v1/oauth/tokens", tarn.endpoint()));
    let token =
        token.header("content-type", "application/x-www-form-urlencoded").body(form).send().await.unwrap();
    let token: Value = serde_json::from_str(&token.text().await.unwrap()).unwrap();
    let list = http.get(&api).bearer_auth(token["access_token"].as_str().unwrap()).send().await.unwrap();
    let list: Value = serde_json::from_str(&list.text().await.unwrap()).unwrap();
    assert_eq!(list["reports"][0]["name"], json!("bytes-by-age"));
}

#[tokio::test]
async fn the_routes_of_inventories_leave_jobs_alone_that_only_have_such_a_name() {
    let tarn = lake().await;
    let spec = json!({"bucket": "photos", "id": "daily", "iceberg": true});
    let job = json!({"kind": "inventory", "spec": spec, "schedule": "once", "enabled": false});
    admin(&tarn, Method::PUT, "/_admin/v1/jobs/photos%2Fother", job).await;
    let gone = tarn.send(Method::DELETE, "/_admin/v1/inventory/photos/other", b"").await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    let yaml = b"apiVersion: v1\nid: other\ndestination:\n  format: iceberg\n";
    let put = tarn.send(Method::PUT, "/_admin/v1/inventory/photos/other", yaml).await;
    assert_eq!(put.status(), StatusCode::BAD_REQUEST, "{}", put.text().await.unwrap());
    let kept = admin(&tarn, Method::GET, "/_admin/v1/jobs/photos%2Fother", Value::Null).await;
    assert_eq!(kept["spec"]["id"], json!("daily"), "{kept}");
}
