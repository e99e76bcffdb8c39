//! A plan of a million files, with its time and memory. Run by hand:
//! `cargo test --release -p tarn-catalog a_million_files -- --ignored --nocapture`

use std::time::Instant;

use bytes::Bytes;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::{Value, json};

use super::{Server, server};
use crate::scan::tests::lake::Lake;
use crate::warehouses::WarehouseStores as _;

const MANIFESTS: usize = 200;
const FILES: usize = 5_000;
const COLUMNS: i32 = 10;
const TABLE: &str = "/v1/main/namespaces/sales/tables/t";

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

/// A manifest of 5,000 files, all of one day, with counts and bounds of ten columns.
fn manifest(day: i32) -> Bytes {
    let map = |id: i32, value: &str| {
        let pair =
            record(&format!("k{id}"), &[("key", id + 1, json!("int")), ("value", id + 2, json!(value))]);
        json!({"type": "array", "items": pair})
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
    for n in 0..FILES as i64 {
        let path = format!(
            "s3://main/sales/t/data/day={day}/00000-{n}-f79c3e09-677c-4bbd-a479-3f349cb785e7-00001.parquet"
        );
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
            block.long(COLUMNS.into());
            for id in 1..=COLUMNS {
                block.long(id.into()).bytes(&bound.to_le_bytes());
            }
            block.long(0);
        }
    }
    Avro::file(&schema, FILES as i64, &block)
}

fn manifest_list(folder: &str) -> Bytes {
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
            ("partitions", 507, json!({"type": "array", "items": summary})),
        ],
    );
    let mut block = Avro(Vec::new());
    for n in 0..MANIFESTS as i64 {
        block
            .bytes(format!("{folder}/metadata/m{n}.avro").as_bytes())
            .long(2 << 20)
            .long(0)
            .long(5)
            .long(FILES as i64)
            .long(0);
        let day = (n as i32).to_le_bytes();
        block.long(1).0.push(0);
        block.bytes(&day).bytes(&day).long(0);
    }
    Avro::file(&schema, MANIFESTS as i64, &block)
}

async fn with_table() -> Server {
    let server = server().await;
    let mut fields = vec![json!({"id": 1, "name": "day", "required": false, "type": "date"})];
    fields.extend(
        (2..=COLUMNS)
            .map(|id| json!({"id": id, "name": format!("c{id}"), "required": false, "type": "long"})),
    );
    let request = json!({
        "name": "t", "schema": {"type": "struct", "fields": fields},
        "partition-spec": {"spec-id": 0, "fields": [{"source-id": 1, "name": "day", "transform": "identity"}]},
    });
    let created = server.post("/v1/main/namespaces/sales/tables", request).await;
    let location = created.body["metadata"]["location"].as_str().unwrap().to_owned();
    let store = server.warehouses.store("main");
    let key =
        |name: &str| Path::from(format!("{}/metadata/{name}", location.strip_prefix("s3://main/").unwrap()));
    for n in 0..MANIFESTS {
        store.put(&key(&format!("m{n}.avro")), manifest(n as i32).into()).await.unwrap();
    }
    store.put(&key("list.avro"), manifest_list(&location).into()).await.unwrap();
    let commit = json!({"requirements": [], "updates": [
        {"action": "add-snapshot", "snapshot": Lake::snapshot(5, None, 1, &format!("{location}/metadata/list.avro"))},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 5},
    ]});
    assert_eq!(server.post(TABLE, commit).await.status, 200);
    server
}

/// Memory of this process, in MiB: now and at most so far.
fn memory_mib() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
        line.trim_start_matches(':').trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024
    };
    (of("VmRSS"), of("VmHWM"))
}

/// Plans with `filter` and fetches every task; the files found, the seconds until the plan and until its end,
/// and the bytes of all answers.
async fn scan(server: &Server, filter: Value) -> (usize, f64, f64, usize) {
    let began = Instant::now();
    let answer = server.raw("POST", &format!("{TABLE}/plan"), json!({"filter": filter})).await;
    let planned = began.elapsed().as_secs_f64();
    let count = |body: &[u8]| memchr_count(body, b"\"file-path\"");
    let (mut files, mut bytes) = (count(&answer), answer.len());
    let parsed: Value = serde_json::from_slice(&answer).unwrap();
    for task in parsed["plan-tasks"].as_array().into_iter().flatten() {
        let page = server.raw("POST", &format!("{TABLE}/tasks"), json!({"plan-task": task})).await;
        files += count(&page);
        bytes += page.len();
    }
    (files, planned, began.elapsed().as_secs_f64(), bytes)
}

fn memchr_count(text: &[u8], wanted: &[u8]) -> usize {
    text.windows(wanted.len()).filter(|window| *window == wanted).count()
}

#[tokio::test]
#[ignore = "a measurement, not a check"]
async fn a_million_files() {
    let server = with_table().await;
    let (before, _) = memory_mib();
    for (name, filter, expected) in [
        ("everything", json!(true), MANIFESTS * FILES),
        ("everything again", json!(true), MANIFESTS * FILES),
        ("one day", json!({"type": "eq", "term": "day", "value": "1970-02-01"}), FILES),
        (
            "a hundredth of each day",
            json!({"type": "lt", "term": "c2", "value": 5_000}),
            MANIFESTS * FILES / 100,
        ),
    ] {
        let (files, planned, all, bytes) = scan(&server, filter).await;
        let mib = bytes >> 20;
        println!("{name}: {files} files, plan {planned:.3} s, all {all:.2} s, {mib} MiB of answers");
        assert_eq!(files, expected);
    }
    let (_, most) = memory_mib();
    println!("memory: {before} MiB with the files in the store, at most {most} MiB");
}
