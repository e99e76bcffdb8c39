//! `tarn batch generate|start|list|status|describe|cancel`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use serde_json::json;
use tarn_inventory::batch::KINDS;
use uuid::Uuid;

use super::{ClientFlags, Failure, block_on, job, print_json};
use crate::client::{jobs, output};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Print a batch to begin with.
    Generate {
        /// What it does.
        #[arg(value_parser = kinds())]
        kind: String,
    },
    /// Start a batch and print its name.
    Start {
        /// A file with the batch as YAML; - reads standard input.
        file: PathBuf,
        /// Its name among all jobs [default: batch/ and a new id].
        #[arg(long)]
        name: Option<String>,
        /// Show how it gets on, and wait for its end.
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// List the runs of batches, the newest first.
    List {
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Show how a batch is.
    Status(Named),
    /// Print the YAML of a batch.
    Describe(Named),
    /// Cancel a batch. What it did stays done, and its report tells it.
    Cancel(Named),
}

#[derive(clap::Args)]
pub(crate) struct Named {
    /// Its name.
    name: String,
    #[command(flatten)]
    client: ClientFlags,
}

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(KINDS.map(|(kind, _)| kind))
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    block_on(async {
        match command {
            Command::Generate { kind } => {
                let text = tarn_inventory::batch::template(&kind).unwrap_or_default();
                output::line(text.trim_end());
            }
            Command::Start { file, name, watch, client } => {
                let yaml = read(&file).map_err(Failure::Usage)?;
                let name = name.unwrap_or_else(|| format!("batch/{}", Uuid::now_v7()));
                let definition = json!({"kind": "batch", "spec": {"yaml": yaml}});
                let connection = client.connect()?;
                let put = jobs::put(&connection, &name, &definition, Some("create")).await?;
                if watch {
                    let id = jobs::begun(&connection, &name).await?;
                    return job::watch(&connection, &id, &client).await;
                }
                if client.json {
                    print_json(&put);
                } else {
                    output::line(&name);
                }
            }
            Command::List { client } => {
                let runs = jobs::runs(&client.connect()?, &[("kind", Some("batch"))]).await?;
                if client.json {
                    print_json(&runs);
                } else {
                    jobs::print_runs(&runs);
                }
            }
            Command::Status(Named { name, client }) => {
                let connection = client.connect()?;
                let id = jobs::find_run(&connection, &name).await?;
                let run = jobs::show_run(&connection, &id).await?;
                if client.json {
                    print_json(&run);
                } else {
                    let mut told = run.clone();
                    told.as_object_mut().map(|fields| fields.remove("spec"));
                    jobs::print_one(&told);
                }
            }
            Command::Describe(Named { name, client }) => {
                let shown = jobs::show(&client.connect()?, &name).await?;
                match shown["spec"]["written"].as_str().filter(|_| !client.json) {
                    Some(yaml) => output::line(yaml.trim_end()),
                    None => print_json(&shown["spec"]),
                }
            }
            Command::Cancel(Named { name, client }) => {
                let connection = client.connect()?;
                let id = jobs::find_run(&connection, &name).await?;
                let run = jobs::change(&connection, &id, "cancel").await?;
                if client.json {
                    print_json(&run);
                } else {
                    jobs::print_one(&run);
                }
            }
        }
        Ok(())
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    }
    Ok(text)
}
