//! From Avro records to manifests and manifest lists, by the field ids of the table spec.
//!
//! Fields without an id (older writers) are known by their names; others are skipped.

use super::super::avro::{Cursor, Field, File, InvalidAvro, Kind, Schema};
use super::{
    ByField, Content, ContentFile, Entry, Manifest, ManifestContent, ManifestFile, RawSummary, Status,
};

/// Names of fields that files without ids are read by.
const NAMES: [(&str, i32); 39] = [
    ("manifest_path", 500),
    ("manifest_length", 501),
    ("partition_spec_id", 502),
    ("added_snapshot_id", 503),
    ("added_files_count", 504),
    ("added_data_files_count", 504),
    ("existing_files_count", 505),
    ("existing_data_files_count", 505),
    ("deleted_files_count", 506),
    ("deleted_data_files_count", 506),
    ("partitions", 507),
    ("contains_null", 509),
    ("contains_nan", 518),
    ("lower_bound", 510),
    ("upper_bound", 511),
    ("sequence_number", 515),
    ("status", 0),
    ("snapshot_id", 1),
    ("data_file", 2),
    ("content", 134),
    ("file_path", 100),
    ("file_format", 101),
    ("partition", 102),
    ("record_count", 103),
    ("file_size_in_bytes", 104),
    ("column_sizes", 108),
    ("value_counts", 109),
    ("null_value_counts", 110),
    ("nan_value_counts", 137),
    ("lower_bounds", 125),
    ("upper_bounds", 128),
    ("key_metadata", 131),
    ("split_offsets", 132),
    ("equality_ids", 135),
    ("sort_order_id", 140),
    ("first_row_id", 142),
    ("referenced_data_file", 143),
    ("content_offset", 144),
    ("content_size_in_bytes", 145),
];

pub(super) fn id(field: &Field) -> Option<i32> {
    let by_name = || NAMES.iter().find(|(name, _)| *name == &*field.name).map(|(_, id)| *id);
    field.id.or_else(by_name)
}

/// Reads a manifest list.
pub(crate) fn read_list(bytes: &[u8], unpacked_bytes_max: usize) -> Result<Vec<ManifestFile>, InvalidAvro> {
    let mut file = File::open(bytes, unpacked_bytes_max)?;
    let mut manifests = Vec::new();
    file.records(|fields, cursor| {
        let mut manifest = ManifestFile {
            path: Box::default(),
            length: 0,
            spec_id: 0,
            content: ManifestContent::Data,
            sequence_number: 0,
            added_snapshot_id: 0,
            added_files: None,
            existing_files: None,
            deleted_files: None,
            summaries: Box::default(),
            first_row_id: None,
            encrypted: false,
        };
        for field in fields {
            list_field(&mut manifest, field, cursor)?;
        }
        if manifest.path.is_empty() {
            return Err(InvalidAvro::Malformed("a manifest has no path"));
        }
        manifests.push(manifest);
        Ok(())
    })?;
    Ok(manifests)
}

fn list_field(
    manifest: &mut ManifestFile,
    field: &Field,
    cursor: &mut Cursor<'_>,
) -> Result<(), InvalidAvro> {
    let schema = &field.schema;
    match id(field) {
        Some(500) => manifest.path = required(cursor.optional_text(schema)?)?.into(),
        Some(501) => manifest.length = required(cursor.optional_long(schema)?)?,
        Some(502) => manifest.spec_id = int(required(cursor.optional_long(schema)?)?)?,
        Some(517 | 134) => {
            manifest.content = match cursor.optional_long(schema)? {
                None | Some(0) => ManifestContent::Data,
                Some(1) => ManifestContent::Deletes,
                Some(_) => return Err(InvalidAvro::Malformed("a manifest holds neither data nor deletes")),
            };
        }
        Some(515) => manifest.sequence_number = cursor.optional_long(schema)?.unwrap_or(0),
        Some(503) => manifest.added_snapshot_id = cursor.optional_long(schema)?.unwrap_or(0),
        Some(504) => manifest.added_files = cursor.optional_long(schema)?,
        Some(505) => manifest.existing_files = cursor.optional_long(schema)?,
        Some(506) => manifest.deleted_files = cursor.optional_long(schema)?,
        Some(507) => {
            let mut summaries = Vec::new();
            cursor.each(schema, |cursor, of| {
                summaries.push(summary(cursor, of)?);
                Ok(())
            })?;
            manifest.summaries = summaries.into();
        }
        Some(519 | 131) => manifest.encrypted = cursor.optional_bytes(schema)?.is_some(),
        Some(520 | 142) => manifest.first_row_id = cursor.optional_long(schema)?,
        Some(_) | None => cursor.skip(schema)?,
    }
    Ok(())
}

