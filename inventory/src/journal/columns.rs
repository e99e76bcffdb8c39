//! The columns of both tables: those of the tables of S3 Metadata, by their names, types and whether they are required.

use serde_json::{Value, json};
use tarn_catalog::metadata::{InvalidMetadata, PartitionSpec, Schema, SortOrder};

use super::table::Kind;

/// The column that a journal is partitioned by, in days.
pub(super) const DAY_COLUMN: &str = "record_timestamp";
/// The column that an inventory is sorted by.
pub(super) const KEY_COLUMN: &str = "key";

/// Of an object.
const OBJECT: [(&str, Of); 13] = [
    ("version_id", Of::Text),
    ("is_delete_marker", Of::Flag),
    ("size", Of::Number),
    ("last_modified_date", Of::Time),
    ("e_tag", Of::Text),
    ("storage_class", Of::Text),
    ("is_multipart", Of::Flag),
    ("encryption_status", Of::Text),
    ("is_bucket_key_enabled", Of::Flag),
    ("kms_key_arn", Of::Text),
    ("checksum_algorithm", Of::Text),
    ("object_tags", Of::Map),
    ("user_metadata", Of::Map),
];
/// What names a row.
const NAME: [(&str, Of); 3] = [("bucket", Of::Text), ("key", Of::Text), ("sequence_number", Of::Text)];
/// Of a change.
const RECORD: [(&str, Of); 2] = [("record_type", Of::Text), (DAY_COLUMN, Of::Time)];
/// Of who made it.
const ORIGIN: [(&str, Of); 3] =
    [("requester", Of::Text), ("source_ip_address", Of::Text), ("request_id", Of::Text)];

#[derive(Clone, Copy)]
enum Of {
    Text,
    Number,
    Flag,
    Time,
    Map,
}

impl Of {
    fn json(self, column: i32) -> Value {
        match self {
            Self::Text => json!("string"),
            Self::Number => json!("long"),
            Self::Flag => json!("boolean"),
            Self::Time => json!("timestamp"),
            Self::Map => json!({
                "type": "map", "key-id": 100 + 2 * column, "key": "string",
                "value-id": 101 + 2 * column, "value-required": true, "value": "string",
            }),
        }
    }
}

/// What a table is made with. Field ids are given anew by the catalog.
pub(super) fn schema(kind: Kind) -> Result<Schema, InvalidMetadata> {
    let required = NAME.iter().chain(if kind == Kind::Journal { &RECORD[..] } else { &[] });
    let optional = OBJECT.iter().chain(if kind == Kind::Journal { &ORIGIN[..] } else { &[] });
    let columns = required.map(|column| (column, true)).chain(optional.map(|column| (column, false)));
    let fields = columns.zip(1..).map(|((&(name, of), required), id)| {
        json!({ "id": id, "name": name, "required": required, "type": of.json(id) })
    });
    Schema::from_json(json!({ "type": "struct", "fields": fields.collect::<Vec<_>>() }))
}

/// By the day of the change.
pub(super) fn days() -> Result<PartitionSpec, InvalidMetadata> {
    let field = json!({
        "name": format!("{DAY_COLUMN}_day"), "transform": "day", "source-id": place(DAY_COLUMN),
        "field-id": 1000,
    });
    PartitionSpec::from_json(json!({ "spec-id": 0, "fields": [field] }))
}

/// By the bytes of the keys.
pub(super) fn by_key() -> Result<SortOrder, InvalidMetadata> {
    let field = json!({
        "transform": "identity", "source-id": place(KEY_COLUMN), "direction": "asc",
        "null-order": "nulls-first",
    });
    SortOrder::from_json(json!({ "order-id": 1, "fields": [field] }))
}

/// The id that [`schema`] gives a column that is required.
fn place(name: &str) -> usize {
    NAME.iter().chain(&RECORD).take_while(|(other, _)| *other != name).count() + 1
}
