//! `tarn job list|runs|show|put|run|watch|suspend|resume|cancel|report|delete`.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use super::{ClientFlags, Failure, block_on, print_json};
use crate::client::{Connection, jobs, output};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the jobs, each with its last run.
    List {
        #[command(flatten)]
        client: ClientFlags,
    },
    /// List runs, the newest first: of jobs, of maintenance of tables, of healing.
    Runs {
        /// Only of this job.
        job: Option<String>,
        /// Only of this kind, such as inventory or maintenance.
        #[arg(long)]
        kind: Option<String>,
        /// Only in this state, such as running or failed.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Show a job, or a run by its id.
    Show(Named),
    /// Put a job. A new or changed one runs at once.
    Put {
        /// Its name.
        name: String,
        /// A file with kind, spec, schedule and more as JSON; - reads standard input.
        file: PathBuf,
        /// Only if there is no job of this name.
        #[arg(long)]
        create: bool,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Begin a run of a job and show how it gets on.
    Run {
        /// The job.
        name: String,
        /// Do not wait for the end.
        #[arg(long)]
        detach: bool,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Show how a run gets on until it ends or is suspended.
    Watch(Named),
    /// Suspend a run until it is resumed.
    Suspend(Named),
    /// Let a suspended run go on.
    Resume(Named),
    /// Cancel a run, and take away what it left.
    Cancel(Named),
    /// Show what a run that ended came to.
    Report(Named),
    /// Delete a job and cancel its run.
    Delete {
        /// The job.
        name: String,
        #[command(flatten)]
        client: ClientFlags,
    },
}

#[derive(clap::Args)]
pub(crate) struct Named {
    /// The id of a run, or the name of a job: its last run.
    name: String,
    #[command(flatten)]
    client: ClientFlags,
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    block_on(async {
        match command {
            Command::List { client } => {
                print(&client, &jobs::list(&client.connect()?).await?, jobs::print_jobs);
            }
            Command::Runs { job, kind, state, client } => {
                let asked = [("job", job.as_deref()), ("kind", kind.as_deref()), ("state", state.as_deref())];
                print(&client, &jobs::runs(&client.connect()?, &asked).await?, jobs::print_runs);
            }
            Command::Show(Named { name, client }) => {
                let connection = client.connect()?;
                let shown = match uuid::Uuid::parse_str(&name) {
                    Ok(_) => jobs::show_run(&connection, &name).await?,
                    Err(_) => jobs::show(&connection, &name).await?,
                };
                print(&client, &shown, jobs::print_one);
            }
            Command::Put { name, file, create, client } => {
                let definition = read(&file).map_err(Failure::Usage)?;
                let mode = create.then_some("create");
                let put = jobs::put(&client.connect()?, &name, &definition, mode).await?;
                print(&client, &put, jobs::print_one);
            }
            Command::Run { name, detach, client } => {
                let connection = client.connect()?;
                let run = jobs::run(&connection, &name).await?;
                if detach {
                    print(&client, &run, jobs::print_one);
                    return Ok(());
                }
                return watch(&connection, run["id"].as_str().unwrap_or_default(), &client).await;
            }
            Command::Watch(Named { name, client }) => {
                let connection = client.connect()?;
                let id = jobs::find_run(&connection, &name).await?;
                return watch(&connection, &id, &client).await;
            }
            Command::Suspend(named) => change(named, "suspend").await?,
            Command::Resume(named) => change(named, "resume").await?,
            Command::Cancel(named) => change(named, "cancel").await?,
            Command::Report(Named { name, client }) => {
                let connection = client.connect()?;
                let id = jobs::find_run(&connection, &name).await?;
                print(&client, &jobs::report(&connection, &id).await?, jobs::print_one);
            }
            Command::Delete { name, client } => {
                jobs::delete(&client.connect()?, &name).await?;
                if !client.json {
                    output::line(&format!("deleted job {name}"));
                }
            }
        }
        Ok(())
    })
}

async fn change(Named { name, client }: Named, verb: &str) -> Result<(), Failure> {
    let connection = client.connect()?;
    let id = jobs::find_run(&connection, &name).await?;
    print(&client, &jobs::change(&connection, &id, verb).await?, jobs::print_one);
    Ok(())
}

/// Follows a run: a bar on a terminal, a line of JSON for each step where JSON is asked for. Fails when the run did.
pub(crate) async fn watch(connection: &Connection, id: &str, client: &ClientFlags) -> Result<(), Failure> {
    let mut bar = (!client.json && std::io::stderr().is_terminal()).then(jobs::Bar::new);
    let last = jobs::follow(connection, id, |run| match &mut bar {
        Some(bar) => bar.show(run),
        None if client.json => output::line(&run.to_string()),
        None => {}
    });
    let last = last.await?;
    if let Some(bar) = bar {
        bar.end();
    }
    if !client.json {
        jobs::print_one(&last);
    }
    ended(&last)
}

/// What the end of a run makes of the exit code.
fn ended(run: &Value) -> Result<(), Failure> {
    let failed = run["counts"]["failed"].as_u64().unwrap_or(0);
    match run["state"].as_str() {
        Some("failed") => {
            let error = output::text(&run["last_error"]);
            Err(Failure::Failed(anyhow::anyhow!("the run failed: {error}")))
        }
        Some("canceled") => Err(Failure::Failed(anyhow::anyhow!("the run was canceled"))),
        _ if failed > 0 => Err(Failure::Partial(anyhow::anyhow!("{failed} items failed"))),
        _ => Ok(()),
    }
}

fn print(client: &ClientFlags, answer: &Value, to_people: fn(&Value)) {
    if client.json { print_json(answer) } else { to_people(answer) }
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    }
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}
