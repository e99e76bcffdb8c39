//! Reading reports back, by their manifests alone.

use std::collections::HashMap;
use std::io::Read as _;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::world::World;

/// The manifest of the only run, whose checksum and files are checked.
pub(super) async fn manifest(world: &World) -> Value {
    let keys = world.keys().await;
    let manifests: Vec<_> = keys.iter().filter(|key| key.ends_with("/manifest.json")).collect();
    assert_eq!(manifests.len(), 1, "{keys:?}");
    let text = world.bytes(manifests[0]).await;
    let checksum = world.bytes(&manifests[0].replace("manifest.json", "manifest.checksum")).await;
    assert_eq!(hex::encode(Md5::digest(&text)).as_bytes(), checksum);
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let bytes = world.bytes(file["key"].as_str().unwrap()).await;
        assert_eq!(bytes.len() as u64, file["size"].as_u64().unwrap());
        assert_eq!(hex::encode(Md5::digest(&bytes)), file["MD5checksum"].as_str().unwrap());
    }
    manifest
}

/// The rows of all files of a manifest: by column, as text; empty for nothing.
pub(super) async fn table(world: &World, manifest: &Value) -> Vec<HashMap<String, String>> {
    let mut rows = Vec::new();
    for file in manifest["files"].as_array().unwrap() {
        let key = file["key"].as_str().unwrap();
        let bytes = unpacked(key, world.bytes(key).await);
        let schema = manifest["fileSchema"].as_str().unwrap();
        match manifest["fileFormat"].as_str().unwrap() {
            "CSV" => rows.extend(csv(&bytes, schema, manifest["minioExtension"].is_null())),
            "JSON" => rows.extend(json(&bytes)),
            "Parquet" => rows.extend(parquet(bytes)),
            other => panic!("{other}"),
        }
    }
    rows
}

fn unpacked(key: &str, bytes: Vec<u8>) -> Vec<u8> {
    let mut plain = Vec::new();
    if key.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
        return plain;
    }
    if key.ends_with(".zst") {
        return zstd::stream::decode_all(&*bytes).unwrap();
    }
    bytes
}

fn csv(bytes: &[u8], schema: &str, is_aws: bool) -> Vec<HashMap<String, String>> {
    let names: Vec<&str> = schema.split(", ").collect();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let mut rows = reader.records().map(|row| {
        let row = row.unwrap();
        assert_eq!(row.len(), names.len());
        let cells = names.iter().zip(&row);
        cells.map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect::<HashMap<_, _>>()
    });
    if is_aws {
        let decoded = |mut row: HashMap<String, String>| {
            let key = percent_encoding::percent_decode_str(&row["Key"]).decode_utf8().unwrap().into_owned();
            row.insert("Key".into(), key);
            row
        };
        return rows.map(decoded).collect();
    }
    let header = rows.next().unwrap();
    assert!(header.iter().all(|(name, cell)| name == cell), "{header:?}");
    rows.collect()
}

fn json(bytes: &[u8]) -> Vec<HashMap<String, String>> {
    let text = std::str::from_utf8(bytes).unwrap();
    let row = |line: &str| {
        let row: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
        let cells = row.into_iter().map(|(name, cell)| match cell {
            Value::String(text) => (name, text),
            Value::Null => (name, String::new()),
            other => (name, other.to_string()),
        });
        cells.collect()
    };
    text.lines().map(row).collect()
}

pub(super) fn batches(bytes: Vec<u8>) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

fn parquet(bytes: Vec<u8>) -> Vec<HashMap<String, String>> {
    let mut rows = Vec::new();
    for batch in batches(bytes) {
        let texts: Vec<_> = batch.columns().iter().map(text).collect();
        for row in 0..batch.num_rows() {
            let cells = batch.schema_ref().fields().iter().zip(&texts).map(|(field, column)| {
                let column = column.as_string::<i32>();
                let text = if column.is_null(row) { "" } else { column.value(row) };
                (field.name().clone(), text.to_owned())
            });
            rows.push(cells.collect());
        }
    }
    rows
}

fn text(column: &ArrayRef) -> ArrayRef {
    let zoneless = match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            arrow_cast::cast(column, &DataType::Timestamp(*unit, None)).unwrap()
        }
        _ => column.clone(),
    };
    arrow_cast::cast(&zoneless, &DataType::Utf8).unwrap()
}
