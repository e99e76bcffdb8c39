//! `tarn webhook put|list|show|delete|test`.

use serde_json::json;

use super::{ClientFlags, Failure, block_on, print_json};
use crate::client::{output, webhooks};
use crate::webhooks::Mode;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Put a webhook, in the place of the one of this id. A new one prints its secret, once.
    Put(Box<Put>),
    /// List the webhooks and how they do.
    List {
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Show a webhook and how it does.
    Show {
        /// Its id.
        id: String,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Delete a webhook.
    Delete {
        /// Its id.
        id: String,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Send an event of its own kind to a webhook now.
    Test {
        /// Its id.
        id: String,
        #[command(flatten)]
        client: ClientFlags,
    },
}

#[derive(clap::Args)]
pub(crate) struct Put {
    /// Its id.
    id: String,
    /// Where events go: http or https.
    #[arg(long)]
    url: String,
    /// Only events of this warehouse.
    #[arg(long)]
    warehouse: Option<String>,
    /// Only events of this namespace and those inside; its levels separated by dots.
    #[arg(long, requires = "warehouse")]
    namespace: Option<String>,
    /// Only this type, such as tarn.table.created, or tarn.table.* for all of tables; may be given several times.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// One event a request, or those that wait.
    #[arg(long, value_enum, default_value_t = Mode::Single)]
    mode: Mode,
    /// How long the receiver may take to answer, in seconds [default: 10].
    #[arg(long)]
    timeout_seconds: Option<u64>,
    /// Send nothing until it is put again without this.
    #[arg(long)]
    disabled: bool,
    /// Go on behind this position, an event's id [default: where it stands; a new one from now on].
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// Read the secret from this variable [default: the one it has, or a new one].
    #[arg(long, value_name = "VARIABLE")]
    secret_env: Option<String>,
    #[command(flatten)]
    client: ClientFlags,
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    block_on(async {
        match command {
            Command::Put(command) => put(&command).await,
            Command::List { client } => {
                let answer = webhooks::list(&client.connect()?).await?;
                if client.json {
                    print_json(&answer)
                } else {
                    webhooks::print_list(&answer)
                }
                Ok(())
            }
            Command::Show { id, client } => {
                let answer = webhooks::show(&client.connect()?, &id).await?;
                if client.json {
                    print_json(&answer)
                } else {
                    webhooks::print(&answer)
                }
                Ok(())
            }
            Command::Delete { id, client } => {
                webhooks::delete(&client.connect()?, &id).await?;
                if client.json {
                    print_json(&json!({ "deleted": id }))
                } else {
                    output::line(&format!("deleted {id}"))
                }
                Ok(())
            }
            Command::Test { id, client } => test(&id, &client).await,
        }
    })
}

async fn put(command: &Put) -> Result<(), Failure> {
    let secret = match &command.secret_env {
        None => None,
        Some(variable) => Some(
            std::env::var(variable).map_err(|_| Failure::Usage(anyhow::anyhow!("{variable} is not set")))?,
        ),
    };
    let namespace = command.namespace.as_ref().map(|levels| levels.split('.').collect::<Vec<_>>());
    let asked = json!({
        "url": command.url, "warehouse": command.warehouse, "namespace": namespace, "types": command.types,
        "mode": command.mode, "timeout_seconds": command.timeout_seconds, "enabled": !command.disabled,
        "after": command.after, "secret": secret,
    });
    let answer = webhooks::put(&command.client.connect()?, &command.id, &asked).await?;
    if command.client.json {
        print_json(&answer)
    } else {
        webhooks::print(&answer)
    }
    Ok(())
}

async fn test(id: &str, client: &ClientFlags) -> Result<(), Failure> {
    let answer = webhooks::test(&client.connect()?, id).await?;
    if client.json {
        print_json(&answer);
    } else if answer["delivered"] == true {
        output::line(&format!("delivered in {} ms", output::text(&answer["took_ms"])));
    }
    match answer["failure"].as_str() {
        Some(failure) => Err(Failure::Failed(anyhow::anyhow!("{}", output::text(&failure.into())))),
        None => Ok(()),
    }
}
