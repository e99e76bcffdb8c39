//! A file being written, whatever its format. Pure computation: bytes come out of it, where they go is decided elsewhere.

use std::io;

use parquet::errors::ParquetError;

use super::columns::columns;
use super::packing::Packing;
use super::parquet::{ParquetEncoder, Shape};
use super::spec::{Compression, Destination, Format, Spec};
use super::text::Template;
use crate::scan::Objects;

/// Rows could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    /// As Parquet.
    #[error("rows could not be written as Parquet")]
    Parquet(#[from] ParquetError),
    /// Packed.
    #[error("rows could not be packed")]
    Packing(#[from] io::Error),
}

/// CSV or JSON Lines being written.
pub(super) struct TextEncoder {
    template: Template,
    packing: Packing,
    /// Of one batch, to be packed.
    rows: Vec<u8>,
}

/// What all files of a kind look like.
#[derive(Clone)]
pub(super) enum Kind {
    /// CSV or JSON Lines.
    Text { spec: Box<Spec>, format: Format, compression: Compression, layout: super::Layout },
    /// Parquet.
    Parquet(Box<Shape>),
}

/// A file being written.
pub(super) enum Encoder {
    Text(Box<TextEncoder>),
    Parquet(Box<ParquetEncoder>),
}

impl Kind {
    /// The files of a report.
    pub(super) fn report(spec: &Spec, to: &Destination) -> Result<Self, EncodeError> {
        Ok(match to.format {
            Format::Csv | Format::Json => Self::Text {
                spec: Box::new(spec.clone()),
                format: to.format,
                compression: to.compression,
                layout: to.layout,
            },
            Format::Parquet => {
                let columns = columns(spec, to.layout);
                Self::Parquet(Box::new(Shape::report(&columns, &spec.bucket, to.compression)?))
            }
        })
    }

    /// The data files of a table.
    pub(super) fn table(shape: Shape) -> Self {
        Self::Parquet(Box::new(shape))
    }

    /// Begins a file.
    pub(super) fn begin(&self) -> Result<Encoder, EncodeError> {
        match self {
            Self::Text { spec, format, compression, layout } => {
                let template = Template::new(&columns(spec, *layout), &spec.bucket, *format, *layout);
                let mut packing = Packing::new(*compression)?;
                packing.write(template.header())?;
                Ok(Encoder::Text(Box::new(TextEncoder { template, packing, rows: Vec::new() })))
            }
            Self::Parquet(shape) => Ok(Encoder::Parquet(Box::new(ParquetEncoder::new(shape)?))),
        }
    }
}

impl Encoder {
    /// Writes the objects numbered by `rows`.
    pub(super) fn write(&mut self, objects: &Objects, rows: &[u32]) -> Result<(), EncodeError> {
        match self {
            Self::Text(encoder) => encoder.write(objects, rows)?,
            Self::Parquet(encoder) => encoder.write(objects, rows)?,
        }
        Ok(())
    }

    /// What is written and not taken yet.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Text(encoder) => std::mem::take(encoder.packing.ready()),
            Self::Parquet(encoder) => encoder.take(),
        }
    }

    /// About how many bytes are in it that cannot be taken yet.
    pub(super) fn open_bytes(&self) -> u64 {
        match self {
            Self::Text(_) => 0,
            Self::Parquet(encoder) => encoder.open_bytes(),
        }
    }

    /// Ends the file: the rest of its bytes.
    pub(super) fn finish(self) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Text(encoder) => Ok(encoder.packing.finish()?),
            Self::Parquet(encoder) => Ok(encoder.finish()?),
        }
    }
}

impl TextEncoder {
    fn write(&mut self, objects: &Objects, rows: &[u32]) -> io::Result<()> {
        if let Packing::None(out) = &mut self.packing {
            self.template.write(objects, rows, out);
            return Ok(());
        }
        self.rows.clear();
        self.template.write(objects, rows, &mut self.rows);
        self.packing.write(&self.rows)
    }
}
