//! What values are, and how people are told them.

use serde::Serialize;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Text.
    Text,
    /// How many.
    Count,
    /// A size in bytes.
    Bytes,
    /// A moment, in milliseconds since 1970.
    Time,
}

const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// The bytes and the name of the unit a size is told in.
pub(super) fn binary(bytes: f64) -> (f64, &'static str) {
    let mut unit = 1.0;
    for name in &BINARY[..BINARY.len() - 1] {
        // What would be told as 1024 of this is one of the next.
        if bytes.abs() < unit * 1023.95 {
            return (unit, name);
        }
        unit *= 1024.0;
    }
    (unit, BINARY[BINARY.len() - 1])
}

impl Unit {
    /// A number of it as people read it: `1.5 KiB`, `12,000`.
    pub fn tell(self, value: f64) -> String {
        match self {
            Self::Bytes => {
                let (unit, name) = binary(value);
                format!("{} {name}", short(value / unit))
            }
            Self::Count | Self::Text | Self::Time => grouped(value),
        }
    }
}

/// With one digit behind the point where it says something.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// With commas between thousands.
fn grouped(value: f64) -> String {
    let text = short(value);
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, part) =
        text.split_once('.').map_or((text, String::new()), |(whole, part)| (whole, format!(".{part}")));
    let digits = whole.as_bytes();
    let groups: Vec<&str> =
        digits.rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    format!("{sign}{}{part}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_binary_units_and_counts_in_thousands() {
        for (bytes, told) in [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1024.0, "1 KiB"),
            (1536.0, "1.5 KiB"),
            (1_048_575.0, "1 MiB"),
            (-2048.0, "-2 KiB"),
            (1e30, "867361737988.4 EiB"),
        ] {
            assert_eq!(Unit::Bytes.tell(bytes), told);
        }
        for (count, told) in
            [(0.0, "0"), (999.0, "999"), (1000.0, "1,000"), (-1234567.0, "-1,234,567"), (2.5, "2.5")]
        {
            assert_eq!(Unit::Count.tell(count), told);
        }
    }
}
