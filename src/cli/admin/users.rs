//! `tarn admin user ...`

use serde_json::{Value, json};

use super::super::{ClientFlags, Failure, print_json};
use super::{all_pages, done, joined, print_fields, print_secret, set_status};
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
    /// Create a user and print its secret, once.
    Create {
        /// The name, which is the access key id.
        name: String,
        /// Attach this policy; may be given several times.
        #[arg(long = "policy", value_name = "POLICY")]
        policies: Vec<String>,
        /// Put the user into this group; may be given several times.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// List the users.
    List,
    /// Show a user's policies and groups.
    Show {
        #[arg(value_name = "USER")]
        name: String,
    },
    /// Delete a user with its service accounts.
    Delete {
        #[arg(value_name = "USER")]
        name: String,
    },
    /// Enable a user.
    Enable {
        #[arg(value_name = "USER")]
        name: String,
    },
    /// Disable a user: it, its sessions and its service accounts are refused until it is enabled.
    Disable {
        #[arg(value_name = "USER")]
        name: String,
    },
    /// Make a new secret and print it, once. The old one ends with all that was made with it.
    Secret {
        #[arg(value_name = "USER")]
        name: String,
    },
}

pub(super) async fn run(Command { verb, client }: Command) -> Result<(), Failure> {
    let connection = client.connect()?;
    let of = |name: &str| format!("/_admin/v1/users/{}", path_segment(name));
    match verb {
        Verb::Create { name, policies, groups } => {
            let ask = json!({ "name": name, "policies": policies, "groups": groups });
            let made = connection.post("/_admin/v1/users", &ask).await?;
            if client.json { print_json(&made) } else { print_secret(&made["name"], &made["secret"]) }
        }
        Verb::List => {
            let users = all_pages(&connection, "/_admin/v1/users", "users").await?;
            if client.json { print_json(&users) } else { print_users(&users["users"]) }
        }
        Verb::Show { name } => {
            let user = connection.get(&of(&name)).await?;
            if client.json { print_json(&user) } else { print_user(&user) }
        }
        Verb::Delete { name } => {
            connection.delete(&of(&name)).await?;
            done(&client, "deleted", &name);
        }
        Verb::Enable { name } => {
            set_status((&client, &connection), &of(&name), &name, "enabled").await?;
        }
        Verb::Disable { name } => {
            set_status((&client, &connection), &of(&name), &name, "disabled").await?;
        }
        Verb::Secret { name } => {
            let made = connection.post(&format!("{}/secret", of(&name)), &Value::Null).await?;
            if client.json { print_json(&made) } else { print_secret(&made["name"], &made["secret"]) }
        }
    }
    Ok(())
}

fn print_users(users: &Value) {
    let mut table = output::Table::new(&["USER", "STATUS", "POLICIES", "GROUPS", "CREATED"]);
    for user in users.as_array().into_iter().flatten() {
        table.row([
            output::text(&user["name"]),
            output::text(&user["status"]),
            joined(&user["policies"]),
            joined(&user["groups"]),
            output::text(&user["created"]),
        ]);
    }
    table.print();
}

fn print_user(user: &Value) {
    print_fields(&[
        ("user", output::text(&user["name"])),
        ("status", output::text(&user["status"])),
        ("policies", joined(&user["policies"])),
        ("groups", joined(&user["groups"])),
        ("created", output::text(&user["created"])),
    ]);
}
