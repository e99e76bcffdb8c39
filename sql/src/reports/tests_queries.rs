//! The shipped queries over a small lake whose rows are known.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt as _, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::json;
use tarn_catalog::{Catalog, InMemoryWarehouses};

use super::{Answer, Report, Source, Value};
use crate::system::{self, Cell, Rows};
use crate::testing::Anyone;
use crate::{Engine, Question, Reader, Settings, SystemScan, SystemTables};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Tables of the server's state with given rows.
#[derive(Default)]
struct Lake {
    rows: HashMap<&'static str, Vec<Vec<Cell>>>,
}

impl Lake {
    fn with<const N: usize>(mut self, table: &'static str, rows: Vec<[Cell; N]>) -> Self {
        let fields = system::table(table).unwrap().fields.len();
        let filled = rows.into_iter().map(|row| {
            let rest = std::iter::repeat_n(Cell::Null, fields - N);
            row.into_iter().chain(rest).collect()
        });
        self.rows.insert(table, filled.collect());
        self
    }

    /// `bucket/key`, size, days of age and entity tag of each object.
    fn with_objects(self, objects: &[(&str, i64, i64, &str)]) -> Self {
        let now = jiff::Timestamp::now().as_millisecond();
        let row = |&(name, size, days, etag): &(&str, i64, i64, &str)| {
            let (bucket, key) = name.split_once('/').unwrap();
            // A minute more: the query's now is not this one.
            let changed = Cell::Moment(now - days * DAY_MS - 60_000);
            [bucket.into(), key.into(), size.into(), changed, etag.into()]
        };
        self.with("objects", objects.iter().map(row).collect())
    }
}

impl SystemTables for Lake {
    fn names(&self) -> Vec<&'static str> {
        system::ALL.iter().map(|table| table.name).collect()
    }

    fn schema(&self, name: &str) -> Option<SchemaRef> {
        system::table(name).map(system::Table::schema)
    }

    fn scan(&self, name: &str, scan: SystemScan, _who: Arc<dyn Reader>) -> Result<SendableRecordBatchStream> {
        let mut rows = Rows::of(system::table(name).unwrap());
        for row in self.rows.get(name).into_iter().flatten() {
            rows.push_row(row.clone());
        }
        let batch = rows.batch(&scan.projection, scan.schema.clone())?;
        Ok(Box::pin(RecordBatchStreamAdapter::new(scan.schema, stream::iter([Ok(batch)]))))
    }
}

async fn ask(lake: Lake, name: &str, given: &[(&str, &str)]) -> serde_json::Value {
    let report = Report::named(name).unwrap();
    let stores = Arc::new(InMemoryWarehouses::default());
    let log = Arc::new(InMemory::new());
    let settings = tarn_catalog::Settings::default();
    let catalog = Catalog::open(log, Path::from("log"), stores.clone(), settings).await.unwrap();
    let engine = Engine::new(catalog, stores, Arc::new(lake), Settings::default()).unwrap();
    let question = Question::new(report.query(&Source::Live).unwrap(), "main");
    let bound = report.bind(given.iter().copied()).unwrap();
    let scalar = |value: Value| match value {
        Value::Text(text) => ScalarValue::Utf8(Some(text)),
        Value::Integer(number) => ScalarValue::Int64(Some(number)),
    };
    let bound = bound.into_iter().map(|(name, value)| (name.to_owned(), scalar(value))).collect();
    let answer = engine.query_with(question, bound, Arc::new(Anyone::default())).await;
    let batches: Vec<_> =
        answer.unwrap_or_else(|error| panic!("{name}: {error}")).try_collect().await.unwrap();
    let mut rows = serde_json::to_value(Answer::new(report, &batches).unwrap()).unwrap();
    for row in rows.as_array_mut().unwrap() {
        // When it was changed is another time in each run.
        row.as_object_mut().unwrap().remove("last_modified");
    }
    rows
}

fn photos() -> Lake {
    Lake::default().with_objects(&[
        ("photos/raw/2025/a", 1000, 400, "e1"),
        ("photos/raw/2026/b", 3000, 10, "e2"),
        ("photos/raw/2026/c", 1000, 2, "e1"),
        ("photos/thumbs/a", 5, 0, "e3"),
        ("photos/readme", 0, 0, "e0"),
        ("logs/raw/x", 200_000, 40, "e4"),
        ("logs/100%_done/x", 7, 100, "e5"),
    ])
}

