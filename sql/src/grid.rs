//! An answer as people read it: aligned columns, numbers to the right.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

/// The longest cell that is shown whole, in characters; answers in other forms have all of it.
const CELL_CHARS_MAX: usize = 200;

/// An answer in memory.
pub struct Grid {
    names: Vec<String>,
    numbers: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// Reads an answer in the form [`crate::Format::Arrow`].
    pub fn read(bytes: &[u8]) -> Result<Self, ArrowError> {
        let reader = arrow_ipc::reader::StreamReader::try_new(bytes, None)?;
        let schema = reader.schema();
        let names = schema.fields().iter().map(|field| shown(field.name())).collect();
        let numbers = schema.fields().iter().map(|field| is_number(field.data_type())).collect();
        let mut grid = Self { names, numbers, rows: Vec::new() };
        for batch in reader {
            grid.add(&batch?)?;
        }
        Ok(grid)
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let options = FormatOptions::default().with_null("NULL");
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            self.rows.push(columns.iter().map(|column| shown(&column.value(row).to_string())).collect());
        }
        Ok(())
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The lines: names, a rule, rows.
    pub fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.names.len()).map(|column| self.width(column)).collect();
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).zip(&self.numbers).map(|((cell, &width), &right)| {
                if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
        let mut lines = vec![line(&self.names), line(&rule)];
        lines.extend(self.rows.iter().map(|row| line(row)));
        lines
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(self.names[column].chars().count())
    }
}

/// Without control characters, which would move the cursor, and not too long.
fn shown(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut shown: String = chars.by_ref().take(CELL_CHARS_MAX).collect();
    if chars.next().is_some() {
        shown.push_str("...");
    }
    shown
}

fn is_number(of: &DataType) -> bool {
    of.is_numeric()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Int64Array, StringArray};
    use datafusion::arrow::datatypes::{Field, Schema};

    use super::*;
    use crate::{Format, Writer};

    #[test]
    fn numbers_stand_right_and_texts_left() {
        let fields =
            vec![Field::new("name", DataType::Utf8, true), Field::new("rows", DataType::Int64, true)];
        let schema = Arc::new(Schema::new(fields));
        let columns: Vec<datafusion::arrow::array::ArrayRef> = vec![
            Arc::new(StringArray::from(vec![Some("a"), None, Some("\u{1b}[2J")])),
            Arc::new(Int64Array::from(vec![5, -1200, 7])),
        ];
        let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
        let mut writer = Writer::new(Format::Arrow, &schema).unwrap();
        let mut bytes = writer.write(&batch).unwrap().to_vec();
        bytes.extend_from_slice(&writer.finish().unwrap());
        let grid = Grid::read(&bytes).unwrap();
        let lines = ["name   rows", "----  -----", "a         5", "NULL  -1200", "\u{fffd}[2J      7"];
        assert_eq!(grid.lines(), lines);
        assert_eq!(grid.rows(), 3);
    }
}
