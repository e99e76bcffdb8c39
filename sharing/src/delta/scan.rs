//! The live files of a version, from the kernel's replay of the log.

use std::collections::HashMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array as _, RecordBatch, StructArray};
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::scan::{ScanMetadata, StatsOptions};
use delta_kernel::snapshot::SnapshotRef;

use super::bench::{Bench, kernel_error};
use super::definition::{Definition, Vectors};
use super::file::{Action, Files};
use super::order;
use super::vector::Vector;
use crate::table::{FileList, ListBuilder, TableError};

/// The live files of a version, and whether any has a deletion vector.
pub(super) fn files(
    bench: &Bench,
    snapshot: SnapshotRef,
    definition: &Definition,
) -> Result<(FileList, Vectors), TableError> {
    let mut files = Files::new(bench, &definition.partition_names);
    let mut list = ListBuilder::default();
    for_each_batch(bench, snapshot, StatsOptions::json_only(), |batch, selected| {
        files.push(&Rows::of(batch)?.actions(selected)?, &mut list)?;
        Ok(Walk::On)
    })?;
    let list = order::ordered(list.finish())?;
    let vectors = if list.has_deletes() { Vectors::Some } else { Vectors::None };
    Ok((list, vectors))
}

/// Whether a live file of a version has a deletion vector. Stops at the first.
pub(super) fn vectors(bench: &Bench, snapshot: SnapshotRef) -> Result<Vectors, TableError> {
    let mut seen = Vectors::None;
    for_each_batch(bench, snapshot, StatsOptions::none(), |batch, selected| {
        let actions = Rows::of(batch)?.actions(selected)?;
        if actions.iter().any(|action| action.vector.is_some()) {
            seen = Vectors::Some;
            return Ok(Walk::Ended);
        }
        Ok(Walk::On)
    })?;
    Ok(seen)
}

#[derive(PartialEq)]
enum Walk {
    On,
    Ended,
}

fn for_each_batch(
    bench: &Bench,
    snapshot: SnapshotRef,
    stats: StatsOptions,
    mut each: impl FnMut(&RecordBatch, &[bool]) -> Result<Walk, TableError>,
) -> Result<(), TableError> {
    let scan =
        snapshot.scan_builder().without_row_transforms().with_stats(stats).build().map_err(kernel_error)?;
    for found in scan.scan_metadata(&bench.engine).map_err(kernel_error)? {
        let ScanMetadata { scan_files, .. } = found.map_err(kernel_error)?;
        let (data, selected) = scan_files.into_parts();
        let data = ArrowEngineData::try_from_engine_data(data).map_err(kernel_error)?;
        if each(data.record_batch(), &selected)? == Walk::Ended {
            break;
        }
    }
    Ok(())
}

/// The columns of a batch, named as the kernel names them.
struct Rows<'a> {
    batch: &'a RecordBatch,
    vector: &'a StructArray,
    constants: &'a StructArray,
}

impl<'a> Rows<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, TableError> {
        let structure = |name| batch.column_by_name(name).and_then(|column| column.as_struct_opt());
        let vector = structure("deletionVector").ok_or_else(strange)?;
        let constants = structure("fileConstantValues").ok_or_else(strange)?;
        Ok(Self { batch, vector, constants })
    }

    /// The actions of selected rows: those behind the end of `selected` are.
    fn actions(&self, selected: &[bool]) -> Result<Vec<Action<'a>>, TableError> {
        let rows = 0..self.batch.num_rows();
        rows.filter(|row| selected.get(*row).copied().unwrap_or(true)).map(|row| self.action(row)).collect()
    }

    fn action(&self, row: usize) -> Result<Action<'a>, TableError> {
        Ok(Action {
            path: self.text("path", row)?.ok_or_else(incomplete)?,
            size: self.number("size", row)?.ok_or_else(incomplete)?,
            modified_ms: self.number("modificationTime", row)?.ok_or_else(incomplete)?,
            partition_values: self.partition_values(row)?,
            stats: self.text("stats", row)?,
            vector: self.vector(row)?,
        })
    }

    fn text(&self, name: &str, row: usize) -> Result<Option<&'a str>, TableError> {
        let column = self.batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let column = column.ok_or_else(strange)?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    fn number(&self, name: &str, row: usize) -> Result<Option<i64>, TableError> {
        let column =
            self.batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
        let column = column.ok_or_else(strange)?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    fn partition_values(&self, row: usize) -> Result<HashMap<&'a str, Option<&'a str>>, TableError> {
        let maps = self.constants.column_by_name("partitionValues").and_then(|column| column.as_map_opt());
        let maps = maps.ok_or_else(strange)?;
        if self.constants.is_null(row) || maps.is_null(row) {
            return Ok(HashMap::new());
        }
        let (keys, values) = (maps.keys().as_string_opt::<i32>(), maps.values().as_string_opt::<i32>());
        let (keys, values) = keys.zip(values).ok_or_else(strange)?;
        let offsets = maps.value_offsets();
        let entries = usize::try_from(offsets[row]).map_err(|_| strange())?
            ..usize::try_from(offsets[row + 1]).map_err(|_| strange())?;
        Ok(entries.map(|at| (keys.value(at), values.is_valid(at).then(|| values.value(at)))).collect())
    }

    fn vector(&self, row: usize) -> Result<Option<Vector<'a>>, TableError> {
        let field = |name| self.vector.column_by_name(name).ok_or_else(strange);
        let storage = field("storageType")?.as_string_opt::<i32>().ok_or_else(strange)?;
        if self.vector.is_null(row) || storage.is_null(row) {
            return Ok(None);
        }
        let path = field("pathOrInlineDv")?.as_string_opt::<i32>().ok_or_else(strange)?;
        let offset = field("offset")?.as_primitive_opt::<Int32Type>().ok_or_else(strange)?;
        let size = field("sizeInBytes")?.as_primitive_opt::<Int32Type>().ok_or_else(strange)?;
        let cardinality = field("cardinality")?.as_primitive_opt::<Int64Type>().ok_or_else(strange)?;
        if path.is_null(row) || size.is_null(row) || cardinality.is_null(row) {
            return Err(incomplete());
        }
        Ok(Some(Vector {
            storage_type: storage.value(row),
            path_or_inline_dv: path.value(row),
            offset: offset.is_valid(row).then(|| offset.value(row)),
            size_in_bytes: size.value(row),
            cardinality: cardinality.value(row),
        }))
    }
}

fn strange() -> TableError {
    TableError::Invalid("its log was read into another shape than it has".into())
}

fn incomplete() -> TableError {
    TableError::Invalid("an action of its log lacks what every action has".into())
}
