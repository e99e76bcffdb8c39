//! The objects a batch is to do, one after the other: those of a bucket that its rules let through, or those of a list.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use tarn_catalog::WarehouseStores;

use super::spec::{Manifest, ManifestFormat, Spec};
use crate::jobs::{Context, Progress, WorkError};
use crate::report::filter::CompiledFilter;
use crate::scan::{Depth, ObjectScan, Objects, Scan, ScanError, ScanOptions};

/// The longest list, or file of one, in bytes.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// Objects that are looked at before it is written down how far they are.
const SCANNED_MAX: u64 = 1_000_000;
/// The longest manifest of an inventory, in bytes.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// An object to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) bucket: String,
    pub(super) key: String,
    /// Of the version that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(default)]
    pub(super) size: u64,
}

/// How far the objects were gone through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Position {
    /// Behind this key.
    After(String),
    /// At this line of this file.
    Line { file: usize, line: u64 },
}

/// Some of the objects.
pub(super) struct Chunk {
    pub(super) tasks: Vec<Task>,
    /// Where they end.
    pub(super) end: Option<Position>,
    /// Whether there are no more.
    pub(super) is_last: bool,
}

/// Where tasks come from.
pub(super) enum Tasks {
    Bucket(InBucket),
    List(InList),
}

/// The objects of a bucket.
pub(super) struct InBucket {
    scan: Box<dyn Scan>,
    rules: Vec<CompiledFilter>,
    found: VecDeque<Task>,
    /// The last key of those in `found`, or behind them.
    last: Option<String>,
}

/// The objects of a list.
pub(super) struct InList {
    store: Arc<dyn ObjectStore>,
    files: Vec<(String, Columns)>,
    lines: Option<csv::Reader<Box<dyn Read + Send>>>,
    file: usize,
    line: u64,
}

/// Which columns of a file are the bucket and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    bucket: usize,
    key: usize,
}

impl Tasks {
    /// Those behind `at`, of a run that began at `started_ms`.
    pub(super) async fn open(
        spec: &Spec,
        (scans, stores): (&dyn ObjectScan, &dyn WarehouseStores),
        at: Option<&Position>,
        started_ms: i64,
    ) -> Result<Self, WorkError> {
        if let Some(manifest) = &spec.manifest {
            return InList::open(manifest, stores.store(&manifest.bucket), at).await.map(Self::List);
        }
        let rules = spec.rules.iter().map(|rule| CompiledFilter::new(rule, started_ms));
        let rules: Vec<_> = rules.collect::<Result<_, _>>().map_err(|error| fatal(error.to_string()))?;
        let deep = spec.rules.iter().any(|rule| rule.depth() == Depth::Attributes);
        let after = match at {
            Some(Position::After(key)) => Some(key.clone()),
            Some(Position::Line { .. }) | None => None,
        };
        let depth = if deep { Depth::Attributes } else { Depth::Listing };
        let options = ScanOptions {
            prefix: spec.prefix.clone(),
            after: after.clone(),
            depth,
            ..ScanOptions::default()
        };
        let scan = scans.scan(&spec.bucket, &options).await.map_err(scan_error)?;
        Ok(Self::Bucket(InBucket { scan, rules, found: VecDeque::new(), last: after }))
    }

    /// Up to `max` of the next.
    pub(super) async fn next(
        &mut self,
        max: usize,
        spec: &Spec,
        context: &Context,
    ) -> Result<Chunk, WorkError> {
        match self {
            Self::Bucket(tasks) => tasks.next(max, spec, context).await,
            Self::List(tasks) => tasks.next(max, spec, context).await,
        }
    }
}

impl InBucket {
    async fn next(&mut self, max: usize, spec: &Spec, context: &Context) -> Result<Chunk, WorkError> {
        let (mut scanned, mut is_over) = (0, false);
        while self.found.len() < max && scanned < SCANNED_MAX {
            let Some(objects) = self.scan.next().await.map_err(scan_error)? else {
                is_over = true;
                break;
            };
            let count = objects.len() as u64;
            scanned += count;
            context.pace(count, 0).await?;
            Progress::add(&context.progress.scanned, count);
            self.select(&objects, spec);
        }
        let tasks: Vec<Task> = self.found.drain(..max.min(self.found.len())).collect();
        // What is left of the last batch of the scan is not done yet.
        let end = match self.found.is_empty() {
            true => self.last.clone(),
            false => tasks.last().map(|task| task.key.clone()),
        };
        let is_last = is_over && self.found.is_empty();
        Ok(Chunk { tasks, end: end.map(Position::After), is_last })
    }

