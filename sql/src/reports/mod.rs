//! Saved reports: questions that ship with the server, with parameters, columns and a chart.
//!
//! - P1: what a caller gives is checked and bound to the query's parameters; none of it becomes part of its text. Only the
//!   name of an inventory's table does, as a quoted identifier.
//!
//! A report asks as its caller: what the caller may not see is not in it. How a query is run is not said here.

mod answer;
mod chart;
mod parameter;
mod shipped;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_queries;
mod unit;

use tarn_inventory::report::is_id;

pub use answer::{Answer, AnswerError, Cell};
pub use chart::{BARS_MAX, Bar, Bars, ChartError};
pub use parameter::{Bound, Kind, Parameter, ParameterError, Value};
pub use shipped::ALL;
pub use unit::Unit;

/// A saved report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Its name: lower case, with hyphens.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it tells, and of what.
    pub description: &'static str,
    /// What may be chosen.
    pub parameters: &'static [Parameter],
    /// What its rows hold.
    pub columns: &'static [Column],
    /// How it is drawn.
    pub chart: Chart,
    /// Where its objects come from.
    pub objects: Objects,
    /// The query. `{objects}`, `{before}` and `{after}` stand for tables of objects, `$name` for parameters.
    sql: &'static str,
}

/// A column of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub unit: Unit,
}

/// How a report is drawn: bars in the order of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chart {
    /// The columns that name a bar, put together with slashes where they do not end in one.
    pub labels: &'static [&'static str],
    /// The column that is a bar's length.
    pub value: &'static str,
}

/// Where a report's objects come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objects {
    /// It asks for none.
    None,
    /// As they are now, or as an inventory's last run found them.
    LiveOrInventory,
    /// As two runs of an inventory found them.
    TwoRuns,
}

/// Tables of objects that a report reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// As they are now.
    Live,
    /// As the last run of an inventory found them.
    Inventory(InventoryTable),
    /// As two of its runs found them.
    Runs {
        /// The inventory's table.
        table: InventoryTable,
        /// The snapshot of the run before.
        before: i64,
        /// The snapshot of the run after.
        after: i64,
    },
}

/// The Iceberg table that an inventory's runs are snapshots of: in warehouse `system`, in the namespace of its bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryTable {
    /// The bucket.
    pub bucket: String,
    /// The inventory's id in it.
    pub id: String,
}

/// A name of an inventory that names none, or a report that takes none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is not of the form `bucket/id`.
    #[error("{0:?} names no inventory: bucket/id is expected")]
    Name(String),
    /// The report does not read objects.
    #[error("the report {0} does not read objects, so it takes no inventory")]
    Unused(&'static str),
    /// It compares runs of an inventory.
    #[error("the report {0} compares two runs of an inventory: name one, as bucket/id")]
    Needed(&'static str),
}

impl Report {
    /// The report of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|report| report.name == name)
    }

    /// The query over these tables.
    pub fn query(&self, source: &Source) -> Result<String, SourceError> {
        let fill = |objects: &str, before: &str, after: &str| {
            self.sql.replace("{objects}", objects).replace("{before}", before).replace("{after}", after)
        };
        match (self.objects, source) {
            (Objects::None | Objects::LiveOrInventory, Source::Live) => Ok(fill(LIVE, "", "")),
            (Objects::LiveOrInventory, Source::Inventory(table)) => Ok(fill(&table.objects(None), "", "")),
            (Objects::TwoRuns, Source::Runs { table, before, after }) => {
                Ok(fill("", &table.objects(Some(*before)), &table.objects(Some(*after))))
            }
            (Objects::None, Source::Inventory(_) | Source::Runs { .. }) => {
                Err(SourceError::Unused(self.name))
            }
            (Objects::LiveOrInventory, Source::Runs { table, after, .. }) => {
                Ok(fill(&table.objects(Some(*after)), "", ""))
            }
            (Objects::TwoRuns, Source::Live | Source::Inventory(_)) => Err(SourceError::Needed(self.name)),
        }
    }
}

/// The objects as they are now.
const LIVE: &str = "system.objects";

impl InventoryTable {
    /// The warehouse it lies in.
    pub const WAREHOUSE: &str = "system";

    /// The inventory of a name.
    pub fn named(name: &str) -> Result<Self, SourceError> {
        let invalid = || SourceError::Name(name.to_owned());
        let (bucket, id) = name.split_once('/').ok_or_else(invalid)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_plain) || !is_id(id) {
            return Err(invalid());
        }
        Ok(Self { bucket: bucket.to_owned(), id: id.to_owned() })
    }

    /// Its name in the namespace.
    pub fn name(&self) -> String {
        format!("inventory_{}", self.id)
    }

    /// Its rows under the names that the objects of now have.
    fn objects(&self, snapshot: Option<i64>) -> String {
        let at = snapshot.map_or_else(String::new, |id| format!("@{id}"));
        let name = format!("{}{at}", self.name());
        let table = [Self::WAREHOUSE, &self.bucket, &name].map(quoted).join(".");
        format!("(SELECT bucket, key, size, last_modified_date AS last_modified, e_tag AS etag FROM {table})")
    }
}

/// A quoted identifier (P1).
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
