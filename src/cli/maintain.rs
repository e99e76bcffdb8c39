//! `tarn table maintain|runs|policy`.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;

use super::{ClientFlags, Failure, block_on, print_json};
use crate::client::maintenance::{self, Place};
use crate::client::{ClientError, output};

/// A type of maintenance.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Job {
    /// Expire snapshots and remove the files that only they reached.
    Snapshots,
    /// Remove files below the table's location that nothing names.
    Unreferenced,
    /// Rewrite data files into fewer ones of a good size.
    Compaction,
}

impl Job {
    fn name(self) -> &'static str {
        match self {
            Self::Snapshots => "icebergSnapshotManagement",
            Self::Unreferenced => "icebergUnreferencedFileRemoval",
            Self::Compaction => "icebergCompaction",
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct Maintain {
    /// The table: namespace and name separated by dots.
    table: String,
    /// What to do.
    #[arg(long, value_enum)]
    job: Job,
    /// Only tell what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Leave nothing alone for those who use the table now: snapshots that were current within the hour and
    /// files of the last day go too. Unsafe while anybody reads or writes the table.
    #[arg(long)]
    unsafe_no_grace: bool,
    /// Do not wait for the end.
    #[arg(long)]
    detach: bool,
    /// The warehouse [default: the server's].
    #[arg(long)]
    warehouse: Option<String>,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(clap::Args)]
pub(crate) struct Runs {
    /// The table: namespace and name separated by dots [default: all tables].
    table: Option<String>,
    /// The warehouse [default: the server's].
    #[arg(long, requires = "table")]
    warehouse: Option<String>,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(clap::Subcommand)]
pub(crate) enum Policy {
    /// Show what is set at a place, and what holds there.
    Show {
        #[command(flatten)]
        place: PlaceFlags,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Set the policy of a place.
    Set {
        /// A file with the policy as JSON; - reads standard input.
        file: PathBuf,
        #[command(flatten)]
        place: PlaceFlags,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Take the policy of a place away.
    Delete {
        #[command(flatten)]
        place: PlaceFlags,
        #[command(flatten)]
        client: ClientFlags,
    },
}

/// The server when nothing is given.
#[derive(clap::Args)]
pub(crate) struct PlaceFlags {
    /// A warehouse [default: the server's, where a namespace or table is given].
    #[arg(long)]
    warehouse: Option<String>,
    /// A namespace, its levels separated by dots.
    #[arg(long, conflicts_with = "table")]
    namespace: Option<String>,
    /// A table: namespace and name separated by dots.
    #[arg(long)]
    table: Option<String>,
}

impl PlaceFlags {
    fn place(&self) -> Result<Place, Failure> {
        let warehouse = self.warehouse.clone();
        match (&self.namespace, &self.table) {
            (None, None) => Ok(Place { warehouse, namespace: Vec::new(), table: None }),
            (Some(namespace), _) => Ok(Place { warehouse, namespace: levels(namespace), table: None }),
            (None, Some(table)) => table_place(warehouse, table),
        }
    }
}

fn levels(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

fn table_place(warehouse: Option<String>, table: &str) -> Result<Place, Failure> {
    let mut namespace = levels(table);
    let name = namespace.pop().filter(|_| !namespace.is_empty());
    match name {
        Some(name) => Ok(Place { warehouse, namespace, table: Some(name) }),
        None => Err(ClientError::TableName { name: table.to_owned() }.into()),
    }
}

/// `tarn table maintain`: begins a run and waits for its end.
pub(crate) fn maintain(command: &Maintain) -> Result<(), Failure> {
    let place = table_place(command.warehouse.clone(), &command.table)?;
    block_on(async {
        let connection = command.client.connect()?;
        let (job, dry_run) = (command.job.name(), command.dry_run);
        let begin = maintenance::Begin { job, dry_run, unsafe_no_grace: command.unsafe_no_grace };
        let mut run = maintenance::begin(&connection, &place, &begin).await?;
        if !command.detach {
            run = maintenance::wait(&connection, run).await?;
        }
        if command.client.json {
            print_json(&run)
        } else {
            maintenance::print_run(&run)
        }
        match run["error"].as_str() {
            Some(error) => {
                Err(Failure::Failed(anyhow::anyhow!("the run failed: {}", output::text(&error.into()))))
            }
            None => Ok(()),
        }
    })
}

/// `tarn table runs`.
pub(crate) fn runs(command: &Runs) -> Result<(), Failure> {
    let place = match &command.table {
        Some(table) => table_place(command.warehouse.clone(), table)?,
        None => Place::server(),
    };
    block_on(async {
        let answer = maintenance::runs(&command.client.connect()?, &place).await?;
        if command.client.json {
            print_json(&answer)
        } else {
            maintenance::print_runs(&answer)
        }
        Ok(())
    })
}

/// `tarn table policy`.
pub(crate) fn policy(command: Policy) -> Result<(), Failure> {
    block_on(async {
        let (answer, client) = match command {
            Policy::Show { place, client } => {
                (maintenance::policy(&client.connect()?, &place.place()?).await?, client)
            }
            Policy::Set { file, place, client } => {
                let policy = read(&file).map_err(Failure::Usage)?;
                (maintenance::set_policy(&client.connect()?, &place.place()?, &policy).await?, client)
            }
            Policy::Delete { place, client } => {
                let (connection, place) = (client.connect()?, place.place()?);
                maintenance::delete_policy(&connection, &place).await?;
                (maintenance::policy(&connection, &place).await?, client)
            }
        };
        if client.json {
            print_json(&answer)
        } else {
            maintenance::print_policy(&answer)
        }
        Ok(())
    })
}

fn read(file: &PathBuf) -> anyhow::Result<serde_json::Value> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    }
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}
