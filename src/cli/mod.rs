//! The command line.

mod admin;
mod batch;
mod completions;
mod config;
mod events;
mod history;
mod inventory;
mod job;
mod journal;
mod maintain;
mod migrate;
mod report;
mod serve;
mod sharing;
mod sql;
mod status;
mod table;
mod webhook;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::client::{ClientError, Connection};

/// Tarn: one binary that is a lakehouse. S3 storage on erasure-coded drives and an Iceberg REST catalog.
#[derive(Parser)]
#[command(name = "tarn", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(Box<serve::ServeFlags>),
    /// Check or show the configuration of the server.
    #[command(subcommand)]
    Config(config::Command),
    /// Administer a running server.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Look at the tables of a running server, change and maintain them.
    #[command(subcommand)]
    Table(table::Command),
    /// Share tables with recipients outside, by Delta Sharing.
    Share(Box<sharing::share::Command>),
    /// Those that tables are shared with, and what they show.
    Recipient(Box<sharing::recipient::Command>),
    /// Print the changes of a running server's catalog.
    Events(events::Events),
    /// Do one thing to many objects of a running server.
    #[command(subcommand)]
    Batch(batch::Command),
    /// Jobs of a running server: what they do, when, and how their runs get on.
    #[command(subcommand)]
    Job(job::Command),
    /// Journals of buckets: tables of every change, and of the objects there are.
    #[command(subcommand)]
    Journal(journal::Command),
    /// Send the changes of a running server's catalog to URLs.
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Inventories of buckets: reports of their objects, and tables of them.
    #[command(subcommand)]
    Inventory(inventory::Command),
    /// Register the tables and views of another Iceberg REST catalog here.
    Migrate(Box<migrate::Migrate>),
    /// Answer a saved report of a running server, as a table or a chart.
    Report(Box<report::Report>),
    /// Ask a running server about its tables and its state in SQL.
    Sql(Box<sql::Sql>),
    /// Show drives, sets, healing and logs of a running server.
    Status(status::Status),
    /// Print the completions of a shell.
    Completions(completions::Completions),
}

/// Why a command failed, as its exit code tells.
pub(crate) enum Failure {
    /// 1.
    Failed(anyhow::Error),
    /// 2: the command line or the configuration is wrong.
    Usage(anyhow::Error),
    /// 3: done, but not all of it.
    Partial(anyhow::Error),
    /// 4.
    NotFound(anyhow::Error),
    /// 5.
    Denied(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::NotFound { .. } => Self::NotFound(error.into()),
            ClientError::Denied { .. } => Self::Denied(error.into()),
            ClientError::NoCredentials { .. }
            | ClientError::NoSecret { .. }
            | ClientError::Endpoint { .. }
            | ClientError::TableName { .. }
            | ClientError::Credentials(_) => Self::Usage(error.into()),
            ClientError::Unreachable { .. }
            | ClientError::Refused { .. }
            | ClientError::BrokenOff
            | ClientError::Ended { .. }
            | ClientError::Answer { .. } => Self::Failed(error.into()),
        }
    }
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    // An error only says that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match cli.command {
        Command::Serve(flags) => serve::run(*flags),
        Command::Config(command) => config::run(command),
        Command::Admin(command) => admin::run(command),
        Command::Table(command) => table::run(command),
        Command::Share(command) => sharing::share::run(*command),
        Command::Recipient(command) => sharing::recipient::run(*command),
        Command::Events(events) => events::run(&events),
        Command::Batch(command) => batch::run(command),
        Command::Job(command) => job::run(command),
        Command::Journal(command) => journal::run(command),
        Command::Inventory(command) => inventory::run(command),
        Command::Migrate(migrate) => migrate::run(&migrate),
        Command::Webhook(command) => webhook::run(command),
        Command::Report(report) => report::run(&report),
        Command::Sql(sql) => sql::run(&sql),
        Command::Status(status) => status::run(&status),
        Command::Completions(completions) => {
            completions::run(&completions);
            Ok(())
        }
    };
    let (error, code) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Failed(error)) => (error, 1),
        Err(Failure::Usage(error)) => (error, 2),
        Err(Failure::Partial(error)) => (error, 3),
        Err(Failure::NotFound(error)) => (error, 4),
        Err(Failure::Denied(error)) => (error, 5),
    };
    eprintln!("tarn: {error:#}");
    ExitCode::from(code)
}

/// How to reach a running server.
#[derive(clap::Args)]
pub(crate) struct ClientFlags {
    /// The server's address.
    #[arg(long, env = "TARN_ENDPOINT", default_value = "http://127.0.0.1:9000", global = true)]
    endpoint: String,
    /// The access key to sign with; its secret is read from TARN_ROOT_SECRET_KEY.
    #[arg(long, env = "TARN_ROOT_ACCESS_KEY", global = true)]
    access_key: Option<String>,
    /// A file with access_key and secret_key, used when no access key is given.
    #[arg(long, value_name = "FILE", default_value = "tarn-data/tarn-credentials.toml", global = true)]
    credentials: std::path::PathBuf,
    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
}

impl ClientFlags {
    fn connect(&self) -> Result<Connection, ClientError> {
        let secret = std::env::var("TARN_ROOT_SECRET_KEY").ok();
        Connection::open(&self.endpoint, key(self.access_key.as_deref(), secret)?, &self.credentials)
    }
}

/// The key that is given. One without its secret must not become the key of the file, which may do more.
fn key(id: Option<&str>, secret: Option<String>) -> Result<Option<(&str, String)>, ClientError> {
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Some((id, secret))),
        (Some(id), None) => Err(ClientError::NoSecret { id: id.to_owned() }),
        (None, _) => Ok(None),
    }
}

/// Runs a client's command on a small runtime.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Failed(error.into()))?.block_on(work)
}

/// Prints a JSON answer.
fn print_json(value: &serde_json::Value) {
    crate::client::output::line(&format!("{value:#}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_key_without_its_secret_is_refused_and_not_replaced_by_that_of_the_file() {
        assert!(matches!(key(Some("alice"), None), Err(ClientError::NoSecret { .. })));
        assert!(matches!(key(None, Some("secret".into())), Ok(None)));
        assert!(matches!(key(Some("alice"), Some("secret".into())), Ok(Some(("alice", _)))));
    }
}
