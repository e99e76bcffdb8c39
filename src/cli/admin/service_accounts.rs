//! `tarn admin service-account ...`

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::{ClientFlags, Failure, print_json};
use super::{all_pages, done, print_fields, print_secret, read_policy, set_status};
use crate::client::{output, path_segment};

#[derive(clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Create a service account and print its secret, once.
    Create {
        /// Whose [default: whose key signs].
        #[arg(long)]
        user: Option<String>,
        /// A file with a policy it is held to; - is standard input.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Its access key id [default: generated].
        #[arg(long)]
        id: Option<String>,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
    },
    /// List service accounts.
    List {
        /// Only those of this user.
        #[arg(long)]
        user: Option<String>,
    },
    /// Show a service account and its policy.
    Show { id: String },
    /// Delete a service account.
    Delete { id: String },
    /// Enable a service account.
    Enable { id: String },
    /// Disable a service account: it is refused until it is enabled.
    Disable { id: String },
    /// Hold a service account to another policy, or to none but its user's.
    SetPolicy {
        id: String,
        /// A file with the policy; - is standard input. Without one it may do what its user may.
        file: Option<PathBuf>,
    },
}

/// A service account as it is asked for, its policy as it was written.
#[derive(serde::Serialize)]
struct New {
    user: Option<String>,
    policy: Option<Box<RawValue>>,
    id: Option<String>,
    description: Option<String>,
}

pub(super) async fn run(Command { verb, client }: Command) -> Result<(), Failure> {
    let connection = client.connect()?;
    let of = |id: &str| format!("/_admin/v1/service-accounts/{}", path_segment(id));
    match verb {
        Verb::Create { user, policy, id, description } => {
            let policy = policy.map(|file| read_policy(&file)).transpose()?;
            let policy = policy.map(RawValue::from_string).transpose().context("the policy is not JSON");
            let ask = New { user, policy: policy.map_err(Failure::Usage)?, id, description };
            let ask = serde_json::to_string(&ask).map_err(anyhow::Error::new)?;
            let made = connection.post_text("/_admin/v1/service-accounts", &ask).await?;
            if client.json { print_json(&made) } else { print_secret(&made["id"], &made["secret"]) }
        }
        Verb::List { user } => {
            let query = user.map(|user| format!("?user={}", path_segment(&user))).unwrap_or_default();
            let path = format!("/_admin/v1/service-accounts{query}");
            let accounts = all_pages(&connection, &path, "service_accounts").await?;
            if client.json { print_json(&accounts) } else { print_accounts(&accounts["service_accounts"]) }
        }
        Verb::Show { id } => {
            let account = connection.get(&of(&id)).await?;
            if client.json { print_json(&account) } else { print_account(&account) }
        }
        Verb::Delete { id } => {
            connection.delete(&of(&id)).await?;
            done(&client, "deleted", &id);
        }
        Verb::Enable { id } => {
            set_status((&client, &connection), &of(&id), &id, "enabled").await?;
        }
        Verb::Disable { id } => {
            set_status((&client, &connection), &of(&id), &id, "disabled").await?;
        }
        Verb::SetPolicy { id, file } => {
            let path = format!("{}/policy", of(&id));
            match file {
                Some(file) => connection.put_text(&path, &read_policy(&file)?).await?,
                None => connection.delete(&path).await?,
            };
            done(&client, "changed", &id);
        }
    }
    Ok(())
}

/// Root's have no parent.
fn parent(account: &Value) -> String {
    account["parent"].as_str().map_or_else(|| "(root)".into(), |_| output::text(&account["parent"]))
}

fn print_accounts(accounts: &Value) {
    let mut table =
        output::Table::new(&["ACCESS KEY", "USER", "STATUS", "HELD TO", "CREATED", "DESCRIPTION"]);
    for account in accounts.as_array().into_iter().flatten() {
        let held = if account["policy"].is_string() { "a policy" } else { "-" };
        table.row([
            output::text(&account["id"]),
            parent(account),
            output::text(&account["status"]),
            held.into(),
            output::text(&account["created"]),
            output::text(&account["description"]),
        ]);
    }
    table.print();
}

fn print_account(account: &Value) {
    print_fields(&[
        ("access key", output::text(&account["id"])),
        ("user", parent(account)),
        ("status", output::text(&account["status"])),
        ("created", output::text(&account["created"])),
        ("description", output::text(&account["description"])),
    ]);
    if let Some(policy) = account["policy"].as_str() {
        let shown =
            serde_json::from_str::<Value>(policy).map_or_else(|_| policy.into(), |json| format!("{json:#}"));
        output::line(&shown);
    }
}
