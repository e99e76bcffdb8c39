//! The objects of a list: lines of CSV, rows of Parquet, or the answer of a query.

use std::io::Read;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt as _};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::parquet::ParquetRows;
use super::{Chunk, Position, Task, fatal, path, read, read_tasks, store_error};
use crate::batch::spec::{List, ManifestFormat, Spec};
use crate::jobs::{Context, Progress, WorkError};

/// The longest list of CSV, or file of one, in bytes.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// The longest manifest of an inventory, in bytes.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 1024;

/// The objects of a list.
pub(in crate::batch) struct InList {
    store: Arc<dyn ObjectStore>,
    files: Vec<(String, Form)>,
    lines: Option<Lines>,
    file: usize,
    line: u64,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv(Columns),
    Parquet,
    /// Tasks as this server writes them.
    Tasks,
}

/// Which columns of a file are the bucket and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    bucket: usize,
    key: usize,
}

/// A file that is being read.
enum Lines {
    Csv(csv::Reader<Box<dyn Read + Send>>, Columns),
    Parquet(Box<ParquetRows>),
    Tasks(vec::IntoIter<Task>),
}

impl InList {
    pub(super) async fn open(
        list: &List,
        store: Arc<dyn ObjectStore>,
        at: Option<&Position>,
    ) -> Result<Self, WorkError> {
        head(&*store, list).await?;
        let files = match list.format {
            ManifestFormat::Csv => vec![(list.key.clone(), Form::Csv(Columns { bucket: 0, key: 1 }))],
            ManifestFormat::Inventory | ManifestFormat::ParquetInventory => {
                let text = read(&*store, &list.key, MANIFEST_BYTES_MAX).await?;
                files_of(&text, list.format).map_err(fatal)?
            }
        };
        Self::at(store, files, at).await
    }

    /// The answer of a query, kept in these files.
    pub(super) async fn of_answer(
        store: Arc<dyn ObjectStore>,
        names: Vec<String>,
        at: Option<&Position>,
    ) -> Result<Self, WorkError> {
        let files = names.into_iter().map(|name| (name, Form::Tasks)).collect();
        Self::at(store, files, at).await
    }

    async fn at(
        store: Arc<dyn ObjectStore>,
        files: Vec<(String, Form)>,
        at: Option<&Position>,
    ) -> Result<Self, WorkError> {
        let (file, line) = match at {
            Some(Position::Line { file, line }) => (*file, *line),
            Some(Position::After(_)) | None => (0, 0),
        };
        let mut list = Self { store, files, lines: None, file, line: 0 };
        list.skip(line).await?;
        Ok(list)
    }

    /// Opens the file it is at, behind so many lines.
    async fn skip(&mut self, lines: u64) -> Result<(), WorkError> {
        self.line = lines;
        self.lines = None;
        let Some((key, form)) = self.files.get(self.file) else { return Ok(()) };
        self.lines = Some(match form {
            Form::Csv(columns) => {
                let bytes = read(&*self.store, key, FILE_BYTES_MAX).await?;
                let reader =
                    csv_behind(key, bytes, lines).map_err(|error| fatal(format!("{key}: {error}")))?;
                Lines::Csv(reader, *columns)
            }
            Form::Parquet => {
                Lines::Parquet(Box::new(ParquetRows::open(self.store.clone(), key, lines).await?))
            }
            Form::Tasks => {
                let mut tasks = read_tasks(&*self.store, key).await?.into_iter();
                tasks.by_ref().take(usize::try_from(lines).unwrap_or(usize::MAX)).for_each(drop);
                Lines::Tasks(tasks)
            }
        });
        Ok(())
    }

    pub(super) async fn next(
        &mut self,
        max: usize,
        spec: &Spec,
        context: &Context,
    ) -> Result<Chunk, WorkError> {
        let (mut tasks, mut scanned) = (Vec::new(), 0);
        while tasks.len() < max {
            let Some((key, _)) = self.files.get(self.file) else { break };
            let Some(lines) = &mut self.lines else { break };
            let place = || format!("{key}, line {}", self.line + 1);
            let Some(task) = lines.next(key).await.map_err(|error| at(error, place))? else {
                self.file += 1;
                self.skip(0).await?;
                continue;
            };
            if task.key.is_empty() || task.key.len() > KEY_BYTES_MAX {
                return Err(fatal(format!("{}: a key has 1 to {KEY_BYTES_MAX} bytes", place())));
            }
            (self.line, scanned) = (self.line + 1, scanned + 1);
            tasks.push(task);
        }
        tasks.retain(|task| !spec.is_report(&task.bucket, &task.key));
        context.pace(scanned, 0).await?;
        Progress::add(&context.progress.scanned, scanned);
        let end = Some(Position::Line { file: self.file, line: self.line });
        Ok(Chunk { tasks, end, is_last: self.file >= self.files.len() })
    }
}

