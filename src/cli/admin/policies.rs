//! `tarn admin policy ...`

use std::path::PathBuf;

use serde_json::Value;

use super::super::{ClientFlags, Failure, print_json};
use super::{done, read_policy};
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
    /// Create a policy or replace it.
    Create {
        #[arg(value_name = "POLICY")]
        name: String,
        /// A file with the policy in AWS's JSON; - is standard input.
        file: PathBuf,
    },
    /// List the policies.
    List,
    /// Show a policy.
    Show {
        #[arg(value_name = "POLICY")]
        name: String,
    },
    /// Delete a policy that is attached to nobody.
    Delete {
        #[arg(value_name = "POLICY")]
        name: String,
    },
    /// Attach a policy to a user or group.
    Attach {
        policy: String,
        #[command(flatten)]
        to: Holder,
    },
    /// Detach a policy from a user or group.
    Detach {
        policy: String,
        #[command(flatten)]
        from: Holder,
    },
}

/// Whom a policy is attached to.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Holder {
    /// A user.
    #[arg(long)]
    user: Option<String>,
    /// A group.
    #[arg(long)]
    group: Option<String>,
}

impl Holder {
    fn path(&self, policy: &str) -> String {
        let (kind, name) = match (&self.user, &self.group) {
            (Some(user), _) => ("users", user.as_str()),
            (None, group) => ("groups", group.as_deref().unwrap_or_default()),
        };
        format!("/_admin/v1/{kind}/{}/policies/{}", path_segment(name), path_segment(policy))
    }
}

pub(super) async fn run(Command { verb, client }: Command) -> Result<(), Failure> {
    let of = |name: &str| format!("/_admin/v1/policies/{}", path_segment(name));
    match verb {
        Verb::Create { name, file } => {
            let text = read_policy(&file)?;
            client.connect()?.put_text(&of(&name), &text).await?;
            done(&client, "created", &name);
        }
        Verb::List => {
            let policies = client.connect()?.get("/_admin/v1/policies").await?;
            if client.json { print_json(&policies) } else { print_policies(&policies["policies"]) }
        }
        Verb::Show { name } => print_json(&client.connect()?.get(&of(&name)).await?),
        Verb::Delete { name } => {
            client.connect()?.delete(&of(&name)).await?;
            done(&client, "deleted", &name);
        }
        Verb::Attach { policy, to } => {
            client.connect()?.put(&to.path(&policy), &Value::Null).await?;
            done(&client, "attached", &policy);
        }
        Verb::Detach { policy, from } => {
            client.connect()?.delete(&from.path(&policy)).await?;
            done(&client, "detached", &policy);
        }
    }
    Ok(())
}

fn print_policies(policies: &Value) {
    let mut table = output::Table::new(&["POLICY", "UPDATED"]);
    for policy in policies.as_array().into_iter().flatten() {
        let updated = match policy["built_in"].as_bool() {
            Some(true) => "built in".into(),
            Some(false) | None => output::text(&policy["updated"]),
        };
        table.row([output::text(&policy["name"]), updated]);
    }
    table.print();
}
