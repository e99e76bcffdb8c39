//! `tarn admin group ...`

use serde_json::{Value, json};

use super::super::{ClientFlags, Failure, print_json};
use super::{done, done_all, joined, print_fields, set_status};
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
    /// Create a group.
    Create {
        #[arg(value_name = "GROUP")]
        name: String,
        /// Attach this policy; may be given several times.
        #[arg(long = "policy", value_name = "POLICY")]
        policies: Vec<String>,
    },
    /// List the groups.
    List,
    /// Show a group's policies and members.
    Show {
        #[arg(value_name = "GROUP")]
        name: String,
    },
    /// Delete a group that has no members.
    Delete {
        #[arg(value_name = "GROUP")]
        name: String,
    },
    /// Enable a group.
    Enable {
        #[arg(value_name = "GROUP")]
        name: String,
    },
    /// Disable a group: its policies count for nobody until it is enabled.
    Disable {
        #[arg(value_name = "GROUP")]
        name: String,
    },
    /// Put users into a group.
    Add {
        #[arg(value_name = "GROUP")]
        name: String,
        #[arg(required = true, value_name = "USER")]
        users: Vec<String>,
    },
    /// Take users out of a group.
    Remove {
        #[arg(value_name = "GROUP")]
        name: String,
        #[arg(required = true, value_name = "USER")]
        users: Vec<String>,
    },
}

pub(super) async fn run(Command { verb, client }: Command) -> Result<(), Failure> {
    let connection = client.connect()?;
    let of = |name: &str| format!("/_admin/v1/groups/{}", path_segment(name));
    let member = |name: &str, user: &str| format!("{}/members/{}", of(name), path_segment(user));
    match verb {
        Verb::Create { name, policies } => {
            let ask = json!({ "name": name, "policies": policies });
            let made = connection.post("/_admin/v1/groups", &ask).await?;
            if client.json { print_json(&made) } else { print_group(&made) }
        }
        Verb::List => {
            let groups = connection.get("/_admin/v1/groups").await?;
            if client.json { print_json(&groups) } else { print_groups(&groups["groups"]) }
        }
        Verb::Show { name } => {
            let group = connection.get(&of(&name)).await?;
            if client.json { print_json(&group) } else { print_group(&group) }
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
        Verb::Add { name, users } => {
            for user in &users {
                connection.put(&member(&name, user), &Value::Null).await?;
            }
            done_all(&client, "added", &users);
        }
        Verb::Remove { name, users } => {
            for user in &users {
                connection.delete(&member(&name, user)).await?;
            }
            done_all(&client, "removed", &users);
        }
    }
    Ok(())
}

fn print_groups(groups: &Value) {
    let mut table = output::Table::new(&["GROUP", "STATUS", "POLICIES", "MEMBERS", "CREATED"]);
    for group in groups.as_array().into_iter().flatten() {
        let members = group["members"].as_array().map_or(0, Vec::len);
        table.row([
            output::text(&group["name"]),
            output::text(&group["status"]),
            joined(&group["policies"]),
            members.to_string(),
            output::text(&group["created"]),
        ]);
    }
    table.print();
}

fn print_group(group: &Value) {
    print_fields(&[
        ("group", output::text(&group["name"])),
        ("status", output::text(&group["status"])),
        ("policies", joined(&group["policies"])),
        ("members", joined(&group["members"])),
        ("created", output::text(&group["created"])),
    ]);
}
