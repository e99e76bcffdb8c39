//! Avro object container files, as far as manifests and manifest lists need them (Avro 1.12,
//! "Object Container Files"; table spec, "Appendix A").
//!
//! Values are read straight from the blocks, by the schema in the file: what is not asked for is
//! skipped and never built.
//!
//! - A1: any bytes give values or an error, never a panic, and no more memory than
//!   `unpacked_bytes_max` beside what the caller keeps.

mod schema;

use std::io::Read as _;

use self::schema::parse_schema;
pub(super) use self::schema::{Field, Kind, Schema};
use super::value::{Value, unscaled};

const MAGIC: &[u8; 4] = b"Obj\x01";
const SYNC_BYTES: usize = 16;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAvro {
    /// It is cut off.
    #[error("the file ends in the middle of a value")]
    Short,
    /// It breaks a rule of the format.
    #[error("{0}")]
    Malformed(&'static str),
    /// Its schema cannot be used.
    #[error("its schema: {0}")]
    Schema(String),
    /// Its codec is not known.
    #[error("its codec '{0}' is not known")]
    Codec(String),
    /// It unpacks to more than is read.
    #[error("it unpacks to more than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
}

/// A file: its header, and the blocks behind it.
pub(crate) struct File<'a> {
    schema: Schema,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
    blocks: Cursor<'a>,
    unpacked_bytes_left: usize,
    unpacked_bytes_max: usize,
}

#[derive(Debug, Clone, Copy)]
enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
}

impl<'a> File<'a> {
    pub(crate) fn open(bytes: &'a [u8], unpacked_bytes_max: usize) -> Result<Self, InvalidAvro> {
        let mut cursor = Cursor { bytes };
        if cursor.take(MAGIC.len())? != MAGIC {
            return Err(InvalidAvro::Malformed("it is not an Avro file"));
        }
        let mut metadata = Vec::new();
        cursor.items(|cursor| {
            let key = cursor.text()?.to_owned();
            metadata.push((key, cursor.bytes()?.to_vec()));
            Ok(())
        })?;
        let sync = cursor.take(SYNC_BYTES)?.try_into().map_err(|_| InvalidAvro::Short)?;
        let entry =
            |name: &str| metadata.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice());
        let schema = parse_schema(entry("avro.schema").unwrap_or_default())?;
        let codec = match entry("avro.codec").unwrap_or(b"null") {
            b"null" | b"" => Codec::Null,
            b"deflate" => Codec::Deflate,
            b"snappy" => Codec::Snappy,
            b"zstandard" => Codec::Zstandard,
            other => return Err(InvalidAvro::Codec(String::from_utf8_lossy(other).into_owned())),
        };
        Ok(Self {
            schema,
            codec,
            sync,
            blocks: cursor,
            unpacked_bytes_left: unpacked_bytes_max,
            unpacked_bytes_max,
        })
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads every record: `read` is called with the record's fields and where its bytes begin, and
    /// must read it whole.
    pub(crate) fn records(
        &mut self,
        mut read: impl FnMut(&[Field], &mut Cursor<'_>) -> Result<(), InvalidAvro>,
    ) -> Result<(), InvalidAvro> {
        while !self.blocks.bytes.is_empty() {
            let records = self.blocks.long()?;
            let packed = self.blocks.bytes()?;
            if self.blocks.take(SYNC_BYTES)? != self.sync {
                return Err(InvalidAvro::Malformed("a block does not end with the file's mark"));
            }
            let unpacked = unpack(self.codec, packed, self.unpacked_bytes_left)
                .map_err(|error| error.limited_to(self.unpacked_bytes_max))?;
            self.unpacked_bytes_left -= unpacked.len();
            let Kind::Record(fields) = &self.schema.kind else {
                return Err(InvalidAvro::Malformed("it holds no records"));
            };
            let mut cursor = Cursor { bytes: &unpacked };
            for _ in 0..records {
                // A record has at least one field that takes a byte, or there would be no end.
                if cursor.bytes.is_empty() {
                    return Err(InvalidAvro::Short);
                }
                read(fields, &mut cursor)?;
            }
        }
        Ok(())
    }
}

impl InvalidAvro {
    fn limited_to(self, whole: usize) -> Self {
        match self {
            InvalidAvro::TooLarge { .. } => InvalidAvro::TooLarge { bytes_max: whole },
            other @ (InvalidAvro::Short
            | InvalidAvro::Malformed(_)
            | InvalidAvro::Schema(_)
            | InvalidAvro::Codec(_)) => other,
        }
    }
}

fn unpack(codec: Codec, packed: &[u8], bytes_max: usize) -> Result<std::borrow::Cow<'_, [u8]>, InvalidAvro> {
    const BROKEN: InvalidAvro = InvalidAvro::Malformed("a block cannot be unpacked");
    let too_large = || InvalidAvro::TooLarge { bytes_max };
    let read_all = |reader: &mut dyn std::io::Read| {
        let mut unpacked = Vec::with_capacity(packed.len().saturating_mul(4).min(bytes_max));
        let mut limited = reader.take(bytes_max as u64 + 1);
        limited.read_to_end(&mut unpacked).map_err(|_| BROKEN)?;
        if unpacked.len() > bytes_max { Err(too_large()) } else { Ok(unpacked.into()) }
    };
    match codec {
        Codec::Null if packed.len() > bytes_max => Err(too_large()),
        Codec::Null => Ok(packed.into()),
        Codec::Deflate => read_all(&mut flate2::read::DeflateDecoder::new(packed)),
        Codec::Zstandard => read_all(&mut zstd::stream::read::Decoder::new(packed).map_err(|_| BROKEN)?),
        Codec::Snappy => {
            // The last four bytes are a checksum of the unpacked block.
            let body = packed.len().checked_sub(4).map(|end| &packed[..end]).ok_or(BROKEN)?;
            let length = snap::raw::decompress_len(body).map_err(|_| BROKEN)?;
            if length > bytes_max {
                return Err(too_large());
            }
            snap::raw::Decoder::new().decompress_vec(body).map(Into::into).map_err(|_| BROKEN)
        }
    }
}