fn summary(cursor: &mut Cursor<'_>, schema: &Schema) -> Result<RawSummary, InvalidAvro> {
    let mut summary = RawSummary { contains_null: true, contains_nan: None, lower: None, upper: None };
    cursor.record(schema, |cursor, field| {
        match id(field) {
            Some(509) => summary.contains_null = cursor.optional_boolean(&field.schema)?.unwrap_or(true),
            Some(518) => summary.contains_nan = cursor.optional_boolean(&field.schema)?,
            Some(510) => summary.lower = cursor.optional_bytes(&field.schema)?.map(Into::into),
            Some(511) => summary.upper = cursor.optional_bytes(&field.schema)?.map(Into::into),
            Some(_) | None => cursor.skip(&field.schema)?,
        }
        Ok(())
    })?;
    Ok(summary)
}

/// Reads a manifest.
pub(crate) fn read_manifest(bytes: &[u8], unpacked_bytes_max: usize) -> Result<Manifest, InvalidAvro> {
    let mut file = File::open(bytes, unpacked_bytes_max)?;
    let partition_ids = partition_ids(file.schema());
    let mut entries = Vec::new();
    let mut rows = 0_i64;
    file.records(|fields, cursor| {
        let mut entry = Entry {
            status: Status::Existing,
            snapshot_id: None,
            sequence_number: None,
            rows_before: rows,
            file: empty_file(),
        };
        for field in fields {
            entry_field(&mut entry, field, cursor)?;
        }
        if entry.file.path.is_empty() {
            return Err(InvalidAvro::Malformed("a file has no path"));
        }
        // No ids are reserved for rows that are gone.
        if entry.file.first_row_id.is_none() && entry.status != Status::Deleted {
            rows = rows.saturating_add(entry.file.record_count.max(0));
        }
        entries.push(entry);
        Ok(())
    })?;
    entries.shrink_to_fit();
    let heap: usize = entries.iter().map(|entry: &Entry| size_of::<Entry>() + entry.file.heap_bytes()).sum();
    Ok(Manifest { partition_ids, entries, size_bytes: size_of::<Manifest>() + heap })
}

/// The ids of the fields of `data_file.partition`.
fn partition_ids(schema: &Schema) -> Vec<Option<i32>> {
    let inner = |schema: &Schema, wanted: i32| match &schema.kind {
        Kind::Record(fields) => {
            fields.iter().find(|field| id(field) == Some(wanted)).map(|field| field.schema.clone())
        }
        _other => None,
    };
    let partition = inner(schema, 2).and_then(|file| inner(&file, 102));
    match partition.map(|partition| partition.kind) {
        Some(Kind::Record(fields)) => fields.iter().map(|field| field.id).collect(),
        _none => Vec::new(),
    }
}

fn empty_file() -> ContentFile {
    ContentFile {
        content: Content::Data,
        path: Box::default(),
        format: Box::default(),
        partition: Box::default(),
        record_count: -1,
        size_bytes: 0,
        column_sizes: Box::default(),
        value_counts: Box::default(),
        null_counts: Box::default(),
        nan_counts: Box::default(),
        lower_bounds: Box::default(),
        upper_bounds: Box::default(),
        key_metadata: None,
        split_offsets: Box::default(),
        equality_ids: Box::default(),
        sort_order_id: None,
        first_row_id: None,
        referenced_data_file: None,
        content_offset: None,
        content_size_bytes: None,
    }
}

fn entry_field(entry: &mut Entry, field: &Field, cursor: &mut Cursor<'_>) -> Result<(), InvalidAvro> {
    let schema = &field.schema;
    match id(field) {
        Some(0) => {
            entry.status = Status::read(required(cursor.optional_long(schema)?)?)?;
        }
        Some(1) => entry.snapshot_id = cursor.optional_long(schema)?,
        // 515 is what the name alone says, in files without ids.
        Some(3 | 515) => entry.sequence_number = cursor.optional_long(schema)?,
        Some(2) => cursor.record(schema, |cursor, field| file_field(&mut entry.file, field, cursor))?,
        Some(_) | None => cursor.skip(schema)?,
    }
    Ok(())
}

