//! SQL over HTTP and on the command line.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::events::{namespace, table};
use crate::reports::user;
use crate::support::Tarn;

const SQL: &str = "/_admin/v1/sql";

async fn ask(tarn: &Tarn, sql: &str) -> Response {
    tarn.send(Method::POST, SQL, json!({"sql": sql}).to_string().as_bytes()).await
}

async fn with_table() -> Tarn {
    let tarn = Tarn::start(1).await;
    namespace(&tarn, "main", "sales").await;
    table(&tarn, "main/sales", "orders").await;
    tarn
}

#[tokio::test]
async fn tables_are_asked_about_in_sql() {
    let tarn = with_table().await;
    for name in ["sales.orders", "main.sales.orders"] {
        let answer = ask(&tarn, &format!("SELECT count(*) AS rows, max(a) AS most FROM {name}")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.json::<Value>().await.unwrap(), json!([{"rows": 0, "most": null}]));
    }
    let tables = ask(&tarn, "SHOW TABLES").await.json::<Value>().await.unwrap();
    let has = |row: &Value| row["table_schema"] == "sales" && row["table_name"] == "orders";
    assert!(tables.as_array().unwrap().iter().any(has), "{tables}");
}

#[tokio::test]
async fn what_is_not_answered_is_told_with_its_reason() {
    let tarn = with_table().await;
    for (sql, code, says) in [
        ("SELECT *\nFORM sales.orders", "InvalidSyntax", "Line: 2"),
        ("SELECT * FROM sales.missing", "InvalidQuery", "sales.missing"),
        ("DROP TABLE sales.orders", "NotAllowed", "only SELECT"),
        ("INSERT INTO sales.orders VALUES (1)", "NotAllowed", "only SELECT"),
        ("SELECT * FROM sales.orders VERSION AS OF 7", "InvalidQuery", "no version '7'"),
        ("SELECT 1 / 0", "InvalidValue", "ivide by zero"),
    ] {
        let answer = ask(&tarn, sql).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{sql}");
        let error = answer.json::<Value>().await.unwrap()["error"].clone();
        assert_eq!(error["code"], code, "{sql}: {error}");
        assert!(error["message"].as_str().unwrap().contains(says), "{sql}: {error}");
    }
    let many = json!({"sql": "SELECT * FROM generate_series(1, 100000)", "max_rows": 10}).to_string();
    let answer = tarn.send(Method::POST, SQL, many.as_bytes()).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "LimitExceeded");
}

#[tokio::test]
async fn the_command_prints_tables_and_json() {
    let tarn = with_table().await;
    let sql = "SELECT value AS n, 'row ' || value AS text FROM generate_series(9, 10) ORDER BY value";
    let (code, out, error) = tarn.run(&["sql", sql]);
    assert_eq!((code, out.as_str()), (0, " n  text\n--  ------\n 9  row 9\n10  row 10\n"), "{error}");
    assert!(error.starts_with("2 rows in "), "{error}");
    let (code, out, _) = tarn.run(&["sql", "--json", sql]);
    let rows: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &rows[1]), (0, &json!({"n": 10, "text": "row 10"})));
    let (code, out, _) = tarn.run(&["sql", "--format", "csv", sql]);
    assert_eq!((code, out.as_str()), (0, "n,text\n9,row 9\n10,row 10\n"));
    let file = tarn.directory().join("query.sql");
    std::fs::write(&file, sql).unwrap();
    let (code, out, _) = tarn.run(&["sql", "--file", file.to_str().unwrap(), "--format", "jsonl"]);
    assert_eq!((code, out.lines().count()), (0, 2));
    let (code, _, error) = tarn.run(&["sql", "SELEC 1"]);
    assert!(code == 1 && error.contains("Line: 1, Column: 1"), "{error}");
}

#[tokio::test]
async fn what_clients_said_of_objects_and_the_files_of_tables_take_the_right_to_read_them() {
    let tarn = Tarn::start_demo().await;
    let made = tarn.send(Method::PUT, "/photos", b"").await;
    assert_eq!(made.status(), StatusCode::OK);
    for key in ["open/a", "closed/b"] {
        let headers = [("x-amz-meta-owner", "alice"), ("content-length", "0")];
        let put = tarn.send_with(Method::PUT, &format!("/photos/{key}"), &headers).await;
        assert_eq!(put.status(), StatusCode::OK, "{key}");
    }
    let allow =
        |action: &str, resource: &str| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let statements = json!([
        {"Effect": "Allow", "Action": "inventory:Query"},
        allow("s3tables:GetTableMetadataLocation", "*"),
        allow("s3:ListBucket", "arn:aws:s3:::photos"),
        allow("s3:GetObject", "arn:aws:s3:::photos/open/*"),
    ]);
    let secret = user(&tarn, "librarian", statements).await;
    let ask = async |sql: &str| {
        let body = json!({"sql": sql}).to_string();
        let answer = tarn.send_as(("librarian", &secret), Method::POST, SQL, body.as_bytes()).await;
        answer.json::<Value>().await.unwrap()
    };
    assert_eq!(
        ask("SELECT key, user_metadata AS said FROM system.objects WHERE bucket = 'photos' ORDER BY key")
            .await,
        json!([{"key": "closed/b", "said": "{}"}, {"key": "open/a", "said": "{\"owner\":\"alice\"}"}])
    );
    let counts = "SELECT (SELECT count(*) > 0 FROM system.tables) AS tables,
        (SELECT count(*) FROM system.data_files) AS files, (SELECT count(*) FROM system.manifests) AS manifests";
    // The sample tables are filled behind the start.
    let mut all = json!([]);
    for _ in 0..100 {
        let answer = tarn.send(Method::POST, SQL, json!({"sql": counts}).to_string().as_bytes()).await;
        all = answer.json::<Value>().await.unwrap();
        if all[0]["files"].as_i64() > Some(0) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(ask(counts).await, json!([{"tables": true, "files": 0, "manifests": 0}]));
    assert!(all[0]["files"].as_i64() > Some(0) && all[0]["manifests"].as_i64() > Some(0), "{all}");
}
