//! `tarn migrate`: the tables and views of another Iceberg REST catalog.

use anyhow::{Context as _, anyhow};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{ClientFlags, Failure, block_on, print_json};
use crate::client::migrate::{self, Access, Globs, MigrateError, SignIn, Source, SourceError};
use crate::identity::Secret;

/// Requests at a time at most.
const PARALLEL_MAX: usize = 64;

/// Registers the tables and views of another Iceberg REST catalog here. No file is moved or copied: a table's files must
/// lie in the bucket of the warehouse on this server already. Without --apply it only tells what it would do.
#[derive(clap::Args)]
pub(crate) struct Migrate {
    /// The address of the other catalog, with any path before /v1.
    #[arg(long, value_name = "URI")]
    from: String,
    /// Its warehouse.
    #[arg(long, value_name = "WAREHOUSE")]
    from_warehouse: Option<String>,
    /// Sign in there with the bearer token in this variable.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "credential_env")]
    token_env: Option<String>,
    /// Sign in there with the client id and secret, id:secret, in this variable.
    #[arg(long, value_name = "VARIABLE")]
    credential_env: Option<String>,
    /// Where the token for them comes from [default: v1/oauth/tokens of the other catalog].
    #[arg(long, value_name = "URI", requires = "credential_env")]
    token_uri: Option<String>,
    /// The scope to ask for.
    #[arg(long, default_value = "catalog")]
    scope: String,
    /// A header to send there, name: value; may be given several times.
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The warehouse here.
    #[arg(long, default_value = "main")]
    warehouse: String,
    /// Only these names, such as sales.*; may be given several times.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Not these names; may be given several times.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Requests at a time.
    #[arg(long, default_value_t = 8)]
    parallel: usize,
    /// Do it.
    #[arg(long)]
    apply: bool,
    /// Only tell what would be done, as without --apply.
    #[arg(long, conflicts_with = "apply")]
    dry_run: bool,
    #[command(flatten)]
    client: ClientFlags,
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Source(error @ SourceError::Address(_)) => Self::Usage(error.into()),
            MigrateError::Source(error) => Self::Failed(anyhow!(error).context("the other catalog")),
            MigrateError::Target(error) => error.into(),
        }
    }
}

pub(crate) fn run(command: &Migrate) -> Result<(), Failure> {
    if !(1..=PARALLEL_MAX).contains(&command.parallel) {
        return Err(Failure::Usage(anyhow!("--parallel is 1 to {PARALLEL_MAX}")));
    }
    let access = Access {
        uri: command.from.clone(),
        warehouse: command.from_warehouse.clone(),
        sign_in: sign_in(command).map_err(Failure::Usage)?,
        headers: headers(&command.headers).map_err(Failure::Usage)?,
    };
    let asked = migrate::Asked {
        warehouse: command.warehouse.clone(),
        globs: Globs { include: command.include.clone(), exclude: command.exclude.clone() },
        parallel: command.parallel,
    };
    block_on(async {
        let connection = command.client.connect()?;
        let source = Source::open(access).await.map_err(MigrateError::Source)?;
        let mut migration = migrate::plan(&source, &connection, &asked).await?;
        if command.apply {
            migration = migrate::apply(migration, &source, &connection, &asked).await;
        }
        if command.client.json {
            print_json(&migrate::to_json(&migration, command.apply));
        } else {
            migrate::print(&migration, command.apply);
        }
        let left = migration.items().filter(|item| item.is_left_behind()).count();
        match command.apply && left > 0 {
            true => Err(Failure::Failed(anyhow!("{left} names did not come along"))),
            false => Ok(()),
        }
    })
}

fn sign_in(command: &Migrate) -> anyhow::Result<SignIn> {
    let read = |variable: &String| {
        std::env::var(variable).map(Secret::new).with_context(|| format!("{variable} is not set"))
    };
    match (&command.token_env, &command.credential_env) {
        (Some(variable), _) => Ok(SignIn::Token(read(variable)?)),
        (None, Some(variable)) => Ok(SignIn::Credential {
            credential: read(variable)?,
            token_uri: command.token_uri.clone(),
            scope: command.scope.clone(),
        }),
        (None, None) => Ok(SignIn::Nobody),
    }
}

fn headers(given: &[String]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for text in given {
        let (name, value) = text.split_once(':').with_context(|| format!("{text:?} is no header"))?;
        let name: HeaderName = name.trim().parse().with_context(|| format!("{name:?} names no header"))?;
        let value: HeaderValue = value.trim().parse().with_context(|| format!("{name} has no such value"))?;
        headers.append(name, value);
    }
    Ok(headers)
}
