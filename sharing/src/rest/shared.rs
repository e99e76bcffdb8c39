//! A table as a reader may read it.

use std::sync::Arc;

use super::SharingFront;
use super::answer::untold;
use super::call::Caller;
use crate::access::audit::{Call, Trail};
use crate::access::{Granted, Reader, Ticket};
use crate::directory::{History, RowFilter, SharedTable};
use crate::protocol::{Bound, Failure, Kind, Subject};
use crate::table::{TableError, TableSource, TableVersion, Versions};

/// The names of a table: share, schema, table, as the request wrote them.
pub(super) type TableNames = (String, String, String);

/// A table that a reader may read now.
pub(super) struct Shared {
    pub(super) granted: Granted,
    /// The schema's name as it was given.
    pub(super) schema: String,
    pub(super) table: SharedTable,
    /// Which rows; empty is all.
    pub(super) filters: Vec<RowFilter>,
    pub(super) ticket: Ticket,
    /// What becomes of the call.
    pub(super) trail: Trail,
    names: TableNames,
}

/// The same, opened.
pub(super) struct Opened {
    pub(super) shared: Shared,
    pub(super) source: Arc<dyn TableSource>,
    /// What tokens of it are bound to.
    pub(super) subject: Subject,
}

impl SharingFront {
    /// The share of this name.
    pub(super) fn granted(&self, reader: &Reader, share: &str) -> Result<Granted, Failure> {
        self.access.share(reader, share).ok_or_else(|| Failure::no_share(share))
    }

    /// The table of these names, if whoever shared it may read it (F1, F2).
    pub(super) fn shared(&self, caller: &Caller, call: Call, names: TableNames) -> Result<Shared, Failure> {
        let (share, schema, table) = &names;
        let trail = Trail::begin(&caller.reader, call, [share, schema, table]);
        let missing = || Failure::no_table(share, schema, table);
        let granted = self.access.share(&caller.reader, share).ok_or_else(missing)?;
        let (schema_key, table_key) = (schema.to_lowercase(), table.to_lowercase());
        let found = granted.share.schemas.get(&schema_key).ok_or_else(missing)?;
        let table = found.tables.get(&table_key).ok_or_else(missing)?.clone();
        if !self.sharers.may_read(&table.by, &table.source) {
            let message =
                "whoever shared the table may not read it any more; please contact your share provider";
            return Err(Failure::new(Kind::Forbidden, message));
        }
        let filters = granted.grant.filters.get(&format!("{schema_key}.{table_key}"));
        Ok(Shared {
            schema: found.name.clone(),
            filters: filters.cloned().unwrap_or_default(),
            ticket: caller.reader.ticket(&granted.grant, &table),
            table,
            granted,
            trail,
            names,
        })
    }

    /// The same, opened.
    pub(super) async fn open(
        &self,
        caller: &Caller,
        call: Call,
        names: TableNames,
    ) -> Result<Opened, Failure> {
        let shared = self.shared(caller, call, names)?;
        self.opened(caller, shared).await
    }

    /// A table that was found, opened.
    pub(super) async fn opened(&self, caller: &Caller, shared: Shared) -> Result<Opened, Failure> {
        let source = self.tables.open(&shared.table).await.map_err(|error| shared.untold(&error))?;
        let recipient = caller.reader.recipient.id;
        let subject =
            Subject::of(&[recipient.as_bytes(), shared.table.id.as_bytes(), source.identity().as_bytes()]);
        Ok(Opened { shared, source, subject })
    }
}

impl Shared {
    /// The call was answered whole.
    pub(super) fn told(&mut self, version: Option<i64>) {
        self.trail.tells(version);
        self.trail.whole();
    }

    /// `share.schema.table`, as the request named it.
    pub(super) fn dotted(&self) -> String {
        let (share, schema, table) = &self.names;
        format!("{share}.{schema}.{table}")
    }

    /// What a reader is told of a table that cannot be.
    pub(super) fn untold(&self, error: &TableError) -> Failure {
        untold(error, || self.missing())
    }

    /// There is no such table any more.
    pub(super) fn missing(&self) -> Failure {
        let (share, schema, table) = &self.names;
        Failure::no_table(share, schema, table)
    }

    /// The first version that is shared. `Err` where the history is not.
    pub(super) fn history(&self) -> Result<i64, Failure> {
        match self.table.history {
            History::Shared { start } => Ok(start),
            History::Latest => Err(Failure::invalid(format!(
                "Reading table by version or timestamp is not supported because history sharing is not enabled on \
                 table: {}",
                self.dotted()
            ))),
        }
    }

    /// Whether a version is shared.
    pub(super) fn reaches(&self, version: i64) -> Result<(), Failure> {
        match self.table.history {
            History::Shared { start } if version < start => Err(since(start)),
            History::Shared { .. } | History::Latest => Ok(()),
        }
    }
}

/// The answer to who asks for what came before.
pub(super) fn since(start: i64) -> Failure {
    Failure::invalid(format!("You can only query table data since version {start}."))
}

impl Opened {
    pub(super) async fn versions(&self) -> Result<Versions, Failure> {
        self.source.versions().await.map_err(|error| self.shared.untold(&error))
    }

    /// The latest version at a time.
    pub(super) async fn until(&self, timestamp_ms: i64, now_ms: i64) -> Result<i64, Failure> {
        if timestamp_ms > now_ms {
            return Err(Failure::invalid(
                "The provided timestamp lies in the future: no version is of that time yet.",
            ));
        }
        let found = self.source.version_until(timestamp_ms).await;
        let found = found.map_err(|error| self.shared.untold(&error))?;
        found.ok_or_else(|| {
            Failure::invalid("The provided timestamp is before the earliest version available to this table.")
        })
    }

    /// The earliest version from a time on.
    pub(super) async fn from(&self, timestamp_ms: i64) -> Result<i64, Failure> {
        let found = self.source.version_from(timestamp_ms).await;
        let found = found.map_err(|error| self.shared.untold(&error))?;
        found.ok_or_else(|| {
            Failure::invalid("The provided timestamp is after the latest version available to this table.")
        })
    }

    /// The version a request is of; `None` is the latest.
    pub(super) async fn resolve(&self, at: Option<&Bound>, now_ms: i64) -> Result<i64, Failure> {
        let version = match at {
            None => self.versions().await?.latest,
            Some(Bound::Version(version)) => {
                self.shared.history()?;
                *version
            }
            Some(Bound::Timestamp(timestamp_ms)) => {
                self.shared.history()?;
                self.until(*timestamp_ms, now_ms).await?
            }
        };
        self.shared.reaches(version)?;
        Ok(version)
    }

    /// A version without its files.
    pub(super) async fn metadata(&self, version: i64) -> Result<TableVersion, Failure> {
        self.source.metadata(version).await.map_err(|error| self.shared.untold(&error))
    }
}