/// Where the next value begins.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], InvalidAvro> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(InvalidAvro::Short)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(crate) fn long(&mut self) -> Result<i64, InvalidAvro> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first().ok_or(InvalidAvro::Short)?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(InvalidAvro::Malformed("a number is longer than 64 bits"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], InvalidAvro> {
        let length =
            usize::try_from(self.long()?).map_err(|_| InvalidAvro::Malformed("a negative length"))?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, InvalidAvro> {
        std::str::from_utf8(self.bytes()?).map_err(|_| InvalidAvro::Malformed("a string is not UTF-8"))
    }

    /// Calls `item` for each item of an array or map.
    fn items(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), InvalidAvro>,
    ) -> Result<(), InvalidAvro> {
        loop {
            let count = match self.long()? {
                0 => return Ok(()),
                // A negative count is followed by the size of the block.
                count if count < 0 => {
                    self.long()?;
                    count.unsigned_abs()
                }
                count => count.unsigned_abs(),
            };
            for _ in 0..count {
                let before = self.bytes.len();
                item(self)?;
                if self.bytes.len() == before {
                    return Err(InvalidAvro::Malformed("an array of nothing"));
                }
            }
        }
    }

    /// The branch of a union that follows, or `schema` itself; `None` is null.
    fn branch<'s>(&mut self, schema: &'s Schema) -> Result<Option<&'s Schema>, InvalidAvro> {
        let chosen = match &schema.kind {
            Kind::Union(branches) => {
                let at = usize::try_from(self.long()?).ok().and_then(|at| branches.get(at));
                at.ok_or(InvalidAvro::Malformed("a union has no such branch"))?
            }
            _other => schema,
        };
        Ok((!matches!(chosen.kind, Kind::Null)).then_some(chosen))
    }

    pub(crate) fn skip(&mut self, schema: &Schema) -> Result<(), InvalidAvro> {
        match &schema.kind {
            Kind::Null => {}
            Kind::Boolean => drop(self.take(1)?),
            Kind::Int | Kind::Long | Kind::Enum => drop(self.long()?),
            Kind::Float => drop(self.take(4)?),
            Kind::Double => drop(self.take(8)?),
            Kind::Bytes | Kind::String => drop(self.bytes()?),
            Kind::Fixed(length) => drop(self.take(*length)?),
            Kind::Array(of) => self.items(|cursor| cursor.skip(of))?,
            Kind::Map(of) => self.items(|cursor| {
                cursor.bytes()?;
                cursor.skip(of)
            })?,
            Kind::Union(_) => {
                if let Some(branch) = self.branch(schema)? {
                    self.skip(branch)?;
                }
            }
            Kind::Record(fields) => {
                for field in fields {
                    self.skip(&field.schema)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn optional_long(&mut self, schema: &Schema) -> Result<Option<i64>, InvalidAvro> {
        match self.branch(schema)? {
            None => Ok(None),
            Some(branch) => match &branch.kind {
                Kind::Int | Kind::Long => self.long().map(Some),
                _other => Err(InvalidAvro::Malformed("a field is no number")),
            },
        }
    }

    pub(crate) fn optional_boolean(&mut self, schema: &Schema) -> Result<Option<bool>, InvalidAvro> {
        match self.branch(schema)? {
            None => Ok(None),
            Some(branch) => match &branch.kind {
                Kind::Boolean => Ok(Some(self.take(1)? != [0])),
                _other => Err(InvalidAvro::Malformed("a field is no boolean")),
            },
        }
    }

    pub(crate) fn optional_bytes(&mut self, schema: &Schema) -> Result<Option<&'a [u8]>, InvalidAvro> {
        match self.branch(schema)? {
            None => Ok(None),
            Some(branch) => match &branch.kind {
                Kind::Bytes | Kind::String => self.bytes().map(Some),
                Kind::Fixed(length) => self.take(*length).map(Some),
                _other => Err(InvalidAvro::Malformed("a field is no bytes")),
            },
        }
    }

    pub(crate) fn optional_text(&mut self, schema: &Schema) -> Result<Option<&'a str>, InvalidAvro> {
        let bytes = self.optional_bytes(schema)?;
        let text = bytes.map(std::str::from_utf8).transpose();
        text.map_err(|_| InvalidAvro::Malformed("a string is not UTF-8"))
    }

    /// Calls `item` for each item of an array; nothing is there where it is null.
    pub(crate) fn each(
        &mut self,
        schema: &Schema,
        mut item: impl FnMut(&mut Self, &Schema) -> Result<(), InvalidAvro>,
    ) -> Result<(), InvalidAvro> {
        match self.branch(schema)? {
            None => Ok(()),
            Some(branch) => match &branch.kind {
                Kind::Array(of) => self.items(|cursor| item(cursor, of)),
                _other => Err(InvalidAvro::Malformed("a field is no array")),
            },
        }
    }

    /// Calls `field` for each field of a record, which must read it.
    pub(crate) fn record(
        &mut self,
        schema: &Schema,
        mut field: impl FnMut(&mut Self, &Field) -> Result<(), InvalidAvro>,
    ) -> Result<(), InvalidAvro> {
        match self.branch(schema)? {
            None => Ok(()),
            Some(branch) => match &branch.kind {
                Kind::Record(fields) => fields.iter().try_for_each(|one| field(self, one)),
                _other => Err(InvalidAvro::Malformed("a field is no record")),
            },
        }
    }

    /// A primitive value, by the file's own types; `None` is null.
    pub(crate) fn value(&mut self, schema: &Schema) -> Result<Option<Value>, InvalidAvro> {
        let Some(branch) = self.branch(schema)? else { return Ok(None) };
        let logical = branch.logical.as_deref();
        let bytes = match &branch.kind {
            Kind::Boolean => return Ok(Some(Value::Boolean(self.take(1)? != [0]))),
            Kind::Int | Kind::Long => return Ok(Some(Value::Integer(self.long()?))),
            Kind::Float => {
                let bytes = self.take(4)?.try_into().map_err(|_| InvalidAvro::Short)?;
                return Ok(Some(Value::Real(f32::from_le_bytes(bytes).into())));
            }
            Kind::Double => {
                let bytes = self.take(8)?.try_into().map_err(|_| InvalidAvro::Short)?;
                return Ok(Some(Value::Real(f64::from_le_bytes(bytes))));
            }
            Kind::String => return Ok(Some(Value::Text(self.text()?.into()))),
            Kind::Bytes => self.bytes()?,
            Kind::Fixed(length) => self.take(*length)?,
            Kind::Null | Kind::Enum | Kind::Array(_) | Kind::Map(_) | Kind::Union(_) | Kind::Record(_) => {
                return Err(InvalidAvro::Malformed("a partition value is not primitive"));
            }
        };
        match (logical, bytes.try_into()) {
            (Some("decimal"), _) => {
                let number = unscaled(bytes).ok_or(InvalidAvro::Malformed("a decimal is too long"))?;
                Ok(Some(Value::Decimal(number)))
            }
            (Some("uuid"), Ok(uuid)) => Ok(Some(Value::Uuid(uuid))),
            (_, _) => Ok(Some(Value::Bytes(bytes.into()))),
        }
    }
}
