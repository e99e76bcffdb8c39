//! Reading `metadata.json`, plain or gzip, as the Java reference does: what V1 writers left out is
//! filled in, what V2 and V3 require is required.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::object::{InvalidMetadata, ObjectReader, string_map};
use super::snapshot::{MAIN_BRANCH, SnapshotLogEntry, parse_value};
use super::{
    EncryptedKey, FormatVersion, MetadataLogEntry, PartitionSpec, Schema, Snapshot, SnapshotRef, Snapshots,
    SortOrder, StatisticsFile, TableMetadata,
};

/// The largest metadata file that is read, in bytes, after decompression.
pub const METADATA_BYTES_MAX: usize = 512 << 20;

const ONE_MINUTE_MS: i64 = 60_000;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

impl TableMetadata {
    /// Reads metadata from the bytes of a file, plain or gzip.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidMetadata> {
        parse_plain(&plain_bytes(bytes)?)
    }
}

/// The JSON of a metadata file, which may be gzip.
pub(super) fn plain_bytes(bytes: &[u8]) -> Result<Cow<'_, [u8]>, InvalidMetadata> {
    let plain = if bytes.starts_with(GZIP_MAGIC) {
        let mut plain = Vec::new();
        let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(METADATA_BYTES_MAX as u64 + 1);
        reader.read_to_end(&mut plain).map_err(|error| InvalidMetadata::new(format!("gzip: {error}")))?;
        Cow::Owned(plain)
    } else {
        Cow::Borrowed(bytes)
    };
    if plain.len() > METADATA_BYTES_MAX {
        return Err(InvalidMetadata::new(format!("metadata is larger than {METADATA_BYTES_MAX} bytes")));
    }
    Ok(plain)
}

fn parse_plain(bytes: &[u8]) -> Result<TableMetadata, InvalidMetadata> {
    let fields: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_slice(bytes).map_err(|error| InvalidMetadata::new(error.to_string()))?;
    let metadata = Document { fields }.read()?;
    metadata.check()?;
    Ok(metadata)
}

/// The top level of a metadata file, field by field as JSON text.
struct Document<'a> {
    fields: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

impl<'a> Document<'a> {
    fn read(mut self) -> Result<TableMetadata, InvalidMetadata> {
        let format_version = FormatVersion::from_number(self.required("format-version")?)?;
        let uuid = self.optional::<Uuid>("table-uuid")?;
        let last_sequence_number = match format_version {
            FormatVersion::V1 => self.optional("last-sequence-number")?.unwrap_or(0),
            FormatVersion::V2 | FormatVersion::V3 => self.required("last-sequence-number")?,
        };
        let (schemas, current_schema_id) = self.schemas(format_version)?;
        let (specs, default_spec_id) = self.specs(format_version)?;
        let last_partition_id = match self.optional("last-partition-id")? {
            Some(id) => id,
            None if format_version == FormatVersion::V1 => specs
                .iter()
                .map(|spec| spec.last_field_id())
                .fold(super::partition::LAST_PARTITION_ID_START, i32::max),
            None => return Err(missing("last-partition-id")),
        };
        let (sort_orders, default_sort_order_id) = self.sort_orders(format_version)?;
        let current_snapshot_id = self.optional::<i64>("current-snapshot-id")?.filter(|&id| id != -1);
        let location: String = self.required("location")?;
        let next_row_id = match format_version {
            // An upgrade begins row ids at 0, whatever stands here.
            FormatVersion::V1 | FormatVersion::V2 => {
                self.take("next-row-id");
                0
            }
            FormatVersion::V3 => self.required("next-row-id")?,
        };
        Ok(TableMetadata {
            format_version,
            uuid,
            location: strip_trailing_slash(&location).into(),
            last_sequence_number,
            last_updated_ms: self.required("last-updated-ms")?,
            last_column_id: self.required("last-column-id")?,
            schemas,
            current_schema_id,
            specs,
            default_spec_id,
            last_partition_id,
            sort_orders,
            default_sort_order_id,
            properties: Arc::new(self.properties()?),
            current_snapshot_id,
            snapshots: self.snapshots()?,
            refs: Arc::new(self.refs(current_snapshot_id)?),
            snapshot_log: self.list("snapshot-log", SnapshotLogEntry::from_json)?,
            metadata_log: self.list("metadata-log", MetadataLogEntry::from_json)?,
            statistics: self
                .list("statistics", |json| StatisticsFile::statistics(parse_value(json)?).map(Arc::new))?,
            partition_statistics: self.list("partition-statistics", |json| {
                StatisticsFile::partition_statistics(parse_value(json)?).map(Arc::new)
            })?,
            encryption_keys: self
                .list("encryption-keys", |json| EncryptedKey::from_json(parse_value(json)?).map(Arc::new))?,
            next_row_id,
            extra: Arc::new(self.extra()),
        })
    }