fn file_field(file: &mut ContentFile, field: &Field, cursor: &mut Cursor<'_>) -> Result<(), InvalidAvro> {
    let schema = &field.schema;
    match id(field) {
        Some(134) => {
            file.content = Content::read(cursor.optional_long(schema)?)?;
        }
        Some(100) => file.path = required(cursor.optional_text(schema)?)?.into(),
        Some(101) => file.format = required(cursor.optional_text(schema)?)?.to_ascii_lowercase().into(),
        Some(102) => {
            let mut values = Vec::new();
            cursor.record(schema, |cursor, field| {
                values.push(cursor.value(&field.schema)?);
                Ok(())
            })?;
            file.partition = values.into();
        }
        Some(103) => file.record_count = required(cursor.optional_long(schema)?)?,
        Some(104) => file.size_bytes = required(cursor.optional_long(schema)?)?,
        Some(108) => file.column_sizes = by_field(cursor, schema, number)?,
        Some(109) => file.value_counts = by_field(cursor, schema, number)?,
        Some(110) => file.null_counts = by_field(cursor, schema, number)?,
        Some(137) => file.nan_counts = by_field(cursor, schema, number)?,
        Some(125) => file.lower_bounds = by_field(cursor, schema, bound)?,
        Some(128) => file.upper_bounds = by_field(cursor, schema, bound)?,
        Some(131) => file.key_metadata = cursor.optional_bytes(schema)?.map(Into::into),
        Some(132) => file.split_offsets = numbers(cursor, schema)?.into(),
        Some(135) => {
            let ids: Result<Vec<i32>, _> = numbers(cursor, schema)?.into_iter().map(int).collect();
            file.equality_ids = ids?.into();
        }
        Some(140) => file.sort_order_id = cursor.optional_long(schema)?.map(int).transpose()?,
        Some(142) => file.first_row_id = cursor.optional_long(schema)?,
        Some(143) => file.referenced_data_file = cursor.optional_text(schema)?.map(Into::into),
        Some(144) => file.content_offset = cursor.optional_long(schema)?,
        Some(145) => file.content_size_bytes = cursor.optional_long(schema)?,
        Some(_) | None => cursor.skip(schema)?,
    }
    Ok(())
}

impl Status {
    pub(super) fn read(number: i64) -> Result<Self, InvalidAvro> {
        match number {
            0 => Ok(Status::Existing),
            1 => Ok(Status::Added),
            2 => Ok(Status::Deleted),
            _other => Err(InvalidAvro::Malformed("an entry has no known status")),
        }
    }
}

impl Content {
    pub(super) fn read(number: Option<i64>) -> Result<Self, InvalidAvro> {
        match number {
            None | Some(0) => Ok(Content::Data),
            Some(1) => Ok(Content::PositionDeletes),
            Some(2) => Ok(Content::EqualityDeletes),
            Some(_) => Err(InvalidAvro::Malformed("a file has no known content")),
        }
    }
}

/// A count; one below zero says nothing.
fn number(cursor: &mut Cursor<'_>, schema: &Schema) -> Result<Option<i64>, InvalidAvro> {
    Ok(cursor.optional_long(schema)?.filter(|&count| count >= 0))
}

fn bound(cursor: &mut Cursor<'_>, schema: &Schema) -> Result<Option<Box<[u8]>>, InvalidAvro> {
    Ok(cursor.optional_bytes(schema)?.map(Into::into))
}

/// A map with numbers for keys, which Avro holds as an array of pairs.
fn by_field<T>(
    cursor: &mut Cursor<'_>,
    schema: &Schema,
    value: fn(&mut Cursor<'_>, &Schema) -> Result<Option<T>, InvalidAvro>,
) -> Result<ByField<T>, InvalidAvro> {
    let mut fields = Vec::new();
    cursor.each(schema, |cursor, pair| {
        let (mut key, mut found, mut at) = (None, None, 0);
        cursor.record(pair, |cursor, field| {
            match at {
                0 => key = cursor.optional_long(&field.schema)?,
                1 => found = value(cursor, &field.schema)?,
                _more => cursor.skip(&field.schema)?,
            }
            at += 1;
            Ok(())
        })?;
        if let (Some(key), Some(found)) = (key, found) {
            fields.push((int(key)?, found));
        }
        Ok(())
    })?;
    fields.sort_by_key(|(id, _)| *id);
    Ok(fields.into())
}

fn numbers(cursor: &mut Cursor<'_>, schema: &Schema) -> Result<Vec<i64>, InvalidAvro> {
    let mut numbers = Vec::new();
    cursor.each(schema, |cursor, of| {
        numbers.push(required(cursor.optional_long(of)?)?);
        Ok(())
    })?;
    Ok(numbers)
}

pub(super) fn required<T>(value: Option<T>) -> Result<T, InvalidAvro> {
    value.ok_or(InvalidAvro::Malformed("a required field is null"))
}

fn int(number: i64) -> Result<i32, InvalidAvro> {
    i32::try_from(number).map_err(|_| InvalidAvro::Malformed("a number is longer than 32 bits"))
}
