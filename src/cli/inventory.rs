//! `tarn inventory`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use tarn_inventory::report::aistor;

use super::{ClientFlags, Failure, block_on, print_json};
use crate::client::inventory::{self, At};
use crate::client::inventory_diff::{self, Diff, DiffError};
use crate::client::output;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Print a definition to begin with.
    Generate {
        #[command(flatten)]
        at: AtFlags,
    },
    /// Define an inventory, or change it. It runs at once, and then on its schedule.
    Put {
        /// The bucket it tells.
        bucket: String,
        /// A file with the definition as YAML; - reads standard input.
        file: PathBuf,
        /// Wait for the end of the run.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Print a definition as it was written.
    Get {
        #[command(flatten)]
        at: AtFlags,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// List the inventories of a bucket.
    List {
        /// The bucket.
        bucket: String,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Tell what a run would do: objects, size and time, by a look at a part of the bucket.
    Plan {
        /// The bucket it tells.
        bucket: String,
        /// The id of an inventory.
        #[arg(required_unless_present = "file")]
        id: Option<String>,
        /// A file with a definition that is not put yet; - reads standard input.
        #[arg(long, conflicts_with = "id")]
        file: Option<PathBuf>,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Begin a run now.
    Run {
        #[command(flatten)]
        at: AtFlags,
        /// Wait for its end.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Show how an inventory stands.
    Status {
        #[command(flatten)]
        at: AtFlags,
        /// Show how far it is until it ends.
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Tell what changed between two runs: rows added, removed and changed.
    Diff {
        #[command(flatten)]
        at: AtFlags,
        /// The id of the older run [default: the one before the last that completed].
        #[arg(long, value_name = "RUN")]
        from: Option<String>,
        /// The id of the newer run [default: the last that completed].
        #[arg(long, value_name = "RUN")]
        to: Option<String>,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Suspend the run of an inventory; without a run, its schedule.
    Suspend {
        #[command(flatten)]
        at: AtFlags,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Let go on what was suspended.
    Resume {
        #[command(flatten)]
        at: AtFlags,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Cancel the run of an inventory.
    Cancel {
        #[command(flatten)]
        at: AtFlags,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Delete an inventory and cancel its run. What it wrote stays.
    Delete {
        #[command(flatten)]
        at: AtFlags,
        #[command(flatten)]
        client: ClientFlags,
    },
}

#[derive(clap::Args)]
pub(crate) struct AtFlags {
    /// The bucket it tells.
    bucket: String,
    /// Its id.
    id: String,
}

impl AtFlags {
    fn at(&self) -> At<'_> {
        At { bucket: &self.bucket, id: &self.id }
    }
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Generate { at } => {
            generate(&at);
            Ok(())
        }
        Command::Put { bucket, file, wait, client } => put(&bucket, &file, wait, &client),
        Command::Get { at, client } => get(&at, &client),
        Command::List { bucket, client } => block_on(async {
            let answer = inventory::list(&client.connect()?, &bucket).await?;
            told(&answer, &client, inventory::print_list);
            Ok(())
        }),
        Command::Plan { bucket, id, file, client } => plan(&bucket, id, file.as_deref(), &client),
        Command::Run { at, wait, client } => block_on(async {
            let connection = client.connect()?;
            let begun = inventory::order(&connection, &at.at(), "run").await?;
            if wait {
                return ended(&inventory::wait(&connection, &at.at()).await?, &client);
            }
            told(&begun, &client, |begun| output::line(&format!("run  {}", output::text(&begun["run"]))));
            Ok(())
        }),
        Command::Status { at, watch, client } => block_on(async {
            let connection = client.connect()?;
            let status = match watch {
                true => inventory::wait(&connection, &at.at()).await?,
                false => inventory::status(&connection, &at.at()).await?,
            };
            told(&status, &client, inventory::print_status);
            Ok(())
        }),
        Command::Diff { at, from, to, client } => diff(&at, (from.as_deref(), to.as_deref()), &client),
        Command::Suspend { at, client } => order(&at, "suspend", &client),
        Command::Resume { at, client } => order(&at, "resume", &client),
        Command::Cancel { at, client } => order(&at, "cancel", &client),
        Command::Delete { at, client } => block_on(async {
            inventory::delete(&client.connect()?, &at.at()).await?;
            Ok(())
        }),
    }
}

fn generate(at: &AtFlags) {
    let text = aistor::template(&at.bucket, &at.id);
    output::line(text.trim_end());
}

fn put(bucket: &str, file: &Path, wait: bool, client: &ClientFlags) -> Result<(), Failure> {
    let (text, id) = definition(bucket, file)?;
    block_on(async {
        let connection = client.connect()?;
        let at = At { bucket, id: &id };
        let kept = inventory::put(&connection, &at, &text).await?;
        if wait {
            return ended(&inventory::wait(&connection, &at).await?, client);
        }
        told(&kept, client, |kept| inventory::print_status(&kept["status"]));
        Ok(())
    })
}

fn plan(bucket: &str, id: Option<String>, file: Option<&Path>, client: &ClientFlags) -> Result<(), Failure> {
    let (text, id) = match file {
        Some(file) => definition(bucket, file).map(|(text, id)| (Some(text), id))?,
        None => (None, id.unwrap_or_default()),
    };
    block_on(async {
        let plan = inventory::plan(&client.connect()?, &At { bucket, id: &id }, text.as_deref()).await?;
        told(&plan, client, inventory::print_plan);
        Ok(())
    })
}

/// A definition and its id. One that cannot be is refused before the server is asked.
fn definition(bucket: &str, file: &Path) -> Result<(String, String), Failure> {
    let text = read(file).map_err(Failure::Usage)?;
    let read = aistor::Inventory::parse(bucket, &text);
    let read = read.with_context(|| format!("{} is no definition", file.display()));
    let id = read.map_err(Failure::Usage)?.spec.id;
    Ok((text, id))
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file.as_os_str() != "-" {
        return std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    Ok(text)
}

fn get(at: &AtFlags, client: &ClientFlags) -> Result<(), Failure> {
    block_on(async {
        let found = inventory::get(&client.connect()?, &at.at()).await?;
        told(&found, client, |found| match found["definition"].as_str() {
            Some(text) => output::line(text.trim_end()),
            // It came by the jobs API.
            None => print_json(&found["spec"]),
        });
        Ok(())
    })
}

fn diff(at: &AtFlags, runs: (Option<&str>, Option<&str>), client: &ClientFlags) -> Result<(), Failure> {
    block_on(async {
        let diff =
            inventory_diff::diff(client.connect()?, &at.at(), runs).await.map_err(|error| match error {
                DiffError::Client(error) => Failure::from(error),
                error @ (DiffError::Compare(_)
                | DiffError::TooFew(_)
                | DiffError::NoManifest(_)
                | DiffError::Local(_)
                | DiffError::Task(_)) => Failure::Failed(error.into()),
            })?;
        if client.json {
            let Diff { from, to, difference } = &diff;
            print_json(&json!({"from": from, "to": to, "difference": difference}));
        } else {
            inventory_diff::print(&diff);
        }
        Ok(())
    })
}

fn order(at: &AtFlags, wanted: &str, client: &ClientFlags) -> Result<(), Failure> {
    block_on(async {
        let answer = inventory::order(&client.connect()?, &at.at(), wanted).await?;
        told(&answer, client, |answer| output::line(&output::text(&answer["message"])));
        Ok(())
    })
}

fn told(answer: &Value, client: &ClientFlags, print: impl FnOnce(&Value)) {
    if client.json { print_json(answer) } else { print(answer) }
}

/// Prints how a run ended; one that failed fails the command.
fn ended(status: &Value, client: &ClientFlags) -> Result<(), Failure> {
    told(status, client, inventory::print_status);
    match status["state"].as_str() {
        Some("Failed" | "Canceled") => {
            let state = output::text(&status["state"]).to_lowercase();
            Err(Failure::Failed(anyhow::anyhow!("the run ended as {state}")))
        }
        _ => Ok(()),
    }
}
