//! `tarn recipient ...`

use serde_json::{Map, Value, json};

use super::super::admin::{all_pages, done, joined, print_fields};
use super::super::{ClientFlags, Failure, block_on};
use super::share::tell;
use super::spec::property;
use super::{print_tokens, time, token};
use crate::client::{Connection, output, path_segment};

#[derive(clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(clap::Subcommand)]
enum Verb {
    #[command(flatten)]
    Recipient(OfRecipient),
    #[command(flatten)]
    Token(token::Verb),
}

#[derive(clap::Subcommand)]
enum OfRecipient {
    /// Create a recipient. It may read nothing until a share is granted to it.
    Create {
        name: String,
        #[command(flatten)]
        what: What,
    },
    /// List the recipients.
    List,
    /// Show a recipient: its grants and tokens.
    Show {
        #[arg(value_name = "RECIPIENT")]
        name: String,
    },
    /// Change a recipient. It counts for the next request.
    Alter {
        #[arg(value_name = "RECIPIENT")]
        name: String,
        #[command(flatten)]
        what: What,
        /// Take all properties away.
        #[arg(long, conflicts_with = "properties")]
        no_properties: bool,
        /// Let it come from everywhere.
        #[arg(long, conflicts_with = "addresses")]
        no_addresses: bool,
        /// Let it in again.
        #[arg(long)]
        enable: bool,
        /// Refuse it until it is enabled.
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
    },
    /// Delete a recipient with its grants and tokens.
    Delete {
        #[arg(value_name = "RECIPIENT")]
        name: String,
    },
}

/// What a recipient is.
#[derive(clap::Args)]
struct What {
    /// What it is for; an empty one takes it away.
    #[arg(long)]
    comment: Option<String>,
    /// What row filters may refer to; may be given several times, for all there are.
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// From where it may come, such as 192.0.2.0/24; may be given several times, for all there are.
    #[arg(long = "address", value_name = "NETWORK")]
    addresses: Vec<String>,
    /// Of each of its tokens; 0 for what the server has.
    #[arg(long, value_name = "NUMBER")]
    requests_per_second: Option<u32>,
}

pub(crate) fn run(Command { verb, client }: Command) -> Result<(), Failure> {
    block_on(async {
        let connection = client.connect()?;
        match verb {
            Verb::Recipient(verb) => run_recipient(verb, &client, &connection).await,
            Verb::Token(verb) => token::run(verb, &client, &connection).await,
        }
    })
}

async fn run_recipient(
    verb: OfRecipient,
    client: &ClientFlags,
    connection: &Connection,
) -> Result<(), Failure> {
    match verb {
        OfRecipient::Create { name, what } => {
            let mut asked = told(what);
            asked.insert("name".into(), name.clone().into());
            // 0 is how a rate is taken away.
            asked.retain(|_, value| *value != 0);
            let made = connection.post("/_admin/v1/recipients", &asked.into()).await?;
            tell(client, &made, |_| output::line(&format!("created {name}")));
        }
        OfRecipient::List => {
            let recipients = all_pages(connection, "/_admin/v1/recipients", "recipients").await?;
            tell(client, &recipients, |recipients| print_recipients(&recipients["recipients"]));
        }
        OfRecipient::Show { name } => {
            let recipient = connection.get(&of(&name)).await?;
            tell(client, &recipient, print_recipient);
        }
        OfRecipient::Alter { name, what, no_properties, no_addresses, enable, disable } => {
            let mut asked = told(what);
            for (name, value) in [
                ("properties", no_properties.then(|| json!({}))),
                ("addresses", no_addresses.then(|| json!([]))),
                ("status", enable.then(|| "enabled".into())),
                ("status", disable.then(|| "disabled".into())),
            ] {
                asked.extend(value.map(|value| (name.to_owned(), value)));
            }
            let changed = connection.patch(&of(&name), &asked.into()).await?;
            tell(client, &changed, |_| output::line(&format!("changed {name}")));
        }
        OfRecipient::Delete { name } => {
            connection.delete(&of(&name)).await?;
            done(client, "deleted", &name);
        }
    }
    Ok(())
}

pub(super) fn of(recipient: &str) -> String {
    format!("/_admin/v1/recipients/{}", path_segment(recipient))
}

/// What the admin API is told; what is not given is not said.
fn told(What { comment, properties, addresses, requests_per_second }: What) -> Map<String, Value> {
    let properties = (!properties.is_empty())
        .then(|| properties.into_iter().map(|(name, value)| (name, value.into())).collect::<Map<_, _>>());
    let mut told = Map::new();
    for (name, value) in [
        ("comment", comment.map(Value::from)),
        ("properties", properties.map(Value::from)),
        ("addresses", (!addresses.is_empty()).then(|| json!(addresses))),
        ("requests_per_second", requests_per_second.map(Value::from)),
    ] {
        told.extend(value.map(|value| (name.to_owned(), value)));
    }
    told
}

fn print_recipients(recipients: &Value) {
    let mut table = output::Table::new(&["RECIPIENT", "STATUS", "SHARES", "TOKENS", "FOR"]);
    for recipient in recipients.as_array().into_iter().flatten() {
        table.row([
            output::text(&recipient["name"]),
            output::text(&recipient["status"]),
            joined(&recipient["shares"]),
            output::text(&recipient["tokens"]),
            output::text(&recipient["comment"]),
        ]);
    }
    table.print();
}

fn print_recipient(recipient: &Value) {
    let properties = recipient["properties"].as_object().into_iter().flatten();
    let properties: Vec<Value> =
        properties.map(|(name, value)| format!("{name}={}", output::text(value)).into()).collect();
    print_fields(&[
        ("recipient", output::text(&recipient["name"])),
        ("status", output::text(&recipient["status"])),
        ("for", output::text(&recipient["comment"])),
        ("properties", joined(&properties.into())),
        ("addresses", joined(&recipient["addresses"])),
        ("requests/s", output::text(&recipient["requests_per_second"])),
        ("created", time(&recipient["created_ms"])),
    ]);
    let mut grants = output::Table::new(&["SHARE", "SINCE (UTC)", "ROWS OF"]);
    for grant in recipient["grants"].as_array().into_iter().flatten() {
        let filtered = grant["filters"].as_object().into_iter().flatten();
        let filtered: Vec<Value> = filtered.map(|(table, _)| table.as_str().into()).collect();
        grants.row([output::text(&grant["share"]), time(&grant["created_ms"]), joined(&filtered.into())]);
    }
    grants.print();
    print_tokens(&recipient["tokens"]);
}
