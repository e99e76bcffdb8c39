use futures::StreamExt as _;
use std::sync::Arc;

use crate::testing::{Anyone, engine, rows};
use crate::{QueryError, Question, Settings};

async fn ask(sql: &str) -> Result<Vec<Vec<String>>, QueryError> {
    rows(&engine(Settings::default()).await, Question::new(sql, "main")).await
}

#[tokio::test]
async fn the_servers_tables_are_read() {
    let sql = "SELECT name FROM system.numbers WHERE n > 7 ORDER BY n DESC";
    assert_eq!(ask(sql).await.unwrap(), [["number 9"], ["number 8"]]);
    let sql = "SELECT count(*), sum(n) FROM main.system.numbers";
    assert_eq!(ask(sql).await.unwrap(), [["10", "45"]]);
}

#[tokio::test]
async fn names_and_columns_are_told() {
    let tables = ask("SHOW TABLES").await.unwrap();
    assert!(tables.iter().any(|row| row[1] == "system" && row[2] == "numbers"), "{tables:?}");
    let columns = ask("DESCRIBE system.numbers").await.unwrap();
    assert_eq!(columns[0][..2], ["n", "Int64"]);
}

#[tokio::test]
async fn a_plan_is_explained() {
    let plan = ask("EXPLAIN SELECT n FROM system.numbers").await.unwrap();
    assert!(plan.iter().flatten().any(|text| text.contains("SystemTable: system.numbers")), "{plan:?}");
    let plan = ask("EXPLAIN ANALYZE SELECT count(*) FROM system.numbers").await.unwrap();
    assert!(plan.iter().flatten().any(|text| text.contains("metrics=")), "{plan:?}");
}

#[tokio::test]
async fn what_is_not_there_is_told_as_invalid() {
    for sql in [
        "SELECT * FROM nowhere.t",
        "SELECT * FROM system.nothing",
        "SELECT * FROM a.b.c.d",
        "SELECT missing FROM system.numbers",
        "SELECT no_such_function(n) FROM system.numbers",
        "SELECT * FROM 's3://main/file.parquet'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_parquet('x')",
    ] {
        let error = ask(sql).await.unwrap_err();
        assert!(matches!(error, QueryError::Invalid(_) | QueryError::Unsupported(_)), "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn what_only_its_plan_tells_is_refused() {
    for sql in ["SELECT n INTO copy FROM system.numbers", "WITH t AS (SELECT 1) SELECT * INTO u FROM t"] {
        let error = ask(sql).await.unwrap_err();
        let refused = matches!(error, QueryError::NotAllowed(_) | QueryError::Unsupported(_));
        assert!(refused, "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn an_error_of_a_value_comes_when_it_is_met() {
    let engine = engine(Settings::default()).await;
    let sql = "SELECT 1 / (n - 9) FROM system.numbers";
    let mut answer = engine.query(Question::new(sql, "main"), Arc::new(Anyone::default())).await.unwrap();
    let error = answer.next().await.unwrap().unwrap_err();
    assert!(matches!(error, QueryError::Values(_)), "{error:?}");
    assert!(answer.next().await.is_none());
}
