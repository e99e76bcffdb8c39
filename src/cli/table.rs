//! `tarn table list|show|snapshots`, and what `maintain.rs` has.

use super::{ClientFlags, Failure, block_on, maintain, print_json};
use crate::client::tables;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the tables of a warehouse, or of one namespace and those below it.
    List {
        /// The namespace, its levels separated by dots.
        namespace: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Show a table: schema, partitions, current snapshot, properties.
    Show {
        /// The table: namespace and name separated by dots.
        table: String,
        #[command(flatten)]
        place: Place,
    },
    /// List a table's snapshots and the branches and tags on them.
    Snapshots {
        /// The table: namespace and name separated by dots.
        table: String,
        #[command(flatten)]
        place: Place,
    },
    /// Run maintenance of a table now.
    Maintain(maintain::Maintain),
    /// List the runs of maintenance, the newest first.
    Runs(maintain::Runs),
    /// What maintenance does by itself: policies of the server, warehouses, namespaces and tables.
    #[command(subcommand)]
    Policy(maintain::Policy),
}

#[derive(clap::Args)]
pub(crate) struct Place {
    /// The warehouse [default: the server's].
    #[arg(long)]
    warehouse: Option<String>,
    #[command(flatten)]
    client: ClientFlags,
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List { namespace, place } => list(namespace.as_deref(), &place),
        Command::Show { table, place } => show(&table, &place),
        Command::Snapshots { table, place } => snapshots(&table, &place),
        Command::Maintain(command) => maintain::maintain(&command),
        Command::Runs(command) => maintain::runs(&command),
        Command::Policy(command) => maintain::policy(command),
    }
}

fn list(namespace: Option<&str>, place: &Place) -> Result<(), Failure> {
    block_on(async {
        let catalog = tables::Catalog::open(place.client.connect()?, place.warehouse.as_deref()).await?;
        let found = catalog.list(namespace).await?;
        if place.client.json {
            print_json(&tables::list_json(&found));
        } else {
            tables::print_list(&found);
        }
        Ok(())
    })
}

fn show(table: &str, place: &Place) -> Result<(), Failure> {
    block_on(async {
        let catalog = tables::Catalog::open(place.client.connect()?, place.warehouse.as_deref()).await?;
        let answer = catalog.load(table).await?;
        if place.client.json {
            print_json(&answer);
        } else {
            tables::print_table(table, &answer);
        }
        Ok(())
    })
}

fn snapshots(table: &str, place: &Place) -> Result<(), Failure> {
    block_on(async {
        let catalog = tables::Catalog::open(place.client.connect()?, place.warehouse.as_deref()).await?;
        let metadata = catalog.load(table).await?["metadata"].take();
        if place.client.json {
            print_json(&tables::snapshots_json(&metadata));
        } else {
            tables::print_snapshots(&metadata);
        }
        Ok(())
    })
}
