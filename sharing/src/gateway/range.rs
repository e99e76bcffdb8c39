//! The `Range` header (RFC 9110, 14.2). Pure.

use std::ops::Range;

/// What part of an object is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: no range, or one that may be passed over.
    All,
    /// These bytes, not empty.
    Some(Range<u64>),
    /// Nothing it has.
    Unsatisfiable,
}

/// What `header` asks of an object of `size` bytes. Several ranges, other units and what is no range are passed over, as
/// the RFC lets a server do.
pub(super) fn part(header: Option<&str>, size: u64) -> Part {
    let Some(asked) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Part::All;
    };
    let Some((first, last)) = asked.split_once('-') else { return Part::All };
    let (Some(first), Some(last)) = (bound(first), bound(last)) else { return Part::All };
    match (first, last) {
        (None, None) => Part::All,
        (Some(first), Some(last)) if last < first => Part::All,
        (Some(first), _) if first >= size => Part::Unsatisfiable,
        (Some(first), last) => Part::Some(first..last.map_or(size, |last| last.saturating_add(1).min(size))),
        (None, Some(length)) if length == 0 || size == 0 => Part::Unsatisfiable,
        (None, Some(length)) => Part::Some(size.saturating_sub(length)..size),
    }
}

/// A number, or nothing where there is no text. `None` for what is neither.
fn bound(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    // One too long for any object is behind its end.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_the_rfc_says() {
        for (header, size, wanted) in [
            (None, 10, Part::All),
            (Some("bytes=0-3"), 10, Part::Some(0..4)),
            (Some("bytes=4-"), 10, Part::Some(4..10)),
            (Some("bytes=-4"), 10, Part::Some(6..10)),
            (Some("bytes=-40"), 10, Part::Some(0..10)),
            (Some("bytes=9-18446744073709551615"), 10, Part::Some(9..10)),
            (Some("bytes=10-"), 10, Part::Unsatisfiable),
            (Some("bytes=10-20"), 10, Part::Unsatisfiable),
            (Some("bytes=-0"), 10, Part::Unsatisfiable),
            (Some("bytes=0-"), 0, Part::Unsatisfiable),
            (Some("bytes=-5"), 0, Part::Unsatisfiable),
            (Some("bytes=3-1"), 10, Part::All),
            (Some("bytes=0-1,4-5"), 10, Part::All),
            (Some("bytes=a-b"), 10, Part::All),
            (Some("bytes=x-5"), 10, Part::All),
            (Some("bytes=-"), 10, Part::All),
            (Some("lines=1-2"), 10, Part::All),
            (Some("bytes=99999999999999999999-"), 10, Part::Unsatisfiable),
        ] {
            assert_eq!(part(header, size), wanted, "{header:?}");
        }
    }
}