#[tokio::test]
async fn prefixes_are_summed_to_the_depth_asked_for_the_largest_first() {
    let all = ask(photos(), "bytes-by-prefix", &[]).await;
    assert_eq!(
        all,
        json!([
            {"bucket": "logs", "prefix": "raw/", "objects": 1, "bytes": 200_000},
            {"bucket": "photos", "prefix": "raw/", "objects": 3, "bytes": 5000},
            {"bucket": "logs", "prefix": "100%_done/", "objects": 1, "bytes": 7},
            {"bucket": "photos", "prefix": "thumbs/", "objects": 1, "bytes": 5},
            {"bucket": "photos", "prefix": "", "objects": 1, "bytes": 0},
        ])
    );
    let deep = ask(photos(), "bytes-by-prefix", &[("bucket", "photos"), ("depth", "2"), ("rows", "3")]).await;
    assert_eq!(
        deep,
        json!([
            {"bucket": "photos", "prefix": "raw/2026/", "objects": 2, "bytes": 4000},
            {"bucket": "photos", "prefix": "raw/2025/", "objects": 1, "bytes": 1000},
            {"bucket": "photos", "prefix": "thumbs/", "objects": 1, "bytes": 5},
        ])
    );
}

#[tokio::test]
async fn what_is_given_is_a_value_whatever_it_looks_like() {
    for hostile in ["' OR '1'='1", "photos' --", "%", "_", "\\", "$depth", "{objects}"] {
        for parameter in ["bucket", "prefix"] {
            let rows = ask(photos(), "bytes-by-prefix", &[(parameter, hostile)]).await;
            assert_eq!(rows, json!([]), "{parameter} {hostile}");
        }
    }
    // What stands for something else in a pattern is a letter of a key.
    let rows = ask(photos(), "largest-objects", &[("prefix", "100%_")]).await;
    assert_eq!(rows, json!([{"bucket": "logs", "key": "100%_done/x", "bytes": 7}]));
}

#[tokio::test]
async fn ages_and_sizes_are_told_class_by_class() {
    let ages = ask(photos(), "bytes-by-age", &[("bucket", "photos")]).await;
    let told: Vec<(&str, i64, i64)> = ages
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["age"].as_str().unwrap(), row["objects"].as_i64().unwrap(), row["bytes"].as_i64().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("under a day", 2, 5),
            ("1 to 7 days", 1, 1000),
            ("7 to 30 days", 1, 3000),
            ("30 to 90 days", 0, 0),
            ("90 days to a year", 0, 0),
            ("over a year", 1, 1000),
        ]
    );
    let sizes = ask(photos(), "bytes-by-size-class", &[]).await;
    let told: Vec<(i64, i64)> = sizes
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["objects"].as_i64().unwrap(), row["bytes"].as_i64().unwrap()))
        .collect();
    assert_eq!(told, [(1, 0), (5, 5012), (0, 0), (1, 200_000), (0, 0), (0, 0), (0, 0), (0, 0)]);
}

#[tokio::test]
async fn the_largest_and_the_same_are_found() {
    let objects = ask(photos(), "largest-objects", &[("rows", "2")]).await;
    assert_eq!(
        objects,
        json!([
            {"bucket": "logs", "key": "raw/x", "bytes": 200_000},
            {"bucket": "photos", "key": "raw/2026/b", "bytes": 3000},
        ])
    );
    let prefixes = ask(photos(), "largest-prefixes", &[("bucket", "photos"), ("rows", "1")]).await;
    assert_eq!(prefixes, json!([{"bucket": "photos", "prefix": "raw/2026/", "objects": 2, "bytes": 4000}]));
    let same = ask(photos(), "duplicates", &[]).await;
    assert_eq!(
        same,
        json!([{"first": "photos/raw/2025/a", "etag": "e1", "copies": 2, "size": 1000, "wasted": 1000}])
    );
}

