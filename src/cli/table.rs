//! `tarn table ...`; what maintains tables is in `maintain.rs`.

use serde_json::{Value, json};

use super::{ClientFlags, Failure, block_on, history, maintain, print_json};
use crate::client::engines::Engine;
use crate::client::table_changes::{self, NewTable, Protection};
use crate::client::{ClientError, output, tables};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the tables of a warehouse, or of one namespace and those below it.
    List {
        /// The namespace, its levels separated by dots.
        namespace: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Show a table: schema, partitions, current snapshot, properties.
    Show(Named),
    /// List a table's snapshots and the branches and tags on them.
    Snapshots(Named),
    /// Create a table.
    Create(Create),
    /// Rename a table, also into another namespace.
    Rename {
        /// The name it gets: namespace and name separated by dots.
        #[arg(long, value_name = "TABLE")]
        to: String,
        #[command(flatten)]
        table: Named,
    },
    /// Make a table of a metadata file that lies in the warehouse already.
    Register {
        /// The file, such as s3://main/sales/orders/metadata/00003-....metadata.json.
        #[arg(long, value_name = "LOCATION")]
        metadata: String,
        /// Put it in the place of the table of this name.
        #[arg(long)]
        overwrite: bool,
        #[command(flatten)]
        table: Named,
    },
    /// Print what to paste into an engine so that it uses this warehouse.
    Config {
        #[arg(value_enum)]
        engine: Engine,
        #[command(flatten)]
        place: Place,
    },
    /// Drop a table. It can be undropped for as long as the server keeps it.
    Drop {
        /// Delete its files when it is kept no more.
        #[arg(long)]
        purge: bool,
        /// Drop it even if it is protected; asks for the right to administer.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        table: Named,
    },
    /// Bring a dropped table back.
    Undrop {
        /// The id of the drop, as `tarn table dropped` shows it [default: the last one of this name].
        #[arg(long)]
        id: Option<uuid::Uuid>,
        /// Another name for it: namespace and name separated by dots.
        #[arg(long, value_name = "TABLE")]
        to: Option<String>,
        #[command(flatten)]
        table: Named,
    },
    /// List the dropped tables that can be undropped.
    Dropped {
        #[command(flatten)]
        place: Place,
    },
    /// Protect a table from being dropped.
    Protect(Named),
    /// Protect a table no more.
    Unprotect(Named),
    /// List what happened to a table: position, time, who asked for what.
    History(history::TableHistory),
    /// List what happened in a warehouse.
    Log(history::Log),
    /// Show what differs between two points of a table, or of a whole warehouse.
    Diff(history::Diff),
    /// Move tables back to a position, a time or a snapshot. Nothing is erased; asks for the right to administer.
    Rollback(history::Rollback),
    /// Run maintenance of a table now.
    Maintain(maintain::Maintain),
    /// List the runs of maintenance, the newest first.
    Runs(maintain::Runs),
    /// What maintenance does by itself: policies of the server, warehouses, namespaces and tables.
    #[command(subcommand)]
    Policy(maintain::Policy),
}

#[derive(clap::Args)]
pub(crate) struct Create {
    /// A column: its name and its Iceberg type, such as id:long or price:decimal(10,2); may be given several times.
    #[arg(long = "column", value_name = "NAME:TYPE", value_parser = pair, required_unless_present = "schema")]
    columns: Vec<(String, String)>,
    /// A column that is never null; may be given several times.
    #[arg(long = "required", value_name = "NAME")]
    required: Vec<String>,
    /// A file with an Iceberg schema as JSON.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["columns", "required"])]
    schema: Option<std::path::PathBuf>,
    /// Where it lies [default: the server chooses].
    #[arg(long)]
    location: Option<String>,
    /// A property; may be given several times.
    #[arg(long = "property", value_name = "KEY:VALUE", value_parser = pair)]
    properties: Vec<(String, String)>,
    #[command(flatten)]
    table: Named,
}

/// What stands before the first colon, and behind it.
fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once(':').ok_or("a colon is expected after the name")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A table of a server.
#[derive(clap::Args)]
pub(crate) struct Named {
    /// The table: namespace and name separated by dots.
    pub(super) table: String,
    #[command(flatten)]
    pub(super) place: Place,
}

#[derive(clap::Args)]
pub(crate) struct Place {
    /// The warehouse [default: the server's].
    #[arg(long)]
    warehouse: Option<String>,
    #[command(flatten)]
    pub(super) client: ClientFlags,
}

impl Place {
    pub(super) async fn open(&self) -> Result<tables::Catalog, ClientError> {
        tables::Catalog::open(self.client.connect()?, self.warehouse.as_deref()).await
    }

