//! Rows, and files as writers tell of them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::written::{bounds, partition_text, plain_numbers, transformed};
use crate::table::{Column, DataFile, DataType, HiddenField, Metadata, Nested, Place, Schema, Transform};

/// Logical names and types of the columns. `n` is a struct of one field.
pub(super) const COLUMNS: [(&str, &str); 11] = [
    ("i", "integer"),
    ("l", "long"),
    ("d", "decimal(20,2)"),
    ("f", "float"),
    ("g", "double"),
    ("s", "string"),
    ("b", "boolean"),
    ("dt", "date"),
    ("ts", "timestamp"),
    ("nz", "timestamp_ntz"),
    ("n", "long"),
];

/// The column of that name.
pub(super) fn index(name: &str) -> usize {
    COLUMNS.iter().position(|(column, _)| *column == name).unwrap()
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Bool(bool),
    Int(i64),
    /// Hundredths.
    Decimal(i128),
    Float(f32),
    Double(f64),
    Text(String),
    Days(i64),
    Micros(i64),
}

pub(super) type Row = Vec<Option<Cell>>;

/// A file with what was written of it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) live: Vec<Row>,
    partition: Option<(String, Option<String>)>,
    stats: Option<String>,
    hidden: Vec<Option<String>>,
}

/// A table: its partition column, and its hidden fields.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) metadata: Metadata,
    pub(super) hidden: Vec<HiddenField>,
    partition: Option<usize>,
    hidden_columns: Vec<usize>,
}

pub(super) fn physical(name: &str) -> String {
    format!("col-{name}")
}

/// A value for a column: few, so that many are equal, and the odd ones among them.
pub(super) fn cell(column: usize, dice: &mut Dice) -> Cell {
    let odd = dice.once_in(6);
    match COLUMNS[column].1 {
        "boolean" => Cell::Bool(dice.once_in(2)),
        "integer" if odd => Cell::Int(dice.of(&[i32::MIN.into(), i32::MAX.into(), 16_777_217, -16_777_217])),
        "integer" => Cell::Int(dice.between(-12, 12)),
        "long" if odd => {
            Cell::Int(dice.of(&[i64::MIN, i64::MAX, (1 << 53) + 1, 1 << 53, (1 << 32) + 3, 16_777_217]))
        }
        "long" => Cell::Int(dice.between(-12, 12)),
        "float" if odd => {
            Cell::Float(dice.of(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 16_777_216.0]))
        }
        "float" => Cell::Float(dice.between(-20, 20) as f32 / 10.0),
        "double" if odd => Cell::Double(dice.of(&[
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            0.1 + 0.2,
            1e300,
            5e-324,
        ])),
        "double" => Cell::Double(dice.between(-20, 20) as f64 / 10.0),
        "string" => {
            let letters = ["a", "b", "\u{e9}", "\u{ff5e}", "\u{1f600}", "\u{10ffff}", " "];
            Cell::Text((0..dice.below(5)).map(|_| dice.of(&letters)).collect())
        }
        "date" => Cell::Days(dice.between(-400, 400)),
        "timestamp" | "timestamp_ntz" => {
            let near = dice.between(-2, 2) * 3_600_000_000 * dice.of(&[1, 24, 9_000]);
            Cell::Micros(near + dice.between(-2, 2) * dice.of(&[1, 1_000, 999, 60_000_000]))
        }
        _decimal if odd => {
            Cell::Decimal(dice.of(&[10_i128.pow(17) + 1, 10_i128.pow(17) + 3, -(10_i128.pow(19)) - 7]))
        }
        _decimal => Cell::Decimal(dice.between(-300, 300).into()),
    }
}

pub(super) fn timestamp(micros: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(micros).unwrap()
}

pub(super) fn date_text(days: i64) -> String {
    timestamp(days * 86_400_000_000).strftime("%Y-%m-%d").to_string()
}

/// With `T` between, and so many digits of a second, cut.
pub(super) fn time_text(micros: i64, digits: usize) -> String {
    let mut text = timestamp(micros).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    if digits > 0 {
        let fraction = format!("{:06}", micros.rem_euclid(1_000_000));
        write!(text, ".{}", &fraction[..digits]).unwrap();
    }
    text
}

pub(super) fn decimal_text(hundredths: i128) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100)
}