/// Two warehouses with a table each; `main` holds what nothing reaches too.
fn tables() -> Lake {
    let reached = |key: &str, kind: &str, current: bool| -> [Cell; 7] {
        [
            "main".into(),
            key.into(),
            kind.into(),
            "main".into(),
            "sales".into(),
            "orders".into(),
            current.into(),
        ]
    };
    let file = |table: &str, number: i64, content: &str, rows: i64, size: i64| -> [Cell; 8] {
        let path = format!("s3://main/sales/{table}/{number}.parquet");
        let parquet = "parquet".into();
        [
            "main".into(),
            "sales".into(),
            table.into(),
            path.into(),
            content.into(),
            parquet,
            rows.into(),
            size.into(),
        ]
    };
    Lake::default()
        .with(
            "buckets",
            vec![["main".into(), Cell::Null, true.into()], ["photos".into(), Cell::Null, false.into()]],
        )
        .with_objects(&[
            ("main/orders/data/1.parquet", 100, 9, "a"),
            ("main/orders/data/old.parquet", 40, 9, "b"),
            ("main/orders/data/lost.parquet", 70, 9, "c"),
            ("main/orders/data/being-written.parquet", 70, 0, "d"),
            ("main/orders/_delta_log/0.json", 5, 9, "e"),
            ("main/orders/data/.hidden/x", 5, 9, "f"),
            ("main/orders/data/_p=1/lost", 6, 9, "g"),
            ("photos/lost", 900, 9, "h"),
        ])
        .with(
            "reachable",
            vec![
                reached("orders/data/1.parquet", "data", true),
                reached("orders/data/1.parquet", "data", false),
                reached("orders/data/old.parquet", "data", false),
            ],
        )
        .with(
            "data_files",
            vec![
                file("orders", 1, "data", 10, 100),
                file("orders", 2, "data", 20, 300),
                file("orders", 3, "position-deletes", 1, 9),
                file("big", 1, "data", 5, 64 << 20),
                file("big", 2, "data", 5, 64 << 20),
            ],
        )
}

#[tokio::test]
async fn orphans_are_old_files_of_warehouses_that_nothing_reaches() {
    let expected = json!([
        {"warehouse": "main", "key": "orders/data/lost.parquet", "bytes": 70},
        {"warehouse": "main", "key": "orders/data/_p=1/lost", "bytes": 6},
    ]);
    assert_eq!(ask(tables(), "orphans", &[]).await, expected);
    assert_eq!(ask(tables(), "orphans", &[("warehouse", "main"), ("rows", "1")]).await, json!([expected[0]]));
    assert_eq!(ask(tables(), "orphans", &[("warehouse", "photos")]).await, json!([]));
    assert_eq!(ask(tables(), "orphans", &[("days", "30")]).await, json!([]));
    let with_young = ask(tables(), "orphans", &[("days", "0")]).await;
    assert_eq!(with_young.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn tables_are_told_by_what_they_take_and_by_the_size_of_their_files() {
    let sizes = ask(tables(), "tables-by-size", &[]).await;
    let orders = json!({"warehouse": "main", "namespace": "sales", "table": "orders", "objects": 2, "bytes": 140,
        "current_bytes": 100});
    assert_eq!(sizes, json!([orders]));
    let small = ask(tables(), "small-files", &[("files", "2")]).await;
    let orders = json!({"warehouse": "main", "namespace": "sales", "table": "orders", "files": 2, "bytes": 400,
        "bytes_per_file": 200});
    assert_eq!(small, json!([orders]));
    assert_eq!(ask(tables(), "small-files", &[("files", "3")]).await, json!([]));
}

#[tokio::test]
async fn what_is_shared_counts_tables_rows_bytes_and_who_reads() {
    let share = |name: &str| -> [Cell; 1] { [name.into()] };
    let shared = |share: &str, name: &str, kind: &str, of: Cell| -> [Cell; 7] {
        [share.into(), "sales".into(), name.into(), kind.into(), "main".into(), "sales".into(), of]
    };
    let grant = |share: &str, recipient: &str, enabled: bool| -> [Cell; 3] {
        [share.into(), recipient.into(), enabled.into()]
    };
    let lake = tables()
        .with("shares", vec![share("partners"), share("unused")])
        .with(
            "shared_tables",
            vec![
                shared("partners", "orders", "iceberg", "orders".into()),
                shared("partners", "events", "delta", Cell::Null),
            ],
        )
        .with("grants", vec![grant("partners", "acme", true), grant("partners", "former", false)]);
    assert_eq!(
        ask(lake, "share-exposure", &[]).await,
        json!([
            {"share": "partners", "recipients": 1, "tables": 2, "rows": 30, "bytes": 400},
            {"share": "unused", "recipients": 0, "tables": 0, "rows": 0, "bytes": 0},
        ])
    );
}
