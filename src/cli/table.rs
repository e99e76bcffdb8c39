//! `tarn table list|show|snapshots`.

use super::{ClientFlags, Failure, block_on, print_json};
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
    block_on(async {
        match command {
            Command::List { namespace, place } => {
                let catalog =
                    tables::Catalog::open(place.client.connect()?, place.warehouse.as_deref()).await?;
                let found = catalog.list(namespace.as_deref()).await?;
                if place.client.json {
                    print_json(&tables::list_json(&found))
                } else {
                    tables::print_list(&found)
                }
            }
            Command::Show { table, place } => {
                let catalog =
                    tables::Catalog::open(place.client.connect()?, place.warehouse.as_deref()).await?;
                let answer = catalog.load(&table).await?;
                if place.client.json { print_json(&answer) } else { tables::print_table(&table, &answer) }
            }
            Command::Snapshots { table, place } => {
                let catalog =
                    tables::Catalog::open(place.client.connect()?, place.warehouse.as_deref()).await?;
                let metadata = catalog.load(&table).await?["metadata"].take();
                if place.client.json {
                    print_json(&tables::snapshots_json(&metadata));
                } else {
                    tables::print_snapshots(&metadata);
                }
            }
        }
        Ok(())
    })
}
