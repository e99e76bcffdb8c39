//! Rows in, Arrow batches out.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, Decimal128Builder, Int32Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Schema};
use tpchgen::dates::TPCHDate;
use tpchgen::decimal::TPCHDecimal;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Long,
    Int,
    Decimal,
    Date,
    Text,
}

/// TPC-H's decimals: 15 digits, 2 of them behind the point.
const PRECISION: u8 = 15;
const SCALE: i8 = 2;

impl Kind {
    /// The type as Iceberg names it.
    pub(super) fn iceberg(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Int => "int",
            Self::Decimal => "decimal(15, 2)",
            Self::Date => "date",
            Self::Text => "string",
        }
    }

    fn builder(self) -> Result<Builder, ArrowError> {
        Ok(match self {
            Self::Long => Builder::Long(Int64Builder::new()),
            Self::Int => Builder::Int(Int32Builder::new()),
            Self::Decimal => {
                Builder::Decimal(Decimal128Builder::new().with_precision_and_scale(PRECISION, SCALE)?)
            }
            Self::Date => Builder::Date(Date32Builder::new()),
            Self::Text => Builder::Text(StringBuilder::new()),
        })
    }
}

enum Builder {
    Long(Int64Builder),
    Int(Int32Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Text(StringBuilder),
}

impl Builder {
    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Long(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
        }
    }
}

/// A row that writes its values in the order of the columns.
pub(super) trait Row {
    fn write(&self, columns: &mut Columns);
}

/// The columns of a batch being filled, value by value and row by row.
pub(super) struct Columns {
    builders: Vec<Builder>,
    /// The column of the next value.
    next: usize,
    rows: usize,
}

impl Columns {
    pub(super) fn new(kinds: impl Iterator<Item = Kind>) -> Result<Self, ArrowError> {
        Ok(Self { builders: kinds.map(Kind::builder).collect::<Result<_, _>>()?, next: 0, rows: 0 })
    }

    pub(super) fn row(&mut self, row: &impl Row) {
        row.write(self);
        assert!(self.next == self.builders.len(), "a row has as many values as there are columns");
        self.next = 0;
        self.rows += 1;
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn batch(&mut self, schema: Arc<Schema>) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        RecordBatch::try_new(schema, self.builders.iter_mut().map(Builder::finish).collect())
    }

    fn column(&mut self) -> &mut Builder {
        self.next += 1;
        &mut self.builders[self.next - 1]
    }

    pub(super) fn long(&mut self, value: i64) {
        match self.column() {
            Builder::Long(builder) => builder.append_value(value),
            Builder::Int(_) | Builder::Decimal(_) | Builder::Date(_) | Builder::Text(_) => mismatch(),
        }
    }

    pub(super) fn int(&mut self, value: i32) {
        match self.column() {
            Builder::Int(builder) => builder.append_value(value),
            Builder::Long(_) | Builder::Decimal(_) | Builder::Date(_) | Builder::Text(_) => mismatch(),
        }
    }

    pub(super) fn decimal(&mut self, value: TPCHDecimal) {
        match self.column() {
            Builder::Decimal(builder) => builder.append_value(i128::from(value.into_inner())),
            Builder::Long(_) | Builder::Int(_) | Builder::Date(_) | Builder::Text(_) => mismatch(),
        }
    }

    pub(super) fn date(&mut self, value: TPCHDate) {
        match self.column() {
            Builder::Date(builder) => builder.append_value(value.to_unix_epoch()),
            Builder::Long(_) | Builder::Int(_) | Builder::Decimal(_) | Builder::Text(_) => mismatch(),
        }
    }

    pub(super) fn text(&mut self, value: impl Display) {
        match self.column() {
            Builder::Text(builder) => {
                // Writing to a builder in memory does not fail.
                let _ = write!(builder, "{value}");
                builder.append_value("");
            }
            Builder::Long(_) | Builder::Int(_) | Builder::Decimal(_) | Builder::Date(_) => mismatch(),
        }
    }
}

fn mismatch() {
    unreachable!("a table's rows are written in the order and types of its columns")
}