/// Why a line was not read.
enum LineError {
    /// It is none.
    Wrong(String),
    Store(WorkError),
}

fn at(error: LineError, place: impl Fn() -> String) -> WorkError {
    match error {
        LineError::Wrong(message) => fatal(format!("{}: {message}", place())),
        LineError::Store(error) => error,
    }
}

impl Lines {
    async fn next(&mut self, key: &str) -> Result<Option<Task>, LineError> {
        match self {
            Self::Csv(reader, columns) => line(reader, *columns).map_err(LineError::Wrong),
            Self::Parquet(rows) => rows.next(key).await.map_err(LineError::Store),
            Self::Tasks(tasks) => Ok(tasks.next()),
        }
    }
}

fn line(reader: &mut csv::Reader<Box<dyn Read + Send>>, columns: Columns) -> Result<Option<Task>, String> {
    let mut record = csv::StringRecord::new();
    if !reader.read_record(&mut record).map_err(|error| error.to_string())? {
        return Ok(None);
    }
    let missing = || "a line has a bucket and a key".to_owned();
    let bucket = record.get(columns.bucket).ok_or_else(missing)?.to_owned();
    let encoded = record.get(columns.key).ok_or_else(missing)?.replace('+', " ");
    let decoded = percent_decode_str(&encoded).decode_utf8().map_err(|_| "the key is not UTF-8")?;
    Ok(Some(Task { bucket, key: decoded.into_owned(), etag: None, size: 0 }))
}

fn csv_behind(key: &str, bytes: Bytes, lines: u64) -> csv::Result<csv::Reader<Box<dyn Read + Send>>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(unpacked(key, bytes)?);
    let mut record = csv::ByteRecord::new();
    for _ in 0..lines {
        if !reader.read_byte_record(&mut record)? {
            break;
        }
    }
    Ok(reader)
}

/// The files of an inventory's manifest.
fn files_of(text: &[u8], format: ManifestFormat) -> Result<Vec<(String, Form)>, String> {
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
    let wanted = if format == ManifestFormat::ParquetInventory { "Parquet" } else { "CSV" };
    if !listing.file_format.eq_ignore_ascii_case(wanted) {
        let format: String = listing.file_format.chars().take(64).collect();
        return Err(format!("the manifest lists files of {format}; allowed: {wanted}"));
    }
    let form = match format {
        ManifestFormat::ParquetInventory => Form::Parquet,
        ManifestFormat::Inventory | ManifestFormat::Csv => {
            let columns: Vec<&str> = listing.file_schema.split(',').map(str::trim).collect();
            let find = |name: &str| {
                let at = columns.iter().position(|column| *column == name);
                at.ok_or_else(|| format!("the manifest's fileSchema has no column {name}"))
            };
            Form::Csv(Columns { bucket: find("Bucket")?, key: find("Key")? })
        }
    };
    Ok(listing.files.into_iter().map(|file| (file.key, form)).collect())
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
async fn head(store: &dyn ObjectStore, list: &List) -> Result<(), WorkError> {
    let found = store.head(&path(&list.key)?).await.map_err(|error| store_error(&list.key, error))?;
    let etag = found.e_tag.as_deref().map(|etag| etag.trim_matches('"'));
    match &list.etag {
        Some(meant) if etag != Some(meant) => {
            Err(fatal(format!("the manifest {} has another entity tag than {meant}", list.key)))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_an_inventory_are_found_with_their_columns() {
        let csv = |text: &[u8]| files_of(text, ManifestFormat::Inventory);
        let manifest =
            br#"{"sourceBucket":"a","fileFormat":"CSV","fileSchema":"Bucket, VersionId, Key, Size",
            "files":[{"key":"data/1.csv.gz","size":5,"MD5checksum":"x"}]}"#;
        let form = Form::Csv(Columns { bucket: 0, key: 2 });
        assert_eq!(csv(manifest).unwrap(), [("data/1.csv.gz".to_owned(), form)]);
        let parquet = br#"{"fileFormat":"Parquet","fileSchema":"","files":[{"key":"a"}]}"#;
        let read = files_of(parquet, ManifestFormat::ParquetInventory);
        assert_eq!(read.unwrap(), [("a".to_owned(), Form::Parquet)]);
        assert!(
            files_of(manifest, ManifestFormat::ParquetInventory).unwrap_err().contains("allowed: Parquet")
        );
        for (wrong, told) in [
            (&parquet[..], "allowed: CSV"),
            (br#"{"fileFormat":"CSV","fileSchema":"Bucket, Size","files":[]}"#, "no column Key"),
            (b"no", "the manifest"),
        ] {
            assert!(csv(wrong).unwrap_err().contains(told), "{told}");
        }
    }
}
