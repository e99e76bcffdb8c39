//! What a report answers: its rows as values, as text, as bars.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use super::{Bar, Bars, Column, Report, Unit};

/// The rows of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    columns: &'static [Column],
    rows: Vec<Vec<Cell>>,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// None.
    Null,
    /// Text.
    Text(String),
    /// How many, bytes, or milliseconds since 1970.
    Number(i64),
}

/// The query did not give what the report says it gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column} of the report {report} is {found}")]
pub struct AnswerError {
    report: &'static str,
    column: &'static str,
    found: String,
}

impl Answer {
    /// The rows of a report out of what its query gave.
    pub fn new(report: &'static Report, batches: &[RecordBatch]) -> Result<Self, AnswerError> {
        let mut rows = Vec::new();
        for batch in batches {
            let cells = report.columns.iter().enumerate().map(|(at, column)| {
                let found = batch.columns().get(at);
                let cells = found.and_then(|array| cells(array.as_ref()));
                cells.ok_or_else(|| AnswerError {
                    report: report.name,
                    column: column.name,
                    found: found.map_or("not there".into(), |array| array.data_type().to_string()),
                })
            });
            let columns: Vec<Vec<Cell>> = cells.collect::<Result<_, _>>()?;
            let row = |at: usize| columns.iter().map(|column| column[at].clone()).collect();
            rows.extend((0..batch.num_rows()).map(row));
        }
        Ok(Self { columns: report.columns, rows })
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// Comma-separated values, with the names of the columns first and a moment as RFC 3339 has it.
    pub fn to_csv(&self) -> String {
        let heads: Vec<String> = self.columns.iter().map(|column| quoted(column.name)).collect();
        let mut lines = vec![heads.join(",")];
        for row in &self.rows {
            let cells = row.iter().zip(self.columns).map(|(cell, column)| match cell {
                Cell::Null => String::new(),
                Cell::Text(text) => quoted(text),
                Cell::Number(number) if column.unit == Unit::Time => moment(*number),
                Cell::Number(number) => number.to_string(),
            });
            lines.push(cells.collect::<Vec<_>>().join(","));
        }
        lines.push(String::new());
        lines.join("\r\n")
    }

    /// The rows as bars.
    pub fn bars(&self, report: &Report, subtitle: String) -> Bars {
        let at = |name: &str| report.columns.iter().position(|column| column.name == name);
        let labels: Vec<usize> = report.chart.labels.iter().filter_map(|name| at(name)).collect();
        let value = at(report.chart.value);
        let rows = self.rows.iter().map(|row| Bar {
            label: label(labels.iter().map(|&at| &row[at])),
            value: value.map_or(0.0, |at| row[at].number()),
        });
        let unit = value.map_or(Unit::Count, |at| report.columns[at].unit);
        Bars { title: report.title.into(), subtitle, unit, rows: rows.collect() }
    }
}

impl Cell {
    fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number as f64,
            Self::Null | Self::Text(_) => 0.0,
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
        }
    }
}

impl Serialize for Answer {
    /// A list of rows, each an object by the columns' names.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.rows.len()))?;
        for row in &self.rows {
            let row: serde_json::Map<String, serde_json::Value> = row
                .iter()
                .zip(self.columns)
                .map(|(cell, column)| (column.name.to_owned(), serde_json::json!(cell)))
                .collect();
            list.serialize_element(&row)?;
        }
        list.end()
    }
}

/// The parts of a label, a slash between those that do not end in one.
fn label<'a>(parts: impl Iterator<Item = &'a Cell>) -> String {
    let mut label = String::new();
    for part in parts {
        let part = match part {
            Cell::Text(text) => text.as_str(),
            Cell::Null | Cell::Number(_) => continue,
        };
        if !label.is_empty() && !label.ends_with('/') {
            label.push('/');
        }
        label.push_str(part);
    }
    label
}

fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

/// A text as a field: quoted where it holds what separates.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// The values of a column; `None` of a type that no report has.
fn cells(array: &dyn Array) -> Option<Vec<Cell>> {
    let text = |text: Option<&str>| text.map_or(Cell::Null, |text| Cell::Text(text.to_owned()));
    let number = |number: Option<i64>| number.map_or(Cell::Null, Cell::Number);
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(text).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(text).collect(),
        DataType::Utf8View => array.as_string_view().iter().map(text).collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(number).collect(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().iter().map(number).collect()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let of = array.as_primitive::<TimestampMicrosecondType>();
            of.iter().map(|at| number(at.map(|at| at.div_euclid(1_000)))).collect()
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let of = array.as_primitive::<TimestampNanosecondType>();
            of.iter().map(|at| number(at.map(|at| at.div_euclid(1_000_000)))).collect()
        }
        DataType::Null => vec![Cell::Null; array.len()],
        _no_report_has_it => return None,
    })
}
