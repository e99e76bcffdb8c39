//! The document, all but its filters.

use serde::Deserialize;
use serde_saphyr::{Budget, Error, Options, Spanned};

use super::filters::{Filters, filter};
use super::scalar::{Text, choice, refused, size, wrong};
use super::{Inventory, Refused, TEXT_BYTES_MAX};
use crate::jobs::{InvalidSpec, Schedule};
use crate::report::check;
use crate::report::spec::{Compression, Destination, Field, Filter, Format, Layout, Spec, Versions, Written};
use crate::scan::Point;

/// About how long a file is where nothing is said, in bytes.
const FILE_BYTES: u64 = 256 << 20;
/// How long a file may be asked to be, in bytes.
const FILE_BYTES_MIN: u64 = 1 << 20;
const FILE_BYTES_MAX: u64 = 5 << 30;

/// What AIStor calls the columns that can be asked for. Those it always tells may be named too.
const FIELDS: [(&str, Option<Field>); 24] = [
    ("ETag", Some(Field::ETag)),
    ("StorageClass", Some(Field::StorageClass)),
    ("IsMultipart", Some(Field::IsMultipartUploaded)),
    ("EncryptionStatus", Some(Field::EncryptionStatus)),
    ("IsBucketKeyEnabled", Some(Field::BucketKeyStatus)),
    ("KmsKeyArn", Some(Field::KmsKeyArn)),
    ("ChecksumAlgorithm", Some(Field::ChecksumAlgorithm)),
    ("Tags", Some(Field::Tags)),
    ("UserMetadata", Some(Field::UserMetadata)),
    ("ReplicationStatus", Some(Field::ReplicationStatus)),
    ("ObjectLockRetainUntilDate", Some(Field::ObjectLockRetainUntilDate)),
    ("ObjectLockMode", Some(Field::ObjectLockMode)),
    ("ObjectLockLegalHoldStatus", Some(Field::ObjectLockLegalHoldStatus)),
    ("Tier", Some(Field::Tier)),
    ("TieringStatus", Some(Field::TieringStatus)),
    ("Bucket", None),
    ("Key", None),
    ("VersionId", None),
    ("VersionID", None),
    ("IsLatest", None),
    ("IsDeleteMarker", None),
    ("LastModified", None),
    ("LastModifiedDate", None),
    ("Size", None),
];

/// What an inventory says, and a batch that makes one once.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Document {
    api_version: Text,
    id: Option<Text>,
    destination: Spanned<Target>,
    schedule: Option<Text>,
    mode: Option<Text>,
    versions: Option<Text>,
    include_fields: Option<Vec<Text>>,
    filters: Option<Filters>,
    iceberg: Option<Text>,
    /// Of a batch: the bucket that is told.
    bucket: Option<Text>,
    /// Of a batch.
    dry_run: Option<Text>,
    /// Of a batch.
    notify: Option<Told>,
}

/// Who is told at the end of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Told {
    pub(crate) endpoint: Text,
    pub(crate) token: Option<Text>,
}

/// What a batch says.
pub(crate) struct Batched<'a> {
    pub(crate) spec: Spec,
    pub(crate) dry_run: Option<&'a Text>,
    pub(crate) notify: Option<&'a Told>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Target {
    bucket: Option<Text>,
    prefix: Option<Text>,
    format: Option<Text>,
    compression: Option<Text>,
    max_file_size_hint: Option<Text>,
}

/// What is written: files, or a table only.
#[derive(Clone, Copy)]
enum Output {
    Files(Format),
    Table,
}

pub(super) fn read(bucket: &str, text: &str) -> Result<Inventory, Refused> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the definition is longer than {TEXT_BYTES_MAX} bytes");
        return Err(Refused { line: None, column: None, message });
    }
    let document: Document = serde_saphyr::from_str_with_options(text, options()).map_err(unread)?;
    let notify = document.notify.as_ref().map(|told| &told.endpoint);
    for (name, text) in
        [("bucket", document.bucket.as_ref()), ("dryRun", document.dry_run.as_ref()), ("notify", notify)]
    {
        if let Some(text) = text {
            let message = format!("{name} is of batches of kind catalog; an inventory has none");
            return Err(refused(text.referenced, message));
        }
    }
    let Some(id) = &document.id else {
        let message = "id: an inventory has one".into();
        return Err(refused(document.api_version.referenced, message));
    };
    let mut spec = document.spec(bucket, &id.value)?;
    spec.written = Some(Written::Aistor(text.to_owned()));
    Ok(Inventory { spec, schedule: schedule(document.schedule.as_ref())? })
}

