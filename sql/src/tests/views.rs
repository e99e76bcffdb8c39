use std::sync::Arc;

use serde_json::{Value, json};
use tarn_catalog::metadata::Schema;
use tarn_catalog::metadata::view::ViewVersion;
use tarn_catalog::state::{CreateView, Namespace, Properties, Request, TableIdent};

use super::lake::Lake;
use crate::testing::{Anyone, rows};
use crate::{Bound, QueryError, Question};

/// Makes a view of the namespace `sales`.
async fn view(lake: &Lake, name: &str, columns: &[&str], statements: &[(&str, &str)], catalog: Option<&str>) {
    let field =
        |(id, name): (usize, &&str)| json!({"id": id + 1, "name": name, "required": false, "type": "string"});
    let fields: Vec<Value> = columns.iter().enumerate().map(field).collect();
    let schema = Schema::from_json(json!({"type": "struct", "schema-id": 0, "fields": fields})).unwrap();
    let said = |(dialect, sql): &(&str, &str)| json!({"type": "sql", "sql": sql, "dialect": dialect});
    let representations: Vec<Value> = statements.iter().map(said).collect();
    let mut version = json!({
        "version-id": 1, "schema-id": 0, "timestamp-ms": 0, "summary": {},
        "representations": representations, "default-namespace": ["sales"],
    });
    if let Some(catalog) = catalog {
        version["default-catalog"] = catalog.into();
    }
    let namespace = Namespace::new(vec!["sales".into()]).unwrap();
    let request = CreateView {
        ident: TableIdent::new("main", namespace, name).unwrap(),
        schema: Arc::new(schema),
        version: ViewVersion::from_json(version).unwrap(),
        location: None,
        properties: Properties::new(),
    };
    lake.catalog.commit(Request::CreateView(request)).await.unwrap();
}

async fn ask(lake: &Lake, sql: &str) -> Result<Vec<Vec<String>>, QueryError> {
    rows(&lake.engine, Question::new(sql, "main")).await
}

#[tokio::test]
async fn a_view_is_read_by_its_own_names_in_its_own_namespace() {
    let lake = Lake::new().await;
    let sql = "SELECT t.id, upper(name) FROM t WHERE id > 3";
    view(&lake, "big", &["number", "word"], &[("spark", sql)], None).await;
    let told = ask(&lake, "SELECT word, number FROM sales.big ORDER BY number DESC").await.unwrap();
    assert_eq!(told, [["FIVE", "5"], ["FOUR", "4"]]);
    let told =
        ask(&lake, "SELECT count(*) FROM sales.big AS b JOIN sales.t ON t.id = b.number").await.unwrap();
    assert_eq!(told, [["2"]]);
    // As engines qualify names: with what they call the catalog.
    view(&lake, "all", &["n"], &[("trino", "SELECT count(*) FROM lake.sales.t, `sales`.`t`")], Some("lake"))
        .await;
    assert_eq!(ask(&lake, "SELECT n FROM main.sales.all").await.unwrap(), [["25"]]);
    let listed =
        ask(&lake, "SELECT * FROM system.numbers WHERE n IN (SELECT number FROM sales.big)").await.unwrap();
    assert_eq!(listed.len(), 2);
}

#[tokio::test]
async fn a_statement_that_is_understood_is_found_among_dialects() {
    let lake = Lake::new().await;
    let strange = ("spark", "SELECT id FROM t LATERAL VIEW explode(array(1)) x AS y");
    view(&lake, "both", &["id"], &[strange, ("other", "SELECT id FROM t WHERE id = 2")], None).await;
    assert_eq!(ask(&lake, "SELECT * FROM sales.both").await.unwrap(), [["2"]]);
    view(&lake, "strange", &["id"], &[("spark", "SELEKT id FROM t")], None).await;
    let error = ask(&lake, "SELECT * FROM sales.strange").await.unwrap_err();
    assert!(matches!(error, QueryError::Unsupported(_)), "{error:?}");
    let told = error.to_string();
    assert!(told.contains("view sales.strange cannot be run: as spark:"), "{told}");
    view(&lake, "writes", &["id"], &[("spark", "INSERT INTO t SELECT 1")], None).await;
    assert!(ask(&lake, "SELECT * FROM sales.writes").await.unwrap_err().to_string().contains("not allowed"));
    view(&lake, "narrow", &["id", "gone"], &[("spark", "SELECT id FROM t")], None).await;
    let error = ask(&lake, "SELECT * FROM sales.narrow").await.unwrap_err();
    assert!(error.to_string().contains("has 2 columns, and its query makes 1"), "{error}");
    let error = ask(&lake, "SELECT * FROM sales.both VERSION AS OF 1").await.unwrap_err();
    assert!(matches!(error, QueryError::Unsupported(_)), "{error:?}");
}

#[tokio::test]
async fn a_view_shows_no_more_than_its_reader_may_read() {
    let lake = Lake::new().await;
    view(&lake, "v", &["id"], &[("spark", "SELECT id FROM t")], None).await;
    let told = |not: &str| {
        let who = Arc::new(Anyone { not: vec![not.to_owned()] });
        let asked = lake.engine.query(Question::new("SELECT * FROM sales.v", "main"), who);
        async { asked.await.err().map(|error| error.to_string()).unwrap() }
    };
    assert!(told("t").await.contains("'main.sales.t' not found"), "{}", told("t").await);
    assert!(told("v").await.contains("'main.sales.v' not found"), "{}", told("v").await);
}

#[tokio::test]
async fn views_of_views_end() {
    let lake = Lake::new().await;
    view(&lake, "one", &["id"], &[("spark", "SELECT id FROM two")], None).await;
    view(&lake, "two", &["id"], &[("spark", "SELECT id FROM one")], None).await;
    let error = ask(&lake, "SELECT * FROM sales.one").await.unwrap_err();
    assert!(error.to_string().contains("view sales.one reads itself"), "{error}");
    view(&lake, "v0", &["id"], &[("spark", "SELECT id FROM t")], None).await;
    for n in 1..=15 {
        let sql = format!("SELECT id FROM v{0} UNION ALL SELECT id FROM v{0}", n - 1);
        view(&lake, &format!("v{n}"), &["id"], &[("spark", &sql)], None).await;
    }
    assert_eq!(ask(&lake, "SELECT count(*) FROM sales.v3").await.unwrap(), [["40"]]);
    let error = ask(&lake, "SELECT count(*) FROM sales.v15").await.unwrap_err();
    assert!(matches!(error, QueryError::Limit(Bound::Plan(_))), "{error:?}");
}
