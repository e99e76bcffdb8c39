//! The lines of files. Each is written once per answer, with URLs made for it: this is where time goes.

use std::fmt::Write as _;

use ring::digest::{Context, SHA256};

use super::text::{object, quoted};
use crate::gateway::Urls;
use crate::protocol::{FileIds, Format};
use crate::table::{DataFile, Deletes, Place};

/// Bytes of an id of the parquet format, of the 32 of a hash.
const SHORT_ID_BYTES: usize = 16;

/// What a line tells of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It is one of a version's.
    Live,
    /// It came.
    Added,
    /// It went.
    Removed,
    /// It holds changed rows.
    Changed,
}

/// The version a file is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Its number.
    pub version: i64,
    /// When it was committed, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// Why a file cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It has deleted rows, and the format has no words for that.
    #[error("the parquet format cannot tell that rows of a file are deleted")]
    Deleted,
    /// It has no value, not even null, of a column the table is told to be partitioned by: readers would take that for null.
    #[error("a file lacks a column that the table is partitioned by")]
    Unpartitioned,
}

/// Writes lines of files.
pub struct FileLines<'a> {
    /// The format.
    pub format: Format,
    /// How files are named.
    pub ids: FileIds,
    /// Their URLs.
    pub urls: Urls<'a>,
    /// What the table is told to be partitioned by, by names in files.
    pub partitions: &'a [String],
}

impl FileLines<'_> {
    /// The line of a file.
    pub fn write(
        &self,
        part: Part,
        stamp: Option<Stamp>,
        file: &DataFile<'_>,
        out: &mut String,
    ) -> Result<(), LineError> {
        let has_value = |column: &String| file.partition_values.iter().any(|(name, _)| name == column);
        if !self.partitions.iter().all(has_value) {
            return Err(LineError::Unpartitioned);
        }
        match self.format {
            Format::Parquet if file.deletes.is_some() => return Err(LineError::Deleted),
            Format::Parquet => self.parquet(part, stamp, file, out),
            Format::Delta => self.delta(part, stamp, file, out),
        }
        Ok(())
    }

    fn parquet(&self, part: Part, stamp: Option<Stamp>, file: &DataFile<'_>, out: &mut String) {
        let (name, stats) = match part {
            Part::Live => ("file", file.stats),
            Part::Added => ("add", file.stats),
            Part::Removed => ("remove", None),
            Part::Changed => ("cdf", None),
        };
        push(out, format_args!("{{\"{name}\":{{\"url\":\""));
        self.urls.write(file.at, out);
        out.push_str("\",\"id\":\"");
        self.id(file.at, None, out);
        out.push_str("\",\"partitionValues\":");
        object(&file.partition_values, out);
        push(out, format_args!(",\"size\":{}", file.size));
        statistics(stats, out);
        self.stamped(stamp, out);
        out.push_str("}}\n");
    }

    fn delta(&self, part: Part, stamp: Option<Stamp>, file: &DataFile<'_>, out: &mut String) {
        out.push_str("{\"file\":{\"id\":\"");
        self.id(file.at, None, out);
        if let Some(deletes) = &file.deletes {
            out.push_str("\",\"deletionVectorFileId\":\"");
            self.id(deletes.at, Some(deletes.offset), out);
        }
        out.push('"');
        self.stamped(stamp, out);
        out.push_str(",\"deltaSingleAction\":{\"");
        out.push_str(match part {
            Part::Live | Part::Added => "add",
            Part::Removed => "remove",
            Part::Changed => "cdc",
        });
        out.push_str("\":{\"path\":\"");
        self.urls.write(file.at, out);
        out.push_str("\",\"partitionValues\":");
        object(&file.partition_values, out);
        push(out, format_args!(",\"size\":{}", file.size));
        match part {
            Part::Live | Part::Added => {
                push(out, format_args!(",\"modificationTime\":{},\"dataChange\":true", file.modified_ms));
                statistics(file.stats, out);
            }
            Part::Removed => {
                if let Some(stamp) = stamp {
                    push(out, format_args!(",\"deletionTimestamp\":{}", stamp.timestamp_ms));
                }
                out.push_str(",\"dataChange\":true,\"extendedFileMetadata\":true");
            }
            Part::Changed => out.push_str(",\"dataChange\":false"),
        }
        if let Some(deletes) = &file.deletes {
            self.vector(deletes, out);
        }
        out.push_str("}}}}\n");
    }

    fn vector(&self, deletes: &Deletes<'_>, out: &mut String) {
        out.push_str(",\"deletionVector\":{\"storageType\":\"p\",\"pathOrInlineDv\":\"");
        self.urls.write(deletes.at, out);
        push(
            out,
            format_args!(
                "\",\"offset\":{},\"sizeInBytes\":{},\"cardinality\":{}}}",
                deletes.offset, deletes.size, deletes.cardinality
            ),
        );
    }

    fn stamped(&self, stamp: Option<Stamp>, out: &mut String) {
        if let Some(stamp) = stamp {
            push(out, format_args!(",\"version\":{},\"timestamp\":{}", stamp.version, stamp.timestamp_ms));
        }
        push(out, format_args!(",\"expirationTimestamp\":{}", self.urls.expires_ms()));
    }

    /// The id of a file, or of what begins at `offset` in it: the same whenever it is told.
    fn id(&self, at: Place<'_>, offset: Option<u32>, out: &mut String) {
        let mut context = Context::new(&SHA256);
        context.update(at.bucket.as_bytes());
        context.update(&[0]);
        context.update(at.key.as_bytes());
        if let Some(offset) = offset {
            context.update(&[0]);
            context.update(&offset.to_be_bytes());
        }
        let hash = context.finish();
        let mut digits = [0; 64];
        let bytes = match self.ids {
            FileIds::Parquet => &hash.as_ref()[..SHORT_ID_BYTES],
            FileIds::Delta => hash.as_ref(),
        };
        let digits = &mut digits[..2 * bytes.len()];
        hex::encode_to_slice(bytes, digits).expect("two digits a byte");
        out.push_str(std::str::from_utf8(digits).expect("digits are ASCII"));
    }
}

fn statistics(stats: Option<&str>, out: &mut String) {
    if let Some(stats) = stats {
        out.push_str(",\"stats\":");
        quoted(stats, out);
    }
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("texts take everything");
}
