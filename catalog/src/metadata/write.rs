//! Writing `metadata.json` in the field order of the Java reference. Snapshots, schemas and the entries of the
//! logs are copied as text.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::object::{ObjectWriter, write_array, write_number, write_value};
use super::{FormatVersion, Snapshot, StatisticsFile, TableMetadata};

const GZIP_SUFFIXES: [&str; 2] = [".gz.metadata.json", ".metadata.json.gz"];

/// Which snapshots are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    All,
    Referenced,
}

impl TableMetadata {
    /// The JSON of the whole metadata.
    pub fn to_json(&self) -> Bytes {
        self.write(Listed::All)
    }

    /// The JSON with only the snapshots that branches and tags name (`snapshots=refs`).
    pub fn to_json_refs(&self) -> Bytes {
        self.write(Listed::Referenced)
    }

    /// The bytes of the file at `location`: gzip when its name says so.
    pub fn to_file(&self, location: &str) -> Bytes {
        file_bytes(location, self.to_json())
    }

    fn write(&self, listed: Listed) -> Bytes {
        let listed = self.listed_snapshots(listed);
        let mut out = String::with_capacity(self.size_guess(&listed));
        let mut object = ObjectWriter::begin(&mut out);
        object.number("format-version", self.format_version.number());
        if let Some(uuid) = self.uuid {
            object.string("table-uuid", &uuid.to_string());
        }
        object.string("location", &self.location);
        if self.format_version > FormatVersion::V1 {
            object.number("last-sequence-number", self.last_sequence_number);
        }
        object.number("last-updated-ms", self.last_updated_ms);
        object.number("last-column-id", i64::from(self.last_column_id));
        self.write_schemas(&mut object);
        self.write_specs(&mut object);
        object.number("default-sort-order-id", i64::from(self.default_sort_order_id));
        write_array(object.key("sort-orders"), &self.sort_orders, |out, order| order.write(out));
        object.string_map("properties", &self.properties);
        self.write_current_snapshot(&mut object);
        self.write_refs(&mut object);
        write_array(object.key("snapshots"), &listed, |out, snapshot| out.push_str(snapshot.json()));
        write_files(object.key("statistics"), &self.statistics);
        write_files(object.key("partition-statistics"), &self.partition_statistics);
        write_array(object.key("snapshot-log"), &self.snapshot_log, |out, entry| out.push_str(entry.json()));
        write_array(object.key("metadata-log"), &self.metadata_log, |out, entry| out.push_str(entry.json()));
        if self.format_version >= FormatVersion::V3 {
            object.number("next-row-id", self.next_row_id);
        }
        if !self.encryption_keys.is_empty() {
            write_array(object.key("encryption-keys"), &self.encryption_keys, |out, key| {
                write_value(out, key.json())
            });
        }
        for (key, json) in self.extra.iter() {
            object.raw(key, json);
        }
        object.end();
        Bytes::from(out)
    }

    fn listed_snapshots(&self, listed: Listed) -> Vec<&Arc<Snapshot>> {
        match listed {
            Listed::All => self.snapshots().collect(),
            Listed::Referenced => {
                let named = self.refs.values().map(|reference| reference.snapshot_id);
                let named: HashSet<i64> = named.chain(self.current_snapshot_id).collect();
                self.snapshots().filter(|snapshot| named.contains(&snapshot.id())).collect()
            }
        }
    }

    fn size_guess(&self, listed: &[&Arc<Snapshot>]) -> usize {
        let snapshots: usize = listed.iter().map(|snapshot| snapshot.json().len() + 1).sum();
        let schemas: usize = self.schemas.iter().map(|schema| schema.json().len() + 1).sum();
        let history: usize = self.snapshot_log.iter().map(|entry| entry.json().len() + 1).sum();
        let files: usize = self.metadata_log.iter().map(|entry| entry.json().len() + 1).sum();
        snapshots + schemas + history + files + 4096
    }

    fn write_schemas(&self, object: &mut ObjectWriter<'_>) {
        // Readers of V1 know only this field.
        if self.format_version == FormatVersion::V1
            && let Some(schema) = self.current_schema()
        {
            object.raw("schema", schema.json());
        }
        object.number("current-schema-id", i64::from(self.current_schema_id));
        write_array(object.key("schemas"), &self.schemas, |out, schema| out.push_str(schema.json()));
    }

    fn write_specs(&self, object: &mut ObjectWriter<'_>) {
        if self.format_version == FormatVersion::V1
            && let Some(spec) = self.spec(self.default_spec_id)
        {
            spec.write_fields(object.key("partition-spec"));
        }
        object.number("default-spec-id", i64::from(self.default_spec_id));
        write_array(object.key("partition-specs"), &self.specs, |out, spec| spec.write(out));
        object.number("last-partition-id", i64::from(self.last_partition_id));
    }

    fn write_current_snapshot(&self, object: &mut ObjectWriter<'_>) {
        let out = object.key("current-snapshot-id");
        match self.current_snapshot_id {
            Some(id) => write_number(out, id),
            None if self.format_version >= FormatVersion::V3 => out.push_str("null"),
            // Old readers require the field and take -1 for none.
            None => out.push_str("-1"),
        }
    }

    fn write_refs(&self, object: &mut ObjectWriter<'_>) {
        let mut refs = ObjectWriter::begin(object.key("refs"));
        for (name, reference) in self.refs.iter() {
            reference.write(refs.key(name));
        }
        refs.end();
    }
}

/// The bytes of a metadata file at `location`: gzip when its name says so.
pub(super) fn file_bytes(location: &str, json: Bytes) -> Bytes {
    if !GZIP_SUFFIXES.iter().any(|suffix| location.ends_with(suffix)) {
        return json;
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    match encoder.write_all(&json).and_then(|()| encoder.finish()) {
        Ok(compressed) => Bytes::from(compressed),
        // Writing to memory does not fail; readers accept plain bytes under any name.
        Err(_) => json,
    }
}

fn write_files(out: &mut String, files: &imbl::Vector<Arc<StatisticsFile>>) {
    write_array(out, files, |out, file| write_value(out, file.json()));
}
