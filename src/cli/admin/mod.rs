//! `tarn admin ...`

mod groups;
mod keys;
mod policies;
mod service_accounts;
mod users;
mod why;

use serde_json::{Value, json};

use super::{ClientFlags, Failure, block_on, print_json};
use crate::client::{Connection, output};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Users.
    User(users::Command),
    /// Groups of users.
    Group(groups::Command),
    /// Policies, and whom they are attached to.
    Policy(policies::Command),
    /// Further keys of users, which may be held to less.
    ServiceAccount(service_accounts::Command),
    /// Tell why somebody may do something or not.
    Why(why::Command),
    /// Access keys with a grant of their own.
    #[command(subcommand)]
    Key(keys::Key),
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    block_on(async {
        match command {
            Command::User(command) => users::run(command).await,
            Command::Group(command) => groups::run(command).await,
            Command::Policy(command) => policies::run(command).await,
            Command::ServiceAccount(command) => service_accounts::run(command).await,
            Command::Why(command) => why::run(command).await,
            Command::Key(key) => keys::run(key).await,
        }
    })
}

/// Enables or disables what is at `path`.
async fn set_status(
    (client, connection): (&ClientFlags, &Connection),
    path: &str,
    name: &str,
    status: &str,
) -> Result<(), Failure> {
    connection.put(&format!("{path}/status"), &json!({ "status": status })).await?;
    done(client, status, name);
    Ok(())
}

/// Says what was done.
pub(super) fn done(client: &ClientFlags, verb: &str, what: &str) {
    if client.json { print_json(&json!({ verb: what })) } else { output::line(&format!("{verb} {what}")) }
}

/// The same of several, as one document.
fn done_all(client: &ClientFlags, verb: &str, all: &[String]) {
    if client.json {
        print_json(&json!({ verb: all }))
    } else {
        all.iter().for_each(|what| output::line(&format!("{verb} {what}")))
    }
}

fn print_secret(id: &Value, secret: &Value) {
    output::line(&format!("access key  {}", output::text(id)));
    output::line(&format!("secret key  {}", output::text(secret)));
    output::line("The secret is shown only now.");
}

/// All pages of a list, as one answer.
pub(super) async fn all_pages(connection: &Connection, path: &str, list: &str) -> Result<Value, Failure> {
    let mut entries = Vec::new();
    let mut page = connection.get(path).await?;
    loop {
        if let Some(found) = page[list].as_array_mut() {
            entries.append(found);
        }
        let Some(token) = page["next_page_token"].as_str() else { break };
        let sign = if path.contains('?') { '&' } else { '?' };
        page = connection.get(&format!("{path}{sign}page_token={token}")).await?;
    }
    Ok(json!({ list: entries }))
}

/// The texts of a list, `-` for none.
pub(super) fn joined(list: &Value) -> String {
    let texts: Vec<String> = list.as_array().into_iter().flatten().map(output::text).collect();
    if texts.is_empty() { "-".into() } else { texts.join(",") }
}

/// Names and values below one another.
pub(super) fn print_fields(fields: &[(&str, String)]) {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields {
        output::line(&format!("{name:<width$}  {value}"));
    }
}

/// A policy from a file, or from standard input for `-`.
fn read_policy(file: &std::path::Path) -> Result<String, Failure> {
    let read = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("{} cannot be read", file.display()));
        Failure::Usage(error)
    })
}
