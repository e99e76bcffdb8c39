//! `Range` headers and `partNumber`.

use std::ops::Range;

use crate::types::{GetRange, ObjectInfo};

use super::error::{Code, S3Error};

/// Reads a `Range` header. One range is understood; a header of another form (several ranges,
/// another unit, backwards) counts as absent, as RFC 9110 section 14.2 wants and S3 does.
pub(crate) fn parse(header: &str) -> Option<GetRange> {
    let (unit, spec) = header.trim().split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", last) => Some(GetRange::Suffix(number(last)?)),
        (first, "") => Some(GetRange::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(GetRange::Bounded(first, last))
        }
    }
}

/// Reads `x-amz-copy-source-range`: only `bytes=first-last`.
pub(crate) fn parse_copy_source(header: &str) -> Result<(u64, u64), S3Error> {
    match parse(header) {
        Some(GetRange::Bounded(first, last)) => Ok((first, last)),
        Some(GetRange::From(_) | GetRange::Suffix(_) | GetRange::Part(_)) | None => Err(S3Error::argument(
            "x-amz-copy-source-range",
            header,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last \
             are the zero-based offsets of the first and last bytes to copy",
        )),
    }
}

/// Digits only: `+5` is a number for Rust, not for HTTP. More than fits means "as far as there is".
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// Reads `partNumber`, 1 to 10,000.
pub(crate) fn part_number(text: &str) -> Result<u16, S3Error> {
    match number(text).and_then(|number| u16::try_from(number).ok()) {
        Some(part @ 1..=10_000) => Ok(part),
        Some(_) | None => Err(S3Error::argument(
            "partNumber",
            text,
            "Part number must be an integer between 1 and 10000, inclusive",
        )),
    }
}

/// The bytes of `object` that `range` names.
pub(crate) fn resolve(range: GetRange, object: &ObjectInfo) -> Result<Range<u64>, S3Error> {
    let size = object.size;
    match range {
        GetRange::Bounded(first, _) | GetRange::From(first) if first >= size => {
            Err(S3Error::invalid_range(size))
        }
        GetRange::Bounded(first, last) => Ok(first..size.min(last.saturating_add(1))),
        GetRange::From(first) => Ok(first..size),
        GetRange::Suffix(length) if length == 0 || size == 0 => Err(S3Error::invalid_range(size)),
        GetRange::Suffix(length) => Ok(size.saturating_sub(length)..size),
        GetRange::Part(part) => resolve_part(part, object),
    }
}

fn resolve_part(part: u16, object: &ObjectInfo) -> Result<Range<u64>, S3Error> {
    if object.parts.is_empty() && part == 1 {
        return Ok(0..object.size);
    }
    let mut start = 0;
    for known in &object.parts {
        if known.number == part {
            return Ok(start..start + known.size);
        }
        start += known.size;
    }
    Err(no_such_part(object))
}

/// The object has fewer parts than `partNumber` says.
pub(crate) fn no_such_part(object: &ObjectInfo) -> S3Error {
    S3Error::new(Code::InvalidPartNumber, "The requested partnumber is not satisfiable")
        .with("ActualPartCount", object.parts.len().max(1).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_range_is_understood_and_anything_else_counts_as_absent() {
        assert_eq!(parse("bytes=0-9"), Some(GetRange::Bounded(0, 9)));
        assert_eq!(parse("BYTES = 5 - 5"), Some(GetRange::Bounded(5, 5)));
        assert_eq!(parse("bytes=7-"), Some(GetRange::From(7)));
        assert_eq!(parse("bytes=-3"), Some(GetRange::Suffix(3)));
        assert_eq!(parse("bytes=0-99999999999999999999999"), Some(GetRange::Bounded(0, u64::MAX)));
        for other in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=9-1",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=+1-2",
            "bytes=a-b",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_copied_range_has_both_ends() {
        assert_eq!(parse_copy_source("bytes=0-9").unwrap(), (0, 9));
        for bad in ["bytes=0-", "bytes=-3", "0-9", "bytes=9-0", "hello"] {
            assert_eq!(parse_copy_source(bad).unwrap_err().code, Code::InvalidArgument, "{bad}");
        }
    }

    #[test]
    fn part_numbers_go_from_one_to_ten_thousand() {
        assert_eq!(part_number("1").unwrap(), 1);
        assert_eq!(part_number("10000").unwrap(), 10_000);
        for bad in ["0", "10001", "-1", "", "x", "99999999999999999999"] {
            assert_eq!(part_number(bad).unwrap_err().code, Code::InvalidArgument, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_resolved_range_lies_in_the_object(size in 0_u64..100, first in 0_u64..120, last in 0_u64..120, kind in 0_u8..3) {
            let object = super::super::testing::info("k", size);
            let range = match kind {
                0 => GetRange::Bounded(first.min(last), first.max(last)),
                1 => GetRange::From(first),
                _ => GetRange::Suffix(first),
            };
            match resolve(range, &object) {
                Ok(bytes) => prop_assert!(bytes.start < bytes.end && bytes.end <= size),
                Err(error) => prop_assert_eq!(error.code, Code::InvalidRange),
            }
        }
    }
}
