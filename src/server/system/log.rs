//! `log`: page by page of each warehouse's history.

use std::collections::VecDeque;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tarn_catalog::Seq;
use tarn_catalog::history::{Entry, EntryChange};
use tarn_openapi::access::{Action, Resource};
use tarn_sql::system::{Cell, Wanted};

use super::{Outcome, Reading, Walk, dotted, failed};

/// Commits read at once.
const COMMITS_PER_BATCH: usize = 1000;

pub(super) struct LogRows {
    reading: Reading,
    warehouses: VecDeque<String>,
    /// Where the page before ended, in the first of them.
    before: Option<Seq>,
}

impl LogRows {
    pub(super) fn new(reading: Reading) -> Self {
        let wanted = Wanted::of("warehouse", &reading.scan.filters);
        let state = reading.state.catalog.snapshot();
        let allowed = reading.may(Action::AdminReadHistory, Resource::Server);
        let names = state.warehouses().map(|(name, _)| name.to_string());
        let warehouses = names.filter(|name| allowed && wanted.admits(name)).collect();
        Self { reading, warehouses, before: None }
    }
}

#[async_trait]
impl Walk for LogRows {
    async fn next(&mut self) -> Outcome<Option<RecordBatch>> {
        let Some(warehouse) = self.warehouses.front() else { return Ok(None) };
        let asked = (self.before, COMMITS_PER_BATCH);
        let page = self.reading.state.catalog.history(warehouse, None, asked).await.map_err(failed)?;
        let mut rows = self.reading.rows();
        for entry in &page.entries {
            for change in &entry.changes {
                rows.push(row(warehouse, entry, change));
            }
        }
        self.before = page.before;
        if self.before.is_none() {
            self.warehouses.pop_front();
        }
        self.reading.batch(rows).map(Some)
    }
}

fn row(warehouse: &str, entry: &Entry, change: &EntryChange) -> [Cell; 11] {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().into();
    let to = change.to.as_ref().map(|to| format!("{}.{}", dotted(&to.namespace), to.name));
    [
        entry.position.0.into(),
        Cell::Moment(entry.at),
        text(&entry.by),
        text(&entry.verb),
        warehouse.into(),
        change.kind.into(),
        change.namespace.as_ref().map(dotted).into(),
        text(&change.name),
        to.into(),
        change.snapshot_id.into(),
        text(&change.metadata_location),
    ]
}
