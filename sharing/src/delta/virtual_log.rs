//! A log for a version of a table that has none of its own: one commit that makes the table, files and all.
//!
//! Clients that read a table as a directory find it at [`COMMIT`] below the table's location.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::protocol::{Columns, Form, Format, log_head, object, quoted};
use crate::table::{DataFile, Deletes, OpenChunk, Place, TableVersion};

/// Where the commit lies, from the table's location on.
pub const COMMIT: &str = "_delta_log/00000000000000000000.json";

/// The commit of a version, in pieces of some hundred files each. `url_of` gives a file's URI, as [`s3_uri`] does.
pub fn delta_log_of<'a>(
    version: &'a TableVersion,
    url_of: impl Fn(Place<'_>) -> String + 'a,
) -> impl Iterator<Item = Bytes> + 'a {
    let head = std::iter::once_with(|| head_of(version));
    let chunks = (0..version.files.chunk_count()).filter_map(|at| version.files.chunk(at));
    head.chain(chunks.map(move |chunk| files_of(&chunk, &url_of, &url_of)))
}

/// The lines of some of a version's files. `path_of` gives a data file's path: a URI, or one from the table's location on;
/// `vector_of` the URI of a file of vectors. Both are encoded.
pub fn files_of(
    chunk: &OpenChunk,
    path_of: &impl Fn(Place<'_>) -> String,
    vector_of: &impl Fn(Place<'_>) -> String,
) -> Bytes {
    let mut lines = String::new();
    chunk.files().for_each(|file| add(&file, path_of, vector_of, &mut lines));
    lines.into()
}

/// `s3://bucket/key`, encoded as paths in a log are.
pub fn s3_uri(at: Place<'_>) -> String {
    format!("s3://{}", path_of(at))
}

/// `bucket/key`, encoded as paths in a log are.
pub fn path_of(at: Place<'_>) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const PLAIN: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'=');
    format!("{}/{}", at.bucket, utf8_percent_encode(at.key, PLAIN))
}

/// The lines before those of its files: what reading it takes, and what it is.
pub fn head_of(version: &TableVersion) -> Bytes {
    let features = version.features.clone();
    let form = Form { format: Format::Delta, features, columns: Columns::AsMapped };
    let mut lines = String::new();
    log_head(&form, &version.metadata, &mut lines);
    lines.into()
}

fn add(
    file: &DataFile<'_>,
    path_of: &impl Fn(Place<'_>) -> String,
    vector_of: &impl Fn(Place<'_>) -> String,
    out: &mut String,
) {
    out.push_str("{\"add\":{\"path\":");
    quoted(&path_of(file.at), out);
    out.push_str(",\"partitionValues\":");
    object(&file.partition_values, out);
    let numbers =
        format_args!(",\"size\":{},\"modificationTime\":{},\"dataChange\":true", file.size, file.modified_ms);
    out.write_fmt(numbers).expect("writing to memory does not fail");
    if let Some(stats) = file.stats {
        out.push_str(",\"stats\":");
        quoted(stats, out);
    }
    if let Some(deletes) = &file.deletes {
        vector(deletes, vector_of, out);
    }
    out.push_str("}}\n");
}

fn vector(deletes: &Deletes<'_>, vector_of: &impl Fn(Place<'_>) -> String, out: &mut String) {
    out.push_str(",\"deletionVector\":{\"storageType\":\"p\",\"pathOrInlineDv\":");
    quoted(&vector_of(deletes.at), out);
    let Deletes { offset, size, cardinality, .. } = deletes;
    let numbers = format_args!(",\"offset\":{offset},\"sizeInBytes\":{size},\"cardinality\":{cardinality}}}");
    out.write_fmt(numbers).expect("writing to memory does not fail");
}
