use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;

use crate::testing::{Anyone, engine, rows};
use crate::{Bound, Limits, QueryError, Question, Settings};

fn tight() -> Settings {
    Settings { memory_bytes: 32 << 20, spill_bytes: 32 << 20, threads: 2, ..Settings::default() }
}

fn hostile(sql: &str, time: Duration) -> Question {
    let limits = Limits { rows: 1_000_000, bytes: 64 << 20, time };
    Question { limits, ..Question::new(sql, "main") }
}

#[tokio::test]
async fn an_answer_ends_at_its_limits() {
    let engine = engine(tight()).await;
    let question = |rows, bytes| Question {
        limits: Limits { rows, bytes, time: Duration::from_secs(60) },
        ..Question::new("SELECT * FROM system.numbers", "main")
    };
    assert_eq!(rows(&engine, question(10, 1 << 20)).await.unwrap().len(), 10);
    let error = rows(&engine, question(9, 1 << 20)).await.unwrap_err();
    assert!(matches!(error, QueryError::Limit(Bound::Rows(9))), "{error:?}");
    let error = rows(&engine, question(10, 20)).await.unwrap_err();
    assert!(matches!(error, QueryError::Limit(Bound::Bytes(20))), "{error:?}");
}

#[tokio::test]
async fn queries_that_never_end_are_ended() {
    let engine = engine(tight()).await;
    for sql in [
        "SELECT count(*) FROM generate_series(1, 9000000000000000000)",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n FROM t) SELECT count(*) FROM t",
        "SELECT count(*) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b WHERE a.value * b.value = 7",
    ] {
        let error = rows(&engine, hostile(sql, Duration::from_secs(2))).await.unwrap_err();
        assert!(matches!(error, QueryError::Limit(Bound::Time(_) | Bound::Memory(_))), "{sql}: {error:?}");
    }
    // None of them holds a turn or a thread now.
    let sql = "SELECT count(*) FROM system.numbers";
    assert_eq!(rows(&engine, hostile(sql, Duration::from_secs(60))).await.unwrap(), [["10"]]);
}

#[tokio::test]
async fn a_query_that_needs_too_much_memory_is_ended() {
    let engine = engine(tight()).await;
    for sql in [
        "SELECT a.value FROM generate_series(1, 50000000) a ORDER BY a.value % 1000003, a.value LIMIT 10000000",
        "SELECT count(DISTINCT value) FROM generate_series(1, 100000000)",
        "SELECT array_agg(value) FROM generate_series(1, 100000000)",
    ] {
        let error = rows(&engine, hostile(sql, Duration::from_secs(120))).await.unwrap_err();
        assert!(matches!(error, QueryError::Limit(_)), "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn a_dropped_answer_gives_its_turn_back() {
    let settings = Settings { queries_at_once: 1, turn_wait: Duration::from_millis(10), ..tight() };
    let engine = engine(settings).await;
    let sql = "SELECT value FROM generate_series(1, 9000000000000000000)";
    let question = || hostile(sql, Duration::from_secs(600));
    let mut answer = engine.query(question(), Arc::new(Anyone::default())).await.unwrap();
    assert!(answer.next().await.unwrap().is_ok());
    let busy = engine.query(question(), Arc::new(Anyone::default())).await;
    assert!(matches!(busy, Err(QueryError::Busy { .. })));
    drop(answer);
    for _ in 0..1_000 {
        match engine.query(question(), Arc::new(Anyone::default())).await {
            Ok(_) => return,
            Err(error) => assert!(matches!(error, QueryError::Busy { .. }), "{error:?}"),
        }
    }
    panic!("the turn was not given back");
}

#[tokio::test]
async fn a_long_chain_of_operators_is_answered_or_refused() {
    let engine = engine(tight()).await;
    let chain = format!("SELECT 1{}", " + 1".repeat(900));
    let answered = rows(&engine, hostile(&chain, Duration::from_secs(300))).await;
    assert!(answered.is_ok_and(|rows| rows == [["901"]]));
    let chain = format!("SELECT count(*) FROM system.numbers WHERE n = 1{}", " OR n = 1".repeat(900));
    let answered = rows(&engine, hostile(&chain, Duration::from_secs(300))).await;
    assert!(answered.is_ok_and(|rows| rows == [["1"]]));
}

#[tokio::test]
async fn a_value_that_would_be_too_long_is_not_made() {
    let engine = engine(tight()).await;
    for sql in [
        "SELECT length(repeat('x', 1000000000))",
        "SELECT length(repeat(name, 100000000)) FROM system.numbers",
        "SELECT length(lpad('x', 1000000000))",
        "SELECT length(replace(repeat('a', 100000), 'a', repeat('b', 100000)))",
        "SELECT cardinality(range(0, 1000000000))",
        "SELECT cardinality(array_repeat(1, 1000000000))",
        "SELECT length(array_to_string(range(0, 100000), repeat('x', 100000)))",
        "SELECT levenshtein(repeat('x', 10000000), repeat('y', 10000000))",
        "SELECT length(repeat('x', 40000000) || repeat('y', 40000000))",
    ] {
        let error = rows(&engine, hostile(sql, Duration::from_secs(60))).await.unwrap_err();
        assert!(matches!(error, QueryError::Limit(Bound::Value { .. })), "{sql}: {error:?}");
    }
    let joined =
        "SELECT 'a' || 'b' || NULL, name || '-' || n, [1] || [2] FROM system.numbers WHERE n || '' = '1'";
    assert_eq!(
        rows(&engine, hostile(joined, Duration::from_secs(60))).await.unwrap(),
        [["", "number 1-1", "[1, 2]"]]
    );
    let named =
        engine.query(hostile("SELECT 'a' || 'b'", Duration::from_secs(60)), Arc::new(Anyone::default()));
    assert_eq!(named.await.unwrap().schema().field(0).name(), "Utf8(\"a\") || Utf8(\"b\")");
    let short =
        "SELECT repeat('ab', 3), lpad('7', 3, '0'), replace('aXa', 'X', '-'), range(1, 3), concat('a', 'b')";
    let told = rows(&engine, hostile(short, Duration::from_secs(60))).await.unwrap();
    assert_eq!(told, [["ababab", "007", "a-a", "[1, 2]", "ab"]]);
}

#[tokio::test]
async fn a_join_whose_sides_do_not_fit_into_memory_sorts_them() {
    let settings = Settings { spill_bytes: 2 << 30, ..tight() };
    let engine = engine(settings).await;
    let sql = "SELECT count(*) FROM generate_series(1, 3000000) a JOIN generate_series(1, 3000000) b ON a.value = b.value";
    let answer = rows(&engine, hostile(sql, Duration::from_secs(600))).await;
    assert_eq!(answer.unwrap(), [["3000000"]]);
}

#[tokio::test]
async fn a_cube_of_many_columns_is_refused_before_it_is_planned() {
    let engine = engine(tight()).await;
    let cube = |columns: i64| {
        let columns: Vec<String> = (2..2 + columns).map(|by| format!("n % {by}")).collect();
        hostile(
            &format!("SELECT count(*) FROM system.numbers GROUP BY CUBE({})", columns.join(", ")),
            Duration::from_secs(60),
        )
    };
    assert_eq!(rows(&engine, cube(2)).await.unwrap().len(), 12);
    for columns in [14, 40, 100] {
        let error = rows(&engine, cube(columns)).await.unwrap_err();
        assert!(matches!(error, QueryError::Limit(Bound::Plan(_))), "{columns}: {error:?}");
    }
}