impl Document {
    /// Read as a batch: it names its bucket, may have no id, and has no schedule.
    pub(crate) fn batched(&self, id: &str) -> Result<Batched<'_>, Refused> {
        let Some(bucket) = &self.bucket else {
            let message = "bucket: a catalog names the bucket that it tells".into();
            return Err(refused(self.api_version.referenced, message));
        };
        if let Some(text) = self.schedule.as_ref().filter(|text| text.value != "once") {
            return Err(wrong(
                text,
                "schedule",
                "once: with another an inventory does it, `tarn inventory put`",
            ));
        }
        let id = self.id.as_ref().map_or(id, |id| &id.value);
        Ok(Batched {
            spec: self.spec(&bucket.value, id)?,
            dry_run: self.dry_run.as_ref(),
            notify: self.notify.as_ref(),
        })
    }

    fn spec(&self, bucket: &str, id: &str) -> Result<Spec, Refused> {
        choice(Some(&self.api_version), "apiVersion", &[("v1", ())], ())?;
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if let Some(text) = self.id.as_ref().filter(|_| !plain || !(1..=63).contains(&id.len())) {
            return Err(wrong(text, "id", "1 to 63 letters, digits and hyphens"));
        }
        let (destination, table) = destination(&self.destination)?;
        let also = choice(self.iceberg.as_ref(), "iceberg", &[("true", true), ("false", false)], false)?;
        let versions = [("all", Versions::All), ("current", Versions::Current)];
        let modes = [("fast", Point::Running), ("strict", Point::Consistent)];
        Ok(Spec {
            bucket: bucket.to_owned(),
            id: id.to_owned(),
            destination,
            iceberg: table || also,
            versions: choice(self.versions.as_ref(), "versions", &versions, Versions::All)?,
            point: choice(self.mode.as_ref(), "mode", &modes, Point::Running)?,
            fields: fields(self.include_fields.as_deref().unwrap_or_default())?,
            filter: self.filters.as_ref().map_or(Ok(Filter::default()), filter)?,
            written: None,
        })
    }
}

/// Against hostile texts: aliases, deep nesting and many nodes are refused by the reader.
pub(crate) fn options() -> Options {
    serde_saphyr::options! {
        budget: Some(Budget {
            max_aliases: 0,
            max_anchors: 0,
            max_depth: 16,
            max_inclusion_depth: 0,
            max_documents: 1,
            max_nodes: 5000,
            max_events: 20_000,
            ..Budget::default()
        }),
        with_snippet: false,
    }
}

pub(crate) fn unread(error: Error) -> Refused {
    let at = error.location();
    let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    // The reader tells the place behind the message too.
    let told = at.map(|at| format!(" at line {}, column {}", at.line(), at.column()));
    let message = told.and_then(|told| message.strip_suffix(&told)).unwrap_or(&message);
    let message = shape(&error).unwrap_or(message).to_owned();
    Refused { line: at.map(|at| at.line()), column: at.map(|at| at.column()), message }
}

/// In the words of who writes the text, not of its reader: what stands where something else was found.
fn shape(error: &Error) -> Option<&'static str> {
    let Error::Unexpected { expected, .. } = error else { return None };
    match *expected {
        "sequence start" => Some("a list is expected here, as [a, b]"),
        "mapping start" => Some("names and their values are expected here, as name: value"),
        "string scalar" => Some("one value is expected here, no list and no names"),
        _ => None,
    }
}