    /// Says what was done.
    fn done(&self, verb: &str, table: &str) {
        if self.client.json {
            print_json(&json!({ verb: table }));
        } else {
            output::line(&format!("{verb} {}", output::text(&table.into())));
        }
    }
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::History(command) => history::table_history(&command),
        Command::Log(command) => history::log(&command),
        Command::Diff(command) => history::diff(&command),
        Command::Rollback(command) => history::rollback(&command),
        Command::Maintain(command) => maintain::maintain(&command),
        Command::Runs(command) => maintain::runs(&command),
        Command::Policy(command) => maintain::policy(command),
        Command::List { namespace, place } => block_on(list(namespace.as_deref(), &place)),
        Command::Show(named) => block_on(show(&named)),
        Command::Snapshots(named) => block_on(snapshots(&named)),
        Command::Create(command) => block_on(create(&command)),
        Command::Rename { to, table } => block_on(rename(&table, &to)),
        Command::Register { metadata, overwrite, table } => block_on(register(&table, &metadata, overwrite)),
        Command::Config { engine, place } => block_on(config(engine, &place)),
        Command::Drop { purge, force, table } => block_on(drop(&table, purge, force)),
        Command::Undrop { id, to, table } => block_on(undrop(&table, id, to.as_deref())),
        Command::Dropped { place } => block_on(dropped(&place)),
        Command::Protect(named) => block_on(protect(&named, Protection::On)),
        Command::Unprotect(named) => block_on(protect(&named, Protection::Off)),
    }
}

async fn list(namespace: Option<&str>, place: &Place) -> Result<(), Failure> {
    let found = place.open().await?.list(namespace).await?;
    if place.client.json {
        print_json(&tables::list_json(&found))
    } else {
        tables::print_list(&found)
    }
    Ok(())
}

async fn show(Named { table, place }: &Named) -> Result<(), Failure> {
    let answer = place.open().await?.load(table).await?;
    if place.client.json {
        print_json(&answer)
    } else {
        tables::print_table(table, &answer)
    }
    Ok(())
}

async fn snapshots(Named { table, place }: &Named) -> Result<(), Failure> {
    let metadata = place.open().await?.load(table).await?["metadata"].take();
    if place.client.json {
        print_json(&tables::snapshots_json(&metadata));
    } else {
        tables::print_snapshots(&metadata);
    }
    Ok(())
}

async fn create(command: &Create) -> Result<(), Failure> {
    let Named { table, place } = &command.table;
    let schema = match &command.schema {
        Some(file) => {
            let read = || -> anyhow::Result<Value> { Ok(serde_json::from_slice(&std::fs::read(file)?)?) };
            let named = |error: anyhow::Error| error.context(format!("{} holds no schema", file.display()));
            read().map_err(|error| Failure::Usage(named(error)))?
        }
        None => schema(&command.columns, &command.required)?,
    };
    let (location, properties) = (command.location.as_deref(), command.properties.clone());
    let answer = place.open().await?.create(table, NewTable { schema, location, properties }).await?;
    if place.client.json {
        print_json(&answer)
    } else {
        place.done("created", table)
    }
    Ok(())
}

/// The schema of these columns, numbered from 1.
fn schema(columns: &[(String, String)], required: &[String]) -> Result<Value, Failure> {
    if let Some(unknown) = required.iter().find(|name| !columns.iter().any(|(column, _)| column == *name)) {
        return Err(Failure::Usage(anyhow::anyhow!("--required {unknown} names no column")));
    }
    let fields = (1..).zip(columns).map(|(id, (name, kind))| {
        json!({ "id": id, "name": name, "type": kind, "required": required.contains(name) })
    });
    Ok(json!({ "type": "struct", "schema-id": 0, "fields": fields.collect::<Vec<_>>() }))
}

async fn rename(Named { table, place }: &Named, to: &str) -> Result<(), Failure> {
    place.open().await?.rename(table, to).await?;
    if place.client.json {
        print_json(&json!({ "renamed": table, "to": to }));
    } else {
        output::line(&format!(
            "renamed {} to {}",
            output::text(&table.as_str().into()),
            output::text(&to.into())
        ));
    }
    Ok(())
}

async fn register(Named { table, place }: &Named, metadata: &str, overwrite: bool) -> Result<(), Failure> {
    let answer = place.open().await?.register(table, metadata, overwrite).await?;
    if place.client.json {
        print_json(&answer)
    } else {
        place.done("registered", table)
    }
    Ok(())
}

async fn config(engine: Engine, place: &Place) -> Result<(), Failure> {
    let catalog = place.open().await?;
    let text = engine.snippet(&catalog.attach());
    if place.client.json {
        print_json(&json!({ "engine": engine.title(), "config": text }));
    } else {
        output::line(&text);
    }
    Ok(())
}

async fn drop(Named { table, place }: &Named, purge: bool, force: bool) -> Result<(), Failure> {
    let catalog = place.open().await?;
    if force {
        catalog.drop_protected(table, purge).await?;
    } else {
        catalog.drop(table, purge).await?;
    }
    place.done("dropped", table);
    Ok(())
}

async fn undrop(
    Named { table, place }: &Named,
    id: Option<uuid::Uuid>,
    to: Option<&str>,
) -> Result<(), Failure> {
    place.open().await?.undrop(table, id, to).await?;
    place.done("undropped", to.unwrap_or(table));
    Ok(())
}

async fn dropped(place: &Place) -> Result<(), Failure> {
    let found = place.open().await?.dropped().await?;
    if place.client.json {
        print_json(&json!({ "tables": Value::Array(found) }));
    } else {
        table_changes::print_dropped(&found);
    }
    Ok(())
}

async fn protect(Named { table, place }: &Named, protection: Protection) -> Result<(), Failure> {
    place.open().await?.protect(table, protection).await?;
    let verb = match protection {
        Protection::On => "protected",
        Protection::Off => "unprotected",
    };
    place.done(verb, table);
    Ok(())
}
