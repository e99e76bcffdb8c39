//! What commands print: lines and tables. A closed pipe ends the output, not the program in a panic.

use std::io::Write as _;

use serde_json::Value;

/// Prints a line to standard output.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A JSON value as people read it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

/// Without control characters: names come from other users and must not move the cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A size in bytes with a unit.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = count as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}

/// Milliseconds since the Unix epoch as a date and time in UTC.
pub(crate) fn time(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis);
    time.map_or_else(|_| millis.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Rows in aligned columns; a column of numbers is aligned to the right.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|&head| head.to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn print(&self) {
        for row in self.lines() {
            line(&row);
        }
    }

    fn lines(&self) -> Vec<String> {
        let columns = self.rows[0].len();
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let numeric = |column: usize| {
            let mut cells = self.rows.iter().skip(1).map(|row| row[column].as_str()).peekable();
            cells.peek().is_some() && cells.all(is_amount)
        };
        let shape: Vec<_> = (0..columns).map(|column| (width(column), numeric(column))).collect();
        let format = |row: &Vec<String>| {
            let cells = row.iter().zip(&shape).map(|(cell, &(width, right))| {
                if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(format).collect()
    }
}

/// A number, with or without a unit, or none. Times and ids that begin with a digit are text.
fn is_amount(cell: &str) -> bool {
    let (number, unit) = cell.split_once(' ').unwrap_or((cell, ""));
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    cell == "-" || (!number.is_empty() && is_number && unit.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

/// How many there are of what, such as `1 file` and `2 files`.
pub(crate) fn count(number: &Value, noun: &str) -> String {
    let plural = if number.as_u64() == Some(1) { "" } else { "s" };
    format!("{} {noun}{plural}", text(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_stand_right() {
        let mut table = Table::new(&["NAME", "ROWS"]);
        table.row(["a".into(), "5".into()]);
        table.row(["long".into(), "1200".into()]);
        assert_eq!(table.lines(), ["NAME  ROWS", "a        5", "long  1200"]);
    }

    #[test]
    fn times_and_ids_that_begin_with_a_digit_stand_left() {
        let mut table = Table::new(&["KEY", "TIME (UTC)", "SIZE"]);
        table.row(["4IZS".into(), "2026-11-21 08:15:04".into(), "9 B".into()]);
        table.row(["3F".into(), "-".into(), "1.2 KiB".into()]);
        let lines = ["KEY   TIME (UTC)              SIZE", "4IZS  2026-11-21 08:15:04      9 B"];
        assert_eq!(table.lines()[..2], lines);
        assert_eq!(table.lines()[2], "3F    -                    1.2 KiB");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!((count(&1.into(), "file"), count(&0.into(), "file")), ("1 file".into(), "0 files".into()));
    }

    #[test]
    fn sizes_carry_a_unit_and_names_no_control_characters() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(text(&serde_json::json!("a\u{1b}[2Jb")), "a\u{fffd}[2Jb");
    }
}
