//! Appending changes to a journal's table: data files of one day each, and the commit (J1, J2).

use std::collections::BTreeMap;

use iceberg::spec::{DataFile, Literal, Struct, Transform};
use uuid::Uuid;

use super::changes::Change;
use super::columns::DAY_COLUMN;
use super::rows::{Row, batch};
use super::snapshot::{Ended, Step};
use super::table::{Kind, Table, TableError, Tables, WATERMARK};
use super::watermark::{Watermark, sequence_number};
use crate::compact::output::{BOUND_BYTES_MAX, Output};
use crate::compact::{CompactError, Stop};

/// How often a snapshot is tried on a newer head.
const TRIES: u32 = 5;
/// Rows that become columns at a time.
const BATCH_ROWS: usize = 8192;
/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// Changes to append.
pub(super) struct Batch<'a> {
    pub(super) bucket: &'a str,
    /// Changes and their sets: of each set in order.
    pub(super) changes: &'a [(usize, Change)],
    /// How far the table is believed to be.
    pub(super) from: &'a Watermark,
    /// How far it is with them.
    pub(super) to: &'a Watermark,
    /// What the summary tells besides.
    pub(super) notice: Option<&'a str>,
}

impl Tables {
    /// Appends a batch. [`TableError::Moved`]: the table is not where it was believed to be, and nothing was done; what
    /// is in it is told by its watermark only.
    pub(super) async fn append(&self, batch: &Batch<'_>) -> Result<Table, TableError> {
        let sets = batch.from.iter().count();
        let mut written: Option<(Table, Vec<DataFile>)> = None;
        for _ in 0..TRIES {
            let table = self.ensure(batch.bucket, Kind::Journal).await?;
            if table.watermark(sets)? != *batch.from {
                return Err(TableError::Moved(table.ident));
            }
            let files = match written.take().filter(|(made_for, _)| is_of_same_shape(made_for, &table)) {
                Some((_, files)) => files,
                None => self.write(&table, batch.changes).await?,
            };
            let step = Step {
                operation: "append",
                added: &files,
                goes: None,
                properties: BTreeMap::from([(WATERMARK.to_owned(), batch.to.to_string())]),
                summary: summary(batch),
            };
            match self.commit(&table, &step).await? {
                Ended::Done => return self.ensure(batch.bucket, Kind::Journal).await,
                Ended::Nothing | Ended::Overtaken => written = Some((table, files)),
            }
        }
        Err(TableError::Overtaken(
            super::table::ident(batch.bucket, Kind::Journal).map_err(CompactError::Unfit)?,
        ))
    }

    /// Stores the rows, those of each day in a file.
    async fn write(&self, table: &Table, changes: &[(usize, Change)]) -> Result<Vec<DataFile>, TableError> {
        let spec = table.parsed.default_partition_spec();
        let by_day = match spec.fields() {
            [field] => {
                let source = table.parsed.current_schema().field_by_id(field.source_id);
                field.transform == Transform::Day && source.is_some_and(|source| source.name == DAY_COLUMN)
            }
            _other => false,
        };
        if !by_day {
            return Err(table.unfit(format!("it is not partitioned by the day of {DAY_COLUMN} alone")));
        }
        let mut days: BTreeMap<i32, Vec<&(usize, Change)>> = BTreeMap::new();
        for change in changes {
            days.entry(day(change.1.at_ms)).or_default().push(change);
        }
        let mut files = Vec::with_capacity(days.len());
        for (day, changes) in days {
            let partition = (spec.spec_id(), Struct::from_iter([Some(Literal::date(day))]));
            let mut output = Output::with_bounds(&table.columns, Some(BOUND_BYTES_MAX))
                .map_err(|stop| why(table, stop))?;
            for some in changes.chunks(BATCH_ROWS) {
                let numbers: Vec<String> =
                    some.iter().map(|(set, change)| sequence_number(*set, change.sequence)).collect();
                let rows = some.iter().zip(&numbers);
                let rows: Vec<Row<'_>> =
                    rows.map(|((_, change), number)| Row::of_change(change, number)).collect();
                let made = batch(&table.columns.arrow, &rows);
                let made = made.map_err(|error| table.unfit(format!("its columns were changed: {error}")))?;
                output.write(&made).map_err(|stop| why(table, stop))?;
                tokio::task::consume_budget().await;
            }
            let made = output.finish().map_err(|stop| why(table, stop))?;
            let location = table.location(&format!("data/{}.parquet", Uuid::now_v7()))?;
            self.files.create(&location, made.bytes.clone()).await.map_err(CompactError::from)?;
            files.push(made.describe(location, partition, None).map_err(|stop| why(table, stop))?);
        }
        Ok(files)
    }
}

/// The day of a time, counted from 1970.
pub(super) fn day(at_ms: i64) -> i32 {
    let days = at_ms.div_euclid(DAY_MS);
    i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX })
}

pub(super) fn why(table: &Table, stop: Stop) -> TableError {
    match stop {
        Stop::Unfit(reason) => table.unfit(format!("its files cannot be made: one {reason}")),
        Stop::Failed(error) => error.into(),
    }
}

/// Whether files made for one table are those of the other.
pub(super) fn is_of_same_shape(one: &Table, other: &Table) -> bool {
    let (was, is) = (&one.loaded.metadata, &other.loaded.metadata);
    was.uuid() == is.uuid()
        && was.location() == is.location()
        && was.format_version() == is.format_version()
        && was.current_schema_id() == is.current_schema_id()
        && was.default_spec_id() == is.default_spec_id()
}

fn summary(batch: &Batch<'_>) -> BTreeMap<String, String> {
    let mut summary = BTreeMap::from([
        (WATERMARK.to_owned(), batch.to.to_string()),
        ("tarn.journal.changes".to_owned(), batch.changes.len().to_string()),
    ]);
    if let Some(notice) = batch.notice {
        summary.insert("tarn.journal.notice".to_owned(), notice.to_owned());
    }
    summary
}
