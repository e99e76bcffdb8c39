//! `tarn share ...` of what is in a share: schemas, tables and grants.

use serde_json::{Map, Value, json};

use super::super::admin::{done, print_fields};
use super::super::{ClientFlags, Failure};
use super::share::{of, readable, sharer, source, tell, versions};
use super::spec::{RowsSpec, TableName, TableSpec, history, rows, rows_by, table_name, table_spec};
use crate::client::{Connection, output, path_segment};

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Add a schema without tables.
    AddSchema { share: String, schema: String },
    /// Remove a schema without tables.
    RemoveSchema { share: String, schema: String },
    /// Put a table into a share, and its schema if it is not there.
    AddTable(AddTable),
    /// Change how a table is shared.
    AlterTable(AlterTable),
    /// Remove a table from a share; URLs of its files end.
    RemoveTable {
        share: String,
        /// SCHEMA.TABLE
        #[arg(value_parser = table_name)]
        table: TableName,
    },
    /// Let a recipient read a share, in the place of the grant it has.
    Grant {
        share: String,
        recipient: String,
        /// Only rows with one of these values, which hold no commas, in a column the table is partitioned by; may be
        /// given several times, and all hold. Tables that are not named are read in full.
        #[arg(long, value_name = "SCHEMA.TABLE:COLUMN=VALUE,VALUE", value_parser = rows)]
        rows: Vec<RowsSpec>,
        /// Only rows whose value is that of a property of the recipient.
        #[arg(long, value_name = "SCHEMA.TABLE:COLUMN=PROPERTY", value_parser = rows_by)]
        rows_by: Vec<RowsSpec>,
    },
    /// Take a grant back, at once.
    Revoke { share: String, recipient: String },
}

#[derive(clap::Args)]
pub(super) struct AddTable {
    share: String,
    /// SCHEMA.TABLE=iceberg:WAREHOUSE.NAMESPACE.TABLE or SCHEMA.TABLE=delta:s3://BUCKET/PREFIX
    #[arg(value_parser = table_spec)]
    table: TableSpec,
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
pub(super) struct AlterTable {
    share: String,
    /// SCHEMA.TABLE
    #[arg(value_parser = table_name)]
    table: TableName,
    #[command(flatten)]
    how: How,
}

/// How a table is shared.
#[derive(clap::Args)]
pub(super) struct How {
    /// What it is for.
    #[arg(long)]
    comment: Option<String>,
    /// Which versions may be read: latest, all, or the first [default: latest].
    #[arg(long, value_name = "VERSIONS", value_parser = history)]
    history: Option<Value>,
    /// What is done with columns that no reader of Delta could read [default: error].
    #[arg(long, value_parser = ["error", "omit"])]
    unsupported_columns: Option<String>,
    /// What is done with equality deletes [default: error].
    #[arg(long, value_parser = ["error", "resolve"])]
    equality_deletes: Option<String>,
}

impl How {
    fn told(self) -> Map<String, Value> {
        let Self { comment, history, unsupported_columns, equality_deletes } = self;
        let mut told = Map::new();
        for (name, value) in [
            ("comment", comment.map(Value::from)),
            ("history", history),
            ("unsupported_columns", unsupported_columns.map(Value::from)),
            ("equality_deletes", equality_deletes.map(Value::from)),
        ] {
            told.extend(value.map(|value| (name.to_owned(), value)));
        }
        told
    }
}

pub(super) async fn run(verb: Verb, client: &ClientFlags, connection: &Connection) -> Result<(), Failure> {
    match verb {
        Verb::AddSchema { share, schema } => {
            let path = format!("{}/schemas/{}", of(&share), path_segment(&schema));
            connection.put(&path, &Value::Null).await?;
            done(client, "added", &schema);
        }
        Verb::RemoveSchema { share, schema } => {
            connection.delete(&format!("{}/schemas/{}", of(&share), path_segment(&schema))).await?;
            done(client, "removed", &schema);
        }
        Verb::AddTable(AddTable { share, table: TableSpec { table, source }, how }) => {
            let mut asked = how.told();
            asked.insert("schema".into(), table.schema.into());
            asked.insert("name".into(), table.name.into());
            asked.insert("source".into(), source);
            let added = connection.post(&format!("{}/tables", of(&share)), &asked.into()).await?;
            tell(client, &added, print_table);
        }
        Verb::AlterTable(AlterTable { share, table, how }) => {
            let changed = connection.patch(&of_table(&share, &table), &how.told().into()).await?;
            tell(client, &changed, print_table);
        }
        Verb::RemoveTable { share, table } => {
            connection.delete(&of_table(&share, &table)).await?;
            done(client, "removed", &format!("{}.{}", table.schema, table.name));
        }
        Verb::Grant { share, recipient, rows, rows_by } => {
            let path = format!("{}/grants/{}", of(&share), path_segment(&recipient));
            let granted = connection.put(&path, &filters(rows.into_iter().chain(rows_by))).await?;
            tell(client, &granted, |_| output::line(&format!("granted {share} to {recipient}")));
        }
        Verb::Revoke { share, recipient } => {
            connection.delete(&format!("{}/grants/{}", of(&share), path_segment(&recipient))).await?;
            done(client, "revoked", &recipient);
        }
    }
    Ok(())
}

fn of_table(share: &str, TableName { schema, name }: &TableName) -> String {
    format!("{}/tables/{}/{}", of(share), path_segment(schema), path_segment(name))
}

fn filters(rows: impl Iterator<Item = RowsSpec>) -> Value {
    let mut filters = Map::new();
    for RowsSpec { table, filter } in rows {
        if let Some(of_table) = filters.entry(table).or_insert_with(|| json!([])).as_array_mut() {
            of_table.push(filter);
        }
    }
    json!({ "filters": filters })
}

fn print_table(table: &Value) {
    print_fields(&[
        ("table", output::text(&table["name"])),
        ("for", output::text(&table["comment"])),
        ("source", source(&table["source"])),
        ("shared by", sharer(table)),
        ("readable", readable(table)),
        ("history", versions(&table["history"])),
        ("unsupported columns", output::text(&table["unsupported_columns"])),
        ("equality deletes", output::text(&table["equality_deletes"])),
    ]);
}
