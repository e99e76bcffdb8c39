//! SQL over HTTP and on the command line.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::events::{namespace, table};
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
