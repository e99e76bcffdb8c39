//! Files of position deletes (Iceberg table spec, "Position Delete Files").

use std::collections::HashMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::schema::types::SchemaDescriptor;
use roaring::RoaringTreemap;

use super::limits::Used;
use super::stored::StoredFile;
use crate::table::TableError;

/// The columns of position delete files by name and field id (table spec, "Reserved Field IDs").
const PATH: (&str, i32) = ("file_path", 2_147_483_546);
const POSITION: (&str, i32) = ("pos", 2_147_483_545);

/// Memory for a path with its first rows, beside the path itself.
const PATH_BYTES: u64 = 512;
/// Memory for each 65,536 rows of a data file of which one is deleted.
const CONTAINER_BYTES: u64 = 64;
/// Memory for a position, at most: more of them in one place become a bitmap.
const POSITION_BYTES: u64 = 4;

/// Deleted rows by the location of their data file.
#[derive(Debug, Default)]
pub(super) struct ByPath(HashMap<Box<str>, RoaringTreemap>);

impl ByPath {
    pub(super) fn of(&self, location: &str) -> Option<&RoaringTreemap> {
        self.0.get(location)
    }
}

/// The rows that a file of position deletes tells, of one data file or of all.
pub(super) async fn read(file: StoredFile, only: Option<&str>, used: &Used) -> Result<ByPath, TableError> {
    let file = file.open().await?;
    let schema = file.metadata.parquet_schema();
    let (path, position) = (leaf(schema, PATH).ok_or_else(other)?, leaf(schema, POSITION).ok_or_else(other)?);
    let mut rows = file.rows(&[path, position], used)?;
    let mut found = Found::default();
    while let Some(batch) = rows.next().await? {
        found.add(&batch, path < position, only)?;
        let (positions, bytes) = (std::mem::take(&mut found.positions), std::mem::take(&mut found.bytes));
        used.positions(positions, bytes)?;
    }
    Ok(found.rows)
}

/// A column of its own, by field id or else by name.
fn leaf(schema: &SchemaDescriptor, (name, id): (&str, i32)) -> Option<usize> {
    let is_of_id = |at: &usize| {
        let info = schema.column(*at).self_type().get_basic_info().clone();
        info.has_id() && info.id() == id
    };
    let is_named = |at: &usize| schema.column(*at).path().parts() == [name];
    let mut all = 0..schema.num_columns();
    all.clone().find(is_of_id).or_else(|| all.find(is_named))
}

/// What was read, and what it took since it was last counted.
#[derive(Default)]
struct Found {
    rows: ByPath,
    positions: u64,
    bytes: u64,
}

impl Found {
    fn add(
        &mut self,
        batch: &RecordBatch,
        path_is_first: bool,
        only: Option<&str>,
    ) -> Result<(), TableError> {
        let [first, second] = batch.columns() else { return Err(other()) };
        let (paths, positions) = if path_is_first { (first, second) } else { (second, first) };
        let paths = Paths::new(paths).ok_or_else(other)?;
        let positions = positions.as_primitive_opt::<Int64Type>().ok_or_else(other)?;
        if positions.null_count() > 0 {
            return Err(other());
        }
        let mut from = 0;
        while from < batch.num_rows() {
            let path = paths.at(from)?;
            let mut to = from + 1;
            while to < batch.num_rows() && paths.at(to)? == path {
                to += 1;
            }
            if only.is_none_or(|only| only == path) {
                self.add_run(path, &positions.values()[from..to])?;
            }
            from = to;
        }
        Ok(())
    }

    fn add_run(&mut self, path: &str, positions: &[i64]) -> Result<(), TableError> {
        if !self.rows.0.contains_key(path) {
            self.bytes += PATH_BYTES + path.len() as u64;
            self.rows.0.insert(path.into(), RoaringTreemap::new());
        }
        let Some(rows) = self.rows.0.get_mut(path) else { return Ok(()) };
        let mut container = None;
        for &position in positions {
            let position = u64::try_from(position)
                .map_err(|_| TableError::Invalid("a position delete has a negative position".into()))?;
            if container.replace(position >> 16) != Some(position >> 16) {
                self.bytes += CONTAINER_BYTES;
            }
            if rows.try_push(position).is_err() {
                rows.insert(position);
            }
        }
        self.positions += positions.len() as u64;
        self.bytes += POSITION_BYTES * positions.len() as u64;
        Ok(())
    }
}

/// The column of paths. Some writers do not say that it is text.
enum Paths<'a> {
    Text(&'a arrow_array::StringArray),
    Bytes(&'a arrow_array::BinaryArray),
}

impl<'a> Paths<'a> {
    fn new(column: &'a ArrayRef) -> Option<Self> {
        if column.null_count() > 0 {
            return None;
        }
        match column.data_type() {
            DataType::Utf8 => column.as_string_opt::<i32>().map(Self::Text),
            DataType::Binary => column.as_binary_opt::<i32>().map(Self::Bytes),
            _other => None,
        }
    }

    fn at(&self, row: usize) -> Result<&'a str, TableError> {
        match self {
            Self::Text(paths) => Ok(paths.value(row)),
            Self::Bytes(paths) => std::str::from_utf8(paths.value(row)).map_err(|_| other()),
        }
    }
}

fn other() -> TableError {
    TableError::Invalid("a file of position deletes does not hold paths and positions".into())
}
