//! Rows as text: CSV and JSON Lines. What is the same in every row is written out once, as a template.

mod values;

use self::values::{Day, push_flag, push_key, push_name, push_number, push_pairs};
pub(super) use self::values::{pairs_text, push_etag};
use super::columns::{Cell, Column, Said};
use super::spec::{Format, Layout};
use crate::scan::Objects;

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// AWS's CSV: no header, all quoted, keys URL-encoded.
    AwsCsv,
    /// AIStor's CSV: a header, texts quoted.
    AistorCsv,
    Json,
}

/// A part of a row.
#[derive(Debug)]
enum Piece {
    Fixed(Vec<u8>),
    Key,
    Size,
    Modified,
    ETag,
    IsMultipart,
    Checksum,
    Said(Said),
}

/// Rows of one report.
#[derive(Debug)]
pub(super) struct Template {
    dialect: Dialect,
    header: Vec<u8>,
    pieces: Vec<Piece>,
    day: Day,
}

impl Template {
    pub(super) fn new(columns: &[Column], bucket: &str, format: Format, layout: Layout) -> Self {
        let dialect = match (format, layout) {
            (Format::Csv, Layout::Aws) => Dialect::AwsCsv,
            (Format::Csv, Layout::Aistor) => Dialect::AistorCsv,
            // Parquet has no text; it is not asked for one.
            (Format::Json | Format::Parquet, _) => Dialect::Json,
        };
        let mut row = Row { dialect, pieces: Vec::new() };
        for (index, column) in columns.iter().enumerate() {
            row.begin(index, column.name(layout));
            row.cell(column.cell(), bucket);
        }
        row.fixed(match dialect {
            Dialect::AwsCsv | Dialect::AistorCsv => b"\n",
            Dialect::Json => b"}\n",
        });
        let names: Vec<&str> = columns.iter().map(|column| column.name(layout)).collect();
        let header = match dialect {
            Dialect::AistorCsv => format!("{}\n", names.join(",")),
            Dialect::AwsCsv | Dialect::Json => String::new(),
        };
        let day = Day::new(0);
        Self { dialect, header: header.into(), pieces: row.pieces, day }
    }

    /// What a file begins with.
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// Appends rows.
    pub(super) fn write(&mut self, objects: &Objects, rows: &[u32], out: &mut Vec<u8>) {
        let Self { dialect, pieces, day, .. } = self;
        for &row in rows {
            let row = row as usize;
            for piece in &*pieces {
                match piece {
                    Piece::Fixed(text) => out.extend_from_slice(text),
                    Piece::Key => push_key(*dialect, objects.key(row), out),
                    Piece::Size => push_number(objects.sizes[row], out),
                    Piece::Modified => day.push(objects.modified_ms[row], out),
                    Piece::ETag => push_etag(&objects.etags[row], out),
                    Piece::IsMultipart => push_flag(objects.etags[row].is_multipart, out),
                    Piece::Checksum => {
                        push_name(*dialect, objects.checksums[row].map(|algorithm| algorithm.name()), out);
                    }
                    Piece::Said(said) => push_pairs(*dialect, said.of(objects, row), out),
                }
            }
        }
    }
}

/// A template being made.
struct Row {
    dialect: Dialect,
    pieces: Vec<Piece>,
}

impl Row {
    fn fixed(&mut self, text: &[u8]) {
        if let Some(Piece::Fixed(last)) = self.pieces.last_mut() {
            last.extend_from_slice(text);
        } else {
            self.pieces.push(Piece::Fixed(text.to_vec()));
        }
    }

    /// What stands before a value.
    fn begin(&mut self, index: usize, name: &str) {
        match (self.dialect, index) {
            (Dialect::AwsCsv | Dialect::AistorCsv, 0) => {}
            (Dialect::AwsCsv | Dialect::AistorCsv, _) => self.fixed(b","),
            (Dialect::Json, 0) => self.fixed(format!("{{\"{name}\":").as_bytes()),
            (Dialect::Json, _) => self.fixed(format!(",\"{name}\":").as_bytes()),
        }
    }

    fn quoted(&mut self, piece: Piece) {
        self.fixed(b"\"");
        self.pieces.push(piece);
        self.fixed(b"\"");
    }

    /// A value that only AWS quotes.
    fn bare(&mut self, piece: Piece) {
        match self.dialect {
            Dialect::AwsCsv => self.quoted(piece),
            Dialect::AistorCsv | Dialect::Json => self.pieces.push(piece),
        }
    }

    fn cell(&mut self, cell: Cell, bucket: &str) {
        match cell {
            Cell::Bucket => self.fixed(format!("\"{bucket}\"").as_bytes()),
            Cell::Key => self.quoted(Piece::Key),
            Cell::ETag => self.quoted(Piece::ETag),
            Cell::Modified => match self.dialect {
                Dialect::AwsCsv | Dialect::Json => self.quoted(Piece::Modified),
                Dialect::AistorCsv => self.pieces.push(Piece::Modified),
            },
            Cell::Size => self.bare(Piece::Size),
            Cell::IsMultipart => self.bare(Piece::IsMultipart),
            Cell::Checksum => self.pieces.push(Piece::Checksum),
            Cell::Said(said) => self.pieces.push(Piece::Said(said)),
            Cell::Text(text) => self.fixed(format!("\"{text}\"").as_bytes()),
            Cell::Flag(flag) => match self.dialect {
                Dialect::AwsCsv => self.fixed(format!("\"{flag}\"").as_bytes()),
                Dialect::AistorCsv | Dialect::Json => self.fixed(flag.to_string().as_bytes()),
            },
            Cell::NoText | Cell::NoTime => match self.dialect {
                Dialect::AwsCsv => self.fixed(b"\"\""),
                Dialect::AistorCsv => {}
                Dialect::Json => self.fixed(b"null"),
            },
        }
    }
}
