//! Single values as text.

use super::Dialect;
use crate::scan::ETag;

/// Two hex digits of each byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// Bytes of a key that stand as they are in a URL-encoded one: unreserved characters and the slash. Space is `%20` and
/// plus is `%2B`, so that readers who take `+` for a space read keys right too.
const URL_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let char = byte as u8;
        table[byte] = char.is_ascii_alphanumeric() || matches!(char, b'-' | b'.' | b'_' | b'~' | b'/');
        byte += 1;
    }
    table
};

/// A day as text: rows that follow each other are often of one.
#[derive(Debug)]
pub(super) struct Day {
    number: i64,
    text: [u8; 11],
}

pub(super) fn push_key(dialect: Dialect, key: &str, out: &mut Vec<u8>) {
    match dialect {
        Dialect::AwsCsv => push_url(key, out),
        Dialect::AistorCsv => push_doubled(key, out),
        Dialect::Json => push_json(key, out),
    }
}

/// A key as AWS's CSV has it.
fn push_url(key: &str, out: &mut Vec<u8>) {
    let bytes = key.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !URL_PLAIN[usize::from(byte)] {
            out.extend_from_slice(&bytes[from..at]);
            let [high, low] = HEX[usize::from(byte)];
            out.extend_from_slice(&[b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
            from = at + 1;
        }
    }
    out.extend_from_slice(&bytes[from..]);
}

/// Text within quotes of CSV.
fn push_doubled(text: &str, out: &mut Vec<u8>) {
    let mut parts = text.split('"');
    out.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        out.extend_from_slice(b"\"\"");
        out.extend_from_slice(part.as_bytes());
    }
}

/// Text within quotes of JSON.
fn push_json(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&HEX[usize::from(control)]);
            }
        }
    }
    out.extend_from_slice(&bytes[from..]);
}

pub(super) fn push_number(number: u64, out: &mut Vec<u8>) {
    let (mut digits, mut at, mut rest) = ([0; 20], 20, number);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

pub(super) fn push_flag(flag: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// An entity tag without its quotes.
pub(in crate::report) fn push_etag(tag: &ETag, out: &mut Vec<u8>) {
    for byte in tag.digest {
        out.extend_from_slice(&HEX[usize::from(byte)]);
    }
    if let Some(parts) = tag.parts {
        out.push(b'-');
        push_number(parts.into(), out);
    }
}

pub(super) fn push_name(dialect: Dialect, name: Option<&str>, out: &mut Vec<u8>) {
    match (name, dialect) {
        (Some(name), _) => {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
        }
        (None, Dialect::AwsCsv) => out.extend_from_slice(b"\"\""),
        (None, Dialect::AistorCsv) => {}
        (None, Dialect::Json) => out.extend_from_slice(b"null"),
    }
}

/// User metadata or tags: an object in JSON, the text of one in CSV.
pub(super) fn push_pairs(dialect: Dialect, pairs: &[(String, String)], out: &mut Vec<u8>) {
    match dialect {
        _ if pairs.is_empty() => push_name(dialect, None, out),
        Dialect::Json => push_map(pairs, out),
        Dialect::AwsCsv | Dialect::AistorCsv => {
            out.push(b'"');
            push_doubled(&pairs_text(pairs), out);
            out.push(b'"');
        }
    }
}

fn push_map(pairs: &[(String, String)], out: &mut Vec<u8>) {
    for (index, (name, value)) in pairs.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"" } else { b",\"" });
        push_json(name, out);
        out.extend_from_slice(b"\":\"");
        push_json(value, out);
        out.push(b'"');
    }
    out.extend_from_slice(if pairs.is_empty() { b"{}" } else { b"}" });
}

/// User metadata or tags as the text of a JSON object.
pub(in crate::report) fn pairs_text(pairs: &[(String, String)]) -> String {
    let mut text = Vec::new();
    push_map(pairs, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

impl Day {
    pub(super) fn new(number: i64) -> Self {
        let date = civil(number);
        let text = format!("{:04}-{:02}-{:02}T", date.0, date.1, date.2);
        let mut bytes = *b"0000-00-00T";
        bytes.copy_from_slice(&text.as_bytes()[..11]);
        Self { number, text: bytes }
    }

    /// `2026-01-31T12:00:00.000Z`
    pub(super) fn push(&mut self, at_ms: i64, out: &mut Vec<u8>) {
        const DAY_MS: i64 = 86_400_000;
        let number = at_ms.div_euclid(DAY_MS);
        if number != self.number {
            *self = Self::new(number);
        }
        let of_day = at_ms.rem_euclid(DAY_MS);
        let (seconds, millis) = (of_day / 1000, of_day % 1000);
        let two = |value: i64| [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        let (hour, minute, second) = (two(seconds / 3600), two(seconds / 60 % 60), two(seconds % 60));
        out.extend_from_slice(&self.text);
        let (hundreds, rest) = (b'0' + (millis / 100) as u8, two(millis % 100));
        out.extend_from_slice(&[
            hour[0], hour[1], b':', minute[0], minute[1], b':', second[0], second[1], b'.', hundreds,
            rest[0], rest[1], b'Z',
        ]);
    }
}

/// Year, month and day of a day since 1970, in the years that four digits tell; others are told as the nearest.
fn civil(day: i64) -> (i16, i8, i8) {
    let last = jiff::civil::Date::constant(9999, 12, 31);
    let first = jiff::civil::Date::constant(0, 1, 1);
    let epoch = jiff::civil::Date::constant(1970, 1, 1);
    let span = i32::try_from(day).ok().and_then(|days| jiff::Span::new().try_days(days).ok());
    let date = span.and_then(|span| epoch.checked_add(span).ok());
    let date = date.unwrap_or(if day < 0 { first } else { last }).max(first);
    (date.year(), date.month(), date.day())
}