    fn select(&mut self, objects: &Objects, spec: &Spec) {
        let mut is_selected = vec![self.rules.is_empty(); objects.len()];
        let mut rows = Vec::new();
        for rule in &self.rules {
            rule.select(objects, &mut rows);
            rows.iter().for_each(|row| is_selected[*row as usize] = true);
        }
        for row in (0..objects.len()).filter(|row| is_selected[*row]) {
            let key = objects.key(row);
            if spec.is_report(&spec.bucket, key) {
                continue;
            }
            let (etag, size) = (Some(objects.etags[row].to_string()), objects.sizes[row]);
            self.found.push_back(Task { bucket: spec.bucket.clone(), key: key.to_owned(), etag, size });
        }
        if !objects.is_empty() {
            self.last = Some(objects.key(objects.len() - 1).to_owned());
        }
    }
}

impl InList {
    async fn open(
        manifest: &Manifest,
        store: Arc<dyn ObjectStore>,
        at: Option<&Position>,
    ) -> Result<Self, WorkError> {
        let files = match manifest.format {
            ManifestFormat::Csv => {
                head(&*store, manifest).await?;
                vec![(manifest.key.clone(), Columns { bucket: 0, key: 1 })]
            }
            ManifestFormat::Inventory => {
                head(&*store, manifest).await?;
                let text = read(&*store, &manifest.key, MANIFEST_BYTES_MAX).await?;
                files_of(&text).map_err(fatal)?
            }
        };
        let (file, line) = match at {
            Some(Position::Line { file, line }) => (*file, *line),
            Some(Position::After(_)) | None => (0, 0),
        };
        let mut list = Self { store, files, lines: None, file, line: 0 };
        list.skip(line).await?;
        Ok(list)
    }

    /// Opens the file it is at, and passes over so many lines.
    async fn skip(&mut self, lines: u64) -> Result<(), WorkError> {
        self.line = 0;
        self.lines = None;
        let Some((key, _)) = self.files.get(self.file) else { return Ok(()) };
        let bytes = read(&*self.store, key, FILE_BYTES_MAX).await?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(unpacked(key, bytes).map_err(|error| fatal(format!("{key}: {error}")))?);
        let mut record = csv::ByteRecord::new();
        while self.line < lines {
            let is_there = reader.read_byte_record(&mut record);
            if !is_there.map_err(|error| fatal(format!("{key}: {error}")))? {
                break;
            }
            self.line += 1;
        }
        self.lines = Some(reader);
        Ok(())
    }

    async fn next(&mut self, max: usize, spec: &Spec, context: &Context) -> Result<Chunk, WorkError> {
        let mut tasks = Vec::new();
        while tasks.len() < max {
            let Some((key, columns)) = self.files.get(self.file).cloned() else { break };
            let Some(reader) = &mut self.lines else { break };
            let mut record = csv::StringRecord::new();
            let place = || format!("{key}, line {}", self.line + 1);
            let is_there =
                reader.read_record(&mut record).map_err(|error| fatal(format!("{}: {error}", place())))?;
            if !is_there {
                self.file += 1;
                self.skip(0).await?;
                continue;
            }
            let missing = || fatal(format!("{}: a line has a bucket and a key", place()));
            let bucket = record.get(columns.bucket).ok_or_else(missing)?.to_owned();
            let encoded = record.get(columns.key).ok_or_else(missing)?.replace('+', " ");
            let decoded = percent_decode_str(&encoded).decode_utf8();
            let decoded = decoded.map_err(|_| fatal(format!("{}: the key is not UTF-8", place())))?;
            tasks.push(Task { bucket, key: decoded.into_owned(), etag: None, size: 0 });
            self.line += 1;
        }
        tasks.retain(|task| !spec.is_report(&task.bucket, &task.key));
        context.pace(tasks.len() as u64, 0).await?;
        Progress::add(&context.progress.scanned, tasks.len() as u64);
        let end = Some(Position::Line { file: self.file, line: self.line });
        Ok(Chunk { tasks, end, is_last: self.file >= self.files.len() })
    }
}

