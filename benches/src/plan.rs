//! Server-side planning of a table of many files: the table is made of manifests alone, the data files are
//! only named.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::catalog::{NAMESPACE, Warehouse};
use crate::client::{Connection, Keep, Target};
use crate::report::{Report, Tally};

/// Files a manifest.
const FILES: i64 = 5_000;
const COLUMNS: i32 = 10;
const SNAPSHOT: u64 = 5;

/// An Avro file of one block, as a manifest writer without compression makes it.
struct Avro(Vec<u8>);

impl Avro {
    fn long(&mut self, number: i64) -> &mut Self {
        let mut rest = ((number << 1) ^ (number >> 63)) as u64;
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.long(bytes.len() as i64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn file(schema: &Value, records: i64, block: &Avro) -> Bytes {
        let mut file = Avro(b"Obj\x01".to_vec());
        file.long(1).bytes(b"avro.schema").bytes(schema.to_string().as_bytes()).long(0);
        file.0.extend_from_slice(&[7; 16]);
        file.long(records).bytes(&block.0);
        file.0.extend_from_slice(&[7; 16]);
        file.0.into()
    }
}

fn record(name: &str, fields: &[(&str, i32, Value)]) -> Value {
    let field = |(name, id, of): &(&str, i32, Value)| json!({"name": name, "field-id": id, "type": of});
    json!({"type": "record", "name": name, "fields": fields.iter().map(field).collect::<Vec<_>>()})
}

/// A manifest of 5,000 files, all of one day, with counts of ten columns and bounds of nine.
fn manifest(location: &str, day: i32) -> Bytes {
    let map = |id: i32, value: &str| {
        let pair =
            record(&format!("k{id}"), &[("key", id + 1, json!("int")), ("value", id + 2, json!(value))]);
        json!({"type": "array", "logicalType": "map", "items": pair})
    };
    let file = record(
        "r2",
        &[
            ("file_path", 100, json!("string")),
            ("file_format", 101, json!("string")),
            (
                "partition",
                102,
                record("r102", &[("day", 1000, json!({"type": "int", "logicalType": "date"}))]),
            ),
            ("record_count", 103, json!("long")),
            ("file_size_in_bytes", 104, json!("long")),
            ("value_counts", 109, map(200, "long")),
            ("null_value_counts", 110, map(210, "long")),
            ("lower_bounds", 125, map(220, "bytes")),
            ("upper_bounds", 128, map(230, "bytes")),
        ],
    );
    let schema = record(
        "manifest_entry",
        &[("status", 0, json!("int")), ("snapshot_id", 1, json!("long")), ("data_file", 2, file)],
    );
    let mut block = Avro(Vec::new());
    for n in 0..FILES {
        let path =
            format!("{location}/data/day={day}/00000-{n}-f79c3e09-677c-4bbd-a479-3f349cb785e7-00001.parquet");
        block
            .long(1)
            .long(5)
            .bytes(path.as_bytes())
            .bytes(b"PARQUET")
            .long(day.into())
            .long(1_000_000)
            .long(128 << 20);
        for count in [1_000_000, 0] {
            block.long(COLUMNS.into());
            for id in 1..=COLUMNS {
                block.long(id.into()).long(count);
            }
            block.long(0);
        }
        for bound in [n * 100, n * 100 + 99] {
            block.long((COLUMNS - 1).into());
            for id in 2..=COLUMNS {
                block.long(id.into()).bytes(&bound.to_le_bytes());
            }
            block.long(0);
        }
    }
    Avro::file(&schema, FILES, &block)
}

fn manifest_list(location: &str, manifests: i64) -> Bytes {
    let summary = record(
        "r508",
        &[
            ("contains_null", 509, json!("boolean")),
            ("lower_bound", 510, json!("bytes")),
            ("upper_bound", 511, json!("bytes")),
        ],
    );
    let schema = record(
        "manifest_file",
        &[
            ("manifest_path", 500, json!("string")),
            ("manifest_length", 501, json!("long")),
            ("partition_spec_id", 502, json!("int")),
            ("added_snapshot_id", 503, json!("long")),
            ("added_files_count", 504, json!("int")),
            ("existing_files_count", 505, json!("int")),
            ("partitions", 507, json!({"type": "array", "element-id": 508, "items": summary})),
        ],
    );
    let mut block = Avro(Vec::new());
    for n in 0..manifests {
        block
            .bytes(format!("{location}/metadata/m{n}.avro").as_bytes())
            .long(2 << 20)
            .long(0)
            .long(5)
            .long(FILES)
            .long(0);
        let day = (n as i32).to_le_bytes();
        block.long(1).0.push(0);
        block.bytes(&day).bytes(&day).long(0);
    }
    Avro::file(&schema, manifests, &block)
}

/// Puts what a table needs where its location says: over S3, or into a directory of this machine.
async fn put(store: &mut Connection, uri: &str, body: Bytes) -> Result<()> {
    if let Some(path) = uri.strip_prefix("file:") {
        let path = std::path::Path::new(path);
        std::fs::create_dir_all(path.parent().context("a file has a directory")?)?;
        return Ok(std::fs::write(path, body)?);
    }
    let key = uri.strip_prefix("s3:/").with_context(|| format!("{uri} is neither s3: nor file:"))?;
    store.expect("PUT", key, "", body, Keep::Nothing).await?;
    Ok(())
}

/// The table of that many files, made when it is not there.
async fn make_table(warehouse: &Warehouse, store: &Target, name: &str, manifests: i64) -> Result<()> {
    let mut fields = vec![json!({"id": 1, "name": "day", "required": false, "type": "date"})];
    fields.extend(
        (2..=COLUMNS)
            .map(|id| json!({"id": id, "name": format!("c{id}"), "required": false, "type": "long"})),
    );
    let request = json!({
        "name": name, "stage-create": false,
        "schema": {"type": "struct", "schema-id": 0, "fields": fields},
        "partition-spec": {"spec-id": 0, "fields": [
            {"source-id": 1, "field-id": 1000, "name": "day", "transform": "identity"},
        ]},
    });
    let mut connection = warehouse.target.connect().await?;
    let made =
        connection.send("POST", &warehouse.tables(), "", request.to_string().into(), Keep::Body).await?;
    if made.status == 409 {
        return Ok(());
    }
    ensure!(made.status.is_success(), "create {name}: {}", String::from_utf8_lossy(&made.body));
    let made: Value = serde_json::from_slice(&made.body)?;
    let location = made["metadata"]["location"].as_str().context("a table has a location")?;
    let mut store = store.connect().await?;
    for day in 0..manifests {
        let uri = format!("{location}/metadata/m{day}.avro");
        put(&mut store, &uri, manifest(location, day as i32)).await?;
    }
    let list = format!("{location}/metadata/list.avro");
    put(&mut store, &list, manifest_list(location, manifests)).await?;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_millis() as u64;
    let commit = json!({"requirements": [], "updates": [
        {"action": "add-snapshot", "snapshot": {
            "snapshot-id": SNAPSHOT, "sequence-number": 1, "timestamp-ms": now, "schema-id": 0,
            "manifest-list": list, "summary": {"operation": "append"},
        }},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": SNAPSHOT},
    ]});
    let path = format!("{}/{name}", warehouse.tables());
    connection.expect("POST", &path, "", commit.to_string().into(), Keep::Nothing).await?;
    Ok(())
}

/// One plan, then every page of its tasks: files found, bytes of all answers.
async fn scan(connection: &mut Connection, table: &str, filter: &Value) -> Result<(usize, u64)> {
    let body = json!({"filter": filter}).to_string();
    let answer = connection.expect("POST", &format!("{table}/plan"), "", body.into(), Keep::Body).await?;
    let (mut files, mut bytes) = (count(&answer.body), answer.bytes);
    let mut planned: Value = serde_json::from_slice(&answer.body)?;
    while planned["status"] == "submitted" {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let id = planned["plan-id"].as_str().context("a plan that was submitted has an id")?.to_owned();
        let path = format!("{table}/plan/{id}");
        let answer = connection.expect("GET", &path, "", Bytes::new(), Keep::Body).await?;
        (files, bytes) = (files + count(&answer.body), bytes + answer.bytes);
        planned = serde_json::from_slice(&answer.body)?;
    }
    ensure!(planned["status"] == "completed", "the plan is {}: {}", planned["status"], planned["error"]);
    let mut tasks = planned["plan-tasks"].as_array().cloned().unwrap_or_default();
    while let Some(task) = tasks.pop() {
        let body = json!({"plan-task": task}).to_string();
        let page = connection.expect("POST", &format!("{table}/tasks"), "", body.into(), Keep::Body).await?;
        (files, bytes) = (files + count(&page.body), bytes + page.bytes);
        let page: More = serde_json::from_slice(&page.body)?;
        tasks.extend(page.tasks.unwrap_or_default());
    }
    Ok((files, bytes))
}

/// What a page of tasks says of further pages; its files are only counted.
#[derive(serde::Deserialize)]
struct More {
    #[serde(rename = "plan-tasks")]
    tasks: Option<Vec<Value>>,
}

fn count(body: &[u8]) -> usize {
    let wanted = b"\"file-path\"";
    body.windows(wanted.len()).filter(|window| *window == wanted).count()
}

/// Which files a plan is asked for.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Filter {
    /// Every file.
    All,
    /// The files of one day, which is one manifest.
    Day,
    /// A hundredth of the files of each day, told by the bounds of a column.
    Hundredth,
}

pub async fn plan(
    warehouse: &Warehouse,
    store: &Target,
    files: i64,
    filter: Filter,
    times: usize,
) -> Result<()> {
    let (manifests, name) = (files / FILES, format!("files-{files}"));
    ensure!(manifests > 0 && files % FILES == 0, "--files must be a multiple of {FILES}");
    make_table(warehouse, store, &name, manifests).await?;
    let table = format!("{}/namespaces/{NAMESPACE}/tables/{name}", warehouse.base);
    let (filter, expected) = match filter {
        Filter::All => (json!(true), files),
        Filter::Day => (json!({"type": "eq", "term": "day", "value": "1970-01-01"}), FILES),
        Filter::Hundredth => (json!({"type": "lt", "term": "c2", "value": 5_000}), files / 100),
    };
    let mut connection = warehouse.target.connect().await?;
    let (started, mut tally) = (Instant::now(), Tally::default());
    for _ in 0..times {
        let begun = Instant::now();
        let (found, bytes) = scan(&mut connection, &table, &filter).await?;
        ensure!(found as i64 == expected, "{found} files planned, not {expected}");
        tally.latencies.push(begun.elapsed());
        tally.bytes += bytes;
    }
    Report::new(&format!("plan {expected} of {files} files"), vec![tally], started.elapsed()).print();
    Ok(())
}
