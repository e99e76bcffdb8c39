//! Old rows of a journal go by whole files: those of days that are over for longer than its rows are kept.

use std::collections::BTreeMap;

use iceberg::spec::{DataContentType, Literal, PrimitiveLiteral};

use super::append::{DAY_MS, day};
use super::snapshot::{Ended, Step};
use super::table::{Table, TableError, Tables};
use crate::compact::live::Live;

impl Tables {
    /// Takes out the files of days before the last `days`; whether there were any. Files whose day nobody knows stay.
    pub(super) async fn expire_rows(
        &self,
        table: &Table,
        days: u32,
        now_ms: i64,
    ) -> Result<bool, TableError> {
        let first_kept = day(now_ms.saturating_sub(i64::from(days).saturating_mul(DAY_MS)));
        let spec_id = table.parsed.default_partition_spec_id();
        let goes = |live: &Live| {
            live.spec_id == spec_id
                && live.file().content_type() == DataContentType::Data
                && day_of(live).is_some_and(|day| day < first_kept)
        };
        let step = Step {
            operation: "delete",
            goes: Some(&goes),
            summary: BTreeMap::from([("tarn.journal.kept-days".to_owned(), days.to_string())]),
            ..Step::default()
        };
        match self.commit(table, &step).await? {
            Ended::Done => Ok(true),
            // Overtaken: the next time.
            Ended::Nothing | Ended::Overtaken => Ok(false),
        }
    }
}

fn day_of(live: &Live) -> Option<i32> {
    match live.file().partition().fields() {
        [Some(Literal::Primitive(PrimitiveLiteral::Int(day)))] => Some(*day),
        _other => None,
    }
}