/// The files of an inventory's manifest.
fn files_of(text: &[u8]) -> Result<Vec<(String, Columns)>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Listing {
        file_format: String,
        file_schema: String,
        files: Vec<File>,
    }
    #[derive(Deserialize)]
    struct File {
        key: String,
    }
    let listing: Listing = serde_json::from_slice(text).map_err(|error| format!("the manifest: {error}"))?;
    if !listing.file_format.eq_ignore_ascii_case("csv") {
        let format: String = listing.file_format.chars().take(64).collect();
        return Err(format!("the manifest lists files of {format}; allowed: CSV"));
    }
    let columns: Vec<&str> = listing.file_schema.split(',').map(str::trim).collect();
    let find = |name: &str| {
        let at = columns.iter().position(|column| *column == name);
        at.ok_or_else(|| format!("the manifest's fileSchema has no column {name}"))
    };
    let columns = Columns { bucket: find("Bucket")?, key: find("Key")? };
    Ok(listing.files.into_iter().map(|file| (file.key, columns)).collect())
}

fn unpacked(key: &str, bytes: Bytes) -> std::io::Result<Box<dyn Read + Send>> {
    let reader = std::io::Cursor::new(bytes);
    Ok(match key.rsplit_once('.').map(|(_, ending)| ending) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        Some("zst") => Box::new(zstd::Decoder::new(reader)?),
        Some(_) | None => Box::new(reader),
    })
}

/// Refuses a list that is not there, or is not the one that was meant.
async fn head(store: &dyn ObjectStore, manifest: &Manifest) -> Result<(), WorkError> {
    let found = store.head(&path(&manifest.key)?).await.map_err(|error| store_error(&manifest.key, error))?;
    let etag = found.e_tag.as_deref().map(|etag| etag.trim_matches('"'));
    match &manifest.etag {
        Some(meant) if etag != Some(meant) => {
            Err(fatal(format!("the manifest {} has another entity tag than {meant}", manifest.key)))
        }
        Some(_) | None => Ok(()),
    }
}

async fn read(store: &dyn ObjectStore, key: &str, most: u64) -> Result<Bytes, WorkError> {
    let found = store.get(&path(key)?).await.map_err(|error| store_error(key, error))?;
    if found.meta.size > most {
        return Err(fatal(format!("{key} has {} bytes; {most} are allowed", found.meta.size)));
    }
    found.bytes().await.map_err(|error| store_error(key, error))
}

pub(super) fn path(key: &str) -> Result<Path, WorkError> {
    Path::parse(key).map_err(|error| fatal(format!("{key} cannot be a key here: {error}")))
}

pub(super) fn store_error(key: &str, error: object_store::Error) -> WorkError {
    match error {
        object_store::Error::NotFound { .. } => fatal(format!("{key} does not exist")),
        error => WorkError::Retry(format!("{key} could not be read or written"), Some(Box::new(error))),
    }
}

fn scan_error(error: ScanError) -> WorkError {
    match error {
        ScanError::NoSuchBucket(_) => fatal(error.to_string()),
        ScanError::Store(_) => {
            WorkError::Retry("the bucket could not be scanned".into(), Some(Box::new(error)))
        }
    }
}

pub(super) fn fatal(message: String) -> WorkError {
    WorkError::Fatal(message, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_an_inventory_are_found_with_their_columns() {
        let manifest =
            br#"{"sourceBucket":"a","fileFormat":"CSV","fileSchema":"Bucket, VersionId, Key, Size",
            "files":[{"key":"data/1.csv.gz","size":5,"MD5checksum":"x"}]}"#;
        let columns = Columns { bucket: 0, key: 2 };
        assert_eq!(files_of(manifest).unwrap(), [("data/1.csv.gz".to_owned(), columns)]);
        for (wrong, told) in [
            (&br#"{"fileFormat":"Parquet","fileSchema":"","files":[]}"#[..], "allowed: CSV"),
            (br#"{"fileFormat":"CSV","fileSchema":"Bucket, Size","files":[]}"#, "no column Key"),
            (b"no", "the manifest"),
        ] {
            assert!(files_of(wrong).unwrap_err().contains(told), "{told}");
        }
    }
}
