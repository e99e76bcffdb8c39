//! How journals do, as it is told.

use serde::Serialize;
use tarn_catalog::state::TableIdent;

/// Where a table of a journal is, by the names S3 has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It is being made.
    #[default]
    Creating,
    /// A scan fills it.
    Backfilling,
    /// It is there, and follows.
    Active,
    /// It does not follow until a write works again; the reason is told.
    Failed,
}

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Backfilling => "BACKFILLING",
            Self::Active => "ACTIVE",
            Self::Failed => "FAILED",
        }
    }
}

/// How a table of a journal does. Counts are since the server's start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableStatus {
    /// The warehouse it lies in.
    pub warehouse: String,
    /// Its namespace: the bucket.
    pub namespace: String,
    /// Its name.
    pub table: String,
    /// Its UUID, once it is made.
    pub table_uuid: Option<String>,
    /// Where it is.
    pub state: State,
    /// Why it failed.
    pub reason: Option<String>,
    /// What its readers should know: rows that somebody took out of it.
    pub notice: Option<String>,
    /// Seconds that the oldest change which is not in it waits; 0: it has all.
    pub lag_seconds: u64,
    /// Changes that were read and are not in it.
    pub waiting_changes: u64,
    /// Rows of the table.
    pub rows: Option<u64>,
    /// Rows written.
    pub rows_written: u64,
    /// Snapshots committed.
    pub commits: u64,
    /// Failures.
    pub errors: u64,
    /// When it was last committed, in milliseconds since 1970.
    pub last_commit_ms: Option<i64>,
    /// Of a backfill: objects scanned so far.
    pub scanned: u64,
}

/// How the journal of a bucket does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JournalStatus {
    /// The table of changes.
    pub journal: TableStatus,
    /// The table of the objects there are, if it is on.
    pub inventory: Option<TableStatus>,
    /// What the last reconciliation found.
    pub reconciled: Option<super::Reconciled>,
}

impl TableStatus {
    /// Of a table that nothing is known of yet.
    pub(super) fn new(ident: &TableIdent) -> Self {
        Self {
            warehouse: ident.warehouse.to_string(),
            namespace: ident.namespace.to_string(),
            table: ident.name.to_string(),
            ..Self::default()
        }
    }

    pub(super) fn failed(&mut self, reason: String) {
        (self.state, self.reason) = (State::Failed, Some(reason));
        self.errors += 1;
    }
}
