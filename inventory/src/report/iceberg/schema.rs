//! The columns of an inventory's table: those of AWS's live inventory tables that an object of this server can have.

use std::sync::Arc;

use iceberg::arrow::schema_to_arrow_schema;
use serde_json::json;
use tarn_catalog::metadata::Schema;

use crate::report::columns::{Cell, Said};
use crate::report::parquet::Shape;
use crate::report::spec::Spec;

/// What the table is made with. Field ids are given anew by the catalog.
pub(super) fn table_schema() -> Result<Schema, String> {
    let map = |key: i32| {
        json!({
            "type": "map", "key-id": key, "key": "string",
            "value-id": key + 1, "value-required": true, "value": "string",
        })
    };
    let fields = [
        ("bucket", json!("string")),
        ("key", json!("string")),
        ("version_id", json!("string")),
        ("is_latest", json!("boolean")),
        ("is_delete_marker", json!("boolean")),
        ("size", json!("long")),
        ("last_modified_date", json!("timestamptz")),
        ("e_tag", json!("string")),
        ("storage_class", json!("string")),
        ("is_multipart", json!("boolean")),
        ("encryption_status", json!("string")),
        ("is_bucket_key_enabled", json!("boolean")),
        ("kms_key_arn", json!("string")),
        ("checksum_algorithm", json!("string")),
        ("object_tags", map(101)),
        ("user_metadata", map(103)),
    ];
    let fields = fields.into_iter().zip(1..).map(|((name, of), id)| {
        json!({ "id": id, "name": name, "required": matches!(name, "bucket" | "key"), "type": of })
    });
    let schema = json!({ "type": "struct", "fields": fields.collect::<Vec<_>>() });
    Schema::from_json(schema).map_err(|error| error.to_string())
}

/// How data files are made. A column that somebody added is empty.
pub(super) fn shape(schema: &iceberg::spec::Schema, spec: &Spec) -> Result<Shape, String> {
    let arrow = schema_to_arrow_schema(schema).map_err(|error| error.to_string())?;
    let cells = arrow.fields().iter().map(|field| cell(field.name())).collect();
    Shape::table(cells, &spec.bucket, Arc::new(arrow)).map_err(|error| error.to_string())
}

fn cell(name: &str) -> Cell {
    match name {
        "bucket" => Cell::Bucket,
        "key" => Cell::Key,
        "is_latest" => Cell::Flag(true),
        "is_delete_marker" | "is_bucket_key_enabled" => Cell::Flag(false),
        "size" => Cell::Size,
        "last_modified_date" => Cell::Modified,
        "e_tag" => Cell::ETag,
        "storage_class" => Cell::Text("STANDARD"),
        "is_multipart" => Cell::IsMultipart,
        "encryption_status" => Cell::Text("NOT-SSE"),
        "checksum_algorithm" => Cell::Checksum,
        "object_tags" => Cell::Said(Said::Tags),
        "user_metadata" => Cell::Said(Said::UserMetadata),
        _ => Cell::NoText,
    }
}