    /// The JSON text of a field; `null` reads as absent.
    fn take(&mut self, key: &str) -> Option<&'a str> {
        self.fields.remove(key).map(RawValue::get).filter(|json| *json != "null")
    }

    fn optional<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, InvalidMetadata> {
        self.take(key)
            .map(|json| {
                serde_json::from_str(json)
                    .map_err(|error| InvalidMetadata::new(format!("field '{key}': {error}")))
            })
            .transpose()
    }

    fn required<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Result<T, InvalidMetadata> {
        self.optional(key)?.ok_or_else(|| missing(key))
    }

    fn items(&mut self, key: &str) -> Result<Option<Vec<&'a RawValue>>, InvalidMetadata> {
        let Some(json) = self.take(key) else { return Ok(None) };
        serde_json::from_str(json)
            .map(Some)
            .map_err(|error| InvalidMetadata::new(format!("field '{key}': {error}")))
    }

    fn list<T: Clone>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&str) -> Result<T, InvalidMetadata>,
    ) -> Result<imbl::Vector<T>, InvalidMetadata> {
        self.items(key)?.unwrap_or_default().into_iter().map(|item| read(item.get())).collect()
    }

    fn schemas(&mut self, version: FormatVersion) -> Result<(Vec<Arc<Schema>>, i32), InvalidMetadata> {
        let old = self.optional::<Value>("schema")?;
        if let Some(items) = self.optional::<Vec<Value>>("schemas")? {
            let schemas = items
                .into_iter()
                .map(|item| Schema::from_json(item).map(Arc::new))
                .collect::<Result<_, _>>()?;
            return Ok((schemas, self.required("current-schema-id")?));
        }
        let schema = match (version, old) {
            (FormatVersion::V1, Some(old)) => Schema::from_json(old)?,
            (FormatVersion::V1, None) => return Err(missing("schema")),
            (FormatVersion::V2 | FormatVersion::V3, _) => return Err(missing("schemas")),
        };
        self.take("current-schema-id");
        let id = schema.id();
        Ok((vec![Arc::new(schema)], id))
    }

    fn specs(&mut self, version: FormatVersion) -> Result<(Vec<Arc<PartitionSpec>>, i32), InvalidMetadata> {
        let old = self.optional::<Vec<Value>>("partition-spec")?;
        let (specs, default_id) = match self.optional::<Vec<Value>>("partition-specs")? {
            Some(items) => {
                let specs = items.into_iter().map(PartitionSpec::from_json).collect::<Result<Vec<_>, _>>()?;
                (specs, self.required("default-spec-id")?)
            }
            None if version == FormatVersion::V1 => {
                let fields = PartitionSpec::fields_from_json(old.ok_or_else(|| missing("partition-spec"))?)?;
                self.take("default-spec-id");
                (vec![PartitionSpec { fields, ..PartitionSpec::unpartitioned() }], 0)
            }
            None => return Err(missing("partition-specs")),
        };
        let start = super::partition::LAST_PARTITION_ID_START;
        let specs = specs.into_iter().map(|spec| spec.with_field_ids(&[], start).map(Arc::new));
        Ok((specs.collect::<Result<_, _>>()?, default_id))
    }

    fn sort_orders(&mut self, version: FormatVersion) -> Result<(Vec<Arc<SortOrder>>, i32), InvalidMetadata> {
        match self.optional::<Vec<Value>>("sort-orders")? {
            Some(items) => {
                let orders = items.into_iter().map(|item| SortOrder::from_json(item).map(Arc::new));
                Ok((orders.collect::<Result<_, _>>()?, self.required("default-sort-order-id")?))
            }
            None if version == FormatVersion::V1 => {
                self.take("default-sort-order-id");
                Ok((vec![Arc::new(SortOrder::unsorted())], 0))
            }
            None => Err(missing("sort-orders")),
        }
    }

    fn properties(&mut self) -> Result<BTreeMap<String, String>, InvalidMetadata> {
        let Some(value) = self.optional::<Value>("properties")? else { return Ok(BTreeMap::new()) };
        string_map(value)
            .ok_or_else(|| InvalidMetadata::new("field 'properties' is not an object of strings"))
    }

    fn snapshots(&mut self) -> Result<Snapshots, InvalidMetadata> {
        let mut snapshots = Snapshots::default();
        for item in self.items("snapshots")?.unwrap_or_default() {
            let snapshot = Snapshot::from_json(item.get())?;
            if snapshots.by_id.contains_key(&snapshot.id()) {
                return Err(InvalidMetadata::new(format!(
                    "snapshot {} is there more than once",
                    snapshot.id()
                )));
            }
            snapshots.push(Arc::new(snapshot));
        }
        Ok(snapshots)
    }

    fn refs(&mut self, current: Option<i64>) -> Result<BTreeMap<String, SnapshotRef>, InvalidMetadata> {
        let Some(value) = self.optional::<Value>("refs")? else {
            return Ok(current
                .map(|id| (MAIN_BRANCH.to_owned(), SnapshotRef::branch(id)))
                .into_iter()
                .collect());
        };
        let names = ObjectReader::new("refs", value)?.rest();
        names.into_iter().map(|(name, value)| Ok((name, SnapshotRef::from_json(value)?))).collect()
    }

    fn extra(self) -> Vec<(String, Box<str>)> {
        self.fields.into_iter().map(|(key, json)| (key.into_owned(), json.get().into())).collect()
    }
}