impl Table {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let partition = dice.once_in(2).then(|| dice.below(COLUMNS.len() - 1));
        let fields = [
            ("i", Transform::Identity),
            ("i", Transform::Truncate(5)),
            ("i", Transform::Bucket(3)),
            ("l", Transform::Truncate(10)),
            ("l", Transform::Bucket(4)),
            ("d", Transform::Truncate(50)),
            ("d", Transform::Bucket(2)),
            ("s", Transform::Truncate(2)),
            ("s", Transform::Bucket(3)),
            ("s", Transform::Identity),
            ("dt", Transform::Month),
            ("dt", Transform::Year),
            ("dt", Transform::Bucket(2)),
            ("ts", Transform::Day),
            ("ts", Transform::Hour),
            ("ts", Transform::Month),
            ("ts", Transform::Bucket(2)),
            ("nz", Transform::Year),
            ("nz", Transform::Day),
            ("f", Transform::Identity),
            ("n", Transform::Truncate(3)),
        ];
        let chosen: Vec<_> = (0..dice.below(3)).map(|_| dice.of(&fields)).collect();
        let path = |name: &str| {
            let nested = (name == "n").then(|| physical("x"));
            [physical(name)].into_iter().chain(nested).collect()
        };
        let hidden =
            chosen.iter().map(|(name, transform)| HiddenField { column: path(name), transform: *transform });
        let hidden = hidden.collect();
        let column = |(name, data_type): &(&str, &str)| {
            let data_type = if *name == "n" {
                let inner = Column::new("X", DataType::primitive(*data_type), true).mapped(9, &physical("x"));
                DataType::Nested(Box::new(Nested::Struct { fields: vec![inner] }))
            } else {
                DataType::primitive(*data_type)
            };
            Column::new(*name, data_type, true).mapped(1, &physical(name))
        };
        let metadata = Metadata {
            id: "t".into(),
            description: None,
            schema: Schema { fields: COLUMNS.iter().map(column).collect() },
            partition_columns: partition.iter().map(|column| COLUMNS[*column].0.to_owned()).collect(),
            configuration: Default::default(),
            created_ms: None,
        };
        let hidden_columns = chosen.iter().map(|(name, _)| index(name)).collect();
        Self { metadata, hidden, partition, hidden_columns }
    }

    /// A file of a few rows, some of them deleted.
    pub(super) fn file(&self, dice: &mut Dice) -> Written {
        let nulls = dice.of(&[2, 4, 1000]);
        let row = |dice: &mut Dice| -> Row {
            (0..COLUMNS.len()).map(|column| (!dice.once_in(nulls)).then(|| cell(column, dice))).collect()
        };
        let count = 1 + dice.below(7);
        let mut rows: Vec<Row> = (0..count).map(|_| row(dice)).collect();
        let first = rows[0].clone();
        if let Some(column) = self.partition {
            rows.iter_mut().for_each(|row| row[column] = first[column].clone());
        }
        let hidden = self.transformed(&first);
        // Rows that belong into another partition take over the values of the first.
        for row in &mut rows {
            for (at, column) in self.hidden_columns.iter().enumerate() {
                if self.transformed(row)[at] != hidden[at] {
                    row[*column] = first[*column].clone();
                }
            }
        }
        if dice.once_in(4) {
            // Written as floats, before the column was widened.
            let g = index("g");
            for row in &mut rows {
                if let Some(Cell::Double(double)) = &mut row[g] {
                    *double = f64::from(*double as f32);
                }
            }
        }
        let stats = (!dice.once_in(6)).then(|| self.stats(&rows, dice));
        let live: Vec<Row> = rows.iter().filter(|_| !dice.once_in(4)).cloned().collect();
        let partition = self.partition.map(|column| {
            let (name, data_type) = COLUMNS[column];
            (physical(name), partition_text(&first[column], data_type == "timestamp", dice))
        });
        let hidden = if dice.once_in(8) { Vec::new() } else { hidden };
        Written { live, partition, stats, hidden }
    }

    fn transformed(&self, row: &Row) -> Vec<Option<String>> {
        let columns = self.hidden.iter().zip(&self.hidden_columns);
        columns
            .map(|(field, column)| row[*column].as_ref().map(|cell| transformed(field.transform, cell)))
            .collect()
    }

    fn stats(&self, rows: &[Row], dice: &mut Dice) -> String {
        let mut objects = [Map::new(), Map::new(), Map::new()];
        for (column, (name, data_type)) in COLUMNS.iter().enumerate() {
            if self.partition == Some(column) || dice.once_in(6) {
                continue;
            }
            let cells: Vec<_> = rows.iter().filter_map(|row| row[column].clone()).collect();
            let nulls = json!(rows.len() - cells.len());
            let (low, high) = bounds(&cells, data_type, dice);
            let values = [low, high, (!dice.once_in(5)).then_some(nulls)];
            for (object, value) in objects.iter_mut().zip(values) {
                if let Some(value) = value {
                    let value = if *name == "n" { json!({ (physical("x")): value }) } else { value };
                    object.insert(physical(name), value);
                }
            }
        }
        let [low, high, nulls] = objects.map(|object| plain_numbers(&Value::Object(object)));
        let records = if dice.once_in(8) { String::new() } else { format!("\"numRecords\":{},", rows.len()) };
        format!(
            "{{{records}\"tightBounds\":false,\"minValues\":{low},\"maxValues\":{high},\"nullCount\":{nulls}}}"
        )
    }
}

impl Written {
    pub(super) fn file(&self) -> DataFile<'_> {
        DataFile {
            at: Place { bucket: "b", key: "k" },
            size: 1,
            modified_ms: 0,
            partition_values: self
                .partition
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref()))
                .collect(),
            stats: self.stats.as_deref(),
            records: None,
            hidden: self.hidden.iter().map(Option::as_deref).collect(),
            deletes: None,
        }
    }
}
