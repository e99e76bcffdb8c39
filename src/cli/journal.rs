//! `tarn journal`.

use serde_json::{Value, json};

use super::{ClientFlags, Failure, block_on, print_json};
use crate::client::{journal, output};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Keep tables of a bucket's changes and of its objects, or change how they are kept.
    Put {
        /// The bucket.
        bucket: String,
        /// Rows of the journal go after so many days [default: they stay].
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
        expire_days: Option<u32>,
        /// Keep no table of the objects there are.
        #[arg(long)]
        no_inventory: bool,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Print how the tables of a bucket are kept.
    Get(At),
    /// List the journals and how they stand.
    List {
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Show how a journal stands: state, lag, rows, and what the last comparison found.
    Status(At),
    /// Compare the table of objects with the bucket: the same rows, or it fails.
    Reconcile {
        /// The bucket.
        bucket: String,
        /// Wait for the end.
        #[arg(long)]
        wait: bool,
        /// Write the table of objects anew if there is drift.
        #[arg(long)]
        repair: bool,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Write the tables of a bucket no more. They stay, as they are.
    Delete(At),
}

#[derive(clap::Args)]
pub(crate) struct At {
    /// The bucket.
    bucket: String,
    #[command(flatten)]
    client: ClientFlags,
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    block_on(async {
        match command {
            Command::Put { bucket, expire_days, no_inventory, client } => {
                let settings = json!({"expirationDays": expire_days, "inventory": !no_inventory});
                let kept = journal::put(&client.connect()?, &bucket, &settings).await?;
                told(&kept, &client, journal::print);
                Ok(())
            }
            Command::Get(At { bucket, client }) => {
                let found = journal::get(&client.connect()?, &bucket).await?;
                let days = &found["expirationDays"];
                print_json(&json!({"expirationDays": days, "inventory": !found["inventory"].is_null()}));
                Ok(())
            }
            Command::List { client } => {
                let answer = journal::list(&client.connect()?).await?;
                told(&answer, &client, journal::print_list);
                Ok(())
            }
            Command::Status(At { bucket, client }) => {
                let found = journal::get(&client.connect()?, &bucket).await?;
                told(&found, &client, journal::print);
                Ok(())
            }
            Command::Reconcile { bucket, wait, repair, client } => {
                reconcile(&bucket, (wait, repair), &client).await
            }
            Command::Delete(At { bucket, client }) => {
                journal::delete(&client.connect()?, &bucket).await?;
                Ok(())
            }
        }
    })
}

async fn reconcile(bucket: &str, (wait, repair): (bool, bool), client: &ClientFlags) -> Result<(), Failure> {
    let connection = client.connect()?;
    let begun = journal::reconcile(&connection, bucket, repair).await?;
    if !wait {
        told(&begun, client, |begun| output::line(&format!("run  {}", output::text(&begun["run"]))));
        return Ok(());
    }
    let found = journal::wait(&connection, bucket, &begun).await?;
    told(&found, client, journal::print);
    let last = &found["reconcile"];
    match (last["state"].as_str(), last["drift"].as_u64()) {
        (Some("completed"), Some(0)) => Ok(()),
        (Some("completed"), _) => {
            Err(Failure::Failed(anyhow::anyhow!("the table of objects drifted: {}", journal::drift(last))))
        }
        (_, _) => {
            let state = output::text(&last["state"]);
            Err(Failure::Failed(anyhow::anyhow!("the comparison ended as {state}")))
        }
    }
}

fn told(answer: &Value, client: &ClientFlags, print: impl FnOnce(&Value)) {
    if client.json { print_json(answer) } else { print(answer) }
}
