//! `tarn table history`, `log`, `diff` and `rollback`.

use super::table::{Named, Place};
use super::{Failure, block_on, print_json};
use crate::client::history;

/// What happened to one table.
#[derive(clap::Args)]
pub(crate) struct TableHistory {
    /// Commits to show, the newest first.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    table: Named,
}

/// What happened in a warehouse.
#[derive(clap::Args)]
pub(crate) struct Log {
    /// Commits to show, the newest first.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    place: Place,
}

/// What differs between two points.
#[derive(clap::Args)]
pub(crate) struct Diff {
    /// The table: namespace and name separated by dots [default: the whole warehouse].
    table: Option<String>,
    /// The earlier side: position:<number> or a time; of a table also snapshot:<id> or ref:<branch or tag>.
    #[arg(long)]
    from: String,
    /// The later side, the same [default: now].
    #[arg(long)]
    to: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Tables to move back.
#[derive(clap::Args)]
pub(crate) struct Rollback {
    /// The tables: namespace and name separated by dots. All are moved, or none.
    #[arg(required = true, value_name = "TABLE")]
    tables: Vec<String>,
    /// To what: position:<number>, a time such as 2026-11-21T04:00:00Z, or of one table snapshot:<id>.
    #[arg(long)]
    to: String,
    /// Only show what would change.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn table_history(
    TableHistory { limit, table: Named { table, place } }: &TableHistory,
) -> Result<(), Failure> {
    block_on(show(Some(table), *limit, place))
}

pub(crate) fn log(Log { limit, place }: &Log) -> Result<(), Failure> {
    block_on(show(None, *limit, place))
}

async fn show(table: Option<&str>, limit: usize, place: &Place) -> Result<(), Failure> {
    let found = place.open().await?.history(table, limit).await?;
    if place.client.json {
        print_json(&found)
    } else {
        history::print_history(&found)
    }
    Ok(())
}

pub(crate) fn diff(Diff { table, from, to, place }: &Diff) -> Result<(), Failure> {
    block_on(async {
        let found = place.open().await?.diff(table.as_deref(), from, to.as_deref()).await?;
        match table {
            _ if place.client.json => print_json(&found),
            Some(table) => history::print_table_diff(table, &found),
            None => history::print_warehouse_diff(&found),
        }
        Ok(())
    })
}

/// What is done is what was looked at: a table that changes between the two is refused.
pub(crate) fn rollback(Rollback { tables, to, dry_run, place }: &Rollback) -> Result<(), Failure> {
    block_on(async {
        let catalog = place.open().await?;
        let mut told = catalog.rollback_told(tables, to).await?;
        let refused = history::refuses(&told);
        if !dry_run && !refused {
            told = catalog.rollback(&told, to).await?;
        }
        if place.client.json {
            print_json(&told)
        } else {
            history::print_rollback(&told)
        }
        if refused { Err(Failure::Failed(anyhow::anyhow!("no table was rolled back"))) } else { Ok(()) }
    })
}
