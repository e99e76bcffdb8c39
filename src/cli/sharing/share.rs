//! `tarn share ...`

use serde_json::{Value, json};

use super::super::admin::{all_pages, done, print_fields};
use super::super::{ClientFlags, Failure, block_on, print_json};
use super::{contents, time};
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
    Share(OfShare),
    #[command(flatten)]
    Contents(contents::Verb),
}

#[derive(clap::Subcommand)]
enum OfShare {
    /// Create a share without tables.
    Create {
        name: String,
        /// What it is for.
        #[arg(long)]
        comment: Option<String>,
    },
    /// List the shares.
    List,
    /// Show a share: its tables, and who may read them.
    Show {
        #[arg(value_name = "SHARE")]
        name: String,
    },
    /// Change what a share is for.
    Alter {
        #[arg(value_name = "SHARE")]
        name: String,
        /// An empty one takes it away.
        #[arg(long)]
        comment: String,
    },
    /// Sign tokens of recipients with a new key from now on.
    RotateKey {
        /// End every token that was signed so far, now.
        #[arg(long)]
        withdraw: bool,
    },
    /// Delete a share. Nobody reads it any more, by URLs that are out neither.
    Delete {
        #[arg(value_name = "SHARE")]
        name: String,
    },
}

pub(crate) fn run(Command { verb, client }: Command) -> Result<(), Failure> {
    block_on(async {
        let connection = client.connect()?;
        match verb {
            Verb::Share(verb) => run_share(verb, &client, &connection).await,
            Verb::Contents(verb) => contents::run(verb, &client, &connection).await,
        }
    })
}

async fn run_share(verb: OfShare, client: &ClientFlags, connection: &Connection) -> Result<(), Failure> {
    match verb {
        OfShare::Create { name, comment } => {
            let asked = json!({ "name": name, "comment": comment });
            let made = connection.post("/_admin/v1/shares", &asked).await?;
            tell(client, &made, |_| output::line(&format!("created {name}")));
        }
        OfShare::List => {
            let shares = all_pages(connection, "/_admin/v1/shares", "shares").await?;
            tell(client, &shares, |shares| print_shares(&shares["shares"]));
        }
        OfShare::Show { name } => {
            let mut share = connection.get(&of(&name)).await?;
            share["grants"] = connection.get(&format!("{}/grants", of(&name))).await?["grants"].take();
            tell(client, &share, print_share);
        }
        OfShare::Alter { name, comment } => {
            let changed = connection.patch(&of(&name), &json!({ "comment": comment })).await?;
            tell(client, &changed, |_| output::line(&format!("changed {name}")));
        }
        OfShare::RotateKey { withdraw } => {
            let asked = json!({ "withdraw": withdraw });
            let rotated = connection.post("/_admin/v1/sharing-keys/rotate", &asked).await?;
            tell(client, &rotated, |key| {
                output::line(&format!("signing with key {}", output::text(&key["key"])))
            });
        }
        OfShare::Delete { name } => {
            connection.delete(&of(&name)).await?;
            done(client, "deleted", &name);
        }
    }
    Ok(())
}

pub(super) fn of(share: &str) -> String {
    format!("/_admin/v1/shares/{}", path_segment(share))
}

pub(super) fn tell(client: &ClientFlags, answer: &Value, people: impl FnOnce(&Value)) {
    if client.json { print_json(answer) } else { people(answer) }
}

fn print_shares(shares: &Value) {
    let mut table = output::Table::new(&["SHARE", "TABLES", "CHANGED (UTC)", "FOR"]);
    for share in shares.as_array().into_iter().flatten() {
        table.row([
            output::text(&share["name"]),
            output::text(&share["tables"]),
            time(&share["updated_ms"]),
            output::text(&share["comment"]),
        ]);
    }
    table.print();
}

fn print_share(share: &Value) {
    print_fields(&[
        ("share", output::text(&share["name"])),
        ("for", output::text(&share["comment"])),
        ("created", time(&share["created_ms"])),
        ("changed", time(&share["updated_ms"])),
    ]);
    let mut tables = output::Table::new(&["TABLE", "SOURCE", "HISTORY", "SHARED BY", "READABLE"]);
    for schema in share["schemas"].as_array().into_iter().flatten() {
        for table in schema["tables"].as_array().into_iter().flatten() {
            tables.row([
                format!("{}.{}", output::text(&schema["name"]), output::text(&table["name"])),
                source(&table["source"]),
                versions(&table["history"]),
                sharer(table),
                readable(table),
            ]);
        }
    }
    tables.print();
    let mut grants = output::Table::new(&["RECIPIENT", "SINCE (UTC)", "ROWS OF"]);
    for grant in share["grants"].as_array().into_iter().flatten() {
        let filtered: Vec<&str> =
            grant["filters"].as_object().into_iter().flatten().map(|(table, _)| table.as_str()).collect();
        let filtered =
            if filtered.is_empty() { "-".into() } else { output::text(&filtered.join(",").into()) };
        grants.row([output::text(&grant["recipient"]), time(&grant["created_ms"]), filtered]);
    }
    grants.print();
}

pub(super) fn source(source: &Value) -> String {
    if source["type"] == "delta" {
        return format!("delta:s3://{}/{}", output::text(&source["bucket"]), output::text(&source["prefix"]));
    }
    let levels: Vec<String> =
        source["namespace"].as_array().into_iter().flatten().map(output::text).collect();
    let (warehouse, table) = (output::text(&source["warehouse"]), output::text(&source["table"]));
    format!("iceberg:{warehouse}.{}.{table}", levels.join("."))
}

pub(super) fn versions(history: &Value) -> String {
    match history["start"].as_i64() {
        Some(0) => "all".into(),
        Some(start) => format!("from {start}"),
        None => "latest".into(),
    }
}

pub(super) fn sharer(table: &Value) -> String {
    table["shared_by"].as_str().map_or_else(|| "root".into(), |key| output::text(&key.into()))
}

pub(super) fn readable(table: &Value) -> String {
    if table["readable"] == true { "yes".into() } else { "no".into() }
}
