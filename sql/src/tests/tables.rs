use std::sync::Arc;

use super::lake::{FIRST, Lake, SECOND};
use crate::testing::{Anyone, rows};
use crate::{QueryError, Question};

async fn ask(lake: &Lake, sql: &str) -> Vec<Vec<String>> {
    rows(&lake.engine, Question::new(sql, "main")).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

#[tokio::test]
async fn files_are_read_by_field_id_whatever_their_columns_are_called() {
    let lake = Lake::new().await;
    let all = ask(&lake, "SELECT id, name, day FROM sales.t ORDER BY id").await;
    assert_eq!(
        all,
        [
            ["1", "one", ""],
            ["2", "", ""],
            ["3", "three", ""],
            ["4", "four", "1970-01-01"],
            ["5", "five", "1970-01-02"]
        ]
    );
    assert_eq!(ask(&lake, "SELECT id FROM sales.t WHERE name = 'three'").await, [["3"]]);
    assert_eq!(ask(&lake, "SELECT id FROM sales.t WHERE day > DATE '1970-01-01'").await, [["5"]]);
    assert_eq!(
        ask(&lake, "SELECT id FROM main.sales.t WHERE name IS NULL OR name LIKE 'f%' ORDER BY 1").await,
        [["2"], ["4"], ["5"]]
    );
    assert_eq!(ask(&lake, "SELECT count(*), count(name), count(day) FROM sales.t").await, [["5", "4", "2"]]);
    let joined = "SELECT a.id FROM sales.t a JOIN sales.t b ON a.id = b.id + 3 ORDER BY 1";
    assert_eq!(ask(&lake, joined).await, [["4"], ["5"]]);
}

#[tokio::test]
async fn a_table_is_read_as_it_was_under_the_names_it_had() {
    let lake = Lake::new().await;
    for sql in [
        format!("SELECT max(label) FROM sales.t VERSION AS OF {FIRST}"),
        format!("SELECT max(t.label) FROM sales.t FOR SYSTEM_VERSION AS OF {FIRST}"),
        format!("SELECT max(label) FROM sales.\"t@{FIRST}\""),
    ] {
        assert_eq!(ask(&lake, &sql).await, [["three"]]);
    }
    for version in ["'main'".to_owned(), SECOND.to_string()] {
        let sql = format!("SELECT count(day) FROM sales.t VERSION AS OF {version} AS old");
        assert_eq!(ask(&lake, &sql).await, [["2"]]);
    }
    assert_eq!(ask(&lake, "SELECT count(*) FROM sales.t TIMESTAMP AS OF '2999-01-01'").await, [["5"]]);
    let before = Question::new("SELECT * FROM sales.t TIMESTAMP AS OF '1999-01-01'", "main");
    assert!(matches!(rows(&lake.engine, before).await, Err(QueryError::Invalid(_))));
}

#[tokio::test]
async fn files_without_a_row_asked_for_are_left_out() {
    let lake = Lake::new().await;
    let plan = |filter: &str| format!("EXPLAIN SELECT name FROM sales.t WHERE {filter}");
    for (filter, first, second) in [
        ("id = 2", true, false),
        ("id > 3", false, true),
        ("id IN (1, 5)", true, true),
        ("id > 9", false, false),
    ] {
        let plan = ask(&lake, &plan(filter)).await.concat().concat();
        let has = |snapshot: i64| plan.contains(&format!("data/{snapshot}.parquet"));
        assert_eq!((has(FIRST), has(SECOND)), (first, second), "{filter}: {plan}");
    }
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_not_there() {
    let lake = Lake::new().await;
    let stranger = || Arc::new(Anyone { not: vec!["t".into()] });
    let told = |sql: &'static str| lake.engine.query(Question::new(sql, "main"), stranger());
    let hidden = told("SELECT * FROM sales.t").await.err().map(|error| error.to_string());
    let missing = told("SELECT * FROM sales.u").await.err().map(|error| error.to_string());
    assert_eq!(hidden.unwrap().replace("sales.t", "sales.u"), missing.unwrap());
    let tables = ask(&lake, "SHOW TABLES").await;
    assert!(tables.iter().any(|row| row[1..3] == ["sales", "t"]), "{tables:?}");
}