/// Where files go, and whether there is only a table.
fn destination(spanned: &Spanned<Target>) -> Result<(Option<Destination>, bool), Refused> {
    let target = &spanned.value;
    let formats = [
        ("csv", Output::Files(Format::Csv)),
        ("json", Output::Files(Format::Json)),
        ("parquet", Output::Files(Format::Parquet)),
        ("iceberg", Output::Table),
    ];
    let csv = Output::Files(Format::Csv);
    let format = match choice(target.format.as_ref(), "destination.format", &formats, csv)? {
        Output::Files(format) => format,
        Output::Table => return table_only(target).map(|()| (None, true)),
    };
    let words = [("on", Compression::Zstd), ("off", Compression::None)];
    let compression =
        choice(target.compression.as_ref(), "destination.compression", &words, Compression::Zstd)?;
    let Some(bucket) = target.bucket.as_ref().filter(|bucket| !bucket.value.is_empty()) else {
        let message = format!("destination lacks bucket: the bucket that files of {format:?} go to");
        return Err(refused(spanned.referenced, message.to_lowercase()));
    };
    check::bucket(&bucket.value, "destination.bucket").map_err(|error| place(bucket, error))?;
    let prefix = target.prefix.as_ref().map_or("", |prefix| prefix.value.trim_matches('/'));
    if let Some(text) = &target.prefix {
        check::prefix(prefix).map_err(|error| place(text, error))?;
    }
    let destination = Destination {
        bucket: bucket.value.clone(),
        prefix: prefix.to_owned(),
        format,
        compression,
        layout: Layout::Aistor,
        file_bytes_hint: hint(target.max_file_size_hint.as_ref())?,
    };
    Ok((Some(destination), false))
}

/// An error of a value, with the place of the value.
fn place(text: &Text, error: InvalidSpec) -> Refused {
    refused(text.referenced, error.to_string())
}

/// Refuses what only files have.
fn table_only(target: &Target) -> Result<(), Refused> {
    let only_files = [
        ("bucket", &target.bucket),
        ("prefix", &target.prefix),
        ("compression", &target.compression),
        ("maxFileSizeHint", &target.max_file_size_hint),
    ];
    let given = only_files.iter().find_map(|(name, text)| text.as_ref().map(|text| (name, text)));
    given.map_or(Ok(()), |(name, text)| {
        let message = format!("destination.{name} is of files; with format iceberg there are none");
        Err(refused(text.referenced, message))
    })
}

fn hint(text: Option<&Text>) -> Result<u64, Refused> {
    let Some(text) = text else { return Ok(FILE_BYTES) };
    let bytes = size(text, "destination.maxFileSizeHint")?;
    if (FILE_BYTES_MIN..=FILE_BYTES_MAX).contains(&bytes) {
        return Ok(bytes);
    }
    Err(wrong(text, "destination.maxFileSizeHint", "1MiB to 5GiB"))
}

fn schedule(text: Option<&Text>) -> Result<Schedule, Refused> {
    let Some(text) = text else { return Ok(Schedule::Once) };
    if let Some(cron) = text.value.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')')) {
        let schedule = Schedule::Cron(cron.trim().to_owned());
        schedule.check().map_err(|error| refused(text.referenced, format!("schedule: {error}")))?;
        return Ok(schedule);
    }
    match text.value.as_str() {
        "once" => Ok(Schedule::Once),
        "hourly" => Ok(Schedule::Hourly),
        "daily" => Ok(Schedule::Daily),
        "weekly" => Ok(Schedule::Weekly),
        "monthly" => Ok(Schedule::Monthly),
        "yearly" => Ok(Schedule::Yearly),
        _ => {
            let allowed =
                "once, hourly, daily, weekly, monthly, yearly, or cron(minute hour day month weekday)";
            Err(wrong(text, "schedule", allowed))
        }
    }
}

/// The columns: the time and size that AIStor always tells, and those asked for.
fn fields(asked: &[Text]) -> Result<Vec<Field>, Refused> {
    let mut fields = vec![Field::LastModifiedDate, Field::Size];
    for text in asked {
        let field = choice(Some(text), "a field of includeFields", &FIELDS, None)?;
        if let Some(field) = field.filter(|field| !fields.contains(field)) {
            fields.push(field);
        }
    }
    Ok(fields)
}
