//! What a specification must be, and what its author must be allowed.

use object_store::path::Path;
use tarn_openapi::access::{Action, Resource};

use super::columns::{reads_metadata, reads_tags};
use super::filter::{CompiledFilter, ranges};
use super::names::Places;
use super::spec::{Destination, Spec};
use crate::jobs::{Author, InvalidSpec, Rights};

/// The shortest and the longest size that may be asked for, in bytes.
const FILE_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=5 << 30;
/// The longest prefix of a destination, in bytes: keys have 1024, and what comes behind it less than 300.
const PREFIX_BYTES_MAX: usize = 512;

/// Checks all that needs no look at the server.
pub(super) fn check(spec: &Spec) -> Result<(), InvalidSpec> {
    bucket(&spec.bucket, "bucket")?;
    let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    if !(1..=64).contains(&spec.id.len()) || !spec.id.chars().all(is_plain) || spec.id.starts_with('.') {
        return Err(field(
            "id",
            "1 to 64 letters, digits, '-', '_' and '.' are allowed, and no '.' at the begin",
        ));
    }
    for (index, one) in spec.fields.iter().enumerate() {
        if spec.fields[..index].contains(one) {
            return Err(field(&format!("fields[{index}]"), &format!("{one:?} is asked for twice")));
        }
    }
    match &spec.destination {
        Some(to) => check_destination(to)?,
        None if spec.iceberg => {}
        None => return Err(field("destination", "there must be one, or 'iceberg' must be true")),
    }
    CompiledFilter::new(&spec.filter, 0)
        .map(|_| ())
        .map_err(|error| InvalidSpec::Field { at: error.at, message: error.message })
}

fn check_destination(to: &Destination) -> Result<(), InvalidSpec> {
    bucket(&to.bucket, "destination.bucket")?;
    prefix(to.prefix.trim_end_matches('/'))?;
    if !FILE_BYTES.contains(&to.file_bytes_hint) {
        let message = format!("{} to {} bytes are allowed", FILE_BYTES.start(), FILE_BYTES.end());
        return Err(field("destination.file_bytes_hint", &message));
    }
    Ok(())
}

/// Checks what the keys of files begin with.
pub(super) fn prefix(prefix: &str) -> Result<(), InvalidSpec> {
    if prefix.len() > PREFIX_BYTES_MAX {
        let message = format!("it has {} bytes; {PREFIX_BYTES_MAX} are allowed", prefix.len());
        return Err(field("destination.prefix", &message));
    }
    let is_path = prefix.is_empty() || Path::parse(prefix).is_ok_and(|path| path.as_ref() == prefix);
    if !is_path || prefix.chars().any(char::is_control) {
        let message = "names separated by single slashes are allowed; none may be '.' or '..', or hold control characters";
        return Err(field("destination.prefix", message));
    }
    Ok(())
}

/// Checks the name of a bucket.
pub(super) fn bucket(name: &str, at: &str) -> Result<(), InvalidSpec> {
    let is_plain =
        |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '-' | '.');
    if (3..=63).contains(&name.len()) && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(field(at, "the name of a bucket has 3 to 63 lowercase letters, digits, '-' and '.'"))
}

pub(super) fn field(at: &str, message: &str) -> InvalidSpec {
    InvalidSpec::Field { at: at.to_owned(), message: message.to_owned() }
}

/// Whether an author may have this inventory made: list what is told, read what listings do not tell, and write files.
/// What is denied is answered.
pub fn may(rights: &dyn Rights, author: &Author, spec: &Spec) -> Result<(), String> {
    let refuse = |action: Action, at: &str| {
        format!("the author of the inventory has no right {} to {at}", action.name())
    };
    for prefix in ranges(&spec.filter.prefixes) {
        let at = format!("s3://{}/{prefix}", spec.bucket);
        if !rights.may(author, Action::ListBucket, Resource::Listing(&spec.bucket, &prefix)) {
            return Err(refuse(Action::ListBucket, &at));
        }
        for (reads, action) in
            [(reads_metadata(spec), Action::GetObject), (reads_tags(spec), Action::GetObjectTagging)]
        {
            if reads && !rights.may(author, action, Resource::Object(&spec.bucket, &prefix)) {
                return Err(refuse(action, &at));
            }
        }
    }
    if let Some(to) = &spec.destination {
        let root = Places::new(spec, to).root();
        if !rights.may(author, Action::PutObject, Resource::Object(&to.bucket, &root)) {
            return Err(refuse(Action::PutObject, &format!("s3://{}/{root}", to.bucket)));
        }
    }
    Ok(())
}