fn missing(key: &str) -> InvalidMetadata {
    InvalidMetadata::new(format!("field '{key}' is missing"))
}

pub(crate) fn strip_trailing_slash(location: &str) -> &str {
    let stripped = location.trim_end_matches('/');
    // `s3://` alone is left as it is.
    if stripped.ends_with(':') { location } else { stripped }
}

impl TableMetadata {
    /// Checks what must hold of every table (M2, M3, logs in order).
    pub(crate) fn check(&self) -> Result<(), InvalidMetadata> {
        let refuse = |message: String| Err(InvalidMetadata::new(message));
        if self.uuid.is_none() && self.format_version > FormatVersion::V1 {
            return Err(missing("table-uuid"));
        }
        if self.current_schema().is_none() {
            return refuse(format!("the current schema {} does not exist", self.current_schema_id));
        }
        if self.spec(self.default_spec_id).is_none() {
            return refuse(format!("the default partition spec {} does not exist", self.default_spec_id));
        }
        if self.sort_order(self.default_sort_order_id).is_none() {
            return refuse(format!("the default sort order {} does not exist", self.default_sort_order_id));
        }
        check_unique("schema", self.schemas.iter().map(|schema| schema.id()))?;
        check_unique("partition spec", self.specs.iter().map(|spec| spec.id))?;
        check_unique("sort order", self.sort_orders.iter().map(|order| order.id))?;
        if self.format_version == FormatVersion::V1 && self.last_sequence_number != 0 {
            return refuse("the sequence number of a V1 table is not 0".to_owned());
        }
        if let Some(late) =
            self.snapshots().find(|snapshot| snapshot.sequence_number() > self.last_sequence_number)
        {
            return refuse(format!(
                "snapshot {} has sequence number {}, above the last sequence number {}",
                late.id(),
                late.sequence_number(),
                self.last_sequence_number
            ));
        }
        self.check_refs()?;
        self.check_logs()
    }

    fn check_refs(&self) -> Result<(), InvalidMetadata> {
        for (name, reference) in self.refs.iter() {
            if self.snapshot(reference.snapshot_id).is_none() {
                return Err(InvalidMetadata::new(format!(
                    "reference '{name}' names snapshot {}, which does not exist",
                    reference.snapshot_id
                )));
            }
        }
        let main = self.refs.get(MAIN_BRANCH).map(|main| main.snapshot_id);
        match (self.current_snapshot_id, main) {
            (Some(current), _) if self.snapshot(current).is_none() => {
                Err(InvalidMetadata::new(format!("the current snapshot {current} does not exist")))
            }
            (Some(current), Some(main)) if current != main => {
                Err(InvalidMetadata::new(format!("the current snapshot is {current} but main names {main}")))
            }
            (None, Some(main)) => {
                Err(InvalidMetadata::new(format!("there is no current snapshot but main names {main}")))
            }
            (Some(_), _) | (None, None) => Ok(()),
        }
    }

    /// The logs are in order of time and none is after the last update, with a minute for clocks that differ.
    fn check_logs(&self) -> Result<(), InvalidMetadata> {
        let snapshots = self.snapshot_log.iter().map(|entry| entry.timestamp_ms);
        let files = self.metadata_log.iter().map(|entry| entry.timestamp_ms);
        check_order("snapshot log", snapshots, self.last_updated_ms)?;
        check_order("metadata log", files, self.last_updated_ms)
    }
}

fn check_order(name: &str, times: impl Iterator<Item = i64>, end: i64) -> Result<(), InvalidMetadata> {
    let mut before = None;
    for time in times.chain(std::iter::once(end)) {
        if before.is_some_and(|before: i64| time.saturating_sub(before) < -ONE_MINUTE_MS) {
            return Err(InvalidMetadata::new(format!("the {name} has an entry later than {time}")));
        }
        before = Some(time);
    }
    Ok(())
}

fn check_unique(what: &str, ids: impl Iterator<Item = i32>) -> Result<(), InvalidMetadata> {
    let mut seen = std::collections::HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(InvalidMetadata::new(format!("{what} {id} is there more than once")));
        }
    }
    Ok(())
}
